package service

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/culvert/culvert/engine/console"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/engine/rehearsal"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
)

// Trace evaluates a rule on a record without sending anything, and says what would be sent for
// somebody whom Culvert has not sent before.
func (s *inspection) Trace(ctx context.Context, rule string, record console.Input) (*console.Trace, error) {
	p := s.current.Load()
	flow, _, err := Flow(p, s.ruleNow(rule))
	if err != nil {
		return nil, err
	}
	var body any
	if err := json.Unmarshal(record.Body, &body); err != nil {
		return nil, fmt.Errorf("the content is not JSON: %w", err)
	}
	t := tracer{project: p, flow: flow}
	e, err := t.run(rules.Input{Body: body, Source: program.SourceFields(record.Origin, record.Received),
		RecordID: record.ID, FileID: record.Origin.FileBeside()})
	if err != nil {
		return nil, err
	}
	if e.Failure != nil || e.Skipped {
		return &t.out, nil
	}
	preview, err := Preview(ctx, p, flow.Server, e.Plan)
	if err != nil {
		t.out.Note = err.Error()
		return &t.out, nil
	}
	for _, w := range preview.Writes {
		t.out.Writes = append(t.out.Writes, console.Write{Label: w.Label, Effect: w.Effect, ID: w.ID, Reason: w.Reason})
	}
	for _, r := range preview.Requests {
		x := console.Request{Heading: rehearsal.Heading(r.Method, r.Path, r.Query, preview.Names)}
		if r.Body != nil {
			if x.Body, err = rehearsal.Annotated(r.Body, preview.Names); err != nil {
				return nil, err
			}
		}
		t.out.Requests = append(t.out.Requests, x)
	}
	return &t.out, nil
}

// maxSteps bounds the steps that are kept of one record: a form may hold a thousand visits.
const maxSteps = 500

// tracer notes the steps of one evaluation.
type tracer struct {
	project *project.Project
	flow    *program.Flow
	steps   []rules.Step
	out     console.Trace
}

func (t *tracer) run(in rules.Input) (program.Evaluation, error) {
	e, err := program.EvaluateTraced(t.flow, in, t.step)
	if err != nil {
		return e, err
	}
	t.out.ID, t.out.Key, t.out.Status, t.out.OrgUnits = e.ID, e.Key, "fine", e.Plan.About
	switch {
	case e.Skipped:
		t.out.Status = "skipped"
	case e.Failure != nil:
		t.out.Status = "failed"
		for _, f := range append([]*rules.Failure{e.Failure}, e.Failure.More...) {
			line, source := t.line(f.Place)
			t.out.Faults = append(t.out.Faults, console.Fault{
				Code: f.Code, Message: f.Message, Hint: f.Hint, Field: f.Field, Column: f.Column, Value: f.Value, Line: line,
				Source: source,
			})
		}
	}
	return e, nil
}

func (t *tracer) step(s rules.Step) {
	if len(t.steps) == maxSteps {
		t.out.Note = fmt.Sprintf("only the first %d steps are shown", maxSteps)
	}
	if len(t.steps) >= maxSteps {
		return
	}
	last := len(t.out.Steps) - 1
	converted := s.What == "value" && last >= 0 && t.steps[len(t.steps)-1].What == "field" &&
		t.steps[len(t.steps)-1].Place == s.Place && t.out.Steps[last].Name == s.Name
	t.steps = append(t.steps, s)
	x := console.Step{What: s.What, Name: s.Name, Expr: strings.Join(strings.Fields(s.Expr), " "),
		Out: rehearsal.Show(s.Out), Type: s.Type}
	if s.In != nil && fmt.Sprint(s.In) != fmt.Sprint(s.Out) {
		x.In = rehearsal.Show(s.In)
	}
	if s.Failed != nil {
		x.Out, x.Failed = "", s.Failed.Message
	}
	x.Line, x.Source = t.line(s.Place)
	if converted { // what the expression gave, and what DHIS2 gets of it, are one line
		field := t.out.Steps[last]
		if x.What = field.What; field.In != "" {
			x.In = field.In
		} else if x.In == "" && field.Out != x.Out {
			x.In = field.Out
		}
		t.out.Steps[last] = x
		return
	}
	t.out.Steps = append(t.out.Steps, x)
}

// line gives the line of the rule's file that a place is in.
func (t *tracer) line(at diag.Place) (int, string) {
	n := at.Range.Start.Line
	if at.File != t.flow.Rule.Path || n < 1 {
		return 0, ""
	}
	i := 0
	for line := range strings.Lines(string(t.project.Texts[at.File])) {
		if i++; i == n {
			return n, strings.TrimSpace(line)
		}
	}
	return n, ""
}
