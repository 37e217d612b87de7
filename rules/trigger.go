package rules

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/expression"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/rules/yamlnode"
)

// trigger reads where records come from, and the samples that type the expressions.
func (c *compiler) trigger() {
	n := c.root.Get("trigger")
	t := &c.rule.Trigger
	if n == nil {
		c.fault(startOf(c.rule.Path), "missing-key", `the rule has no "trigger"`,
			"add trigger: with one of "+diag.Names(c.env.triggerNames(), "or")+", which says where records come from")
		return
	}
	if n.Kind != yamlnode.Mapping {
		return // the schema has said so
	}
	var first *yamlnode.Node
	for _, p := range n.Pairs() {
		kind := p.Key.Value
		switch {
		case settings.Find(triggerKeys, kind) != nil: // what is known of the records
		case first != nil:
			c.report(diag.Diagnostic{
				Problem: diag.Problem{Code: "two-triggers",
					Message: fmt.Sprintf("the rule has two triggers, %q and %q", first.Value, kind),
					Hint:    "keep one; what the rules share can go into a file that both name in extends:",
					Place:   p.Key.Place()},
				Related: []diag.Related{{Place: first.Place(), Message: "the first trigger"}},
			})
		default:
			first = p.Key
			t.Kind, t.Config, t.Place = kind, p.Value, p.Key.Place()
			c.triggerKind(p.Key)
		}
	}
	if first == nil {
		c.fault(c.root.Key("trigger").Place(), "missing-key", "the trigger does not say where records come from",
			"add one of "+diag.Names(c.env.triggerNames(), "or"))
	}
	r := c.reader("trigger", n, triggerKeys)
	t.Fields = r.Node("fields")
	c.rule.missing.add(r.Node("missing"))
	if s := r.Node("sample"); isValue(s) {
		if name, ok := c.path(s); ok {
			t.Sample, t.SamplePlace = name, s.Place()
		}
	}
}

// Read reads the trigger's config as its kind declares it, and reports keys that the spec does not
// have and those that it needs. ok is false when it is no mapping, which is then reported with the
// spec's example.
func (t *Trigger) Read(spec settings.Spec, report func(diag.Diagnostic)) (r settings.Reader, ok bool) {
	if t == nil {
		return settings.Reader{}, false
	}
	if t.Config == nil || t.Config.Kind != yamlnode.Mapping {
		report(diag.Diagnostic{Problem: diag.Problem{
			Code: "wrong-type", Message: fmt.Sprintf("the %s trigger is a mapping of keys", spec.Name),
			Hint: "write " + spec.Example, Place: t.Place,
		}})
		return settings.Reader{}, false
	}
	return settings.Read(t.Config, spec, t.Place, report), true
}

// triggerKind finds what is known of the kind of trigger that a key names.
func (c *compiler) triggerKind(key *yamlnode.Node) {
	i := slices.IndexFunc(c.env.TriggerKinds, func(k TriggerKind) bool { return k.Name == key.Value })
	switch {
	case i >= 0:
		c.rule.Trigger.About = c.env.TriggerKinds[i]
	case len(c.env.TriggerKinds) > 0:
		c.fault(key.Place(), "unknown-trigger", fmt.Sprintf("unknown trigger %q", key.Value),
			diag.Suggest(key.Value, c.env.triggerNames(), "triggers"))
		c.rule.Trigger.Kind = ""
	}
}

// recordShape is what is known of a record: what the samples show, and the fields that the rule declares.
func (c *compiler) recordShape() *expression.Shape {
	t := &c.rule.Trigger
	shape := expression.Dynamic()
	var known *expression.Shape
	if c.env.Record != nil && t.Kind != "" {
		known = c.env.Record(t)
	}
	switch {
	case known != nil:
		if shape = known; t.Sample != "" {
			c.sampleShape(shape) // its records are tried
		}
	case t.Sample != "":
		shape = c.sampleShape(shape)
	case t.Kind != "" && !t.About.Anonymous && t.Fields == nil:
		c.warn(t.Place, "no-sample", "the trigger has no sample:, so a wrong field name is found only when records come",
			"save a real record as samples/"+c.rule.Name+".json, without anybody's data, and name it with sample:")
	}
	if t.Fields == nil {
		return shape
	}
	if t.Sample == "" && known == nil {
		shape = expression.ShapeOf(map[string]any{})
	}
	for _, p := range t.Fields.Pairs() {
		c.declare(shape, p.Key, p.Value.Value)
	}
	for _, item := range t.Fields.Items() {
		c.declare(shape, item, "any")
	}
	return shape
}

func (c *compiler) sampleShape(unknown *expression.Shape) *expression.Shape {
	t := &c.rule.Trigger
	if c.env.Samples == nil || t.Kind == "" {
		return unknown
	}
	bodies, err := c.env.Samples(t)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.fault(t.SamplePlace, "missing-file", fmt.Sprintf("the sample %q does not exist", t.Sample),
			"paths count from the folder that holds culvert.yaml")
	case err != nil:
		c.fault(t.SamplePlace, "bad-sample", fmt.Sprintf("the sample %q cannot be read: %v", t.Sample, err),
			"save it again as the source sends it")
	case len(bodies) == 0:
		c.warn(t.SamplePlace, "bad-sample", fmt.Sprintf("the sample %q holds no record", t.Sample),
			"put at least one record into it")
	default:
		for i := range bodies {
			bodies[i] = c.rule.missing.without(bodies[i])
		}
		c.samples = bodies
		return expression.ShapeOf(bodies...)
	}
	return unknown
}

func (c *compiler) declare(shape *expression.Shape, n *yamlnode.Node, typ string) {
	if !isValue(n) || !slices.Contains(expression.DeclarableTypes(), typ) {
		return // the schema has said so
	}
	if err := shape.Declare(tidy(n.Value), typ); err != nil {
		c.fault(n.Place(), "bad-field", fmt.Sprintf("the field %q cannot be declared: %v", n.Value, err),
			"write the path below trigger, such as form.next_visit")
	}
}

// newScope makes the scope of expressions outside of actions, without lookups and maps.
func (c *compiler) newScope() *expression.Scope {
	s := expression.NewScope(expression.Options{Now: c.rule.clock(c.env.Now), Zone: c.env.Zone})
	s.AddShape("trigger", c.recordShape())
	source := expression.ShapeOf(map[string]any{
		"trigger": "", "file": "", "row": 1, "sheet": "", "query": "", "remote": "", "deleted": false,
	})
	// The names are constant, so that declaring them cannot fail.
	_ = source.Declare("received", "any")
	_ = source.Declare("headers", "any")
	s.AddShape("source", source)
	c.env.Library.addTo(s)
	for _, m := range c.env.Library.Maps() {
		c.rule.Maps[m.Name] = m
	}
	return s
}
