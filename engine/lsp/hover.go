package lsp

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/expression"
)

// hover tells what stands at a place.
func (v *view) hover(at spot) *Hover {
	if !v.isConfig() && !v.isRule() {
		return nil
	}
	c := v.out.cursorAt(at)
	if c.entry == nil || c.entry.parent == nil {
		return nil
	}
	var parts []string
	var span Range
	if c.inKey && !c.entry.item {
		parts, span = v.aboutKey(c.entry), v.lines.toRange(c.entry.keyFrom, c.entry.keyTo)
	} else {
		parts, span = v.aboutValue(c.entry, at)
	}
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	if len(parts) == 0 {
		return nil
	}
	return &Hover{Contents: MarkupContent{"markdown", strings.Join(parts, "\n\n---\n\n")}, Range: &span}
}

// aboutKey tells of a key: the field that it names, or what the schema says of it; and the value that it comes to.
func (v *view) aboutKey(e *entry) []string {
	path := e.path()
	var parts []string
	if !v.isConfig() {
		if kind, body := v.at(path); body != nil && v.index != nil && len(path) > 3 {
			if f := v.fieldOfEntry(path, kind, body); f != nil && f.is(e.key) {
				parts = append(parts, f.markdown())
			} else if f := v.fieldAt(path[:len(path)-1]); f != nil && e.parent.parent.key == "values" {
				if combo, _, _ := v.index.CategoryOptionCombo(f.combo, e.key); combo != nil {
					parts = append(parts, describe("category option combo", combo.Named))
				}
			}
		}
		if path[0].key == "lookups" && len(path) == 2 {
			parts = append(parts, v.aboutLookup(e.key))
		}
	}
	if len(parts) == 0 {
		if s := v.schemaAt(path); s.Schema != nil && s.Description != "" {
			parts = append(parts, s.Description)
		}
	}
	return append(parts, v.aboutStep(e))
}

// aboutStep tells what the value of an entry, or of its from:, comes to for the sample.
func (v *view) aboutStep(e *entry) string {
	if e.open == '{' || e.value == "" {
		if e = e.child("from"); e == nil {
			return ""
		}
	}
	step, ok := v.stepAt(e)
	if !ok {
		return ""
	}
	text := "sample: `" + shown(step.Out) + "`"
	switch {
	case step.Failed != nil:
		text = "sample: fails, " + escape(step.Failed.Message)
	case step.In != nil && fmt.Sprint(step.In) != fmt.Sprint(step.Out):
		text = "sample: `" + shown(step.In) + "` → `" + shown(step.Out) + "`"
	}
	if step.Type != "" {
		text += " (" + step.Type + ")"
	}
	return text
}

// shown writes a value of a step.
func shown(value any) string {
	if o, ok := value.(*rules.Object); ok {
		if o == nil {
			return "(blank)"
		}
		return o.Name + " (" + o.ID + ")"
	}
	if expression.IsBlank(value) {
		return "(blank)"
	}
	return strings.ReplaceAll(short(value), "`", "'")
}

// aboutValue tells of a value: the object that it names, or the name in the expression under the
// cursor and what the expression comes to.
func (v *view) aboutValue(e *entry, at spot) ([]string, Range) {
	span := v.lines.toRange(e.from, e.to)
	if v.isConfig() {
		return nil, span
	}
	path := e.path()
	s := v.slotOf(path)
	if s != slotExpression {
		return []string{v.aboutName(s, e, path)}, span
	}
	if text, literal := v.aboutLiteral(e, at); literal && text != "" {
		return []string{text, v.aboutStep(e)}, span
	}
	name, from, to := v.nameAt(at)
	parts := []string{}
	if name != "" {
		span = v.lines.toRange(spot{at.line, from}, spot{at.line, to})
		parts = append(parts, v.aboutWord(e, name, string(v.lines[at.line][:to])))
	}
	return append(parts, v.aboutStep(e)), span
}

// aboutName tells of a value that names something.
func (v *view) aboutName(s slot, e *entry, path []*entry) string {
	if s == slotMap {
		return v.aboutMap(e.value)
	}
	kind, body := v.at(path)
	if v.index == nil {
		return ""
	}
	x := v.index
	switch s {
	case slotProgram:
		if p, _, _ := x.Program(e.value); p != nil {
			return describe(programType(p), p.Named, stagesOf(len(p.Stages)))
		}
	case slotStage:
		p, _, _ := x.Program(v.named(kind, body, "program"))
		if p == nil {
			return ""
		}
		if stage, _, _ := x.Stage(p, e.value); stage != nil {
			return describe(stageDetail(stage)+" of "+escape(p.Name), stage.Named)
		}
	case slotType:
		if t, _, _ := x.TrackedEntityType(e.value); t != nil {
			return describe("tracked entity type", t.Named)
		}
	case slotRelationship:
		if r, _, _ := x.RelationshipType(e.value); r != nil {
			return describe("relationship type", r.Named)
		}
	case slotDataSet:
		if d, _, _ := x.DataSet(e.value); d != nil {
			return describe("data set", d.Named, d.PeriodType)
		}
	case slotElement:
		if d, _, _ := x.DataElement(e.value, nil); d != nil {
			f := elementField(x, d, false)
			return f.markdown()
		}
	case slotUnique:
		if a, _, _ := x.TrackedEntityAttribute(e.value, nil); a != nil {
			f := attributeField(x, a, false)
			return f.markdown()
		}
	case slotUnit:
		if o, _, _ := x.OrgUnit(e.value); o != nil {
			return describe("org unit", o.Named, escape(v.where(o)))
		}
	case slotOption:
		for _, f := range v.mapFields(path) {
			if o, _ := v.optionOf(f, e.value); o != nil {
				return describe("option of "+escape(f.options.Name), o.Named)
			}
		}
	}
	return ""
}

func stagesOf(n int) string {
	if n == 1 {
		return "1 stage"
	}
	return fmt.Sprintf("%d stages", n)
}

// nameAt gives the name in an expression that a place is in, with its columns.
func (v *view) nameAt(at spot) (name string, from, to int) {
	line := v.lines[at.line]
	in := func(i int) bool {
		return i >= 0 && i < len(line) && (line[i] == '_' || line[i] == '@' || unicode.IsLetter(line[i]) ||
			unicode.IsDigit(line[i]))
	}
	from, to = at.col, at.col
	for in(from - 1) {
		from--
	}
	for in(to) {
		to++
	}
	return string(line[from:to]), from, to
}

// aboutWord tells of a name in an expression. until is the line up to the end of the name.
func (v *view) aboutWord(e *entry, name, until string) string {
	before := strings.TrimSuffix(until, name)
	if strings.HasSuffix(before, ".") || strings.HasSuffix(before, `["`) || strings.HasSuffix(before, "['") {
		return v.aboutField(e, name, before)
	}
	for _, f := range v.functions() {
		if f.Name == name {
			return functionDoc(f)
		}
	}
	if slices.Contains(v.lookupNames(), name) {
		return v.aboutLookup(name)
	}
	if slices.Contains(v.mapNames(), name) {
		return v.aboutMap(name)
	}
	if name == "trigger" && v.facts.rule != nil && v.facts.rule.Trigger.Sample != "" {
		return "`trigger` · the record, as in " + escape(v.facts.rule.Trigger.Sample)
	}
	return ""
}

// aboutField tells of a field that is read of something: its values in the sample.
func (v *view) aboutField(e *entry, name, before string) string {
	chain := strings.TrimRight(before, `.["'?`)
	m := chainTail.FindString(chain)
	if m == "" {
		return ""
	}
	for _, f := range v.fieldsIn(e, m) {
		if f.name == name && f.detail != "" {
			return "`" + m + "` · `" + name + "` in the sample: `" + strings.ReplaceAll(f.detail, "`", "'") + "`"
		}
	}
	return ""
}

// aboutLookup tells what a lookup found for the sample.
func (v *view) aboutLookup(name string) string {
	e := v.out.root.child("lookups").child(name)
	where := e.text("in")
	if where == "" {
		where = e.text("table")
	}
	text := "`" + name + "` · lookup"
	if where != "" {
		text += " in " + escape(where)
	}
	for _, s := range v.load().steps {
		if s.What == "lookup" && s.Name == name {
			if s.Failed != nil {
				return text + "\n\nsample: " + escape(s.Failed.Message)
			}
			return text + "\n\nsample: `" + shown(s.Out) + "`"
		}
	}
	return text
}

// aboutMap shows a value map.
func (v *view) aboutMap(name string) string {
	text := "`" + name + "` · value map"
	if v.facts.rule == nil || v.facts.rule.Maps[name] == nil {
		return text
	}
	outputs := v.facts.rule.Maps[name].Outputs()
	for _, o := range outputs[:min(len(outputs), maxShownOptions)] {
		text += "\n\n`" + o.In + "` → `" + o.Out + "`"
	}
	if more := len(outputs) - maxShownOptions; more > 0 {
		text += fmt.Sprintf("\n\nand %d more", more)
	}
	return text
}

// inlays shows what the values come to for the sample, behind each of them.
func (v *view) inlays(from, to int) []InlayHint {
	hints := []InlayHint{}
	if !v.isRule() {
		return hints
	}
	seen := map[*entry]bool{}
	v.out.root.all(func(e *entry) {
		if e.parent == nil || e.value == "" || e.to.line < from || e.to.line > to || v.slotOf(e.path()) != slotExpression ||
			e.key == "default" {
			return
		}
		step, ok := v.stepAt(e)
		if !ok || seen[e] {
			return
		}
		seen[e] = true
		label := "= " + shown(step.Out)
		switch {
		case step.Failed != nil:
			label = "fails: " + step.Failed.Message
		case step.Out == true && step.What == "filter":
			label = "= true"
		}
		hints = append(hints, InlayHint{Position: v.lines.toPosition(e.to), Label: label, PaddingLeft: true})
	})
	return hints
}
