package rehearsal

import (
	"fmt"
	"slices"

	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
)

// triedRecords is how many records of a sample are tried: a sample has a few.
const triedRecords = 100

// TrySample evaluates the records of a rule's own sample. A finding warns of the first one that fails, with the place in the
// rule; nil: none does, or a test expects it.
func TrySample(flow *program.Flow, bodies []any) *diag.Diagnostic {
	for i, body := range bodies[:min(len(bodies), triedRecords)] {
		e, err := program.Evaluate(flow, rules.Input{Body: body,
			Source: Source(flow.Rule.Trigger.Sample, i, len(bodies)), Answers: flow.Rule.SampleAnswers(nil)})
		f := e.Failure
		if err != nil || f == nil || f.Skip || f.Wait || expected(flow.Rule, f) {
			continue // what is wrong with the rule itself is a finding already
		}
		d := &diag.Diagnostic{Severity: diag.Warning, Problem: f.Problem}
		d.Problem.Code = "sample-fails"
		d.Problem.Message = fmt.Sprintf(
			"record %d of the sample %s fails here: %s [%s]",
			i+1,
			flow.Rule.Trigger.Sample,
			f.Message,
			f.Code,
		)
		d.Problem.Value = ""
		return d
	}
	return nil
}

// expected tells whether a test of the rule says that a record fails so.
func expected(r *rules.Rule, f *rules.Failure) bool {
	return slices.ContainsFunc(r.Tests, func(t *rules.Test) bool { return t.Fail == f.Code })
}
