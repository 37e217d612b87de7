package files

import (
	"archive/zip"
	"fmt"
	"strings"
)

// openTables opens a zip of tables, as CommCare's exports and its export tool write them: one table for each form, and one for each repeat group.
func (r *Reader) openTables(place string, z *zip.Reader, f Format) (rowSource, error) {
	entries := zipTables(z)
	if len(entries) == 0 {
		return nil, &FileError{Place: place, Message: "there is no table in the zip", Mend: "put CSV, xlsx or JSON files into it, not links or folders only"}
	}
	if f.Sheet == "" && len(entries) == 1 {
		return r.openTable(place, entries[0], f)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = tableName(e)
		if f.Sheet != "" && (strings.EqualFold(names[i], f.Sheet) || strings.EqualFold(e.Name, f.Sheet)) {
			return r.openTable(place, e, f)
		}
	}
	if f.Sheet != "" {
		return nil, &FileError{Place: place, Message: fmt.Sprintf("there is no table %q in the zip", f.Sheet), Mend: "it has " + listColumns(names)}
	}
	return nil, &FileError{Place: place, Message: fmt.Sprintf("there are %d tables in the zip", len(entries)),
		Mend: "say which one with sheet: it has " + listColumns(names)}
}

func (r *Reader) openTable(place string, e *zip.File, f Format) (rowSource, error) {
	b := r.zipBlob(place+", "+tableName(e), e, f)
	return r.open(b, f, false)
}
