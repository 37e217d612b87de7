package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/sources"
)

// TestDeliversInOrder lets visits of many people come in with a target that fails at random for passing reasons, and checks that each
// person's visits arrive in the order accepted, once.
func TestDeliversInOrder(t *testing.T) {
	w := newWorld(t, testProgram(t, "visits"))
	random := rand.New(rand.NewPCG(7, 7))
	var mu sync.Mutex
	w.target.answer = func(_ actions.Plan, v visit) actions.Outcome {
		mu.Lock()
		defer mu.Unlock()
		if random.IntN(5) == 0 {
			return actions.Outcome{Status: actions.Retry, Class: actions.ClassTransient, Code: "E9999", Cause: "a hiccup"}
		}
		return actions.Outcome{}
	}
	w.run()
	const people, visits = 40, 12
	for n := range visits {
		var batch []sources.Record
		for p := range people {
			batch = append(batch, item("visits", fmt.Sprintf("v-%d-%d", p, n), fmt.Sprint("p", p), n))
		}
		w.accept(batch...)
	}
	w.until("every visit has arrived", func() bool { return w.target.count() == people*visits })
	w.until("all are delivered", func() bool { return w.states()[journal.Delivered] == people*visits })
	for p := range people {
		got := w.target.delivered(fmt.Sprint("p", p))
		for n, v := range got {
			if v != fmt.Sprint(n) {
				t.Fatalf("person %d: visits arrived as %v", p, got)
			}
		}
	}
}

func TestReceipts(t *testing.T) {
	w := newWorld(t, testProgram(t, "visits"))
	w.run()
	first := w.accept(item("visits", "a", "p", 1))
	again := w.accept(item("visits", "a", "p", 1))
	changed := w.accept(item("visits", "a", "p", 2))
	no := item("visits", "b", "p", 1)
	no.Body.(map[string]any)["keep"] = "no"
	skipped := w.accept(no)
	if first[0].RecordID != "a" || first[0].Duplicate || !again[0].Duplicate || changed[0].Duplicate || !skipped[0].Skipped {
		t.Errorf("receipts: %+v %+v %+v %+v", first, again, changed, skipped)
	}
	w.until("both versions are delivered, the other is skipped", func() bool {
		s := w.states()
		return s[journal.Delivered] == 2 && s[journal.Skipped] == 1
	})
	if got := w.target.delivered("p"); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("delivered %v", got)
	}
	_, err := w.runner.Accept(context.Background(), sources.Batch{Records: []sources.Record{item("nosuch", "x", "p", 1)}})
	if !errors.Is(err, sources.ErrFinal) {
		t.Errorf("a record for an unknown rule: %v", err)
	}
}

func TestBadRecordFailsAloneAndSaysWhy(t *testing.T) {
	w := newWorld(t, testProgram(t, "visits"))
	w.run()
	bad := item("visits", "bad", "p1", 0)
	bad.Body.(map[string]any)["n"] = "many"
	nobody := item("visits", "nobody", "", 0)
	delete(nobody.Body.(map[string]any), "id")
	w.accept(item("visits", "a", "p0", 1), bad, nobody, item("visits", "c", "p2", 1))
	w.until("the good ones are delivered and the bad ones failed", func() bool {
		s := w.states()
		return s[journal.Delivered] == 2 && s[journal.Failed] == 2
	})
	p := w.record("bad").Problem
	if p == nil || p.Class != actions.ClassData || p.Cause == "" || !strings.HasPrefix(p.Place, "rules/visits.yaml:") {
		t.Errorf("problem: %+v", p)
	}
	if strings.Contains(p.Cause, "many") {
		t.Errorf("the cause holds the record's data: %s", p.Cause)
	}
}

func TestRefusedWriteFailsWithItsPlace(t *testing.T) {
	w := newWorld(t, testProgram(t, "visits"))
	w.target.answer = func(_ actions.Plan, v visit) actions.Outcome {
		if v.ID == "b" {
			return actions.Outcome{Status: actions.Failed, Class: actions.ClassRights, Code: "E1000", Cause: "the user may not", Mend: "grant it"}
		}
		return actions.Outcome{}
	}
	w.run()
	w.accept(item("visits", "a", "p1", 1), item("visits", "b", "p1", 2), item("visits", "c", "p1", 3))
	w.until("one failed, two delivered", func() bool {
		s := w.states()
		return s[journal.Delivered] == 2 && s[journal.Failed] == 1
	})
	p := w.record("b").Problem
	if p.Code != "E1000" || p.Object != "event First visit of Antenatal care" || p.Place == "" || p.Mend != "grant it" {
		t.Errorf("problem: %+v", p)
	}
	if _, err := w.journal.Replay(context.Background(), journal.Filter{ID: "b"}, "test", "the right was granted", false); err != nil {
		t.Fatal(err)
	}
	w.until("it fails again", func() bool { r := w.record("b"); return r.State == journal.Failed && r.Attempts >= 1 })
}

// TestServerAwayLosesNothing takes the server away for a while: nothing fails, no try is counted, everything arrives when it is back.
func TestServerAwayLosesNothing(t *testing.T) {
	w := newWorld(t, testProgram(t, "visits"))
	var away atomic.Bool
	var probes atomic.Int64
	away.Store(true)
	w.target.answer = func(actions.Plan, visit) actions.Outcome {
		if away.Load() {
			return actions.Outcome{Status: actions.Retry, Class: actions.ClassServer, Code: "unreachable", Cause: "the server cannot be reached"}
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
	if s := w.runner.Status().Servers[0]; s.State != ServerAway || s.Reason == "" || s.Since.IsZero() {
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
	if s := w.runner.Status().Servers[0]; s.State != ServerOpen {
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
	w := newWorld(t, testProgram(t, "visits"))
	var refused atomic.Bool
	refused.Store(true)
	w.target.answer = func(actions.Plan, visit) actions.Outcome {
		if refused.Load() {
			return actions.Outcome{Status: actions.Retry, Class: actions.ClassCredentials, Code: "credentials", Cause: "the server answers 401 to our token"}
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
	w.until("it says so", func() bool { return w.runner.Status().Servers[0].State == ServerCredentials })
	w.until("other processes see it", func() bool {
		rep, err := ReadReport(context.Background(), w.journal, time.Now())
		return err == nil && slices.ContainsFunc(rep.Concerns(), func(c string) bool { return strings.Contains(c, "refuses our credentials") })
	})
	refused.Store(false)
	w.until("it goes on once mended", func() bool { return w.states()[journal.Delivered] == 1 })
}

// TestPoisonDoesNotBlock has a record that the server never answers for, though it answers probes and other records.
func TestPoisonDoesNotBlock(t *testing.T) {
	w := newWorld(t, testProgram(t, "visits"))
	w.target.answer = func(p actions.Plan, v visit) actions.Outcome {
		if v.ID == "poison" {
			return actions.Outcome{Status: actions.Retry, Class: actions.ClassServer, Code: "timeout", Cause: "no answer in time"}
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

func TestGivesUpWaitingForAParent(t *testing.T) {
	w := newWorld(t, testProgram(t, "visits"))
	w.config.Limits.ParentFor = 4
	w.target.answer = func(actions.Plan, visit) actions.Outcome {
		return actions.Outcome{Status: actions.Retry, Class: actions.ClassParent, Code: "E1313", Cause: "the enrollment is not there"}
	}
	w.run()
	w.accept(item("visits", "a", "p", 1))
	w.until("it fails with its cause", func() bool { return w.states()[journal.Failed] == 1 })
	r := w.record("a")
	if r.Attempts != 4 || r.Problem.Code != "E1313" || r.Problem.Mend == "" {
		t.Errorf("attempts %d, problem %+v", r.Attempts, r.Problem)
	}
}

func TestPauseAndResume(t *testing.T) {
	w := newWorld(t, testProgram(t, "visits"))
	ctx := context.Background()
	if err := PauseRule(ctx, w.journal, "visits", Pause{Since: time.Now(), Who: "amina", Why: "the programme changes"}); err != nil {
		t.Fatal(err)
	}
	w.run()
	w.until("it knows the pause", func() bool { return len(w.runner.controls.Load().Rules) == 1 })
	w.accept(item("visits", "a", "p", 1))
	if r := w.record("a"); r.State != journal.Held || !strings.Contains(r.Problem.Cause, "amina") {
		t.Errorf("record of a paused rule: %s %+v", r.State, r.Problem)
	}
	if err := ResumeRule(ctx, w.journal, "visits"); err != nil {
		t.Fatal(err)
	}
	w.until("it goes on", func() bool { return w.states()[journal.Delivered] == 1 })
	if err := PauseServer(ctx, w.journal, "national", Pause{Since: time.Now()}); err != nil {
		t.Fatal(err)
	}
	w.until("the server is paused", func() bool { return w.runner.Status().Servers[0].State == ServerPaused })
	w.accept(item("visits", "b", "p", 2))
	if r := w.record("b"); r.State != journal.Pending {
		t.Errorf("a record for a paused server is %s", r.State)
	}
	if err := ResumeServer(ctx, w.journal, "national"); err != nil {
		t.Fatal(err)
	}
	w.until("it goes on", func() bool { return w.states()[journal.Delivered] == 2 })
}

type closedWindow struct{ open atomic.Bool }

func (c *closedWindow) Open(time.Time) bool { return c.open.Load() }

func TestDeliveryWindow(t *testing.T) {
	w := newWorld(t, testProgram(t, "visits"))
	window := &closedWindow{}
	w.config.Servers["national"] = Server{Target: w.target, Window: window}
	w.run()
	w.accept(item("visits", "a", "p", 1))
	if s := w.runner.Status().Servers[0]; s.State != ServerClosed {
		t.Errorf("status outside the window: %+v", s)
	}
	if err := w.runner.Health(); err != nil {
		t.Errorf("unhealthy outside the window: %v", err)
	}
	window.open.Store(true)
	w.until("it is delivered inside the window", func() bool { return w.states()[journal.Delivered] == 1 })
}

func TestSwapHoldsWhatDoesNotFit(t *testing.T) {
	valid := testProgram(t, "visits", "others")
	w := newWorld(t, valid)
	w.run()
	broken := testProgram(t, "others")
	invalid := testFlow(t, fmt.Sprintf(visitRule, "visits"))
	invalid.Invalid = &journal.Problem{Class: actions.ClassMetadata, Code: "unknown-stage", Cause: "the stage is gone"}
	broken.Rules["visits"] = invalid
	w.runner.Swap(broken)
	w.accept(item("visits", "a", "p", 1), item("others", "b", "q", 1))
	w.until("the other rule goes on", func() bool { return w.states()[journal.Delivered] == 1 })
	if s := w.states(); s[journal.Held] != 1 {
		t.Errorf("states: %v", s)
	}
	w.runner.Swap(&Program{Rules: map[string]*Flow{"others": broken.Rules["others"]}})
	w.runner.Swap(valid)
	w.until("held records go on when the rule is valid again", func() bool { return w.states()[journal.Delivered] == 2 })
}

// TestSwapWhileRecordsFlow changes the rule all the time; nothing may be lost, doubled or reordered.
func TestSwapWhileRecordsFlow(t *testing.T) {
	programs := []*Program{testProgram(t, "visits"), testProgram(t, "visits"), testProgram(t, "visits")}
	w := newWorld(t, programs[0])
	w.run()
	const visits = 300
	for n := range visits {
		w.accept(item("visits", fmt.Sprint("v", n), fmt.Sprint("p", n%7), n))
		if n%10 == 0 {
			w.runner.Swap(programs[n/10%3])
		}
	}
	w.until("all are delivered", func() bool { return w.states()[journal.Delivered] == visits })
	for p := range 7 {
		if got := w.target.delivered(fmt.Sprint("p", p)); !slices.IsSortedFunc(got, byNumber) {
			t.Errorf("person %d: %v", p, got)
		}
	}
}

func TestBusyWhenTheBacklogIsFull(t *testing.T) {
	w := newWorld(t, testProgram(t, "visits"))
	w.config.Limits.Backlog = 2
	w.make()
	w.accept(item("visits", "a", "p", 1))
	w.accept(item("visits", "b", "p", 2))
	_, err := w.runner.Accept(context.Background(), sources.Batch{Records: []sources.Record{item("visits", "c", "p", 3)}})
	var busy *sources.ErrBusy
	if !errors.As(err, &busy) || busy.RetryAfter <= 0 {
		t.Errorf("error %v, want busy", err)
	}
	w.start()
	w.until("there is room again", func() bool {
		_, err := w.runner.Accept(context.Background(), sources.Batch{Records: []sources.Record{item("visits", "c", "p", 3)}})
		return err == nil
	})
}

// TestStopsAndGoesOn stops the runner in the middle and starts another on the same journal.
func TestStopsAndGoesOn(t *testing.T) {
	w := newWorld(t, testProgram(t, "visits"))
	w.run()
	for n := range 100 {
		w.accept(item("visits", fmt.Sprint("v", n), fmt.Sprint("p", n%10), n))
	}
	w.stop()
	w.reopen()
	w.config.Owner = "second"
	w.run()
	w.until("all are delivered", func() bool { return w.states()[journal.Delivered] == 100 })
	for p := range 10 {
		if got := w.target.delivered(fmt.Sprint("p", p)); len(got) != 10 || !slices.IsSortedFunc(got, byNumber) {
			t.Errorf("person %d: %v", p, got)
		}
	}
}

type feedOnce struct{ began, ended chan struct{} }

func (f *feedOnce) Run(ctx context.Context, sink sources.Sink) error {
	f.began <- struct{}{}
	_, err := sink.Accept(ctx, sources.Batch{Records: []sources.Record{item("visits", "from-source", "p", 1)}, Cursor: &sources.Cursor{Name: "c", Value: "17"}})
	if err != nil {
		return err
	}
	<-ctx.Done()
	f.ended <- struct{}{}
	return nil
}

func TestSourcesRunWithTheirProgram(t *testing.T) {
	source := &feedOnce{began: make(chan struct{}, 1), ended: make(chan struct{}, 1)}
	p := testProgram(t, "visits")
	p.Intakes = []Intake{{Name: "once", Source: source, Once: true}}
	w := newWorld(t, p)
	w.run()
	<-source.began
	w.until("it is delivered", func() bool { return w.states()[journal.Delivered] == 1 })
	if c, err := w.runner.Cursor(context.Background(), "c"); err != nil || c != "17" {
		t.Errorf("cursor %q, %v", c, err)
	}
	w.runner.Swap(testProgram(t, "visits"))
	<-source.ended
}

func TestMetricsHoldNoRecords(t *testing.T) {
	w := newWorld(t, testProgram(t, "visits"))
	reg := prometheus.NewRegistry()
	w.config.Metrics = reg
	w.run()
	w.accept(item("visits", "secret-id", "secret-person", 1))
	w.until("it is delivered", func() bool { return w.states()[journal.Delivered] == 1 })
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, f := range families {
		names[f.GetName()] = true
		if strings.Contains(f.String(), "secret") {
			t.Errorf("%s names a record: %s", f.GetName(), f)
		}
	}
	for _, want := range []string{"culvert_records_accepted_total", "culvert_records_settled_total", "culvert_records_pending", "culvert_server_state", "culvert_batch_seconds"} {
		if !names[want] {
			t.Errorf("no metric %s", want)
		}
	}
}

func TestJudge(t *testing.T) {
	out := func(s actions.Status, c actions.Class) actions.Outcome {
		return actions.Outcome{Status: s, Class: c, Code: string(c), Cause: "because"}
	}
	none := actions.ClassNone
	tests := map[string]struct {
		outcomes []actions.Outcome
		state    journal.State
		class    actions.Class
		again    bool
	}{
		"all written":              {[]actions.Outcome{out(actions.Delivered, none), out(actions.Unchanged, none)}, journal.Delivered, none, false},
		"one failed":               {[]actions.Outcome{out(actions.Delivered, none), out(actions.Failed, actions.ClassData), out(actions.NotTried, none)}, journal.Failed, actions.ClassData, false},
		"failed outweighs parent":  {[]actions.Outcome{out(actions.Retry, actions.ClassParent), out(actions.Failed, actions.ClassData)}, journal.Failed, actions.ClassData, false},
		"away outweighs failed":    {[]actions.Outcome{out(actions.Failed, actions.ClassData), out(actions.Retry, actions.ClassServer)}, journal.Pending, actions.ClassServer, true},
		"refused outweighs away":   {[]actions.Outcome{out(actions.Retry, actions.ClassServer), out(actions.Retry, actions.ClassCredentials)}, journal.Pending, actions.ClassCredentials, true},
		"hiccup":                   {[]actions.Outcome{out(actions.Retry, actions.ClassTransient)}, journal.Pending, actions.ClassTransient, false},
		"too few answers":          {[]actions.Outcome{out(actions.Delivered, none)}, journal.Pending, actions.ClassTransient, false},
		"not tried for no reason":  {[]actions.Outcome{out(actions.Delivered, none), out(actions.NotTried, none)}, journal.Pending, actions.ClassTransient, false},
		"nothing was said at all ": {nil, journal.Pending, actions.ClassTransient, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			plan := actions.Plan{Writes: make([]actions.Write, max(2, len(tt.outcomes)))}
			if name == "hiccup" {
				plan.Writes = plan.Writes[:1]
			}
			v := judge(&plan, actions.Result{Outcomes: tt.outcomes})
			if v.state != tt.state || v.again != tt.again || v.problem != nil && v.problem.Class != tt.class || v.problem == nil && tt.class != none {
				t.Errorf("verdict %+v, problem %+v", v, v.problem)
			}
		})
	}
}

func TestSettlementGivesUpAfterItsTries(t *testing.T) {
	limits := Limits{RetryFor: 3}
	limits.prepare()
	p := retryPolicy{limits: &limits, random: func() float64 { return 1 }}
	v := verdict{state: journal.Pending, problem: &journal.Problem{Class: actions.ClassTransient}}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	if s := p.settlement(v, 0, now); s.State != journal.Pending || s.NextTry.Sub(now) != limits.Retry.Base || s.Attempts != 1 {
		t.Errorf("first: %+v", s)
	}
	v.wait = time.Hour
	if s := p.settlement(v, 0, now); s.NextTry.Sub(now) != time.Hour {
		t.Errorf("the server asked for an hour: %v", s.NextTry.Sub(now))
	}
	if s := p.settlement(v, 2, now); s.State != journal.Failed || s.Problem.Mend == "" {
		t.Errorf("last: %+v", s)
	}
}

// TestTwoRunnersShareAJournal has two runners on one journal and one server: never one key on its way twice, each in order, none lost.
func TestTwoRunnersShareAJournal(t *testing.T) {
	w := newWorld(t, testProgram(t, "visits"))
	w.run()
	other := *w
	other.config.Owner = "other"
	other.run()
	const visits = 400
	for n := range visits {
		runner := w
		if n%2 == 1 {
			runner = &other
		}
		runner.accept(item("visits", fmt.Sprint("v", n), fmt.Sprint("p", n%9), n))
	}
	f := w.drop("visits", "visits.csv", visitsCSV(500, 9, func(_ int, cells []string) { cells[0] = "f" + cells[0]; cells[1] = "f" + cells[1] }))
	w.finished(f)
	w.until("all are delivered", func() bool { return w.states()[journal.Delivered] >= visits })
	for p := range 9 {
		for _, who := range []string{fmt.Sprint("p", p), fmt.Sprint("fp", p)} {
			if got := w.target.delivered(who); !slices.IsSortedFunc(got, byNumber) {
				t.Errorf("person %s: %v", who, got)
			}
		}
	}
	rep, err := ReadReport(context.Background(), w.journal, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	w.until("both say how they stand", func() bool {
		rep, err = ReadReport(context.Background(), w.journal, time.Now())
		return err == nil && len(rep.Runners) == 2
	})
}

// TestStopsThoughTheServerHangs ends a run whose server does not answer, within its limit, and gives the records back.
func TestStopsThoughTheServerHangs(t *testing.T) {
	w := newWorld(t, testProgram(t, "visits"))
	hangs := &hangingTarget{began: make(chan struct{}, 8)}
	w.config.Servers = map[string]Server{"national": {Target: hangs}}
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

type hangingTarget struct{ began chan struct{} }

func (h *hangingTarget) Deliver(ctx context.Context, plans []actions.Plan) []actions.Result {
	h.began <- struct{}{}
	<-ctx.Done()
	return allAway(len(plans), ctx.Err())
}

func (h *hangingTarget) Rehearse(context.Context, []actions.Plan) []actions.Result { return nil }

func (h *hangingTarget) Probe(ctx context.Context) error { return nil }

func TestRecordsOfAServerThatIsNotConfiguredAreHeld(t *testing.T) {
	p := testProgram(t, "visits")
	p.Rules["visits"].Server = "regional"
	w := newWorld(t, p)
	w.make()
	w.accept(item("visits", "a", "p", 1))
	w.start()
	w.until("it is held", func() bool { return w.states()[journal.Held] == 1 })
	if r := w.record("a"); r.Problem.Code != "unknown-server" {
		t.Errorf("problem: %+v", r.Problem)
	}
}
