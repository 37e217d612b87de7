package dispatch

import (
	"cmp"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/tracing"
	"github.com/culvert/culvert/engine/work"
	"github.com/culvert/culvert/internal/await"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
)

// MaxUnanswered is how often a record may be among those that got no answer, alone at the end,
// before it is put off so that others can pass.
const MaxUnanswered = 5

// deliver sends one batch and hands on what became of it.
func (d *Dispatcher) deliver(items []*item, s Setting, full bool) {
	items = d.claim(items)
	if len(items) == 0 || !d.held(items) {
		d.cancelProbe()
		d.batchDone(items)
		return
	}
	start := time.Now()
	before := d.loaded(len(items), start)
	answer := d.sendItems(items)
	results := answer.results
	took := time.Since(start)
	load := (d.loaded(-len(items), start.Add(took)) - before) / max(took.Seconds(), 1e-9)
	done, retry, worst := d.classify(items, answer)
	if d.End.Err() == nil {
		sent := countSent(results)
		full = full && sent >= s.Batch*9/10 // what was not sent tells nothing of the server
		share := float64(sent) / float64(len(items))
		d.learn(Sample{
			Epoch: s.Epoch, Records: sent, Load: load * share, Full: full,
			Took:       max(took-answer.asking, 0), // what lookups took says nothing of how large a batch the server bears
			Unanswered: worst != nil && worst.problem.Class != actions.ClassCredentials,
		}, worst, share)
	}
	d.Metrics.Batch(d.name, len(items), took)
	d.batchDone(retry) // the server is free for the next batch while this one is recorded
	d.settle(done, results, start)
	d.keepPace(false)
}

// claim keeps what may be sent: what is stale is given back, and rows have their keys. Nothing may
// when the runner ends.
func (d *Dispatcher) claim(items []*item) []*item {
	byWork := make(map[work.Work]*item, len(items))
	fresh := make([]work.Work, 0, len(items))
	var stale []work.Work
	for _, it := range items {
		if d.Gate.Stale(it.Work) {
			stale = append(stale, it.Work)
			continue
		}
		byWork[it.Work] = it
		fresh = append(fresh, it.Work)
	}
	if len(stale) > 0 {
		d.Queue.Release(stale)
	}
	kept, err := d.Queue.Claim(fresh)
	if err != nil {
		return nil
	}
	items = items[:0]
	for _, w := range kept {
		items = append(items, byWork[w])
	}
	return items
}

// held tells whether claimed items are still ours. To claim them can take long: the lease may have
// been lost and renewed meanwhile. It is asked for the loss first, since what was lost is called
// stale before the lease counts as renewed.
func (d *Dispatcher) held(items []*item) bool {
	return !d.Gate.LeaseLost() &&
		!slices.ContainsFunc(items, func(it *item) bool { return d.Gate.Stale(it.Work) })
}

// decided is a work with what its result means.
type decided struct {
	*item
	verdict verdict
	result  actions.Result
}

// classify says of every result what it means: works that are decided, and works for which the
// server could not be asked. worst is the worst of the latter.
func (d *Dispatcher) classify(items []*item, answer answered) (done []decided, retry []*item, worst *verdict) {
	for i, it := range items {
		v := d.verdict(answer, i, it)
		if v.retry {
			if worst == nil || v.problem.Class == actions.ClassCredentials {
				worst = &v
			}
			it.unanswered++
			if it.unanswered < MaxUnanswered || len(items) > d.server().Batch.MinBatch ||
				v.problem.Class == actions.ClassCredentials {
				retry = append(retry, it)
				continue
			}
			v.retry = false // it alone gets no answer from a server that answers others
		}
		done = append(done, decided{it, v, answer.results[i]})
	}
	return done, retry, worst
}

// settle has what a batch came to recorded.
func (d *Dispatcher) settle(done []decided, results []actions.Result, start time.Time) {
	b := work.Batch{Server: d.name, Outcomes: make([]work.Outcome, len(done))}
	for _, res := range results {
		b.Digests = append(b.Digests, res.Digests...)
		b.Identities = append(b.Identities, res.Identities...)
	}
	now := d.Now()
	for i, x := range done {
		s := d.Retry.of(&x.Flow().Rule.Delivery.Retry).settlement(x.verdict, x.Attempts(), now)
		b.Outcomes[i] = work.Outcome{Work: x.Work, Settlement: s, Unchanged: x.verdict.unchanged,
			Results: program.ResultsOf(x.Flow(), x.Plan(), x.result.Outcomes)}
		d.Metrics.Settled(x.Flow().Name(), d.name, s.State, x.verdict.unchanged, s.Problem)
		if s.State == journal.Delivered {
			d.Metrics.Delivered(x.Flow().Name(), d.name, now.Sub(x.Received()))
		}
		d.trace(x, &s, start, len(results))
		d.count(s)
	}
	if target, ok := d.server().Target.(actions.Recorder); ok {
		b.Recorded = func() { target.Recorded(results) }
	}
	_ = d.Queue.Settle(b) // an error is the runner's end: claims and rows are given back as they were
}

// trace tells of a record's part in a batch.
func (d *Dispatcher) trace(x decided, s *journal.Settlement, start time.Time, batch int) {
	if d.Trace == nil {
		return
	}
	d.Trace.Step(tracing.Step{Name: "deliver", Rule: x.Flow().Rule.Name, Part: x.Flow().Part, Server: d.name,
		Record: x.Plan().Record.RecordID, Received: x.Received(), Start: start, End: time.Now(), State: string(s.State), Unchanged: x.verdict.unchanged,
		Code: s.Problem.CodeOf(), Attempt: x.Attempts() + 1, Batch: batch, Last: s.State != journal.Pending})
}

// sendPlans has the target deliver. A target that breaks down must not end the run: the batch is
// halved until the culprit is alone, which then fails with the fault as its cause; what the others
// had sent by then is recognised or updated when they are sent again.
func (d *Dispatcher) sendPlans(plans []actions.Plan) []actions.Result {
	results, fault := d.tryPlans(plans)
	switch {
	case fault == nil:
		return results
	case len(plans) > 1:
		half := len(plans) / 2
		return append(d.sendPlans(plans[:half:half]), d.sendPlans(plans[half:])...)
	}
	ref := plans[0].Record
	d.Log.Error("delivery broke down on a record", "server", d.name, "rule", ref.Rule, "record", ref.RecordID, "fault",
		fault)
	var place diag.Place
	if len(plans[0].Writes) > 0 {
		place = plans[0].Writes[0].Place
	}
	return []actions.Result{{Outcomes: []actions.Outcome{{
		Status: actions.Failed, Class: actions.ClassData, Problem: diag.Problem{Code: "internal", Place: place,
			Message: "Culvert itself broke down while it sent this record; the log tells more",
			Hint:    "report the log line; replay the record once it is fixed"},
	}}}}
}

// tryPlans delivers and turns a panic, or an answer for another number of records, into a fault.
func (d *Dispatcher) tryPlans(plans []actions.Plan) (results []actions.Result, fault error) {
	defer func() {
		if p := recover(); p != nil {
			fault = fmt.Errorf("%s\n%s", program.PanicText(p), debug.Stack())
		}
	}()
	results = d.server().Target.Deliver(d.End, plans)
	if len(results) != len(plans) {
		fault = fmt.Errorf("the target answered for %d of %d records", len(results), len(plans))
	}
	return results, fault
}

// verdict is what a result means for its record.
type verdict struct {
	state     journal.State // Delivered, Superseded, Failed, or Pending for another try
	unchanged bool          // nothing had to be sent
	retry     bool          // the server could not be asked: to be sent again as it is, without counting as a try
	problem   *journal.Problem
	wait      time.Duration // asked for by the server
	objects   []string
	about     []string
	by        int64 // what superseded the record or a part of it
}

// classify sums up what became of a record's writes. A failure outweighs what may heal: the record
// needs a person either way, and its replay sends everything again. Only a server that is away or
// refuses us comes first, for then nothing was decided.
func classify(plan *actions.Plan, result actions.Result) verdict {
	v := verdict{state: journal.Delivered, unchanged: true, about: plan.About}
	worst, superseded := -1, false
	for i, o := range result.Outcomes {
		switch o.Status {
		case actions.Delivered:
			v.unchanged = false
			v.by = max(v.by, o.By)
			v.objects = appendObject(v.objects, o.ObjectID)
		case actions.Unchanged:
			v.objects = appendObject(v.objects, o.ObjectID)
		case actions.Superseded:
			superseded = true
			v.by = max(v.by, o.By)
			v.objects = appendObject(v.objects, o.ObjectID)
		case actions.Failed, actions.Retry:
			v.unchanged = false
			if worst < 0 || weight(o) > weight(result.Outcomes[worst]) {
				worst = i
			}
		case actions.NotTried:
			v.unchanged = false
		}
	}
	if worst < 0 {
		if len(result.Outcomes) < len(plan.Writes) || hasUntried(result.Outcomes) {
			return unanswered(v)
		}
		if superseded && v.unchanged {
			v.state, v.unchanged = journal.Superseded, false
		}
		v.problem = program.LeftOut(plan.Left)
		return v
	}
	o := result.Outcomes[worst]
	v.problem, v.wait = outcomeProblem(plan.Writes[min(worst, len(plan.Writes)-1)], o), o.RetryAfter
	v.state = journal.Failed
	if o.Status == actions.Retry {
		v.state = journal.Pending
		v.retry = o.Class == actions.ClassServer || o.Class == actions.ClassCredentials
	}
	return v
}

// weight orders outcomes by what decides about the record.
func weight(o actions.Outcome) int {
	switch {
	case o.Status == actions.Retry && o.Class == actions.ClassCredentials:
		return 4
	case o.Status == actions.Retry && o.Class == actions.ClassServer:
		return 3
	case o.Status == actions.Failed:
		return 2
	case o.Class == actions.ClassTransient:
		return 1
	default:
		return 0
	}
}

func hasUntried(outcomes []actions.Outcome) bool {
	for _, o := range outcomes {
		if o.Status == actions.NotTried {
			return true
		}
	}
	return false
}

// unanswered is the verdict on a record about which the target said too little: never delivered on a guess.
func unanswered(v verdict) verdict {
	v.state, v.unchanged = journal.Pending, false
	v.problem = &journal.Problem{
		Class: actions.ClassTransient, Problem: diag.Problem{Code: "no-answer",
			Message: "the server's answer said nothing of this record",
			Hint:    "it is tried again by itself; when it goes on, look at the server's log"},
	}
	return v
}

func appendObject(objects []string, id string) []string {
	if id == "" {
		return objects
	}
	return append(objects, id)
}

// Retry says when a record is tried again.
type Retry struct {
	Transient    await.Backoff // of what fails for a passing reason
	MaxTransient int           // tries before a person must act
	Parent       await.Backoff // of records that wait for an object that is not there yet
	MaxParent    int           // tries before a person must act
	Random       func() float64
}

// of is how records of a rule are tried again that says so itself.
func (r Retry) of(rule *rules.Retry) Retry {
	if rule.Attempts > 0 {
		r.MaxTransient, r.MaxParent = rule.Attempts, rule.Attempts
	}
	for _, b := range []*await.Backoff{&r.Transient, &r.Parent} {
		b.Base = cmp.Or(rule.First, min(b.Base, cmp.Or(rule.Longest, b.Base)))
		b.Cap = cmp.Or(rule.Longest, max(b.Cap, b.Base))
	}
	return r
}

// settlement puts the verdict as the journal keeps it. attempts counts the tries before this one.
func (r Retry) settlement(v verdict, attempts int, now time.Time) journal.Settlement {
	s := journal.Settlement{State: v.state, Attempts: attempts + 1, Problem: v.problem, Objects: v.objects,
		About: v.about, SupersededBy: v.by}
	if v.state != journal.Pending {
		return s
	}
	if v.problem.Code == actions.ObjectBusy {
		s.Attempts = attempts
		s.NextTry = now.Add(max(v.wait, time.Second))
		return s
	}
	backoff, most := r.Transient, r.MaxTransient
	if v.problem.Class == actions.ClassParent {
		backoff, most = r.Parent, r.MaxParent
	}
	if s.Attempts >= most {
		s.State = journal.Failed
		if s.Problem.Hint == "" {
			s.Problem.Hint = "fix the cause, then replay the record"
		}
		return s
	}
	s.NextTry = now.Add(max(v.wait, backoff.Wait(s.Attempts, r.Random)))
	return s
}
