package tabular

import (
	"fmt"
	"strings"
)

// FileError says why a file, or the rest of it, cannot be read. Its words hold names of files,
// sheets and columns, never values of rows.
type FileError struct {
	Place   string // the file, and the sheet or part of it where that helps
	Message string // what is wrong
	Hint    string // what a person can do about it
	empty   bool   // there is nothing in it
}

// Error gives place, cause and fix in one sentence.
func (e *FileError) Error() string { return sentence(e.Place, e.Message, e.Hint) }

// RowError says why one row cannot be read; reading goes on with the next row. Message and Fix hold
// no values of the row and may be logged; Cells and Raw are the row's own data and may not.
type RowError struct {
	Line    int    // as a spreadsheet counts rows
	Sheet   string // of a workbook or zip, or empty
	Column  string // header of the column concerned, or empty
	Message string
	Hint    string
	Cells   []string // as far as they could be told apart, for the file of failed rows
	Raw     []byte   // the text of a JSON item

	Children []ChildRow // rows of repeat groups that belong to the row
}

// Error gives place, cause and fix in one sentence.
func (e *RowError) Error() string {
	place := fmt.Sprintf("row %d", e.Line)
	if e.Sheet != "" {
		place = fmt.Sprintf("sheet %q, row %d", e.Sheet, e.Line)
	}
	if e.Column != "" {
		place += fmt.Sprintf(", column %q", e.Column)
	}
	return sentence(place, e.Message, e.Hint)
}

func sentence(place, message, hint string) string {
	var b strings.Builder
	if place != "" {
		b.WriteString(place)
		b.WriteString(": ")
	}
	b.WriteString(message)
	if hint != "" {
		b.WriteString("; ")
		b.WriteString(hint)
	}
	return b.String()
}
