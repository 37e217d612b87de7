package tabular

import (
	"fmt"

	"github.com/culvert/culvert/rules/diag"
)

// FileError says why a file, or the rest of it, cannot be read. Its words hold names of files,
// sheets and columns, never values of rows.
type FileError struct {
	diag.Problem      // its place is the file, and the sheet or part of it where that helps
	empty        bool // there is nothing in it
}

// RowError says why one row cannot be read; reading goes on with the next row. Message and Fix hold
// no values of the row and may be logged; Cells and Raw are the row's own data and may not.
type RowError struct {
	Line         int      // as a spreadsheet counts rows
	Sheet        string   // of a workbook or zip, or empty
	diag.Problem          // its column is the header of the one concerned, or empty
	Cells        []string // as far as they could be told apart, for the file of failed rows
	Raw          []byte   // the text of a JSON item

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
	at := e.Problem
	at.Place = diag.Place{File: place}
	return at.Error()
}
