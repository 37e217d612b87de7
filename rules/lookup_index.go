package rules

import (
	"slices"
	"strings"
)

// lookupTable is a reference table with an index for every way in which it is searched.
type lookupTable struct {
	columns []string
	rows    []map[string]any
	folded  bool
	indexes map[string]map[string][]int // by the columns, by their values
}

func (t *lookupTable) add(cells []string) {
	row := make(map[string]any, len(t.columns))
	for i, column := range t.columns {
		if i < len(cells) {
			row[column] = cells[i]
		}
	}
	t.rows = append(t.rows, row)
}

const tableSeparator = "\x00"

func indexName(cand candidate) string {
	fields := make([]string, len(cand))
	for i, cr := range cand {
		fields[i] = cr.field
	}
	return strings.Join(fields, tableSeparator)
}

func (t *lookupTable) key(texts []string) string {
	key := strings.Join(texts, tableSeparator)
	if t.folded {
		for i, text := range texts {
			texts[i] = foldKey(text)
		}
		key = strings.Join(texts, tableSeparator)
	}
	return key
}

func (t *lookupTable) index(cand candidate) {
	name := indexName(cand)
	if t.indexes == nil {
		t.indexes = map[string]map[string][]int{}
	}
	if t.indexes[name] != nil {
		return
	}
	index := make(map[string][]int, len(t.rows))
	texts := make([]string, len(cand))
	for number, row := range t.rows {
		for i, cr := range cand {
			texts[i], _ = row[cr.field].(string)
		}
		key := t.key(texts)
		index[key] = append(index[key], number)
	}
	t.indexes[name] = index
}

func (t *lookupTable) find(cand candidate, texts []string) []any {
	numbers := t.indexes[indexName(cand)][t.key(slices.Clone(texts))]
	hits := make([]any, len(numbers))
	for i, n := range numbers {
		hits[i] = t.rows[n]
	}
	return hits
}
