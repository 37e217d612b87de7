package engine

import (
	"fmt"
	"strings"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
)

// failureProblem words a record's own failure.
func failureProblem(f *rules.Failure) *journal.Problem {
	p := &journal.Problem{
		Class: actions.ClassData, Code: f.Code, Cause: f.Message, Hint: f.Hint,
		Field: f.Field, Column: f.Column, Value: f.Value, Place: placeText(f.Place),
	}
	for _, m := range f.More {
		p.More = append(p.More, journal.Fault{
			Code: m.Code, Cause: m.Message, Hint: m.Hint, Field: m.Field, Column: m.Column, Value: m.Value, Place: placeText(m.Place),
		})
	}
	return p
}

// codeLeftOut marks what is said of a delivered record that went without some of its values.
const codeLeftOut = "left-out"

// leftOut words which values a delivered record went without; nil when there is none.
func leftOut(left []*rules.Failure) *journal.Problem {
	if len(left) == 0 {
		return nil
	}
	first := *left[0]
	first.More = left[1:]
	p := failureProblem(&first)
	p.Code, p.Cause = codeLeftOut, "left out: "+p.Cause
	for i := range p.More {
		p.More[i].Code, p.More[i].Cause = codeLeftOut, "left out: "+p.More[i].Cause
	}
	return p
}

// allFaults words all that is wrong with a row for whoever corrects the table: cause, column, value and fix of each. It holds values.
func allFaults(p *journal.Problem) (cause, column, value, hint string) {
	faults := p.Faults()
	if len(faults) == 1 {
		return p.Cause, p.Column, p.Value, p.Hint
	}
	var causes, columns, values, hints []string
	for i, f := range faults {
		number := fmt.Sprintf("(%d) ", i+1)
		causes, hints = append(causes, number+f.Cause), append(hints, number+f.Hint)
		columns, values = append(columns, number+f.Column), append(values, number+f.Value)
	}
	return strings.Join(causes, "; "), strings.Join(columns, "; "), strings.Join(values, "; "), strings.Join(hints, "; ")
}

// internalProblem stands for a fault of the program; its particulars are in the log.
func internalProblem(flow *Flow) *journal.Problem {
	return &journal.Problem{
		Class: actions.ClassData, Code: "internal", Cause: "Culvert itself broke down on this record; the log tells more",
		Hint: "report the log line with the rule; replay the record once it is fixed", Place: flow.Rule.Path,
	}
}

// outcomeProblem words why a write did not go through.
func outcomeProblem(w actions.Write, o actions.Outcome) *journal.Problem {
	place := o.Place
	if place == (diag.Place{}) {
		place = w.Place
	}
	p := &journal.Problem{Class: o.Class, Code: o.Code, Cause: o.Cause, Detail: o.Detail, Hint: o.Hint, Place: placeText(place)}
	if w.Object != nil {
		p.Object = w.Object.Label()
	}
	if o.ObjectID != "" {
		p.Objects = []string{o.ObjectID}
	}
	return p
}

// placeText prints a place as file:line:col.
func placeText(p diag.Place) string {
	if p.File == "" {
		return ""
	}
	if p.Range.Start.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Range.Start.Line, p.Range.Start.Column)
}
