package lsp

import (
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
)

// codeActions offers what can be done about the findings in a range, and about the fields of the action in it.
func (s *server) codeActions(raw *json.RawMessage) (any, error) {
	p, err := decode[CodeActionParams](raw)
	if err != nil {
		return nil, err
	}
	actions := []CodeAction{}
	v := s.view(p.TextDocument.URI)
	if v == nil || v.space.session.Project() == nil {
		return actions, nil
	}
	f := fixer{view: v, actions: actions}
	for _, d := range v.space.findingsAt(v.doc.name, p.Range.Start.Line, p.Range.End.Line) {
		f.finding(d)
	}
	if v.isRule() {
		f.entries(v.lines.toSpot(p.Range.Start))
	}
	return f.actions, nil
}

type fixer struct {
	*view
	actions []CodeAction
}

func (f *fixer) add(title, kind string, d *diag.Diagnostic, preferred bool, edits map[string][]TextEdit) {
	a := CodeAction{
		Title:       f.server.language.Text(title),
		Kind:        kind,
		IsPreferred: preferred,
		Edit:        &WorkspaceEdit{Changes: edits},
	}
	if d != nil {
		a.Diagnostics = []Diagnostic{f.server.diagnostic(f.space, map[string]lines{}, *d)}
	}
	f.actions = append(f.actions, a)
}

// replace offers another text for the place of a finding.
func (f *fixer) replace(title string, d diag.Diagnostic, at diag.Place, text string, preferred bool) {
	l := f.server.location(f.space, map[string]lines{f.doc.name: f.lines}, at)
	f.add(title, "quickfix", &d, preferred, map[string][]TextEdit{l.URI: {{l.Range, text}}})
}

// meant matches the names of a hint.
var (
	meant      = regexp.MustCompile(`^did you mean (.+?)\?`)
	quotedName = regexp.MustCompile(`"((?:[^"\\]|\\.)*)"`)
	uncovered  = regexp.MustCompile(`does not cover (.+), which `)
)

func namesIn(text string) []string {
	var out []string
	for _, m := range quotedName.FindAllStringSubmatch(text, -1) {
		out = append(out, m[1])
	}
	return out
}

// finding offers what a finding's own fix, the names of its hint, or its code tell.
func (f *fixer) finding(d diag.Diagnostic) {
	if d.Fix != nil {
		f.replace("Write "+d.Fix.Text+" instead", d, d.Fix.Place, d.Fix.Text, true)
		return
	}
	if m := meant.FindStringSubmatch(d.Hint); m != nil {
		for i, name := range namesIn(m[1]) {
			at, text := f.written(d.Place, name)
			f.replace(fmt.Sprintf("Change to %q", name), d, at, text, i == 0)
		}
	}
	switch d.Code {
	case "map-not-covering":
		f.cover(d)
	case "mandatory-attribute", "updates-only", "compulsory-element":
		f.mandatory(f.out.cursorAt(spotOf(d.Place.Range.Start)), &d)
	}
}

// written gives a name as it is to be written in the place of another: an expression takes it as it
// is, a key or name as YAML needs it.
func (f *fixer) written(at diag.Place, name string) (diag.Place, string) {
	c := f.out.cursorAt(spotOf(at.Range.Start))
	e := c.entry
	if e == nil || e.parent == nil {
		return at, name
	}
	text := yamlnode.Text(name)
	if e.flow {
		text = yamlnode.FlowText(name)
	}
	switch {
	case c.inKey && !e.item:
		return place(f.doc.name, e.keyFrom, e.keyTo), text
	case f.slotOf(e.path()) == slotExpression:
		return at, name
	}
	return place(f.doc.name, e.from, e.to), text
}

// cover offers to add the values of the sample that a map lacks: to the file of the rule, or to the
// CSV file of the map.
func (f *fixer) cover(d diag.Diagnostic) {
	m := uncovered.FindStringSubmatch(d.Message)
	if m == nil {
		return
	}
	values := namesIn(m[1])
	c := f.out.cursorAt(spotOf(d.Place.Range.Start))
	if c.entry == nil || len(values) == 0 {
		return
	}
	title := "Add " + strings.Join(values, ", ") + " to the map"
	if e := c.entry; c.inKey || e.parent == nil {
		return
	}
	target := f.out.root.child("maps").child(c.entry.value)
	if target == nil {
		return
	}
	if file := target.text("file"); file != "" {
		f.appendTo(title, d, file, values)
		return
	}
	if values := target.child("values"); values != nil {
		target = values
	}
	f.add(title, "quickfix", &d, true, map[string][]TextEdit{f.doc.uri: {f.insert(target, values,
		func(string) string { return "" })}})
}

// appendTo adds lines to a CSV file with the columns from and to.
func (f *fixer) appendTo(title string, d diag.Diagnostic, file string, values []string) {
	text, err := f.space.session.Read(file)
	if err != nil || path.Ext(file) != ".csv" {
		return
	}
	l := lines(newLines(string(text)))
	end := spot{len(l) - 1, len(l[len(l)-1])}
	added := ""
	if end.col > 0 {
		added = "\n"
	}
	for _, value := range values {
		if strings.ContainsAny(value, ",\"\n") {
			value = `"` + strings.ReplaceAll(value, `"`, `""`) + `"`
		}
		added += value + ",\n"
	}
	f.add(title, "quickfix", &d, true, map[string][]TextEdit{f.space.uri(file): {{l.toRange(end, end), added}}})
}

// insert adds keys at the end of a mapping, in braces or as lines.
func (f *fixer) insert(e *entry, keys []string, value func(string) string) TextEdit {
	if e.open == '{' {
		at := e.to
		if f.out.closed(e) {
			at.col--
		}
		text := ""
		for i, k := range keys {
			if i > 0 || len(e.children) > 0 {
				text += ", "
			}
			text += yamlnode.FlowText(k) + ": " + value(k)
		}
		return TextEdit{f.lines.toRange(at, at), text}
	}
	indent, last := e.indent+2, e.keyTo.line
	if n := len(e.children); n > 0 {
		indent, last = e.children[0].indent, max(e.children[n-1].last.line, e.children[n-1].to.line)
	}
	at := spot{last, len(f.lines[last])}
	text := ""
	for _, k := range keys {
		text += "\n" + strings.Repeat(" ", max(indent, 0)) + yamlnode.Text(k) + ": " + value(k)
	}
	return TextEdit{f.lines.toRange(at, at), text}
}

// entries offers what does not need a finding: missing mandatory fields, and option codes for names.
func (f *fixer) entries(at spot) {
	c := f.out.cursorAt(at)
	e := c.entry
	if e == nil {
		e = c.parent
	}
	if e == nil || e.parent == nil || f.index == nil {
		return
	}
	if !slices.ContainsFunc(f.actions, func(a CodeAction) bool {
		return strings.HasPrefix(a.Title,
			"Add the mandatory")
	}) {
		f.mandatory(cursor{at: at, entry: e, parent: e.parent}, nil)
	}
	f.optionCode(e)
}

// mandatory offers to add the mandatory fields that an action lacks.
func (f *fixer) mandatory(c cursor, d *diag.Diagnostic) {
	e := c.entry
	if e == nil {
		e = c.parent
	}
	kind, body := f.at(e.path())
	if body == nil || f.index == nil {
		return
	}
	for _, key := range []string{"attributes", "data_values"} {
		if s := f.schemaAt(append(body.path(), &entry{key: key})); s.Schema == nil {
			continue
		}
		target := body.child(key)
		var missing []string
		for _, field := range f.fieldsOf(key, kind, body) {
			if field.mandatory && !slices.ContainsFunc(target.list(), func(e *entry) bool { return field.is(e.key) }) {
				missing = append(missing, field.Name)
			}
		}
		if len(missing) == 0 {
			continue
		}
		title := "Add the mandatory " + strings.ReplaceAll(key, "_", " ") + ": " + strings.Join(missing, ", ")
		edit := TextEdit{}
		if target != nil {
			edit = f.insert(target, missing, func(string) string { return "" })
		} else {
			edit = f.insert(body, []string{key}, func(string) string { return "" })
			edit.NewText = strings.TrimSuffix(edit.NewText, " ")
			indent := body.indent + 4
			if len(body.children) > 0 {
				indent = body.children[0].indent + 2
			}
			for _, name := range missing {
				edit.NewText += "\n" + strings.Repeat(" ", indent) + yamlnode.Text(name) + ": "
			}
		}
		f.add(title, "quickfix", d, false, map[string][]TextEdit{f.doc.uri: {edit}})
	}
}

// optionCode offers the code of an option that is written by its name.
func (f *fixer) optionCode(e *entry) {
	path := e.path()
	if e.value == "" || f.slotOf(path) != slotOption {
		return
	}
	for _, field := range f.mapFields(path) {
		o, near := f.optionOf(field, e.value)
		switch {
		case o != nil && o.Code != "" && o.Code != e.value:
			f.setValue(fmt.Sprintf("Use the option code %s (%s)", o.Code, o.Name), e, o.Code)
		case o == nil && len(near) > 0:
			if o, _ := f.optionOf(field, near[0]); o != nil && o.Code != "" {
				f.setValue(fmt.Sprintf("Use the option code %s (%s)", o.Code, o.Name), e, o.Code)
			}
		}
	}
}

// optionOf gives the option that a value means, or those that are near.
func (v *view) optionOf(f *field, value string) (o *metadata.Option, near []string) {
	if f.options == nil || v.index == nil {
		return nil, nil
	}
	o, _, near = v.index.Option(f.options, value)
	return o, near
}

func (f *fixer) setValue(title string, e *entry, value string) {
	text := yamlnode.Text(value)
	if e.flow {
		text = yamlnode.FlowText(value)
	}
	f.add(title, "quickfix", nil, false, map[string][]TextEdit{f.doc.uri: {{f.lines.toRange(e.from, e.to), text}}})
}
