package dispatch

import (
	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/rules/diag"
)

// outcomeProblem describes why a write did not go through.
func outcomeProblem(w actions.Write, o actions.Outcome) *journal.Problem {
	place := o.Place
	if place == (diag.Place{}) {
		place = w.Place
	}
	p := &journal.Problem{Class: o.Class, Code: o.Code, Cause: o.Cause, Detail: o.Detail, Hint: o.Hint,
		Place: program.PlaceText(place)}
	if w.Object != nil {
		p.Object = w.Object.Label()
	}
	if o.ObjectID != "" {
		p.Objects = []string{o.ObjectID}
	}
	return p
}
