package dispatch

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/work"
)

// answered is what a batch came to: a result for every plan, and a verdict for those that were
// decided before anything was sent.
type answered struct {
	results  []actions.Result
	verdicts []*verdict    // nil where the result decides
	asking   time.Duration // that lookups took, before anything was sent
}

// verdict says what a batch came to for one of its records. An old version that comes late, and
// fails or waits for what is not there, is superseded: nobody has to do anything about it.
func (d *Dispatcher) verdict(a answered, i int, it *item) (v verdict) {
	if a.verdicts[i] != nil {
		v = *a.verdicts[i]
	} else {
		v = classify(it.Plan(), a.results[i])
	}
	plan := it.Plan()
	stuck := v.state == journal.Failed || v.state == journal.Pending && v.problem.Class == actions.ClassParent
	if !stuck || plan.Insist {
		return v
	}
	by := work.NewerDelivered(d.End, d.Versions, it.Flow().Name(), plan.Record.RecordID, plan.Order, !it.OfFile())
	if by != 0 {
		return verdict{state: journal.Superseded, by: by, objects: v.objects, about: v.about}
	}
	return v
}

// sendItems answers what lookups ask first, for the whole batch together, and delivers what has
// something to deliver then. A record is asked about only now, when all earlier ones of its key are
// settled: it finds what they left.
func (d *Dispatcher) sendItems(items []*item) answered {
	a := answered{results: make([]actions.Result, len(items)), verdicts: make([]*verdict, len(items))}
	plans := make([]actions.Plan, len(items))
	for i, it := range items {
		plans[i] = *it.Plan()
		if d.recognised(it) {
			a.verdicts[i] = &verdict{state: journal.Delivered, unchanged: true, about: plans[i].About}
			plans[i].Pending, plans[i].Writes = nil, nil
		}
	}
	began := time.Now()
	asked := d.askHomes(items, plans)
	a.asking = time.Since(began)
	var ready []actions.Plan
	var at []int
	for i, it := range items {
		*it.Plan() = plans[i]
		if a.verdicts[i] == nil {
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

// recognised tells whether a row whose rule looks up its earlier records is one that went through, once more: what
// it would find now is not what it found in its turn.
func (d *Dispatcher) recognised(it *item) bool {
	if it.Plan().Pending == nil || !it.OfFile() || !it.Flow().KeepRows || it.Plan().Force {
		return false
	}
	rec, err := it.AsRecord()
	if err != nil {
		return false
	}
	versions, err := d.Versions.Versions(d.End, rec.Rule, rec.ID)
	if err != nil || len(versions) == 0 {
		return false
	}
	newest := versions[len(versions)-1]
	return newest.State == journal.Delivered && newest.Content == rec.Content
}

// askHomes completes pending plans: each asks the server of its rule, which is another one where the
// rule writes elsewhere. When that is away, the records wait without a word against the server that
// they go to.
func (d *Dispatcher) askHomes(items []*item, plans []actions.Plan) []program.Asked {
	asked := make([]program.Asked, len(plans))
	homes := map[string][]int{}
	for i, it := range items {
		home := it.Flow().Home
		if plans[i].Pending == nil || home == d.name {
			home = ""
		}
		homes[home] = append(homes[home], i)
	}
	for home, at := range homes {
		part := make([]actions.Plan, len(at))
		for n, i := range at {
			part[n] = plans[i]
		}
		target := d.server().Target
		if home != "" && d.Target != nil {
			target = d.Target(home)
		}
		if target == nil {
			for _, i := range at {
				o := program.UnusableServer(home)
				asked[i].Outcome = &o
			}
			continue
		}
		for n, a := range d.ask(target, part) {
			i := at[n]
			plans[i] = part[n]
			if o := a.Outcome; home != "" && o != nil && o.Status == actions.Retry {
				o.Class = actions.ClassTransient
			}
			asked[i] = a
		}
	}
	return asked
}

// ask completes pending plans. As with sendPlans, a target that breaks down when it is asked has the
// batch halved until the culprit is alone. Asking changes nothing, so that it can be done again.
func (d *Dispatcher) ask(target actions.Target, plans []actions.Plan) []program.Asked {
	tried := slices.Clone(plans)
	asked, fault := d.tryAsk(target, tried)
	switch {
	case fault == nil:
		copy(plans, tried)
		return asked
	case len(plans) > 1:
		half := len(plans) / 2
		return append(d.ask(target, plans[:half]), d.ask(target, plans[half:])...)
	}
	return []program.Asked{{Err: fault}}
}

// tryAsk asks and turns a panic, or answers to another number of questions, into a fault.
func (d *Dispatcher) tryAsk(target actions.Target, plans []actions.Plan) (asked []program.Asked, fault error) {
	defer func() {
		if p := recover(); p != nil {
			fault = fmt.Errorf("%s\n%s", program.PanicText(p), debug.Stack())
		}
	}()
	asked = program.Ask(d.End, program.Askers{Home: target, Outside: d.Outside, Server: d.Target}, plans)
	for _, a := range asked {
		if errors.Is(a.Err, program.ErrAnswers) {
			return nil, a.Err
		}
	}
	return asked, nil
}

// verdictOf says what becomes of a record whose lookups were answered; nil where it is to be sent.
func (d *Dispatcher) verdictOf(it *item, a program.Asked) *verdict {
	switch {
	case a.Err != nil:
		return &verdict{state: journal.Failed,
			about:   it.Plan().About,
			problem: program.ProblemOf(d.Log, it.Flow(), it.Plan().Record.RecordID, a.Err)}
	case a.Failure != nil:
		return &verdict{state: journal.Failed, about: it.Plan().About,
			problem: program.FailureProblem(a.Failure)}
	case a.Skipped:
		return &verdict{state: journal.Skipped}
	case a.Outcome != nil:
		v := classify(&actions.Plan{Writes: []actions.Write{{Place: a.Outcome.Place}}, About: it.Plan().About},
			actions.Result{Outcomes: []actions.Outcome{*a.Outcome}})
		return &v
	}
	return nil
}
