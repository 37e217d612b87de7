package engine

import (
	"fmt"
	"strings"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/rules/diag"
)

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

// outcomeProblem words why a write did not go through.
func outcomeProblem(w actions.Write, o actions.Outcome) *journal.Problem {
	place := o.Place
	if place == (diag.Place{}) {
		place = w.Place
	}
	p := &journal.Problem{Class: o.Class, Code: o.Code, Cause: o.Cause, Detail: o.Detail, Hint: o.Hint, Place: program.PlaceText(place)}
	if w.Object != nil {
		p.Object = w.Object.Label()
	}
	if o.ObjectID != "" {
		p.Objects = []string{o.ObjectID}
	}
	return p
}
