package actions_test

import (
	"context"
	"fmt"
	"maps"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/expression"
	"github.com/culvert/culvert/rules/settings"
)

// A kind of action of one's own is three types: the kind checks an action of a rule, the action
// plans what a record asks for, and the object is what is written. A package of kinds is registered
// by one line in project.ActionKinds; the schema of rule files is made from the keys that it declares.

// remarkKind is the kind example.remark: {text: expression}.
type remarkKind struct{}

// Name is how rule files name the kind.
func (remarkKind) Name() string { return "example.remark" }

// Settings declares its keys: what editors and the reference say of them comes from here.
func (remarkKind) Settings() settings.Spec {
	return settings.Spec{Name: "example.remark", Doc: "writes a remark", Fields: []settings.Field{
		{Name: "text", Ref: "expression", Doc: "the remark"}}}
}

// Compile checks an action. Expression reports what is wrong with the expression, with its place and a fix.
func (remarkKind) Compile(spec *rules.ActionSpec) actions.Action {
	text := spec.Expression(spec.Body.Get("text"), expression.Text)
	if text == nil {
		return nil
	}
	return &remarkAction{spec: spec, text: text}
}

// remarkAction is a compiled action.
type remarkAction struct {
	spec *rules.ActionSpec
	text *rules.Expr
}

// Key is nil: a remark is about nobody whose records have to stay in order.
func (a *remarkAction) Key() *rules.Expr { return nil }

// Plan gives what the record in scope asks for. Each goes through for_each and when.
func (a *remarkAction) Plan(s *rules.Scope) ([]actions.Write, error) {
	var writes []actions.Write
	err := a.spec.Each(s, func(s *rules.Scope) error {
		text, err := a.text.EvalText(s)
		if err == nil {
			writes = append(writes, actions.Write{Action: a.spec.Number, Place: a.spec.Place, Object: remark(text)})
		}
		return err
	})
	return writes, err
}

// remark is what is written.
type remark string

// Label names it without any data of the record.
func (remark) Label() string { return "remark" }

// Describe gives it for tests and try.
func (r remark) Describe() map[string]any { return map[string]any{"remark": string(r)} }

// printer is a target that prints what it is sent. A target of one's own classifies its outcomes:
// what heals by itself, what a person must correct.
type printer struct{}

// Deliver sends what the plans ask for.
func (printer) Deliver(_ context.Context, plans []actions.Plan) []actions.Result {
	results := make([]actions.Result, len(plans))
	for n, p := range plans {
		for _, w := range p.Writes {
			fmt.Println(w.Object.Label()+":", w.Object.Describe()["remark"])
			results[n].Outcomes = append(results[n].Outcomes, actions.Outcome{Status: actions.Delivered})
		}
	}
	return results
}

// Rehearse would ask without writing.
func (p printer) Rehearse(ctx context.Context, plans []actions.Plan) []actions.Result {
	return p.Deliver(ctx, plans)
}

// Probe asks for something small.
func (printer) Probe(context.Context) error { return nil }

// Example_action adds a kind of action and runs a record through it.
func Example_action() {
	const text = `
rule: remarks
trigger:
  webhook: {path: /remarks}
  sample: sample.json
id: trigger.id
actions:
  - example.remark:
      for_each: trigger.visits
      text: item.note + " (" + trigger.id + ")"
`
	record := map[string]any{"id": "form-1", "visits": []any{map[string]any{"note": "well"},
		map[string]any{"note": "referred"}}}
	kind := remarkKind{}
	rule, findings := rules.Load("rules/remarks.yaml", []byte(text), rules.Environment{
		Samples: func(*rules.Trigger) ([]any, error) { return []any{maps.Clone(record)}, nil },
		Kinds:   []settings.Spec{kind.Settings()}, TriggerKinds: []rules.TriggerKind{{Name: "webhook"}},
	})
	action := kind.Compile(rule.Actions[0])
	rule.Finish()
	for _, d := range findings.List {
		fmt.Println(d.Code, d.Message)
	}

	scope := rule.Begin(rules.Input{Body: record})
	if _, _, err := rule.Identify(scope); err != nil {
		fmt.Println(err)
	}
	writes, err := action.Plan(scope)
	if err != nil {
		fmt.Println(err)
	}
	results := printer{}.Deliver(context.Background(), []actions.Plan{{Writes: writes}})
	fmt.Println(len(results[0].Outcomes), "outcomes")
	// Output:
	// remark: well (form-1)
	// remark: referred (form-1)
	// 2 outcomes
}
