package dispatch

import (
	"fmt"
	"runtime/debug"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
)

// answered is what a batch came to: a result for every plan, and a verdict for those that were
// decided before anything was sent.
type answered struct {
	results  []actions.Result
	verdicts []*verdict // nil where the result decides
}

// verdict says what the batch came to for one of its records.
func (a answered) verdict(i int, it *item) verdict {
	if v := a.verdicts[i]; v != nil {
		return *v
	}
	return classify(it.Plan(), a.results[i])
}

// sendItems answers what lookups ask first, for the whole batch together, and delivers what has
// something to deliver then. A record is asked about only now, when all earlier ones of its key are
// settled: it finds what they left.
func (d *Dispatcher) sendItems(items []*item) answered {
	a := answered{results: make([]actions.Result, len(items)), verdicts: make([]*verdict, len(items))}
	plans := make([]actions.Plan, len(items))
	for i, it := range items {
		plans[i] = *it.Plan()
	}
	asked, fault := d.ask(plans)
	var ready []actions.Plan
	var at []int
	for i, it := range items {
		if fault != nil && plans[i].Pending != nil {
			a.verdicts[i] = &verdict{state: journal.Failed,
				problem: program.ProblemOf(d.Log, it.Flow(), plans[i].Record.RecordID, fault)}
			continue
		}
		*it.Plan() = plans[i]
		if fault == nil {
			a.verdicts[i] = d.verdictOf(it, asked[i])
		}
		if a.verdicts[i] == nil && len(plans[i].Writes) > 0 {
			ready, at = append(ready, plans[i]), append(at, i)
		}
	}
	if len(ready) > 0 {
		for n, r := range d.sendPlans(ready) {
			a.results[at[n]] = r
		}
	}
	return a
}

// ask completes pending plans. A fault of the target is an error, and the plans stay as they were.
func (d *Dispatcher) ask(plans []actions.Plan) (asked []program.Asked, fault error) {
	defer func() {
		if p := recover(); p != nil {
			fault = fmt.Errorf("%s\n%s", program.PanicText(p), debug.Stack())
		}
	}()
	return program.Ask(d.End, d.server().Target, plans), nil
}

// verdictOf says what becomes of a record whose lookups were answered; nil where it is to be sent.
func (d *Dispatcher) verdictOf(it *item, a program.Asked) *verdict {
	switch {
	case a.Err != nil:
		return &verdict{state: journal.Failed, problem: program.ProblemOf(d.Log, it.Flow(), it.Plan().Record.RecordID, a.Err)}
	case a.Failure != nil:
		return &verdict{state: journal.Failed, problem: program.FailureProblem(a.Failure)}
	case a.Skipped:
		return &verdict{state: journal.Skipped}
	case a.Outcome != nil:
		v := classify(&actions.Plan{Writes: []actions.Write{{Place: a.Outcome.Place}}},
			actions.Result{Outcomes: []actions.Outcome{*a.Outcome}})
		return &v
	}
	return nil
}
