package tabular

import (
	"slices"
	"strconv"
	"strings"
)

// LinkColumn says in a file of failed rows which row of which file each one is: once it is
// corrected and dropped again, the first failure is settled.
const LinkColumn = "culvert row"

// OurColumns are what Culvert adds to files of failed rows, in English.
var OurColumns = []string{CauseColumn, FixColumn, LinkColumn}

// columnsIn are what these columns are called in other languages, where somebody took such a file in hers.
var columnsIn = map[string][]string{
	"fr": {"culvert cause", "culvert correction", "culvert ligne"},
	"pt": {"culvert causa", "culvert correção", "culvert linha"},
}

// ColumnsIn gives what the columns that Culvert adds are called in a language, by its tag; false where that has no
// names for them.
func ColumnsIn(tag string) ([]string, bool) {
	if tag == "en" {
		return OurColumns, true
	}
	names, ok := columnsIn[tag]
	return names, ok
}

// linkColumn gives which column of a header has the links; -1: none.
func linkColumn(header []string) int {
	return slices.IndexFunc(header, func(name string) bool { return isNamed(name, len(OurColumns)-1) })
}

// isNamed tells whether a header is one of the columns that Culvert adds, in any language.
func isNamed(header string, column int) bool {
	if header == OurColumns[column] {
		return true
	}
	for _, names := range columnsIn {
		if header == names[column] {
			return true
		}
	}
	return false
}

// formerFixColumn is what the column of fixes was called in files of before.
const formerFixColumn = "culvert mend"

// isOurColumn tells the columns that Culvert adds from those of the file.
func isOurColumn(header string) bool {
	for column := range OurColumns {
		if isNamed(header, column) {
			return true
		}
	}
	return header == formerFixColumn
}

// hasOurColumns tells whether a table is one of failed rows that Culvert wrote: it has at least two
// of the columns at its end.
func hasOurColumns(header []string) bool { return len(header)-len(withoutOurs(header)) >= 2 }

// withoutOurs leaves out the columns that Culvert adds to files of failed rows.
func withoutOurs(header []string) []string {
	for len(header) > 0 && isOurColumn(header[len(header)-1]) {
		header = header[:len(header)-1]
	}
	return header
}

// Link names a data row of a file.
func Link(fileID string, row int64) string { return fileID + ":" + strconv.FormatInt(row, 10) }

// ParseLink reads what Link wrote; ok is false for anything else.
func ParseLink(text string) (fileID string, row int64, ok bool) {
	fileID, number, ok := strings.Cut(strings.TrimSpace(text), ":")
	row, err := strconv.ParseInt(number, 10, 64)
	return fileID, row, ok && err == nil && fileID != "" && row > 0
}

// linkIn gives the cell of a row in the column of links, which column tells; -1: there is none.
func linkIn(cells []string, column int) string {
	if column < 0 || column >= len(cells) {
		return ""
	}
	return cells[column]
}
