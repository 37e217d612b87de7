package tabular

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"os"
	"slices"

	"github.com/culvert/culvert/rules/diag"
)

// Exports have a sheet, or a table of a zip, for each repeat group, whose rows name the row that
// they belong to as their linkage says. A join puts them back as a list: where the form has the
// group, or under the name of the sheet.

// ChildRow is a row of a repeat group, to write it back beside the row that it belongs to.
type ChildRow struct {
	Table int // index into Layout.Repeats
	Cells []string
}

// join puts rows of repeat groups into the rows of a main table.
type join struct {
	main   rowSource
	link   linkage  // of the repeat groups; nil as long as there are none
	number int      // column of the main table that they name
	tables []string // names of the other tables
	wanted []string // fields that the rule reads
	owner  string   // of the row of the main table that is put together: what rows of groups call it, too
	groups []*repeatGroup
	seed   maphash.Seed
	file   *os.File
	out    *bufio.Writer
	offset int64
	index  []childEntry
	orphan int // position in index from which rows without a parent are looked for
	ended  bool
}

// childEntry finds a row in the file of rows by the number of its parent.
type childEntry struct {
	parent uint64
	offset int64
	used   bool
}

// storedChild is a row as it lies in the file.
type storedChild struct {
	Parent string         `json:"p"` // "12" or "12.0"
	Number string         `json:"n"` // "12.0" or "12.0.3"
	Group  int            `json:"g"`
	Line   int            `json:"l"`
	Cells  []string       `json:"c"`
	Item   map[string]any `json:"i"`
	Owner  string         `json:"o,omitempty"`
	Bad    string         `json:"b,omitempty"`
	Hint   string         `json:"m,omitempty"`
}

// newJoin starts a join on a main table; nil when it can have no repeat groups.
func newJoin(main rowSource, tables []string, f Format) *join {
	if len(main.header()) == 0 || isRepeat(main.header()) {
		return nil
	}
	return &join{main: main, seed: maphash.MakeSeed(), tables: tables, wanted: newColumns(f).wanted()}
}

// add reads the table of a repeat group to its end and closes it.
func (j *join) add(ctx context.Context, name string, table rowSource) (err error) {
	defer func() { err = errors.Join(err, table.close()) }()
	g, err := j.group(name, table.header())
	if err != nil {
		return err
	}
	if j.file == nil {
		if j.file, err = tempFile(); err != nil {
			return err
		}
		j.out = bufio.NewWriterSize(j.file, 64<<10)
	}
	j.groups = append(j.groups, g)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := j.keep(g, table); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// keep stores one row of a repeat group.
func (j *join) keep(g *repeatGroup, table rowSource) error {
	var row Row
	c := storedChild{Group: len(j.groups) - 1}
	err := table.next(&row)
	var bad *RowError
	switch {
	case errors.As(err, &bad):
		row.Cells, row.Line = bad.Cells, bad.Line
		c.Bad, c.Hint = fmt.Sprintf("row %d of %q, which belongs to it, cannot be read: %s", bad.Line, shorten(g.name),
			bad.Message), bad.Hint
	case err != nil:
		return err
	}
	c.Parent, c.Number, err = j.link.keys(j, g, row.Cells)
	if err != nil {
		return &FileError{Problem: diag.Problem{Place: diag.Place{File: fmt.Sprintf("%q, row %d", shorten(g.name),
			row.Line)},
			Message: err.Error() + ", so that nothing says which form the row belongs to",
			Hint:    "export the repeat group again"}}
	}
	c.Owner = cellAt(row.Cells, slices.Index(g.header, ownerColumn))
	c.Line, c.Cells, c.Item = row.Line, row.Cells, j.link.item(g, row.Body)
	line, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("keeping rows of repeat groups: %w", err)
	}
	j.index = append(j.index, childEntry{parent: maphash.String(j.seed, c.Parent), offset: j.offset})
	n, err := j.out.Write(append(line, '\n'))
	j.offset += int64(n)
	if err != nil {
		return fmt.Errorf("keeping rows of repeat groups: %w", err)
	}
	return nil
}

// source is the joined rows; the main table alone when there are no groups.
func (j *join) source() rowSource {
	if len(j.groups) == 0 {
		return j.main
	}
	for _, g := range j.groups {
		for _, p := range j.groups {
			if len(g.levels) > 0 && len(p.levels) == len(g.levels)-1 && len(p.path) < len(g.path) &&
				slices.Equal(p.path, g.path[:len(p.path)]) {
				g.parent, g.nested = p, true
			}
		}
	}
	slices.SortStableFunc(j.index, func(a, b childEntry) int {
		return cmp.Or(cmp.Compare(a.parent, b.parent), cmp.Compare(a.offset, b.offset))
	})
	return j
}

func (j *join) next(row *Row) error {
	if j.ended {
		return j.nextOrphan()
	}
	err := j.main.next(row)
	if err == io.EOF {
		j.ended = true
		return j.nextOrphan()
	}
	var bad *RowError
	if errors.As(err, &bad) {
		return j.bad(bad)
	}
	if err != nil {
		return err
	}
	for _, g := range j.groups {
		if !g.nested {
			place(row.Body, g.path, []any{})
		}
	}
	if j.number >= len(row.Cells) {
		return nil
	}
	j.owner = j.ownerOf(row.Cells)
	items, err := j.children(j.link.cell(row.Cells[j.number]), nil, &row.Children)
	if errors.As(err, &bad) {
		bad.Line, bad.Sheet, bad.Cells, bad.Children = row.Line, row.Sheet, row.Cells, row.Children
	}
	if err != nil {
		return err
	}
	for g, list := range items {
		place(row.Body, j.groups[g].path, list)
	}
	return nil
}

// bad completes a row of the main table that cannot be read by the rows that belong to it.
func (j *join) bad(row *RowError) error {
	if j.number >= len(row.Cells) {
		return row
	}
	j.owner = j.ownerOf(row.Cells)
	_, err := j.children(j.link.cell(row.Cells[j.number]), nil, &row.Children)
	var below *RowError
	if err != nil && !errors.As(err, &below) {
		return err
	}
	return row
}

// children gives the items of every group directly below a number, those of nested groups inside of them.
func (j *join) children(number string, parent *repeatGroup, rows *[]ChildRow) (map[int][]any, error) {
	if number == "" {
		return nil, nil
	}
	if j.out.Buffered() > 0 {
		if err := j.out.Flush(); err != nil {
			return nil, fmt.Errorf("keeping rows of repeat groups: %w", err)
		}
	}
	hash := maphash.String(j.seed, number)
	at, _ := slices.BinarySearchFunc(j.index, hash, func(e childEntry, h uint64) int { return cmp.Compare(e.parent, h) })
	var items map[int][]any
	var unreadable error
	for ; at < len(j.index) && j.index[at].parent == hash; at++ {
		c, err := j.load(j.index[at].offset)
		if err != nil {
			return nil, err
		}
		g := j.groups[c.Group]
		if c.Parent != number || len(g.levels) > 0 && g.parent != parent {
			continue
		}
		j.index[at].used = true
		if c.Owner != "" && j.owner != "" && c.Owner != j.owner && c.Bad == "" {
			c.Bad = fmt.Sprintf("row %d of %q belongs to it by its %s, and to another submission by its %s", c.Line,
				shorten(g.name), j.link.parentColumn(), ownerColumn)
			c.Hint = "take sheets of one export together: the numbers are others in each"
		}
		if c.Bad != "" && unreadable == nil {
			unreadable = &RowError{Problem: diag.Problem{Message: c.Bad, Hint: c.Hint}}
		}
		if rows != nil {
			*rows = append(*rows, ChildRow{Table: c.Group, Cells: c.Cells})
		}
		below, err := j.children(c.Number, g, rows)
		if err != nil {
			return nil, err
		}
		for n, list := range below {
			place(c.Item, j.groups[n].below(g), list)
		}
		if items == nil {
			items = map[int][]any{}
		}
		items[c.Group] = append(items[c.Group], c.Item)
	}
	return items, unreadable
}

func (j *join) load(offset int64) (*storedChild, error) {
	r := bufio.NewReaderSize(io.NewSectionReader(j.file, offset, j.offset-offset), 1024)
	line, err := r.ReadBytes('\n')
	if err != nil {
		return nil, fmt.Errorf("reading rows of repeat groups: %w", err)
	}
	var c storedChild
	if err := json.Unmarshal(line, &c); err != nil {
		return nil, fmt.Errorf("reading rows of repeat groups: %w", err)
	}
	return &c, nil
}

// nextOrphan reports the rows of repeat groups that belong to no row, after the last row.
func (j *join) nextOrphan() error {
	if j.orphan == 0 {
		slices.SortFunc(j.index, func(a, b childEntry) int { return cmp.Compare(a.offset, b.offset) })
	}
	for ; j.orphan < len(j.index); j.orphan++ {
		if j.index[j.orphan].used {
			continue
		}
		c, err := j.load(j.index[j.orphan].offset)
		if err != nil {
			return err
		}
		j.orphan++
		return &RowError{Line: c.Line, Sheet: j.groups[c.Group].name,
			Problem: diag.Problem{Column: j.link.parentColumn(),
				Message: "there is no form with its number", Hint: "export the forms and their repeat groups together"}}
	}
	return io.EOF
}

// place sets a value deep in a body.
func place(body map[string]any, path []string, v any) {
	for _, key := range path[:len(path)-1] {
		next, ok := body[key].(map[string]any)
		if !ok {
			next = map[string]any{}
			body[key] = next
		}
		body = next
	}
	body[path[len(path)-1]] = v
}

// skip reads the row all the same, so that it is known which rows of repeat groups have a parent.
func (j *join) skip() error {
	var row Row
	return j.next(&row)
}

// paths lists where in a record the repeat groups are.
func (j *join) paths() [][]string {
	var out [][]string
	for _, g := range j.groups {
		out = append(out, g.path)
	}
	return out
}

func (j *join) header() []string { return j.main.header() }

func (j *join) layout() Layout {
	l := j.main.layout()
	// Several tables can only be written back into a workbook.
	l.Kind = XLSX
	for _, g := range j.groups {
		l.Repeats = append(l.Repeats, Layout{Sheet: g.name, Header: g.header, HeaderRow: l.HeaderRow})
	}
	return l
}

func (j *join) close() error {
	err := j.main.close()
	if j.file != nil {
		err = errors.Join(err, (&spilled{File: j.file}).Close())
	}
	return err
}
