package remote

import (
	"context"
	"fmt"
	"net/http"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/rules/diag"
)

// Write is an object that is written to an outside system.
type Write interface {
	actions.Object
	// Name is under which the journal remembers it: unique at the system, and nothing of a person can be
	// read from it. Empty: it is always sent, and nothing is remembered.
	Name() string
	// Digest is the fingerprint of what is sent; never 0.
	Digest() uint64
	// Always: it is sent though it was sent before in this form, for its answer is needed.
	Always() bool
}

// Sender sends writes that may go at once, and gives an outcome for each.
type Sender interface {
	Send(ctx context.Context, writes []Write) []actions.Outcome
	// Check has the system asked without writing, for Rehearse; nil outcomes: it cannot be.
	Check(ctx context.Context, writes []Write) []actions.Outcome
	// Ping asks for something small.
	Ping(ctx context.Context) Answer
}

// Target delivers by a Sender: the writes of a record in their order, each once, never what is older
// than what was sent before. It implements actions.Target.
type Target struct {
	Sender Sender
	Memory actions.Memory
	Host   string
}

// sumMask is what the journal keeps of a digest.
const sumMask = 1<<32 - 1

// Deliver implements actions.Target.
func (t *Target) Deliver(ctx context.Context, plans []actions.Plan) []actions.Result {
	d := &delivery{Target: t, ctx: ctx, plans: plans, results: make([]actions.Result, len(plans))}
	for i := range plans {
		d.results[i].Outcomes = make([]actions.Outcome, len(plans[i].Writes))
		for n := range d.results[i].Outcomes {
			d.results[i].Outcomes[n].Status = actions.NotTried
		}
	}
	if err := d.remember(); err != nil {
		d.away(actions.Outcome{Status: actions.Retry, Class: actions.ClassTransient, Problem: diag.Problem{
			Code: "memory", Message: fmt.Sprintf("what was sent before cannot be read: %v", err),
			Hint: "it is tried again by itself"}})
		return d.results
	}
	for wave := 0; d.wave(wave); wave++ {
	}
	return d.results
}

// delivery is one batch on its way.
type delivery struct {
	*Target
	ctx     context.Context
	plans   []actions.Plan
	results []actions.Result
	known   map[string]actions.Digest
	stopped *actions.Outcome // the system is away: nothing more is tried
}

// remember reads what is known of the objects.
func (d *delivery) remember() (err error) {
	var names []string
	for _, p := range d.plans {
		for _, w := range p.Writes {
			if x, ok := w.Object.(Write); ok && x.Name() != "" {
				names = append(names, x.Name())
			}
		}
	}
	d.known = map[string]actions.Digest{}
	if len(names) == 0 || d.Memory == nil {
		return nil
	}
	d.known, err = d.Memory.Digests(d.ctx, names)
	if d.known == nil {
		d.known = map[string]actions.Digest{}
	}
	return err
}

// wave sends the n-th write of every record whose earlier ones went well; false when there is none.
// Two writes of one object never go at once.
func (d *delivery) wave(n int) bool {
	var writes []Write
	var at []int
	more, taken := false, map[string]bool{}
	flush := func() {
		if len(writes) > 0 {
			d.send(writes, at, n)
		}
		writes, at, taken = nil, nil, map[string]bool{}
	}
	for i := range d.plans {
		p := &d.plans[i]
		if n >= len(p.Writes) {
			continue
		}
		more = true
		if n > 0 && !done(d.results[i].Outcomes[n-1].Status) {
			continue
		}
		w, ok := p.Writes[n].Object.(Write)
		if !ok {
			d.results[i].Outcomes[n] = actions.Outcome{Status: actions.Failed, Class: actions.ClassData,
				Problem: diag.Problem{Code: "internal", Message: "the write is not one of this system"}}
			continue
		}
		if taken[w.Name()] {
			flush()
		}
		if o, decided := d.decided(p, w); decided {
			d.results[i].Outcomes[n] = o
			continue
		}
		if w.Name() != "" {
			taken[w.Name()] = true
		}
		writes, at = append(writes, w), append(at, i)
	}
	flush()
	return more
}

func done(s actions.Status) bool {
	return s == actions.Delivered || s == actions.Unchanged || s == actions.Superseded
}

// decided tells what becomes of a write that need not be sent.
func (d *delivery) decided(p *actions.Plan, w Write) (actions.Outcome, bool) {
	if d.stopped != nil {
		return *d.stopped, true
	}
	last, known := d.known[w.Name()]
	switch {
	case !known || w.Name() == "":
	case p.Order.Before(last.Order) && !p.Insist:
		return actions.Outcome{Status: actions.Superseded, By: last.Order.Seq}, true
	case !p.Force && !w.Always() && last.Sum == w.Digest()&sumMask:
		return actions.Outcome{Status: actions.Unchanged}, true
	}
	return actions.Outcome{}, false
}

// send sends writes and takes what became of them.
func (d *delivery) send(writes []Write, at []int, n int) {
	outcomes := d.Sender.Send(d.ctx, writes)
	for k, w := range writes {
		i := at[k]
		o := outcomes[k]
		d.results[i].Outcomes[n] = o
		if o.Status == actions.Retry && (o.Class == actions.ClassServer || o.Class == actions.ClassCredentials) {
			stopped := o
			d.stopped = &stopped
		}
		if o.Status == actions.Delivered && w.Name() != "" {
			digest := actions.Digest{Object: w.Name(), Sum: w.Digest() & sumMask, Order: d.plans[i].Order}
			d.known[w.Name()] = digest
			d.results[i].Digests = append(d.results[i].Digests, digest)
		}
	}
}

// away gives every write the same outcome.
func (d *delivery) away(o actions.Outcome) {
	for i := range d.results {
		for n := range d.results[i].Outcomes {
			d.results[i].Outcomes[n] = o
		}
	}
}

// Rehearse implements actions.Target: systems that cannot check without writing say nothing.
func (t *Target) Rehearse(ctx context.Context, plans []actions.Plan) []actions.Result {
	results := make([]actions.Result, len(plans))
	for i, p := range plans {
		var writes []Write
		for _, w := range p.Writes {
			if x, ok := w.Object.(Write); ok {
				writes = append(writes, x)
			}
		}
		results[i].Outcomes = make([]actions.Outcome, len(p.Writes))
		if checked := t.Sender.Check(ctx, writes); len(checked) == len(p.Writes) {
			results[i].Outcomes = checked
		}
	}
	return results
}

// Probe implements actions.Target: any answer but one that says so means that the system is there.
func (t *Target) Probe(ctx context.Context) error {
	a := t.Sender.Ping(ctx)
	switch {
	case a.Err != nil:
		return fmt.Errorf("%s cannot be reached: %w", t.Host, a.Err)
	case a.Status == http.StatusUnauthorized:
		return fmt.Errorf("%s: %w", t.Host, actions.ErrRefused)
	case a.Status >= 500 || a.Status == http.StatusTooManyRequests:
		return fmt.Errorf("%s answers %s", t.Host, words(a.Status))
	}
	return nil
}
