package service

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/culvert/culvert/engine/console"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/engine/rehearsal"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/yamlnode"
)

// Rule tells how a rule maps, with the values of its own sample.
func (s *inspection) Rule(name string) *console.Mapping {
	p := s.current.Load()
	r := p.RuleNamed(name)
	if r == nil {
		return nil
	}
	m := &console.Mapping{Rule: s.rule(r), Text: string(p.Texts[r.Path]), When: text(r.When), ID: text(r.ID),
		Key: text(r.Key)}
	steps := map[int][]rules.Step{}
	if flow, _, err := Flow(p, name); err == nil && r.Trigger.Sample != "" {
		in, err := s.sample(p, r)
		if err != nil {
			m.Trace = &console.Trace{Status: "failed", Note: fmt.Sprintf("the sample %s cannot be read: %v", r.Trigger.Sample,
				err)}
		} else {
			t := tracer{project: p, flow: flow}
			if _, err := t.run(in); err != nil {
				t.out.Status, t.out.Note = "failed", err.Error()
			}
			m.Trace = &t.out
			for _, step := range t.steps {
				line := step.Place.Range.Start.Line
				steps[line] = append(steps[line], step)
			}
		}
	}
	for _, l := range r.Lookups {
		m.Lookups = append(m.Lookups, filled(console.Field{Group: l.Collection, Name: l.Name,
			Line: l.Place.Range.Start.Line}, steps))
	}
	for _, a := range r.Rule.Actions {
		m.Actions = append(m.Actions, actionOf(a, steps))
	}
	return m
}

func (s *inspection) sample(p *project.Project, r *project.Rule) (rules.Input, error) {
	bodies, err := rehearsal.FileSamples{Loader: s.o.Loader, Dir: p.Dir}.Sample(&r.Trigger, "")
	if err != nil {
		return rules.Input{}, err
	}
	if len(bodies) == 0 {
		return rules.Input{}, fmt.Errorf("it holds no record")
	}
	return rules.Input{Body: bodies[0], Source: rehearsal.Source(r.Trigger.Sample, 0, len(bodies))}, nil
}

func text(e *rules.Expr) string {
	if e == nil {
		return ""
	}
	return e.Text
}

// notFields are keys of an action that are shown of it as a whole.
var notFields = []string{"for_each", "when", "id"}

func actionOf(a *rules.ActionSpec, steps map[int][]rules.Step) console.Action {
	out := console.Action{Kind: a.Kind, ForEach: text(a.ForEach), When: text(a.When), Line: a.Place.Range.Start.Line}
	for _, p := range a.Body.Pairs() {
		if !slices.Contains(notFields, p.Key.Value) {
			out.Fields = append(out.Fields, fieldsOf("", p.Key, p.Value, steps)...)
		}
	}
	return out
}

// longForm are the keys of a field that is written out.
var longForm = []string{"from", "value", "map"}

// fieldsOf gives the fields below one key of an action.
func fieldsOf(group string, key, value *yamlnode.Node, steps map[int][]rules.Step) []console.Field {
	f := console.Field{Group: group, Name: key.Value, Line: key.Place().Range.Start.Line}
	switch {
	case value.Kind == yamlnode.Scalar:
		f.Expr = value.Value
		return []console.Field{filled(f, steps)}
	case value.Kind == yamlnode.Mapping && slices.ContainsFunc(longForm,
		func(k string) bool { return value.Get(k) != nil }):
		if n := value.Get("from"); n != nil {
			f.Expr = n.Value
		} else if n := value.Get("value"); n != nil {
			f.Expr, f.Literal = n.Value, true
		}
		f.Map = mapOf(value.Get("map"))
		return []console.Field{filled(f, steps)}
	case value.Kind == yamlnode.Mapping && group == "":
		var out []console.Field
		for _, p := range value.Pairs() {
			out = append(out, fieldsOf(key.Value, p.Key, p.Value, steps)...)
		}
		return out
	}
	if text, err := json.Marshal(value.Plain()); err == nil {
		f.Expr = string(text)
	}
	return []console.Field{f}
}

// mapOf names a value map, or writes down one that stands in its field.
func mapOf(n *yamlnode.Node) string {
	switch {
	case n == nil:
		return ""
	case n.Kind == yamlnode.Scalar:
		return n.Value
	}
	var pairs []string
	for _, p := range n.Pairs() {
		if p.Value.Kind == yamlnode.Scalar {
			pairs = append(pairs, p.Key.Value+" → "+p.Value.Value)
		}
	}
	return strings.Join(pairs, ", ")
}

// filled adds what the sample gives to a field: the value that goes in, the one that comes out, its type.
func filled(f console.Field, steps map[int][]rules.Step) console.Field {
	for _, s := range steps[f.Line] {
		switch s.What {
		case "filter", "id", "key", "map":
			continue
		}
		if s.Name != f.Name && s.What != "lookup" {
			continue
		}
		if f.In == "" && s.In != nil {
			f.In = rehearsal.Show(s.In)
		}
		f.Out = rehearsal.Show(s.Out)
		if s.Type != "" {
			f.Type = s.Type
		}
		if f.Expr == "" {
			f.Expr = s.Expr
		}
	}
	return f
}
