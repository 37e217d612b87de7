package dispatch

import (
	"testing"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/work"
	"github.com/culvert/culvert/internal/await"
	"github.com/culvert/culvert/rules/diag"
)

// renewing loses the lease and renews it while keys are locked.
type renewing struct {
	Queue
	Gate
	stale bool
}

func (r *renewing) Claim(works []work.Work) ([]work.Work, error) {
	r.stale = true
	return works, nil
}

func (r *renewing) Stale(work.Work) bool { return r.stale }
func (r *renewing) LeaseLost() bool      { return false }

// TestBatchThatIsLostWhileKeysAreLocked must not be sent: another runner may hold its records.
func TestBatchThatIsLostWhileKeysAreLocked(t *testing.T) {
	r := &renewing{}
	d := New("national", Server{}, Config{Queue: r, Gate: r, End: t.Context(), Now: time.Now})
	d.inFlight = 1
	d.deliver([]*item{{Work: &asked{name: "a"}}}, Setting{Batch: 1}, false)
	if len(d.retry) != 1 || d.inFlight != 0 {
		t.Errorf("%d wait to be looked at again, %d in flight", len(d.retry), d.inFlight)
	}
}

func TestClassify(t *testing.T) {
	out := func(s actions.Status, c actions.Class) actions.Outcome {
		return actions.Outcome{Status: s, Class: c, Problem: diag.Problem{Code: string(c), Message: "because"}}
	}
	none := actions.ClassNone
	tests := map[string]struct {
		outcomes []actions.Outcome
		state    journal.State
		class    actions.Class
		retry    bool
	}{
		"all written": {[]actions.Outcome{out(actions.Delivered, none), out(actions.Unchanged, none)},
			journal.Delivered, none, false},
		"one failed": {[]actions.Outcome{out(actions.Delivered, none), out(actions.Failed, actions.ClassData),
			out(actions.NotTried, none)}, journal.Failed, actions.ClassData, false},
		"failed outweighs parent": {[]actions.Outcome{out(actions.Retry, actions.ClassParent),
			out(actions.Failed, actions.ClassData)}, journal.Failed, actions.ClassData, false},
		"away outweighs failed": {[]actions.Outcome{out(actions.Failed, actions.ClassData),
			out(actions.Retry, actions.ClassServer)}, journal.Pending, actions.ClassServer, true},
		"refused outweighs away": {[]actions.Outcome{out(actions.Retry, actions.ClassServer),
			out(actions.Retry, actions.ClassCredentials)}, journal.Pending, actions.ClassCredentials, true},
		"hiccup": {[]actions.Outcome{out(actions.Retry, actions.ClassTransient)}, journal.Pending,
			actions.ClassTransient, false},
		"too few answers": {[]actions.Outcome{out(actions.Delivered, none)}, journal.Pending,
			actions.ClassTransient, false},
		"not tried for no reason": {[]actions.Outcome{out(actions.Delivered, none), out(actions.NotTried, none)},
			journal.Pending, actions.ClassTransient, false},
		"nothing was said at all ": {nil, journal.Pending, actions.ClassTransient, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			plan := actions.Plan{Writes: make([]actions.Write, max(2, len(tt.outcomes)))}
			if name == "hiccup" {
				plan.Writes = plan.Writes[:1]
			}
			v := classify(&plan, actions.Result{Outcomes: tt.outcomes})
			if v.state != tt.state || v.retry != tt.retry || v.problem != nil && v.problem.Class != tt.class ||
				v.problem == nil && tt.class != none {
				t.Errorf("verdict %+v, problem %+v", v, v.problem)
			}
		})
	}
}

func TestSettlementGivesUpAfterItsTries(t *testing.T) {
	p := Retry{Transient: await.Backoff{Base: 2 * time.Second, Cap: time.Hour}, MaxTransient: 3,
		Random: func() float64 { return 1 }}
	v := verdict{state: journal.Pending, problem: &journal.Problem{Class: actions.ClassTransient}}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	if s := p.settlement(v, 0, now); s.State != journal.Pending || s.NextTry.Sub(now) != p.Transient.Base ||
		s.Attempts != 1 {
		t.Errorf("first: %+v", s)
	}
	v.wait = time.Hour
	if s := p.settlement(v, 0, now); s.NextTry.Sub(now) != time.Hour {
		t.Errorf("the server asked for an hour: %v", s.NextTry.Sub(now))
	}
	if s := p.settlement(v, 2, now); s.State != journal.Failed || s.Problem.Hint == "" {
		t.Errorf("last: %+v", s)
	}
}
