package rules

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
)

// Limits of CSV files that a rule names.
const (
	maxTableRows    = 200_000
	maxTableColumns = 200
	maxTableBytes   = 32 << 20
)

// csvTable is a CSV file with a header row, every cell with its place.
type csvTable struct {
	file   string
	header []string
	rows   []csvRow
	places []diag.Position // of the header's cells
}

type csvRow struct {
	cells  []string
	places []diag.Position
}

// place is the place of a cell; column -1 means the row's first cell.
func (t *csvTable) place(at diag.Position, text string) diag.Place {
	end := at
	end.Column += max(utf8.RuneCountInString(text), 1)
	return diag.Place{File: t.file, Range: diag.Range{Start: at, End: end}}
}

// column gives the number of a column by its header, -1 when there is none.
func (t *csvTable) column(name string) int { return slices.Index(t.header, name) }

// readTable reads a CSV file: UTF-8, with or without a byte order mark, its cells separated by
// comma, semicolon or tab. Blank lines are left out and cells lose the space around them. What is
// wrong goes to report; the table is nil when it cannot be used.
func readTable(file string, text []byte, report func(diag.Diagnostic)) *csvTable {
	t := &csvTable{file: file}
	fault := func(at diag.Position, code, message, hint string) *csvTable {
		report(diag.Diagnostic{Problem: diag.Problem{Code: code, Message: message, Hint: hint, Place: t.place(at, "")}})
		return nil
	}
	first := diag.Position{Line: 1, Column: 1}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	switch {
	case len(text) > maxTableBytes:
		return fault(first, "bad-csv", fmt.Sprintf("the file is larger than %d MiB", maxTableBytes>>20),
			"keep only the columns and rows that the rule needs")
	case !utf8.Valid(text):
		return fault(badUTF8(text), "bad-csv", "the file is not UTF-8 text", "save it as CSV UTF-8")
	}
	r := csv.NewReader(bytes.NewReader(text))
	r.Comma = delimiter(text)
	r.FieldsPerRecord = -1
	r.TrimLeadingSpace = r.Comma != '\t'
	lines := lineStarts(text)
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		var bad *csv.ParseError
		if errors.As(err, &bad) {
			return fault(position(text, lines, bad.Line, bad.Column), "bad-csv", "the quotes in this row do not fit together",
				`put the whole cell in double quotes and double those inside it: "say ""yes"""`)
		}
		if err != nil {
			return fault(first, "bad-csv", fmt.Sprintf("the file cannot be read: %v", err), "save it again as CSV UTF-8")
		}
		row := csvRow{cells: cells, places: make([]diag.Position, len(cells))}
		blank := true
		for i, cell := range cells {
			line, column := r.FieldPos(i)
			row.places[i] = position(text, lines, line, column)
			cells[i] = strings.TrimSpace(tidy(cell))
			blank = blank && cells[i] == ""
		}
		switch {
		case blank:
		case t.header == nil:
			if len(cells) > maxTableColumns {
				return fault(first, "bad-csv", fmt.Sprintf("the file has %d columns; %d is the most", len(cells), maxTableColumns),
					"keep only the columns that the rule needs")
			}
			t.header, t.places = cells, row.places
		case len(cells) != len(t.header) && !trailingBlanks(cells, len(t.header)):
			report(diag.Diagnostic{Problem: diag.Problem{
				Code: "bad-csv", Message: fmt.Sprintf("the row has %d cells and the header %d", len(cells), len(t.header)),
				Hint:  "put a cell that holds the separator in double quotes, and write empty cells too",
				Place: t.place(row.places[0], cells[0]),
			}})
		case len(t.rows) >= maxTableRows:
			return fault(row.places[0], "bad-csv", fmt.Sprintf("the file has more than %d rows", maxTableRows),
				"keep only the rows that the rule needs")
		default:
			t.rows = append(t.rows, row)
		}
	}
	if t.header == nil {
		return fault(first, "bad-csv", "the file is empty", "write a header row and the rows below it")
	}
	return t
}

// trailingBlanks tells whether a row is only longer than the header by empty cells, as spreadsheets save them.
func trailingBlanks(cells []string, columns int) bool {
	return len(cells) > columns && !slices.ContainsFunc(cells[columns:], func(s string) bool { return s != "" })
}

// delimiter is the separator that the header row has most of.
func delimiter(text []byte) rune {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	best, most := ',', 0
	for _, d := range ",;\t" {
		if n := bytes.Count(line, []byte(string(d))); n > most {
			best, most = d, n
		}
	}
	return best
}

// lineStarts gives the byte offset of every line, as encoding/csv counts them.
func lineStarts(text []byte) []int {
	starts := []int{0}
	for i, b := range text {
		if b == '\n' {
			starts = append(starts, i+1)
		}
	}
	return starts
}

// position turns a line and a column in bytes into one in runes.
func position(text []byte, lines []int, line, column int) diag.Position {
	if line < 1 || line > len(lines) {
		return diag.Position{Line: max(line, 1), Column: 1}
	}
	start := lines[line-1]
	end := min(start+max(column-1, 0), len(text))
	return diag.Position{Line: line, Column: utf8.RuneCount(text[start:end]) + 1}
}

func badUTF8(text []byte) diag.Position {
	lines := lineStarts(text)
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 {
			line, _ := slices.BinarySearch(lines, i+1)
			return position(text, lines, line, i-lines[line-1]+1)
		}
		i += size
	}
	return diag.Position{Line: 1, Column: 1}
}

// Table reads a CSV file that the action names, with the columns given; those whose names end in ?
// may be missing. Each row holds the cells that are not empty, by the names of their columns, and
// points to where they stand. What is wrong is reported; nothing then, or what could be read.
func (a *ActionSpec) Table(n *yamlnode.Node, what string, columns ...string) []map[string]*yamlnode.Node {
	c := a.compiler
	if !isValue(n) {
		c.fault(n.Place(), "empty-value", "nothing is written here", "name "+what+", a CSV file of the project")
		return nil
	}
	name, ok := c.path(n)
	if !ok {
		return nil
	}
	text, ok := c.read(n, name, what)
	if !ok {
		return nil
	}
	t := readTable(name, text, a.Report)
	if t == nil {
		return nil
	}
	number := map[string]int{}
	for _, column := range columns {
		plain := strings.TrimSuffix(column, "?")
		number[plain] = t.column(plain)
		if number[plain] < 0 && plain == column {
			a.Report(diag.Diagnostic{Problem: diag.Problem{
				Code: "unknown-column", Message: fmt.Sprintf("%s has no column %q", name, plain),
				Hint:  diag.Suggest(plain, t.header, "columns"),
				Place: t.place(diag.Position{Line: 1, Column: 1}, ""),
			}})
			ok = false
		}
	}
	if !ok {
		return nil
	}
	rows := make([]map[string]*yamlnode.Node, 0, len(t.rows))
	for _, row := range t.rows {
		cells := map[string]*yamlnode.Node{}
		for column, i := range number {
			if i >= 0 && i < len(row.cells) && row.cells[i] != "" {
				cells[column] = yamlnode.Made(row.cells[i], t.place(row.places[i], row.cells[i]))
			}
		}
		rows = append(rows, cells)
	}
	return rows
}
