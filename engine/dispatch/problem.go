package dispatch

import (
	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/rules/diag"
)

// outcomeProblem describes why a write did not go through.
func outcomeProblem(w actions.Write, o actions.Outcome) *journal.Problem {
	p := &journal.Problem{Class: o.Class, Problem: o.Problem, Detail: o.Detail}
	if p.Place == (diag.Place{}) {
		p.Place = w.Place
	}
	if w.Object != nil {
		p.Object = w.Object.Label()
	}
	if o.ObjectID != "" {
		p.Objects = []string{o.ObjectID}
	}
	return p
}
