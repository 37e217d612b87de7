package lsp

import (
	"context"
	"slices"
	"strconv"

	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/engine/rehearsal"
	"github.com/culvert/culvert/engine/scaffold/form"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/schemas"
)

// Sheet is a rule file as a table: what DHIS2 wants, what the rule says for it, and what that comes
// to for one record.
type Sheet struct {
	Rule     *project.Rule // as it could last be read; nil: never
	Text     string
	Settings []Row // when, id, key, version
	Lookups  []Group
	Actions  []Group
	Maps     []MapSheet
	MoreMaps int // that Maps leaves out
	Sample   Sample
	// Findings are those of the file, warnings too; Elsewhere counts those of other files of the project.
	Findings  []Found
	Elsewhere int
	Fields    bool // the file holds fields that rules include, and nothing of a rule
	Skipped   bool // the filter refuses the record
	Failure   *rules.Failure
	Record    any  // that was evaluated; nil: none
	Partial   bool // lines with mistakes were left out, so that the others have values
}

// Found is a finding with its place in the text.
type Found struct {
	diag.Diagnostic
	Range Range
}

// Group is a lookup or an action.
type Group struct {
	Name    string // dhis2.event
	Title   string // of what it writes: First visit
	Path    []string
	Line    int
	ForEach string // the list that it goes through
	Rows    []Row  // what is not a field of DHIS2
	Sets    []Set
	More    []Addable // keys that it may have and has not
	Found   []Found   // what is wrong with it as a whole
}

// Set is the fields below one key of an action.
type Set struct {
	Key  string // attributes, data_values, values
	Path []string
	Rows []Row // those of the rule, in its order, then the others: the mandatory first
}

// Addable is a key that may be added.
type Addable struct{ Name, Doc string }

// Row is one line of the table.
type Row struct {
	Name    string
	Key     string   // as the rule has it, or would
	Path    []string // of the entry; of one that is not there too
	Value   []string // of its expression or fixed value
	Line    int
	Mapped  bool
	Input   Input
	Text    string // the expression, name or fixed value
	Long    bool   // written as {from: ...} or {value: ...}
	Literal bool   // a fixed value
	Map     string // the name of its value map
	Inline  bool   // it has a value map of its own
	Format  string
	Blank   string // what a blank value does
	More    string // all that it says beside its expression and its map
	File    string // that it is inherited from; it cannot be changed here
	Field   *FieldOf
	Values  []Value
	Count   int // of values, of which Values are the first
	Found   []Found
}

// Input says what may be written in a row.
type Input string

// Inputs.
const (
	InputExpression Input = "expression"
	InputName       Input = "name" // of an object of DHIS2 or of the project
	InputText       Input = "text"
)

// FieldOf is the attribute or data element of a row.
type FieldOf struct {
	ID, Code, What, Type, Options string
	Mandatory                     bool
	Remarks                       []string
	Choices                       []Choice
	Choosable                     int // choices, of which Choices are the first
}

// Choice is an option.
type Choice struct{ Code, Name string }

// Value is what a row comes to once.
type Value struct {
	In, Out, Type string
	Failed        string
	Hint          string
	Blank         bool
}

// Pick says which record is evaluated.
type Pick struct {
	Sample string // a file; "": that of the trigger
	Record int    // from 0
	Body   any    // another record than one of a file, or nil
	// Form gives the definition of the form that a record came from; nil: none is known.
	Form func(record any) *form.Form
}

// Sample is the record that a sheet is of.
type Sample struct {
	File    string
	Record  int
	Records int
	Problem string // why there is none
	Fields  []Branch
}

// Sheet lays a rule file out as a table.
func (l *Local) Sheet(ctx context.Context, drafts Drafts, name string, pick Pick) (out *Sheet, err error) {
	err = l.with(ctx, drafts, func() error {
		v, err := l.view(name)
		if err != nil {
			return err
		}
		m := sheetMaker{view: v, local: l, sheet: &Sheet{Text: v.doc.text}}
		m.make(ctx, pick)
		out = m.sheet
		return nil
	})
	return out, err
}

// sheetMaker makes one sheet.
type sheetMaker struct {
	*view
	local   *Local
	sheet   *Sheet
	steps   map[spot][]rules.Step            // of the record, by where their expressions begin
	foreign map[string]map[spot][]rules.Step // those of other files, by their names
	form    *form.Form                       // that the record came from, or nil
}

func (m *sheetMaker) make(ctx context.Context, pick Pick) {
	p := m.space.session.Project()
	if m.facts.rule != nil && m.facts.rule.Path == m.doc.name {
		m.sheet.Rule = m.facts.rule
	}
	for _, d := range p.Findings {
		if d.Place.File != m.doc.name {
			m.sheet.Elsewhere++
			continue
		}
		m.sheet.Findings = append(m.sheet.Findings, Found{d, m.lines.diagRange(d.Place.Range)})
	}
	m.sample(pick)
	m.evaluate(ctx)
	if pick.Form != nil {
		m.form = pick.Form(m.sheet.Record)
	}
	take := takerOf(m.sheet.Findings)
	root := m.view.out.root
	m.sheet.Fields = holdsFields(m.doc.name, root)
	for _, key := range []string{"when", "id", "key", "version"} {
		if e := root.child(key); e != nil {
			m.sheet.Settings = append(m.sheet.Settings, m.rows(e, key, take)...)
		} else {
			m.sheet.Settings = append(m.sheet.Settings, Row{Name: key, Key: key, Path: []string{key}, Value: []string{key},
				Input: InputExpression, Values: m.defaultStep(key)})
		}
	}
	for _, e := range root.child("lookups").list() {
		if e.key != "" {
			m.sheet.Lookups = append(m.sheet.Lookups, m.lookup(e, take))
		}
	}
	for i, item := range root.child("actions").list() {
		if item.item && len(item.children) > 0 {
			m.sheet.Actions = append(m.sheet.Actions, m.action(i, item.children[0], take))
		}
	}
	m.sheet.Maps = m.maps(take)
}

// holdsFields tells whether a file has fields that rules include, by its keys, none of which a rule has.
func holdsFields(name string, root *entry) bool {
	keys := schemas.Root(schemas.Rule).Properties.ByKey
	for _, e := range root.list() {
		if keys[e.key] != nil {
			return false
		}
	}
	return !project.IsRuleFile(name) && len(root.list()) > 0
}

// takerOf gives the findings that begin in a part of the text, each once: to whoever asks first.
func takerOf(findings []Found) func(from, to spot) []Found {
	left := map[int][]Found{} // by line
	for _, f := range findings {
		line := spotOf(f.Place.Range.Start).line
		left[line] = append(left[line], f)
	}
	return func(from, to spot) []Found {
		var own []Found
		for line := from.line; line <= to.line && len(left) > 0; line++ {
			if len(left[line]) == 0 {
				continue
			}
			left[line] = slices.DeleteFunc(left[line], func(f Found) bool {
				at := spotOf(f.Place.Range.Start)
				inside := !at.before(from) && at.before(to)
				if inside {
					own = append(own, f)
				}
				return inside
			})
			if len(left[line]) == 0 {
				delete(left, line)
			}
		}
		return own
	}
}

// defaultStep gives what the id or key is where the rule does not say it.
func (m *sheetMaker) defaultStep(key string) []Value {
	for _, list := range m.steps {
		for _, s := range list {
			if s.What == key && s.Expr == "" {
				return []Value{{Out: rehearsal.Show(s.Out)}}
			}
		}
	}
	return nil
}

// keysOf gives the path of an entry as rules/yamlnode takes it.
func keysOf(e *entry) []string {
	var out []string
	for _, e := range e.path() {
		if !e.item {
			out = append(out, e.key)
			continue
		}
		n := 0
		for _, c := range e.parent.children {
			if c == e {
				break
			}
			if c.item {
				n++
			}
		}
		out = append(out, strconv.Itoa(n))
	}
	return out
}

func under(path []string, more ...string) []string {
	return append(path[:len(path):len(path)], more...)
}

// action lays out one action.
func (m *sheetMaker) action(number int, e *entry, take func(from, to spot) []Found) Group {
	g := Group{Name: e.key, Path: keysOf(e), Line: e.keyFrom.line + 1, ForEach: e.text("for_each")}
	for _, key := range []string{"stage", "data_element", "program", "data_set", "tracked_entity_type", "type"} {
		if g.Title == "" {
			g.Title = m.named(e.key, e, key)
		}
	}
	schema := m.schemaAt(e.path())
	sets := m.setsOf(e)
	for _, c := range e.children {
		if !slices.Contains(sets, c.key) && !c.bare {
			g.Rows = append(g.Rows, m.rows(c, c.key, take)...)
		}
	}
	g.Rows = append(g.Rows, m.inherited(number, e, nil, nil)...)
	for _, key := range sets {
		g.Sets = append(g.Sets, m.set(number, key, e, take))
	}
	g.Found = take(e.keyFrom, e.last)
	if schema.Schema == nil {
		return g
	}
	root := schemas.Root(schemas.Rule)
	for _, name := range schema.Properties.Names {
		if e.child(name) == nil && !slices.Contains(sets, name) {
			g.More = append(g.More, Addable{name, schema.Properties.ByKey[name].Resolve(root).Description})
		}
	}
	return g
}

// setsOf lists the keys of an action that hold fields of DHIS2, also those that it does not have yet.
func (m *sheetMaker) setsOf(e *entry) []string {
	var out []string
	schema := m.schemaAt(e.path())
	for _, key := range []string{"attributes", "data_values", "values"} {
		if e.child(key) != nil || schema.Schema != nil && schema.Properties.ByKey[key] != nil {
			out = append(out, key)
		}
	}
	return out
}

// set lays out the fields below one key: what is no field of it, then all fields, the mandatory first, so that a row
// stays in its place when it is mapped.
func (m *sheetMaker) set(number int, key string, e *entry, take func(from, to spot) []Found) Set {
	fields := sorted(m.fieldsOf(key, e.key, e))
	mapping := e.child(key)
	s := Set{Key: key, Path: under(keysOf(e), key)}
	mapped := map[string][]Row{} // by the field's uid
	keep := func(name string, rows []Row) {
		f := fieldNamed(fields, name)
		if f == nil {
			s.Rows = append(s.Rows, rows...)
			return
		}
		for i := range rows {
			rows[i].Field = f.sheet()
		}
		mapped[f.ID] = append(mapped[f.ID], rows...)
	}
	for _, c := range mapping.list() {
		if c.key != "" {
			keep(c.key, m.rows(c, c.key, take))
		}
	}
	for _, r := range m.inherited(number, e, []string{key}, mapping) {
		keep(r.Key, []Row{r})
	}
	for i := range fields {
		s.Rows = append(s.Rows, m.fieldRows(&s, fields, &fields[i], mapped[fields[i].ID])...)
	}
	return s
}

// maxCombos bounds the category option combos that a data element has rows for.
const maxCombos = 60

// fieldRows gives the rows of one field: those of the rule, and those that there could be.
func (m *sheetMaker) fieldRows(s *Set, fields []field, f *field, rows []Row) []Row {
	ref := m.unambiguous(fields, *f)
	open := Row{Name: f.Name, Key: ref, Path: under(s.Path, ref), Value: under(s.Path, ref), Input: InputExpression,
		Field: f.sheet()}
	if s.Key != "values" || f.combo == "" || f.combo == m.index.DefaultCombo() {
		if len(rows) == 0 {
			return []Row{open}
		}
		return rows
	}
	if len(rows) > 0 && len(rows[0].Path) > len(s.Path)+1 {
		ref = rows[0].Path[len(s.Path)]
	} else if len(rows) > 0 {
		return rows
	}
	combos := m.index.CombosOf(f.combo)
	for _, c := range combos[:min(len(combos), maxCombos)] {
		if slices.ContainsFunc(rows, func(r Row) bool { return is(&c.Named, r.Key) }) {
			continue
		}
		one := open
		one.Name, one.Key = f.Name+"."+c.Name, c.Name
		one.Path = under(s.Path, ref, c.Name)
		one.Value = one.Path
		rows = append(rows, one)
	}
	return rows
}
