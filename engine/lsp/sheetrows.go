package lsp

import (
	"slices"
	"strconv"
	"strings"

	"github.com/culvert/culvert/engine/rehearsal"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/yamlnode"
)

// rows lays out an entry: one row, or one for each value that lies in it.
func (m *sheetMaker) rows(e *entry, name string, take func(from, to spot) []Found) []Row {
	path := keysOf(e)
	from := e.child("from")
	value := e.child("value")
	literal := from == nil && value != nil
	if from == nil {
		from = value
	}
	switch {
	case len(e.children) > 0 && from != nil && from.open == 0:
		r := Row{Name: name, Key: e.key, Path: path, Value: keysOf(from), Line: e.keyFrom.line + 1, Mapped: true, Long: true,
			Literal: literal, Text: from.value, Input: m.input(from), More: moreOf(e), Format: e.text("format"),
			Blank: e.text("blank")}
		if mp := e.child("map"); mp != nil {
			r.Map, r.Inline = mp.value, len(mp.children) > 0
		}
		r.Values, r.Count = m.valuesAt(from)
		r.Found = take(e.keyFrom, after(e))
		return []Row{r}
	case len(e.children) > 0:
		var out []Row
		for i, c := range e.children {
			label := name + "." + c.key
			if c.item {
				label = name
				if len(e.children) > 1 {
					label += " " + strconv.Itoa(i+1)
				}
			}
			if !c.bare {
				out = append(out, m.rows(c, label, take)...)
			}
		}
		return out
	}
	r := Row{Name: name, Key: e.key, Path: path, Value: path, Line: e.keyFrom.line + 1, Mapped: true, Text: e.value,
		Input: m.input(e)}
	r.Values, r.Count = m.valuesAt(e)
	r.Found = take(e.keyFrom, after(e))
	return []Row{r}
}

// after is the place behind an entry and what lies in it, its line's end included.
func after(e *entry) spot {
	end := e.last
	if end.before(e.to) {
		end = e.to
	}
	if e.flow || e.parent != nil && e.parent.open != 0 {
		return spot{end.line, end.col + 1}
	}
	return spot{end.line + 1, 0}
}

// input says what may be written in the place of an entry's value.
func (m *sheetMaker) input(e *entry) Input {
	switch s := m.slotOf(e.path()); s {
	case slotExpression:
		return InputExpression
	case slotOther:
		return InputText
	default:
		return InputName
	}
}

// moreOf writes what a field says beside its expression and its map.
func moreOf(e *entry) string {
	var parts []string
	for _, c := range e.children {
		if !slices.Contains([]string{"from", "value", "map"}, c.key) && c.open == 0 && c.key != "" {
			parts = append(parts, c.key+": "+c.value)
		}
	}
	return strings.Join(parts, ", ")
}

// maxValues bounds how many values of a for_each are shown.
const maxValues = 3

// valuesAt gives what the value of an entry comes to: once, or for each item.
func (m *sheetMaker) valuesAt(e *entry) (out []Value, count int) {
	_, body := action(e.path())
	return valuesOf(stepsAt(m.steps, e.from, e.to), body.child("for_each") != nil)
}

// stepsAt gives the steps of a record that lie in a part of a text.
func stepsAt(steps map[spot][]rules.Step, from, to spot) (out []rules.Step) {
	for at, list := range steps {
		if !at.before(from) && at.before(to) {
			out = append(out, list...)
		}
	}
	return out
}

// valuesOf gives what steps come to: once, or for each item.
func valuesOf(steps []rules.Step, each bool) (out []Value, count int) {
	field := slices.ContainsFunc(steps, func(s rules.Step) bool { return s.What == "field" || s.What == "value" })
	for _, s := range steps {
		if field && s.What != "field" && s.What != "value" {
			continue
		}
		v := valueOf(s)
		if s.What == "value" && len(out) > 0 && count <= maxValues { // what DHIS2 is given for the field before
			last := &out[len(out)-1]
			last.Out, last.Type, last.Failed, last.Hint, last.Blank = v.Out, v.Type, v.Failed, v.Hint, v.Blank
			if last.In == "" {
				last.In = v.In
			}
			continue
		}
		if s.What == "value" && count > 0 {
			continue
		}
		if count++; count <= maxValues {
			out = append(out, v)
		}
	}
	if !each && len(out) > 1 {
		return out[:1], 1 // what is asked for twice, such as a person's id, is the same twice
	}
	return out, count
}

func valueOf(s rules.Step) Value {
	v := Value{Out: rehearsal.Show(s.Out), Type: s.Type, Blank: s.Out == nil}
	if s.In != nil {
		v.In = rehearsal.Show(s.In)
	}
	if s.Failed != nil {
		v.Failed, v.Hint = s.Failed.Message, s.Failed.Hint
		if v.In == "" && s.Failed.Value != "" {
			v.In = rehearsal.Show(s.Failed.Value)
		}
		v.Out = ""
	}
	return v
}

// inherited gives rows of what the action has from other files: below the keys named, or beside those of fields.
func (m *sheetMaker) inherited(number int, e *entry, below []string, own *entry) []Row {
	if m.sheet.Rule == nil || m.sheet.Rule.Rule == nil {
		return nil
	}
	var body *yamlnode.Node
	for _, a := range m.sheet.Rule.Rule.Actions {
		if a.Number == number && a.Kind == e.key {
			body = a.Body.At(below)
		}
	}
	sets := m.setsOf(e)
	var out []Row
	for _, p := range body.Pairs() {
		file := p.Key.Document().Path
		if file == m.doc.name || len(below) == 0 && (slices.Contains(sets, p.Key.Value) || e.child(p.Key.Value) != nil) ||
			own.child(p.Key.Value) != nil {
			continue
		}
		r := Row{Name: p.Key.Value, Key: p.Key.Value, Mapped: true, Text: p.Value.Value, File: file,
			Line: p.Key.Place().Range.Start.Line, Input: InputText}
		from, value, mapped := p.Value.Get("from"), p.Value.Get("value"), p.Value.Get("map")
		at := p.Value
		switch {
		case from != nil:
			at, r.Text = from, from.Value
		case value != nil:
			at, r.Text, r.Literal = value, value.Value, true
		}
		if mapped != nil {
			r.Map, r.Inline = mapped.Value, mapped.Kind != yamlnode.Scalar
		}
		begin, end := spotOf(at.Place().Range.Start), spotOf(at.Place().Range.End)
		r.Values, r.Count = valuesOf(stepsAt(m.foreign[file], begin, spot{end.line, end.col + 1}), e.child("for_each") != nil)
		out = append(out, r)
	}
	return out
}

// lookup lays out one lookup.
func (m *sheetMaker) lookup(e *entry, take func(from, to spot) []Found) Group {
	g := Group{Name: e.key, Title: e.text("in"), Path: keysOf(e), Line: e.keyFrom.line + 1}
	if g.Title == "" {
		g.Title = e.text("table")
	}
	var tried []Value
	for _, list := range m.steps {
		for _, s := range list {
			if s.What == "lookup" && s.Name == e.key && len(tried) < maxValues {
				tried = append(tried, valueOf(s))
			}
		}
	}
	for i, c := range e.children {
		if c.bare {
			continue
		}
		rows := m.rows(c, c.key, take)
		for j := range rows {
			rows[j].Values, rows[j].Count = nil, 0
		}
		if i == len(e.children)-1 && len(rows) > 0 {
			rows[0].Values, rows[0].Count = tried, len(tried)
		}
		g.Rows = append(g.Rows, rows...)
	}
	g.Found = take(e.keyFrom, after(e))
	return g
}

func fieldNamed(fields []field, name string) *field {
	for i := range fields {
		if fields[i].is(name) {
			return &fields[i]
		}
	}
	return nil
}

// unambiguous gives what a rule calls a field: its name, or its uid where another of the list has the name too.
func (m *sheetMaker) unambiguous(fields []field, f field) string {
	n := 0
	for i := range fields {
		if fields[i].is(f.Name) {
			n++
		}
	}
	if n > 1 {
		return f.ID
	}
	return f.Name
}

// sheet gives what is shown of a field.
func (f *field) sheet() *FieldOf {
	out := &FieldOf{ID: f.ID, Code: f.Code, What: f.what, Type: f.valueType, Mandatory: f.mandatory, Remarks: f.remarks}
	if f.options != nil {
		out.Options, out.Choosable = f.options.Name, len(f.options.Options)
		for _, o := range f.options.Options[:min(len(f.options.Options), maxShownChoices)] {
			out.Choices = append(out.Choices, Choice{o.Code, o.Name})
		}
	}
	return out
}

// maxShownChoices bounds the options that a sheet lists of a field.
const maxShownChoices = 200
