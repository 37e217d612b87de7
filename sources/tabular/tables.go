package tabular

import (
	"archive/zip"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/culvert/culvert/rules/diag"
)

// openTables opens a zip of tables, as CommCare's exports and its export tool write them: one table
// for each form, and one for each repeat group.
func (r *Reader) openTables(place string, z *zip.Reader, f Format) (rowSource, error) {
	entries := zipTables(z)
	if len(entries) == 0 {
		return nil, &FileError{Problem: diag.Problem{Place: diag.Place{File: place},
			Message: "there is no table in the zip",
			Hint:    "put CSV, xlsx or JSON files into it, not links or folders only"}}
	}
	if f.Sheet == "" && len(entries) == 1 {
		return r.openTable(place, entries[0], f)
	}
	names, named := make([]string, len(entries)), -1
	for i, e := range entries {
		names[i] = tableName(e)
		if named < 0 && f.Sheet != "" && (strings.EqualFold(names[i], f.Sheet) || strings.EqualFold(e.Name, f.Sheet)) {
			named = i
		}
	}
	if f.Sheet != "" && named < 0 {
		return nil, &FileError{Problem: diag.Problem{Place: diag.Place{File: place},
			Message: fmt.Sprintf("there is no table %q in the zip", f.Sheet),
			Hint:    "it has " + listColumns(names)}}
	}
	return r.joinTables(place, entries, names, named, f)
}

// joinTables opens the one table that is not of a repeat group, and joins the others to it. A table that is named
// stands alone where it is of a repeat group itself, or where nothing says to which of several the groups belong.
func (r *Reader) joinTables(place string, entries []*zip.File, names []string, named int, f Format) (rowSource, error) {
	main := -1
	repeats, audits := map[int]bool{}, map[int]bool{}
	probe := f
	probe.Columns = nil
	for i, e := range entries {
		t, err := r.openTable(place, e, probe)
		var unusable *FileError
		if err != nil && !errors.As(err, &unusable) {
			return nil, err
		}
		if err == nil {
			repeats[i] = isRepeat(t.header())
			if audits[i] = isAudit(t.header()); audits[i] && named < 0 {
				r.unread = append(r.unread, names[i])
			}
			if err := t.close(); err != nil {
				return nil, err
			}
		}
		if i == named && (repeats[i] || audits[i]) {
			return r.openTable(place, e, f)
		}
		if !repeats[i] && !audits[i] {
			if main >= 0 && named >= 0 {
				return r.openTable(place, entries[named], f)
			}
			if main >= 0 {
				return nil, &FileError{Problem: diag.Problem{Place: diag.Place{File: place},
					Message: fmt.Sprintf("there are %d tables in the zip", len(entries)),
					Hint:    "say which one with sheet: it has " + listColumns(names)}}
			}
			main = i
		}
	}
	if main < 0 {
		return nil, &FileError{Problem: diag.Problem{Place: diag.Place{File: place},
			Message: "every table in the zip is one of a repeat group",
			Hint:    "export the form together with them"}}
	}
	source, err := r.openTable(place, entries[main], f)
	if err != nil {
		return nil, err
	}
	join := newJoin(source, slices.Delete(slices.Clone(names), main, main+1), f)
	if join == nil {
		return source, nil
	}
	for i, e := range entries {
		if i == main || !repeats[i] {
			continue
		}
		t, err := r.openTable(place, e, probe)
		if err == nil {
			err = join.add(r.ctx, names[i], t)
		}
		if err != nil {
			return nil, errors.Join(err, join.close())
		}
	}
	return join.source(), nil
}

func (r *Reader) openTable(place string, e *zip.File, f Format) (rowSource, error) {
	b := r.zipBlob(place+", "+tableName(e), e, f)
	return r.open(b, f, false)
}
