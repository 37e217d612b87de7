package tabular

import (
	"fmt"
	"slices"
	"strings"

	"github.com/culvert/culvert/rules/diag"
)

// Columns that Culvert adds to files of failed rows. They are ignored when such a file is dropped again.
const (
	CauseColumn = "culvert cause"
	FixColumn   = "culvert fix"
)

// notAsked is what CommCare's exports hold where a question was not in the form that a row stands for.
const notAsked = "---"

// plan turns the cells of a row into a record body. It is made once from the header.
//
// Headers that are paths of CommCare questions (form.group.question) become nested maps, so that a
// rule reads an export as it reads the same forms from the webhook. One question split over several
// columns (the options of a multi-select, the parts of a place) becomes one value again. Every
// other header is a key of the body as it stands.
type plan struct {
	objects []object // the first is the body itself
	columns []columnPlan
	merged  []mergedValue
}

type object struct {
	parent int
	key    string
	size   int
}

type columnKind uint8

const (
	columnIgnored columnKind = iota
	columnValue
	columnOption // one option of a split multi-select
	columnExtra  // what was answered besides the options
	columnPart   // latitude, longitude, altitude or accuracy
)

type columnPlan struct {
	kind   columnKind
	object int
	key    string
	merged int    // of options, extras and parts
	text   string // the option
	part   int
}

// mergedValue is one question that is spread over several columns.
type mergedValue struct {
	object int
	key    string
	parts  bool
}

var gpsParts = []string{"latitude", "longitude", "altitude", "accuracy"}

// newPlan makes the plan for a header. headers are trimmed and distinct; empty ones are not read.
func newPlan(headers []string) *plan {
	p := &plan{objects: []object{{parent: -1}}, columns: make([]columnPlan, len(headers))}
	b := planBuilder{plan: p, paths: map[string]int{"": 0}, leaves: map[string]bool{}, prefixes: map[string]bool{},
		mergedAt: map[string]int{}}
	for _, h := range headers {
		if path := formPath(h); path != nil {
			b.leaves[h] = true
			for n := range path {
				b.prefixes[strings.Join(path[:n], ".")] = true
			}
		}
	}
	for i, h := range headers {
		p.columns[i] = b.column(h)
	}
	return p
}

type planBuilder struct {
	*plan
	paths    map[string]int  // dotted path → object
	leaves   map[string]bool // dotted paths that columns hold whole
	prefixes map[string]bool // dotted paths that columns lie below, and so stand for objects
	mergedAt map[string]int
}

// formPath splits the header of a CommCare question; nil when it is not one.
func formPath(header string) []string {
	if !strings.HasPrefix(header, "form.") {
		return nil
	}
	parts := strings.Split(header, ".")
	if len(parts) > maxHeaderDepth || slices.Contains(parts, "") {
		return nil
	}
	return parts
}

func (b *planBuilder) column(header string) columnPlan {
	if header == "" || isOurColumn(header) {
		return columnPlan{}
	}
	if strings.HasPrefix(header, "form.") {
		if question, option, ok := strings.Cut(header, " | "); ok && b.splittable(question) {
			return b.option(question, strings.TrimSpace(option))
		}
		if question, part, ok := strings.Cut(header, ": "); ok && b.splittable(question) {
			part, _, _ = strings.Cut(part, " ")
			if n := slices.Index(gpsParts, part); n >= 0 {
				m := b.mergedValue(question, true)
				return columnPlan{kind: columnPart, merged: m, part: n}
			}
		}
	}
	path := formPath(header)
	if path == nil {
		return b.leaf(0, header)
	}
	if b.prefixes[header] {
		return b.leaf(b.object(path), "#text")
	}
	return b.leaf(b.object(path[:len(path)-1]), path[len(path)-1])
}

// splittable tells whether a question can be spread over several columns: it is a path, and no column holds it whole.
func (b *planBuilder) splittable(question string) bool {
	return formPath(question) != nil && !b.leaves[question] && !b.prefixes[question]
}

func (b *planBuilder) leaf(object int, key string) columnPlan {
	b.objects[object].size++
	return columnPlan{kind: columnValue, object: object, key: key}
}

func (b *planBuilder) option(question, option string) columnPlan {
	m := b.mergedValue(question, false)
	if option == "extra" {
		return columnPlan{kind: columnExtra, merged: m}
	}
	return columnPlan{kind: columnOption, merged: m, text: option}
}

func (b *planBuilder) mergedValue(question string, parts bool) int {
	if m, ok := b.mergedAt[question]; ok {
		return m
	}
	path := formPath(question)
	o := b.object(path[:len(path)-1])
	b.objects[o].size++
	b.merged = append(b.merged, mergedValue{object: o, key: path[len(path)-1], parts: parts})
	b.mergedAt[question] = len(b.merged) - 1
	return len(b.merged) - 1
}

func (b *planBuilder) object(path []string) int {
	dotted := strings.Join(path, ".")
	if o, ok := b.paths[dotted]; ok {
		return o
	}
	parent := b.object(path[:len(path)-1])
	b.objects[parent].size++
	b.objects = append(b.objects, object{parent: parent, key: path[len(path)-1]})
	b.paths[dotted] = len(b.objects) - 1
	return len(b.objects) - 1
}

// body makes a record body of the cells of one row; missing cells are blank.
func (p *plan) body(cells []string) map[string]any {
	var few [8]map[string]any
	made := few[:0]
	for _, o := range p.objects {
		m := make(map[string]any, o.size)
		if o.parent >= 0 {
			made[o.parent][o.key] = m
		}
		made = append(made, m)
	}
	var spread []spreadValue
	if len(p.merged) > 0 {
		spread = make([]spreadValue, len(p.merged))
	}
	for i := range p.columns {
		c := &p.columns[i]
		if c.kind == columnIgnored {
			continue
		}
		var cell string
		if i < len(cells) {
			cell = cells[i]
		}
		if cell == notAsked {
			cell = ""
		}
		if c.kind == columnValue {
			made[c.object][c.key] = cell
			continue
		}
		spread[c.merged].add(c, cell)
	}
	for i, m := range p.merged {
		made[m.object][m.key] = spread[i].text(m.parts)
	}
	return made[0]
}

// spreadValue gathers one question from its columns.
type spreadValue struct {
	words []string
	parts [4]string
}

func (v *spreadValue) add(c *columnPlan, cell string) {
	switch c.kind {
	case columnOption:
		if chosen(cell) {
			v.words = append(v.words, c.text)
		}
	case columnExtra:
		v.words = append(v.words, strings.Fields(cell)...)
	case columnPart:
		v.parts[c.part] = strings.TrimSpace(cell)
	}
}

func (v *spreadValue) text(parts bool) string {
	if !parts {
		return strings.Join(v.words, " ")
	}
	if v.parts[0] == "" || v.parts[1] == "" {
		return ""
	}
	return strings.TrimSpace(strings.Join(v.parts[:], " "))
}

func chosen(cell string) bool {
	switch strings.ToLower(strings.TrimSpace(cell)) {
	case "", "0", "false", "no":
		return false
	}
	return true
}

// checkHeader trims a header row and reports what makes it unusable.
func checkHeader(cells []string, f Format, place string) ([]string, error) {
	header := make([]string, len(cells))
	for i, c := range cells {
		header[i] = strings.TrimSpace(c)
	}
	for len(header) > 0 && header[len(header)-1] == "" {
		header = header[:len(header)-1]
	}
	if len(header) == 0 {
		return nil, &FileError{Problem: diag.Problem{Place: diag.Place{File: place},
			Message: fmt.Sprintf("row %d, where the headers should be, is empty", f.Header),
			Hint:    "put the headers there, or say in which row they are with header:"}}
	}
	if len(header) > f.MaxColumns {
		return nil, &FileError{Problem: diag.Problem{Place: diag.Place{File: place},
			Message: fmt.Sprintf("it has %d columns and at most %d can be read",
				len(header), f.MaxColumns),
			Hint: "export only the columns that the rule uses"}}
	}
	if err := tellApart(header, newColumns(f), place); err != nil {
		return nil, err
	}
	for _, want := range f.Columns {
		if !slices.ContainsFunc(header, func(h string) bool { return fold(h) == fold(want) }) {
			hint := "it has " + listColumns(header) + "; add the column, or change the rule"
			if near := nearestColumns(want, header); len(near) > 0 {
				hint = fmt.Sprintf("did you mean %s? Rename the column, or change columns: in the rule",
					diag.Names(short(near, 3), "or"))
			}
			return nil, &FileError{Problem: diag.Problem{Place: diag.Place{File: place},
				Message: fmt.Sprintf("it has no column %q", want), Hint: hint}}
		}
	}
	return header, nil
}

// tellApart gives the second and later columns of one name a number: name, name.2. A name that the
// rule reads must say which of them is meant.
func tellApart(header []string, c *columns, place string) error {
	first := make(map[string]int, len(header))
	for i, h := range header {
		first[h] = i
	}
	seen := make(map[string]int, len(header))
	numbered := map[string]bool{}
	for i, h := range header {
		if h == "" {
			continue
		}
		at, doubled := seen[h]
		if !doubled {
			seen[h] = i
			continue
		}
		if c.meansOne(h) {
			return &FileError{Problem: diag.Problem{Place: diag.Place{File: place},
				Message: fmt.Sprintf("columns %s and %s are both headed %q, which the rule reads",
					columnName(at), columnName(i), shorten(h)),
				Hint: fmt.Sprintf("give each column a name of its own; or tell them apart in the rule: trigger[%q] and trigger[%q]",
					h, h+".2")}}
		}
		n := 2
		for numbered[numberedName(h, n)] || hasName(first, numberedName(h, n)) {
			n++
		}
		header[i] = numberedName(h, n)
		numbered[header[i]] = true
	}
	return nil
}

func hasName(first map[string]int, name string) bool { _, ok := first[name]; return ok }

func numberedName(name string, n int) string { return fmt.Sprintf("%s.%d", name, n) }

func listColumns(header []string) string {
	var names []string
	for _, h := range header {
		if h == "" {
			continue
		}
		if len(names) == 8 {
			return strings.Join(names, ", ") + " and others"
		}
		names = append(names, fmt.Sprintf("%q", shorten(h)))
	}
	return strings.Join(names, ", ")
}

// shorten keeps names from foreign files to a length that fits a message.
func shorten(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}

// columnName is the letter name that spreadsheets give to a column, counted from 0.
func columnName(n int) string {
	name := ""
	for n++; n > 0; n = (n - 1) / 26 {
		name = string(rune('A'+(n-1)%26)) + name
	}
	return name
}
