package tabular

import (
	"bufio"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/culvert/culvert/rules/diag"
)

// sheetRows reads the rows of one sheet.
type sheetRows struct {
	book   *workbook
	name   string
	place  string
	src    io.ReadCloser
	budget *budgetReader
	dec    *xml.Decoder
	head   []string // without the columns that Culvert added
	link   int      // column of links, -1: none
	width  int      // columns of the header
	read   []bool   // which of them the rule reads
	plan   *plan
	line   int
	merges []mergedCells // by their first row, from those on that may still concern a row
	active []mergedCells
	cells  []string
	faults []columnFault
	ended  bool
}

type columnFault struct {
	column int
	fault  *cellFault
}

// open opens a sheet and reads its header.
func (w *workbook) open(ref sheetRef) (_ *sheetRows, err error) {
	s := &sheetRows{book: w, name: ref.name, place: fmt.Sprintf("%s, sheet %q", w.place, shorten(ref.name))}
	e := w.parts[ref.part]
	if e == nil {
		return nil, &FileError{Problem: diag.Problem{Place: diag.Place{File: s.place},
			Message: "the sheet holds no cells",
			Hint:    "it may be a chart; name another with sheet:"}, empty: true}
	}
	if s.merges, err = s.findMerges(e); err != nil {
		return nil, readError(s.place, err)
	}
	if s.src, err = openEntry(w.place, e, w.format); err != nil {
		return nil, readError(s.place, err)
	}
	s.budget = &budgetReader{r: s.src}
	s.dec = xml.NewDecoder(bufio.NewReaderSize(s.budget, 64<<10))
	if err := s.readHeader(); err != nil {
		return nil, errors.Join(err, s.src.Close())
	}
	return s, nil
}

func (s *sheetRows) readHeader() error {
	f := s.book.format
	if f.NoHeader {
		return &FileError{Problem: diag.Problem{Place: diag.Place{File: s.place},
			Message: "it is a workbook, and header: none is for CSV",
			Hint:    "insert a row with the names of the columns"}}
	}
	s.width = maxSheetColumns
	for {
		err := s.row()
		if err == io.EOF {
			return &FileError{Problem: diag.Problem{Place: diag.Place{File: s.place}, Message: "the sheet is empty",
				Hint: "name the sheet that holds the rows with sheet:"}, empty: true}
		}
		if err != nil {
			return err
		}
		if s.line < f.Header || f.Header == 1 && s.blank() {
			continue
		}
		break
	}
	if s.line > f.Header && f.Header > 1 {
		s.cells = s.cells[:0] // the row of the headers is not there at all
	}
	if len(s.faults) > 0 {
		return &FileError{Problem: diag.Problem{Place: diag.Place{File: s.place},
			Message: fmt.Sprintf("the header of column %s cannot be read: %s",
				columnName(s.faults[0].column), s.faults[0].fault.message), Hint: s.faults[0].fault.hint}}
	}
	for _, m := range s.merges {
		if m.firstRow <= s.line && s.line <= m.lastRow && m.lastColumn > m.firstColumn {
			return &FileError{Problem: diag.Problem{Place: diag.Place{File: s.place},
				Message: fmt.Sprintf("the headers in columns %s to %s are merged into one",
					columnName(m.firstColumn), columnName(m.lastColumn)),
				Hint: "unmerge them and give each column a name"}}
		}
	}
	header, err := checkHeader(s.cells, f, s.place)
	if err != nil {
		return err
	}
	rule := newColumns(f)
	named := rule.rename(header)
	s.width, s.plan, s.head = len(header), newPlan(named), withoutOurs(header)
	s.read = make([]bool, len(header))
	for i, name := range named {
		s.read[i] = rule.reads(name)
	}
	s.link = linkColumn(header)
	return nil
}

// maxSheetColumns is how many columns a sheet can have.
const maxSheetColumns = 16384

// next gives the next row that is not blank.
func (s *sheetRows) next(row *Row) error {
	if err := s.advance(); err != nil {
		return err
	}
	cells := make([]string, len(s.cells))
	copy(cells, s.cells)
	row.Line, row.Sheet, row.Cells = s.line, s.name, cells[:min(len(cells), len(s.head))]
	row.Fixes = linkIn(cells, s.link)
	if bad := s.problem(row.Cells); bad != nil {
		return bad
	}
	row.Body = s.plan.body(cells)
	return nil
}

func (s *sheetRows) skip() error { return s.advance() }

// advance moves to the next row that is not blank.
func (s *sheetRows) advance() error {
	for {
		if err := s.row(); err != nil {
			return err
		}
		// What is wrong in a column that the rule does not read, such as a formula of a note, concerns nobody.
		s.faults = slices.DeleteFunc(s.faults, func(f columnFault) bool { return !s.reads(f.column, f.column) })
		if !s.blank() || len(s.faults) > 0 {
			return nil
		}
	}
}

func (s *sheetRows) blank() bool {
	for _, c := range s.cells {
		if strings.TrimSpace(c) != "" {
			return false
		}
	}
	return true
}

// problem words what makes the current row unusable.
func (s *sheetRows) problem(cells []string) error {
	if len(s.faults) > 0 {
		f := s.faults[0]
		return &RowError{Line: s.line, Sheet: s.name, Problem: diag.Problem{Column: s.column(f.column),
			Message: f.fault.message,
			Hint:    f.fault.hint}, Cells: cells}
	}
	for _, m := range s.touching() {
		if m.firstColumn >= s.width || s.line == m.firstRow && m.firstColumn == m.lastColumn ||
			!s.reads(m.firstColumn, m.lastColumn) {
			continue
		}
		return &RowError{Line: s.line, Sheet: s.name, Problem: diag.Problem{Column: s.column(m.firstColumn),
			Message: fmt.Sprintf("the cells %s to %s are merged, so that only the first has a value",
				fmt.Sprint(columnName(m.firstColumn), m.firstRow), fmt.Sprint(columnName(m.lastColumn), m.lastRow)),
			Hint: "unmerge them and fill in each row"}, Cells: cells}
	}
	return nil
}

// reads tells whether the rule reads one of some columns.
func (s *sheetRows) reads(first, last int) bool {
	for n := first; n <= last && n < len(s.read); n++ {
		if s.read[n] {
			return true
		}
	}
	return false
}

func (s *sheetRows) column(n int) string {
	if n < len(s.head) && s.head[n] != "" {
		return s.head[n]
	}
	return columnName(n)
}

// row reads the next row element, blank or not, into cells and faults.
func (s *sheetRows) row() error {
	s.cells, s.faults = s.cells[:0], s.faults[:0]
	if s.ended {
		return io.EOF
	}
	// Cells in XML are several times as long as their text.
	s.budget.allow(16 * s.book.format.MaxRow)
	for {
		t, err := s.token()
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.StartElement:
			if t.Name.Local != "row" {
				continue
			}
			s.line++
			if n, err := strconv.Atoi(attribute(t, "r")); err == nil && n >= s.line {
				s.line = n
			}
			return s.readCells()
		case xml.EndElement:
			if t.Name.Local == "sheetData" {
				s.ended = true
				return io.EOF
			}
		}
	}
}

func (s *sheetRows) token() (xml.Token, error) {
	t, err := s.dec.RawToken()
	switch {
	case err == nil:
		return t, nil
	case err == io.EOF:
		return nil, &FileError{Problem: diag.Problem{Place: diag.Place{File: s.place},
			Message: fmt.Sprintf("the sheet ends after row %d though more should follow",
				s.line), Hint: "copy or export the file again"}}
	case errors.Is(err, errOverBudget):
		return nil, &FileError{Problem: diag.Problem{Place: diag.Place{File: s.place},
			Message: fmt.Sprintf("row %d is longer than can be read", s.line+1),
			Hint:    "shorten its cells"}}
	}
	return nil, s.book.damage(err)
}

func (s *sheetRows) header() []string { return s.head }
func (s *sheetRows) layout() Layout {
	return Layout{Kind: XLSX, Sheet: s.name, Header: s.head, HeaderRow: s.book.format.Header}
}
func (s *sheetRows) close() error { return s.src.Close() }
