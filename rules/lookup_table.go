package rules

import (
	"fmt"
	"slices"

	"github.com/culvert/culvert/rules/expression"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/rules/yamlnode"
)

// tableLookup reads a lookup with table:.
func (c *compiler) tableLookup(l *Lookup, r settings.Reader, scope *expression.Scope) {
	c.onlyKeys(r.Config, "table", settings.With(lookupKeys, "table"))
	if l.match = matchWays[r.Word("match")]; l.match == matchFuzzy {
		c.fault(r.Node("match").Place(), "not-allowed", "rows of a table are not found by a fuzzy match",
			"use ignore_case, or write the names into the table as the source sends them")
	}
	var columns []string
	if t := c.table(r.Node("table")); t != nil {
		l.table = &lookupTable{columns: t.header, folded: l.match == matchFolded}
		columns = slices.DeleteFunc(slices.Clone(t.header), func(name string) bool { return name == "" })
		for _, row := range t.rows {
			l.table.add(row.cells)
		}
	}
	c.candidates(l, nil, r.Config, columns, "columns", scope)
	if l.table != nil {
		for _, cand := range l.candidates {
			l.table.index(cand)
		}
	}
}

func (c *compiler) table(file *yamlnode.Node) *csvTable {
	if !isValue(file) {
		return nil
	}
	name, ok := c.path(file)
	if !ok {
		return nil
	}
	text, ok := c.read(file, name, "the table")
	if !ok {
		return nil
	}
	t := readTable(name, text, c.report)
	if t == nil {
		return nil
	}
	for i, column := range t.header {
		switch {
		case column == "":
			c.fault(t.place(t.places[i], column), "bad-csv", "a column has no name", "write a name into the header row")
		case slices.Contains(t.header[:i], column):
			c.fault(t.place(t.places[i], column), "bad-csv", fmt.Sprintf("two columns are named %q", column),
				"rename one of them")
		}
	}
	if len(t.rows) == 0 {
		c.warn(file.Place(), "bad-csv", fmt.Sprintf("the table %s has no rows", name), "add rows below its header")
	}
	return t
}

// Columns lists the columns of the reference table that the lookup searches; nothing for a lookup of metadata.
func (l *Lookup) Columns() []string {
	if l.table == nil {
		return nil
	}
	return slices.Clone(l.table.columns)
}
