package tabular

import (
	"archive/zip"
	"errors"
	"fmt"
	"maps"
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

// joinTables opens the one table that is not of a repeat group, and joins the others to it. Of several such tables
// one is named, and has the groups whose names begin with its own, as ODK Central names them. A table that is of a
// repeat group itself stands alone where it is named.
func (r *Reader) joinTables(place string, entries []*zip.File, names []string, named int, f Format) (rowSource, error) {
	probe := f
	probe.Columns = nil
	roots, repeats, err := r.sortTables(place, entries, names, named, probe)
	if err != nil {
		return nil, err
	}
	main := named
	switch {
	case named >= 0 && !slices.Contains(roots, named): // a group, or a log
		return r.openTable(place, entries[named], f)
	case len(roots) == 0:
		return nil, &FileError{Problem: diag.Problem{Place: diag.Place{File: place},
			Message: "every table in the zip is one of a repeat group",
			Hint:    "export the form together with them"}}
	case len(roots) == 1:
		main = roots[0]
	case named < 0:
		return nil, &FileError{Problem: diag.Problem{Place: diag.Place{File: place},
			Message: fmt.Sprintf("there are %d tables in the zip", len(entries)),
			Hint:    "say which one with sheet: it has " + listColumns(names)}}
	default:
		maps.DeleteFunc(repeats, func(i int, _ bool) bool { return groupOwner(names, roots, i) != named })
	}
	source, err := r.openTable(place, entries[main], f)
	if err != nil {
		return nil, err
	}
	var others []string
	for i, name := range names {
		if i != main && (len(roots) == 1 || repeats[i]) {
			others = append(others, name)
		}
	}
	join := newJoin(source, others, f)
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

// sortTables tells the tables that stand by themselves from those of repeat groups. Logs are neither, and count as
// unread where no table is named.
func (r *Reader) sortTables(place string, entries []*zip.File, names []string, named int, f Format) (
	roots []int, repeats map[int]bool, err error) {
	repeats = map[int]bool{}
	for i, e := range entries {
		t, err := r.openTable(place, e, f)
		var unusable *FileError
		switch {
		case errors.As(err, &unusable):
			roots = append(roots, i)
			continue
		case err != nil:
			return nil, nil, err
		}
		switch header := t.header(); {
		case isRepeat(header):
			repeats[i] = true
		case !isAudit(header):
			roots = append(roots, i)
		case named < 0:
			r.unread = append(r.unread, names[i])
		}
		if err := t.close(); err != nil {
			return nil, nil, err
		}
	}
	return roots, repeats, nil
}

// groupOwner gives which of several tables a repeat group is of: the one whose name the group's begins with, the
// longest of them; -1: none.
func groupOwner(names []string, roots []int, group int) int {
	owner := -1
	for _, i := range roots {
		if strings.HasPrefix(names[group], names[i]+"-") && (owner < 0 || len(names[i]) > len(names[owner])) {
			owner = i
		}
	}
	return owner
}

func (r *Reader) openTable(place string, e *zip.File, f Format) (rowSource, error) {
	b := r.zipBlob(place+", "+tableName(e), e, f)
	return r.open(b, f, false)
}
