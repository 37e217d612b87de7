package files

import (
	"archive/zip"
	"bufio"
	"bytes"
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
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
	width  int      // columns of the header
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

// mergedCells is a rectangle of cells of which only the first has a value; rows count from 1, columns from 0.
type mergedCells struct{ firstRow, lastRow, firstColumn, lastColumn int }

// open opens a sheet and reads its header.
func (w *workbook) open(ref sheetRef) (_ *sheetRows, err error) {
	s := &sheetRows{book: w, name: ref.name, place: fmt.Sprintf("%s, sheet %q", w.place, shorten(ref.name))}
	e := w.parts[ref.part]
	if e == nil {
		return nil, &FileError{Place: s.place, Message: "the sheet holds no cells", Mend: "it may be a chart; name another with sheet:"}
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
	s.width = maxSheetColumns
	for {
		err := s.row()
		if err == io.EOF {
			return &FileError{Place: s.place, Message: "the sheet is empty", Mend: "name the sheet that holds the rows with sheet:"}
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
		return &FileError{Place: s.place, Message: fmt.Sprintf("the header of column %s cannot be read: %s", columnName(s.faults[0].column), s.faults[0].fault.message), Mend: s.faults[0].fault.mend}
	}
	for _, m := range s.merges {
		if m.firstRow <= s.line && s.line <= m.lastRow && m.lastColumn > m.firstColumn {
			return &FileError{Place: s.place, Message: fmt.Sprintf("the headers in columns %s to %s are merged into one", columnName(m.firstColumn), columnName(m.lastColumn)),
				Mend: "unmerge them and give each column a name"}
		}
	}
	header, err := checkHeader(s.cells, f, s.place)
	if err != nil {
		return err
	}
	s.width, s.plan, s.head = len(header), newPlan(header), header
	for len(s.head) > 0 && (s.head[len(s.head)-1] == CauseColumn || s.head[len(s.head)-1] == MendColumn) {
		s.head = s.head[:len(s.head)-1]
	}
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
		return &RowError{Line: s.line, Sheet: s.name, Column: s.column(f.column), Message: f.fault.message, Mend: f.fault.mend, Cells: cells}
	}
	for _, m := range s.touching() {
		if m.firstColumn >= s.width || s.line == m.firstRow && m.firstColumn == m.lastColumn {
			continue
		}
		return &RowError{Line: s.line, Sheet: s.name, Column: s.column(m.firstColumn),
			Message: fmt.Sprintf("the cells %s%d to %s%d are merged, so that only the first has a value", columnName(m.firstColumn), m.firstRow, columnName(m.lastColumn), m.lastRow),
			Mend:    "unmerge them and fill in each row", Cells: cells}
	}
	return nil
}

// touching lists the merged cells that the current row has part in. Rows come in order, so that each rectangle is looked at while it lasts.
func (s *sheetRows) touching() []mergedCells {
	for len(s.merges) > 0 && s.merges[0].firstRow <= s.line {
		s.active = append(s.active, s.merges[0])
		s.merges = s.merges[1:]
	}
	s.active = slices.DeleteFunc(s.active, func(m mergedCells) bool { return m.lastRow < s.line })
	return s.active
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
		return nil, &FileError{Place: s.place, Message: fmt.Sprintf("the sheet ends after row %d though more should follow", s.line), Mend: "copy or export the file again"}
	case errors.Is(err, errOverBudget):
		return nil, &FileError{Place: s.place, Message: fmt.Sprintf("row %d is longer than can be read", s.line+1), Mend: "shorten its cells"}
	}
	return nil, s.book.damage(err)
}

// cellParts is what a cell element holds.
type cellParts struct {
	column   int
	kind     string // the t attribute
	style    int
	value    []byte // of <v>
	inline   []byte // of <is>
	formula  bool
	hasValue bool
}

func (s *sheetRows) readCells() error {
	var c cellParts
	next := 0 // column of the next cell where it has no reference
	var into *[]byte
	phonetic := false
	for {
		t, err := s.token()
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.StartElement:
			switch t.Name.Local {
			case "c":
				c = cellParts{column: next, value: c.value[:0], inline: c.inline[:0]}
				c.read(t.Attr)
				next = c.column + 1
			case "f":
				c.formula = true
			case "v":
				into, c.hasValue = &c.value, true
			case "rPh":
				phonetic = true
			case "t":
				if !phonetic {
					into = &c.inline
				}
			}
		case xml.CharData:
			if into != nil {
				*into = append(*into, t...)
			}
		case xml.EndElement:
			into = nil
			switch t.Name.Local {
			case "rPh":
				phonetic = false
			case "c":
				if c.column < s.width {
					if err := s.put(&c); err != nil {
						return err
					}
				}
			case "row":
				return nil
			}
		}
	}
}

func (c *cellParts) read(attrs []xml.Attr) {
	for _, a := range attrs {
		switch a.Name.Local {
		case "r":
			if n, ok := columnIndex(a.Value); ok {
				c.column = n
			}
		case "t":
			c.kind = a.Value
		case "s":
			c.style, _ = strconv.Atoi(a.Value) // none is 0
		}
	}
}

// columnIndex gives the column of a reference such as AB12, from 0.
func columnIndex(ref string) (int, bool) {
	n := 0
	for i := 0; i < len(ref); i++ {
		c := ref[i] &^ 0x20 // upper case
		if c < 'A' || c > 'Z' {
			break
		}
		if n = n*26 + int(c-'A') + 1; n > maxSheetColumns {
			return maxSheetColumns, true
		}
	}
	return n - 1, n > 0
}

// put adds a cell's value to the row.
func (s *sheetRows) put(c *cellParts) error {
	value, err := s.value(c)
	var fault *cellFault
	switch {
	case errors.As(err, &fault):
		s.faults = append(s.faults, columnFault{c.column, fault})
		value = string(c.value)
	case err != nil:
		return err
	}
	for len(s.cells) <= c.column {
		s.cells = append(s.cells, "")
	}
	s.cells[c.column] = value
	return nil
}

func (s *sheetRows) value(c *cellParts) (string, error) {
	if c.formula && (!c.hasValue || len(c.value) == 0 && c.kind != "str") {
		return "", &cellFault{"it holds a formula without a stored result", "open the file in a spreadsheet program and save it, or replace the formula by its value"}
	}
	switch c.kind {
	case "s":
		n, err := strconv.Atoi(string(c.value))
		if err != nil {
			return "", &cellFault{errNoSharedString.Error(), "open the file in a spreadsheet program and save it again"}
		}
		text, err := s.book.shared.get(n)
		if errors.Is(err, errNoSharedString) {
			return "", &cellFault{err.Error(), "open the file in a spreadsheet program and save it again"}
		}
		return text, err
	case "inlineStr":
		return unescapeCell(string(c.inline)), nil
	case "str":
		return unescapeCell(string(c.value)), nil
	case "b":
		return strconv.FormatBool(isTrue(string(c.value))), nil
	case "e":
		return "", &cellFault{"it holds the error " + shorten(string(c.value)), "mend the formula, or replace it by its value"}
	case "d":
		return isoDate(string(c.value)), nil
	}
	if len(c.value) == 0 {
		return "", nil
	}
	return s.book.number(string(c.value), c.style)
}

func (s *sheetRows) header() []string { return s.head }
func (s *sheetRows) layout() Layout   { return Layout{Kind: XLSX, Sheet: s.name, Header: s.head} }
func (s *sheetRows) close() error     { return s.src.Close() }

// maxMerges bounds the merged cells of one sheet.
const maxMerges = 10000

var mergeRef = regexp.MustCompile(`<(?:\w+:)?mergeCell\s[^>]*?ref="([A-Z]+)([0-9]+):([A-Z]+)([0-9]+)"`)

// findMerges looks through a sheet for merged cells, which stand behind the rows that they concern. A less-than sign cannot stand in text, so that
// looking for the element is enough.
func (s *sheetRows) findMerges(e *zip.File) ([]mergedCells, error) {
	src, err := openEntry(s.book.place, e, s.book.format)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	const overlap = 512
	buf := make([]byte, 64<<10+overlap)
	kept := 0
	var list []mergedCells
	for {
		n, err := io.ReadFull(src, buf[kept:])
		chunk := buf[:kept+n]
		if bytes.Contains(chunk, []byte("mergeCell")) {
			for _, m := range mergeRef.FindAllSubmatchIndex(chunk, -1) {
				if m[1] <= kept && kept == overlap {
					continue // wholly in what was looked at before
				}
				if len(list) == maxMerges {
					return nil, &FileError{Place: s.place, Message: fmt.Sprintf("it has more than %d merged cells", maxMerges), Mend: "unmerge them"}
				}
				list = append(list, mergeOf(chunk, m))
			}
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			slices.SortFunc(list, func(a, b mergedCells) int { return cmp.Compare(a.firstRow, b.firstRow) })
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		kept = copy(buf, chunk[len(chunk)-overlap:])
	}
}

func mergeOf(text []byte, m []int) mergedCells {
	part := func(i int) string { return string(text[m[2*i]:m[2*i+1]]) }
	row := func(i int) int { n, _ := strconv.Atoi(part(i)); return n } // digits only; too many give the largest number
	first, _ := columnIndex(part(1))
	last, _ := columnIndex(part(3))
	return mergedCells{firstRow: row(2), lastRow: row(4), firstColumn: first, lastColumn: last}
}
