package scaffold

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/engine/scaffold/form"
)

// textTypes are what a question that takes anything may be written to.
var textTypes = []string{"TEXT", "LONG_TEXT", "PHONE_NUMBER", "EMAIL", "USERNAME", "URL"}

// repeat is a list of items in the records: a repeat group.
type repeat struct {
	expr   string
	path   []string
	fields []*field // of its items
	inner  []string // lists in its items
	reason string
}

// itemEvents are events of a stage, one for every item of a repeat.
type itemEvents struct {
	repeat   *repeat
	stage    *metadata.ProgramStage
	elements []*target
	date     guess
}

// repeatsOf finds the lists of objects in the records. Lists inside of lists are
// named, and left to a person.
func repeatsOf(bodies []any) []*repeat {
	found := map[string]*repeat{}
	items := map[string][]any{}
	var walk func(v any, expr string, path []string)
	walk = func(v any, expr string, path []string) {
		m, ok := v.(map[string]any)
		if !ok || len(path) > maxDepth || len(path) > 0 && ofTool(path) {
			return
		}
		for _, key := range slices.Sorted(maps.Keys(m)) {
			e, p := expr+member(key), append(slices.Clone(path), key)
			list, ok := m[key].([]any)
			if !ok {
				walk(m[key], e, p)
				continue
			}
			if ofTool(p) || len(list) == 0 || len(items[e]) > maxRecords {
				continue
			}
			if _, ok := list[0].(map[string]any); !ok {
				continue
			}
			if found[e] == nil {
				found[e] = &repeat{expr: e, path: p}
			}
			items[e] = append(items[e], list...)
		}
	}
	for i, body := range bodies {
		if i == maxRecords {
			break
		}
		walk(body, "trigger", nil)
	}
	var out []*repeat
	for _, e := range slices.Sorted(maps.Keys(found)) {
		r := found[e]
		r.fields = fieldsOf("item", items[e])
		r.inner = innerLists(items[e])
		out = append(out, r)
	}
	return out
}

// innerLists gives the lists of objects that stand in the items of a repeat, as expressions.
func innerLists(items []any) []string {
	found := map[string]bool{}
	var walk func(v any, expr string, depth int)
	walk = func(v any, expr string, depth int) {
		m, ok := v.(map[string]any)
		if !ok || depth > maxDepth {
			return
		}
		for key, v := range m {
			list, ok := v.([]any)
			if !ok {
				walk(v, expr+member(key), depth+1)
			} else if len(list) > 0 {
				if _, ok := list[0].(map[string]any); ok {
					found[expr+member(key)] = true
				}
			}
		}
	}
	for _, item := range items[:min(len(items), maxRecords)] {
		walk(item, "item", 0)
	}
	return slices.Sorted(maps.Keys(found))
}

// inFlow is an expression as an item of a list of YAML.
func inFlow(expr string) string { return "'" + strings.ReplaceAll(expr, "'", "''") + "'" }

// useForm adds to the fields what the form says of their questions.
func (w *writer) useForm() {
	if w.Form == nil {
		return
	}
	for _, f := range w.fields {
		w.describe(f, w.Form.Find(f.path))
	}
	for _, r := range w.repeats {
		for _, f := range r.fields {
			w.describe(f, w.Form.Find(append(slices.Clone(r.path), f.path...)))
		}
	}
}

func (w *writer) describe(f *field, q *form.Question) {
	if q == nil {
		return
	}
	f.labels = q.Labels
	if w.Made && q.Type.Open() {
		f.texts, f.open = nil, q.Type
	}
	for _, c := range q.Choices {
		if f.choices == nil {
			f.choices = map[string][]string{}
			if w.Made {
				f.texts = nil
			}
		}
		f.choices[c.Name] = c.Labels
		f.texts = append(f.texts, c.Name)
	}
}

// names are all that a field is called: by itself, with its groups, and on the form; and without what
// stands beside the name, such as a unit in brackets.
func (f *field) names() []string {
	names := append([]string{f.name(), f.fullName()}, f.labels...)
	for _, name := range append([]string{f.path[len(f.path)-1]}, f.labels...) {
		if plain := plainHeading(name); plain != name && alike(plain) != "" {
			names = append(names, plain)
		}
	}
	return names
}

func joinedAny(targets []*target) bool {
	return slices.ContainsFunc(targets, func(t *target) bool { return t.field != nil })
}

// planRepeats finds the stage that the items of each repeat are events of: one that can be
// repeated, and of which more is joined than of any other.
func (w *writer) planRepeats(common []string) {
	if w.DataSet != nil || w.Stage == nil {
		return
	}
	for _, r := range w.repeats {
		var best itemEvents
		most, several := 0, false
		for i := range w.Program.Stages {
			stage := &w.Program.Stages[i]
			first := w.Stage != nil && stage.ID == w.Stage.ID
			taken := first && (w.each != nil || joinedAny(w.elements))
			if taken || w.registered() && !stage.Repeatable || !w.registered() && !first {
				continue
			}
			e := itemEvents{repeat: r, stage: stage, elements: w.stageElements(stage)}
			m := &matcher{fields: r.fields, targets: e.elements, common: common, x: w.Index, context: w.context}
			m.join()
			n := 0
			for _, t := range e.elements {
				if t.field != nil {
					n++
				}
			}
			switch {
			case n > most:
				best, most, several = e, n, false
			case n == most && n > 0:
				several = true
			}
		}
		if most == 0 || several || slices.ContainsFunc(w.extra, func(e itemEvents) bool { return e.stage == best.stage }) {
			continue
		}
		r.reason = fmt.Sprintf("one event an item: %d of its questions are of this stage", most)
		if w.Stage != nil && best.stage.ID == w.Stage.ID {
			w.elements = nil
			if !w.registered() {
				w.each, w.elements = r, best.elements
				continue
			}
			w.Stage = nil // its events are those of the items
		}
		w.extra = append(w.extra, best)
	}
}

// datesOfItems finds the day of each item; without one it is that of the record.
func (w *writer) datesOfItems() {
	for i := range w.extra {
		e := &w.extra[i]
		if e.date = w.findDate(e.repeat.fields, e.elements); e.date.expr == "" {
			e.date = w.date
		}
	}
	if w.each != nil {
		if date := w.findDate(w.each.fields, w.elements); date.expr != "" {
			w.date = date
		}
	}
}

// itemActions writes the events of the repeats, and names those that nothing is known of.
func (w *writer) itemActions() {
	used := map[*repeat]bool{w.each: true}
	stage, elements, date, each := w.Stage, w.elements, w.date, w.each
	for _, e := range w.extra {
		used[e.repeat] = true
		w.Stage, w.elements, w.date, w.each = e.stage, e.elements, e.date, e.repeat
		w.eventBody(w.registered())
	}
	w.Stage, w.elements, w.date, w.each = stage, elements, date, each
	for _, r := range w.repeats {
		if !used[r] && w.DataSet == nil {
			var names []string
			for _, f := range r.fields {
				if !f.own {
					names = append(names, f.name())
				}
			}
			w.line("  # %s is a list, of %s: an action with for_each: %s runs once for each of its items",
				comment(r.expr), comment(strings.TrimSpace(some(names))), comment(r.expr))
		}
		for _, inner := range r.inner {
			if w.DataSet == nil {
				w.line("  # each item of %s holds a list: an action with for_each: [%s, %s] runs once for each of its items",
					comment(r.expr), comment(inFlow(r.expr)), comment(inFlow(inner)))
			}
		}
	}
}
