package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/dispatch"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/status"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
)

// TestServerAwayLosesNothing takes the server away for a while: nothing fails, no try is counted,
// everything arrives when it is back.
func TestServerAwayLosesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testProgram(t, "visits"))
	var away atomic.Bool
	var probes atomic.Int64
	away.Store(true)
	w.target.answer = func(actions.Plan, visit) actions.Outcome {
		if away.Load() {
			return actions.Outcome{Status: actions.Retry, Class: actions.ClassServer,
				Problem: diag.Problem{Code: "unreachable",
					Message: "the server cannot be reached"}}
		}
		return actions.Outcome{}
	}
	w.target.probe = func() error {
		probes.Add(1)
		if away.Load() {
			return errors.New("connection refused")
		}
		return nil
	}
	w.run()
	for n := range 200 {
		w.accept(item("visits", fmt.Sprint("v", n), fmt.Sprint("p", n%20), n))
	}
	w.until("it is probed", func() bool { return probes.Load() >= 3 })
	if s := w.runner.Status().Servers[0]; s.State != status.ServerAway || s.Reason == "" || s.Since.IsZero() {
		t.Errorf("status: %+v", s)
	}
	if err := w.runner.Health(); err == nil {
		t.Error("healthy though the server is away")
	}
	if s := w.states(); s[journal.Pending] != 200 {
		t.Errorf("states while away: %v", s)
	}
	away.Store(false)
	w.until("all are delivered", func() bool { return w.states()[journal.Delivered] == 200 })
	if r := w.record("v0"); r.Attempts != 1 {
		t.Errorf("%d tries were counted, the server's absence is none", r.Attempts)
	}
	for p := range 20 {
		if got := w.target.delivered(fmt.Sprint("p", p)); len(got) != 10 || !slices.IsSortedFunc(got, byNumber) {
			t.Errorf("person %d: %v", p, got)
		}
	}
	if s := w.runner.Status().Servers[0]; s.State != status.ServerReachable {
		t.Errorf("status afterwards: %+v", s)
	}
}

func byNumber(a, b string) int {
	var x, y int
	fmt.Sscan(a, &x)
	fmt.Sscan(b, &y)
	return x - y
}

func TestRefusedCredentialsStopEverythingLoudly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testProgram(t, "visits"))
	var refused atomic.Bool
	refused.Store(true)
	w.target.answer = func(actions.Plan, visit) actions.Outcome {
		if refused.Load() {
			return actions.Outcome{Status: actions.Retry, Class: actions.ClassCredentials,
				Problem: diag.Problem{Code: "credentials",
					Message: "the server answers 401 to our token"}}
		}
		return actions.Outcome{}
	}
	w.target.probe = func() error {
		if refused.Load() {
			return fmt.Errorf("401: %w", actions.ErrRefused)
		}
		return nil
	}
	w.run()
	w.accept(item("visits", "a", "p", 1))
	w.until("it says so", func() bool { return w.runner.Status().Servers[0].State == status.ServerCredentials })
	w.until("other processes see it", func() bool {
		rep, err := status.Read(context.Background(), w.journal, time.Now())
		return err == nil && slices.ContainsFunc(rep.Concerns,
			func(c status.Concern) bool { return strings.Contains(c.What, "refuses our credentials") })
	})
	refused.Store(false)
	w.until("it goes on once fixed", func() bool { return w.states()[journal.Delivered] == 1 })
}

// TestPoisonDoesNotBlock has a record that the server never answers for, though it answers probes and other records.
func TestPoisonDoesNotBlock(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testProgram(t, "visits"))
	w.target.answer = func(p actions.Plan, v visit) actions.Outcome {
		if v.ID == "poison" {
			return actions.Outcome{Status: actions.Retry, Class: actions.ClassServer,
				Problem: diag.Problem{Code: "timeout",
					Message: "no answer in time"}}
		}
		return actions.Outcome{}
	}
	w.make()
	var batch []sources.Record
	for n := range 30 {
		batch = append(batch, item("visits", fmt.Sprint("v", n), fmt.Sprint("p", n), n))
	}
	batch[3] = item("visits", "poison", "px", 1)
	w.accept(batch...)
	w.start()
	w.until("the others are delivered and the poison waits with a counted try", func() bool {
		r := w.record("poison")
		return w.states()[journal.Delivered] == 29 && r.State == journal.Pending && r.Attempts >= 1
	})
}

// chokingTarget gives no answer at all to a batch that holds the poison.
type chokingTarget struct {
	*target
	choked atomic.Int64
}

func (g *chokingTarget) Deliver(ctx context.Context, plans []actions.Plan) []actions.Result {
	for _, p := range plans {
		if p.Record.RecordID != "poison" {
			continue
		}
		g.choked.Add(1)
		results := make([]actions.Result, len(plans))
		for i, p := range plans {
			for range p.Writes {
				results[i].Outcomes = append(results[i].Outcomes,
					actions.Outcome{Status: actions.Retry, Class: actions.ClassServer,
						Problem: diag.Problem{Code: "timeout", Message: "no answer in time"}})
			}
		}
		return results
	}
	return g.target.Deliver(ctx, plans)
}

// TestPoisonOfABatchIsFound has a record for which the server leaves whole batches unanswered: they
// become smaller until it is alone, in few tries.
func TestPoisonOfABatchIsFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testProgram(t, "visits"))
	choking := &chokingTarget{target: w.target}
	w.config.Servers = map[string]dispatch.Server{"national": {Target: choking}}
	w.make()
	const records = 400
	for from := 0; from < records; from += 100 {
		var batch []sources.Record
		for n := from; n < from+100; n++ {
			batch = append(batch, item("visits", fmt.Sprint("v", n), fmt.Sprint("p", n), n))
		}
		if from == 100 {
			batch[3] = item("visits", "poison", "px", 1)
		}
		w.accept(batch...)
	}
	w.start()
	w.until("the others are delivered and the poison waits with a counted try", func() bool {
		r := w.record("poison")
		return w.states()[journal.Delivered] == records-1 && r.State == journal.Pending && r.Attempts >= 1
	})
	// For every try of the record: as often as a batch of 500 can be halved, and as often as a record
	// may be alone without an answer.
	if n, most := choking.choked.Load(), int64((9+dispatch.MaxUnanswered)*(w.record("poison").Attempts+1)); n > most {
		t.Errorf("%d batches got no answer, %d would do", n, most)
	}
}

func TestGivesUpWaitingForAParent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testProgram(t, "visits"))
	w.config.Limits.ParentFor = 4
	w.target.answer = func(actions.Plan, visit) actions.Outcome {
		return actions.Outcome{Status: actions.Retry, Class: actions.ClassParent, Problem: diag.Problem{Code: "E1313",
			Message: "the enrollment is not there"}}
	}
	w.run()
	w.accept(item("visits", "a", "p", 1))
	w.until("it fails with its cause", func() bool { return w.states()[journal.Failed] == 1 })
	r := w.record("a")
	if r.Attempts != 4 || r.Problem.Code != "E1313" || r.Problem.Hint == "" {
		t.Errorf("attempts %d, problem %+v", r.Attempts, r.Problem)
	}
}

// TestStopsThoughTheServerHangs ends a run whose server does not answer, within its limit, and gives the records back.
func TestStopsThoughTheServerHangs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testProgram(t, "visits"))
	hangs := &hangingTarget{began: make(chan struct{}, 8)}
	w.config.Servers = map[string]dispatch.Server{"national": {Target: hangs}}
	w.config.Limits.Drain = 10 * time.Millisecond
	w.run()
	w.accept(item("visits", "a", "p", 1))
	<-hangs.began
	w.stop()
	if s := w.states(); s[journal.Pending] != 1 {
		t.Errorf("states: %v", s)
	}
	claimed, err := w.journal.Claim(context.Background(), journal.Claim{Owner: "next", Limit: 10, Now: time.Now()})
	if err != nil || len(claimed) != 1 || claimed[0].Attempts != 0 {
		t.Errorf("the next runner gets %d records, %v", len(claimed), err)
	}
}

// TestStopsThoughSomethingNeverEnds ends a run in bounded time though a request does not even end when it is told to.
func TestStopsThoughSomethingNeverEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testProgram(t, "visits"))
	deaf := &deafTarget{began: make(chan struct{}, 8), ended: make(chan struct{})}
	t.Cleanup(func() { close(deaf.ended) })
	w.config.Servers = map[string]dispatch.Server{"national": {Target: deaf}}
	w.config.Limits.Drain, w.config.Limits.Abandon = 10*time.Millisecond, 10*time.Millisecond
	w.run()
	w.accept(item("visits", "a", "p", 1))
	w.until("a request is under way", func() bool { return len(deaf.began) > 0 })
	w.stop()
	if s := w.states(); s[journal.Pending] != 1 {
		t.Errorf("states: %v", s)
	}
}

type deafTarget struct{ began, ended chan struct{} }

func (d *deafTarget) Deliver(_ context.Context, plans []actions.Plan) []actions.Result {
	d.began <- struct{}{}
	<-d.ended
	return allAway(len(plans), context.Canceled)
}

func (d *deafTarget) Rehearse(context.Context, []actions.Plan) []actions.Result { return nil }

func (d *deafTarget) Probe(context.Context) error { return nil }

type hangingTarget struct{ began chan struct{} }

func (h *hangingTarget) Deliver(ctx context.Context, plans []actions.Plan) []actions.Result {
	h.began <- struct{}{}
	<-ctx.Done()
	return allAway(len(plans), ctx.Err())
}

func (h *hangingTarget) Rehearse(context.Context, []actions.Plan) []actions.Result { return nil }

func (h *hangingTarget) Probe(ctx context.Context) error { return nil }

// TestTargetThatBreaksDown panics on one record: that one fails alone, the run goes on.
func TestTargetThatBreaksDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testProgram(t, "visits"))
	w.target.answer = func(_ actions.Plan, v visit) actions.Outcome {
		if v.ID == "v13" {
			panic("a fault of ours")
		}
		return actions.Outcome{}
	}
	w.make()
	var batch []sources.Record
	for n := range 40 {
		batch = append(batch, item("visits", fmt.Sprint("v", n), fmt.Sprint("p", n), n))
	}
	w.accept(batch...)
	w.start()
	w.until("one failed, the others are delivered", func() bool {
		s := w.states()
		return s[journal.Delivered] == 39 && s[journal.Failed] == 1
	})
	if p := w.record("v13").Problem; p.Code != "internal" || p.Place.String() == "" {
		t.Errorf("problem: %+v", p)
	}
}
