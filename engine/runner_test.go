package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/status"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
)

// TestDeliversInOrder lets visits of many people come in with a target that fails at random for
// passing reasons, and checks that each person's visits arrive in the order accepted, once.
func TestDeliversInOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testProgram(t, "visits"))
	random := rand.New(rand.NewPCG(7, 7))
	var mu sync.Mutex
	w.target.answer = func(_ actions.Plan, v visit) actions.Outcome {
		mu.Lock()
		defer mu.Unlock()
		if random.IntN(5) == 0 {
			return actions.Outcome{Status: actions.Retry, Class: actions.ClassTransient,
				Problem: diag.Problem{Code: "E9999", Message: "a hiccup"}}
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
	t.Parallel()
	w := newWorld(t, testProgram(t, "visits"))
	w.run()
	first := w.accept(item("visits", "a", "p", 1))
	again := w.accept(item("visits", "a", "p", 1))
	changed := w.accept(item("visits", "a", "p", 2))
	no := item("visits", "b", "p", 1)
	no.Body.(map[string]any)["keep"] = "no"
	skipped := w.accept(no)
	if first[0].RecordID != "a" || first[0].Duplicate || !again[0].Duplicate || changed[0].Duplicate ||
		!skipped[0].Skipped {
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
	t.Parallel()
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
	if p == nil || p.Class != actions.ClassData || p.Message == "" || !strings.HasPrefix(p.Place.String(),
		"rules/visits.yaml:") {
		t.Errorf("problem: %+v", p)
	}
	if strings.Contains(p.Message, "many") {
		t.Errorf("the cause holds the record's data: %s", p.Message)
	}
}

func TestRefusedWriteFailsWithItsPlace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testProgram(t, "visits"))
	w.target.answer = func(_ actions.Plan, v visit) actions.Outcome {
		if v.ID == "b" {
			return actions.Outcome{Status: actions.Failed, Class: actions.ClassRights,
				Problem: diag.Problem{Code: "E1000", Message: "the user may not",
					Hint: "grant it"}}
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
	if p.Code != "E1000" || p.Object != "event First visit of Antenatal care" || p.Place.String() == "" ||
		p.Hint != "grant it" {
		t.Errorf("problem: %+v", p)
	}
	if _, err := w.journal.Replay(context.Background(), journal.Filter{ID: "b"}, "test", "the right was granted",
		false); err != nil {
		t.Fatal(err)
	}
	w.until("it fails again", func() bool { r := w.record("b"); return r.State == journal.Failed && r.Attempts >= 1 })
}

func TestBusyWhenTheBacklogIsFull(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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

// TestStopBeforeItBegan is told to stop while it still starts: that is no fault.
func TestStopBeforeItBegan(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testProgram(t, "visits"))
	w.make()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.runner.Run(ctx); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

type feedOnce struct{ began, ended chan struct{} }

func (f *feedOnce) Run(ctx context.Context, sink sources.Sink) error {
	f.began <- struct{}{}
	_, err := sink.Accept(ctx, sources.Batch{Records: []sources.Record{item("visits", "from-source", "p", 1)},
		Cursor: &sources.Cursor{Name: "c", Value: "17"}})
	if err != nil {
		return err
	}
	<-ctx.Done()
	f.ended <- struct{}{}
	return nil
}

func TestSourcesRunWithTheirProgram(t *testing.T) {
	t.Parallel()
	source := &feedOnce{began: make(chan struct{}, 1), ended: make(chan struct{}, 1)}
	p := testProgram(t, "visits")
	p.Intakes = []program.Intake{{Name: "once", Source: source, Once: true}}
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
	t.Parallel()
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
	for _, want := range []string{"culvert_records_accepted_total", "culvert_records_settled_total",
		"culvert_backlog_records", "culvert_server_breaker_state",
		"culvert_batch_duration_seconds", "culvert_delivery_lag_seconds", "culvert_server_up"} {
		if !names[want] {
			t.Errorf("no metric %s", want)
		}
	}
}

// TestTwoRunnersShareAJournal has two runners on one journal and one server: never one key on its
// way twice, each in order, none lost.
func TestTwoRunnersShareAJournal(t *testing.T) {
	t.Parallel()
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
	f := w.drop("visits", "visits.csv", visitsCSV(500, 9,
		func(_ int, cells []string) { cells[0] = "f" + cells[0]; cells[1] = "f" + cells[1] }))
	w.finished(f)
	w.until("all are delivered", func() bool { return w.states()[journal.Delivered] >= visits })
	for p := range 9 {
		for _, who := range []string{fmt.Sprint("p", p), fmt.Sprint("fp", p)} {
			if got := w.target.delivered(who); !slices.IsSortedFunc(got, byNumber) {
				t.Errorf("person %s: %v", who, got)
			}
		}
	}
	rep, err := status.Read(context.Background(), w.journal, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	w.until("both say how they stand", func() bool {
		rep, err = status.Read(context.Background(), w.journal, time.Now())
		return err == nil && len(rep.Runners) == 2
	})
}

// TestLateOldVersionThatCannotBeUsedIsSuperseded has old versions come after a newer one was
// delivered, with values that fail: there is nothing to do for anybody, neither for a form nor for
// a row. One that is newer and fails is for a person.
func TestLateOldVersionThatCannotBeUsedIsSuperseded(t *testing.T) {
	t.Parallel()
	rule := strings.Replace(fmt.Sprintf(visitRule, "visits"), "keep: text}", "keep: text, revision: number}", 1)
	rule = strings.Replace(rule, "id: trigger.id\n", "id: trigger.id\nversion: trigger.revision\n", 1)
	w := newWorld(t, &program.Program{Rules: map[string]*program.Flow{"visits": testFlow(t, rule)}})
	w.target.answer = func(_ actions.Plan, v visit) actions.Outcome {
		switch v.N {
		case "8":
			return actions.Outcome{Status: actions.Failed, Class: actions.ClassData,
				Problem: diag.Problem{Code: "E1007", Message: "no number"}}
		case "9":
			return actions.Outcome{Status: actions.Retry, Class: actions.ClassParent,
				Problem: diag.Problem{Code: "E1079", Message: "not enrolled yet"}}
		}
		return actions.Outcome{}
	}
	w.run()
	send := func(revision int, n string) {
		rec := item("visits", "a", "p", 0)
		body := rec.Body.(map[string]any)
		body["n"], body["revision"] = n, revision
		w.accept(rec)
	}
	send(5, "1")
	w.until("the newest is delivered", func() bool { return w.states()[journal.Delivered] == 1 })
	send(4, "not a number")
	w.until("the late one is superseded", func() bool { return w.states()[journal.Superseded] == 1 })
	f := w.drop("visits", "visits.csv", "id,person,n,keep,revision\na,p,neither,yes,3\n")
	w.finished(f)
	if outcomes, _ := w.results("visits.csv"); outcomes[1] != "superseded" {
		t.Errorf("the row is %v", outcomes)
	}
	// What the server refuses, or what waits for its parent, is nobody's affair either.
	send(2, "8")
	send(1, "9")
	w.until("late ones that are stuck are superseded", func() bool { return w.states()[journal.Superseded] == 3 })
	send(6, "no number again")
	w.until("a newer one that fails is failed", func() bool { return w.states()[journal.Failed] == 1 })
	if s := w.states(); s[journal.Superseded] != 3 || s[journal.Delivered] != 1 {
		t.Errorf("states %v", s)
	}
}

// TestCorrectionPassesWhatWaits has a record wait for its parent, and a correction of it come: it is
// delivered at once, the version that waits is superseded, and other records of the rule stay behind.
func TestCorrectionPassesWhatWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testProgram(t, "visits"))
	w.target.answer = func(_ actions.Plan, v visit) actions.Outcome {
		if v.N == "1" {
			return actions.Outcome{Status: actions.Retry, Class: actions.ClassParent,
				Problem: diag.Problem{Code: "E1079", Message: "not enrolled yet"}, RetryAfter: time.Hour}
		}
		return actions.Outcome{}
	}
	w.run()
	w.accept(item("visits", "a", "p", 1))
	w.until("it waits", func() bool {
		list, err := w.journal.Select(t.Context(), journal.Filter{States: []journal.State{journal.Pending}, Limit: 2})
		return err == nil && len(list) == 1 && list[0].Problem != nil
	})
	w.accept(item("visits", "b", "p", 3), item("visits", "a", "p", 2))
	w.until("the correction is delivered and the mistake superseded", func() bool {
		s := w.states()
		return s[journal.Delivered] == 2 && s[journal.Superseded] == 1
	})
	if got := w.target.delivered("p"); !slices.Equal(got, []string{"2", "3"}) {
		t.Errorf("delivered %v: what came behind the mistake was not to pass it", got)
	}
}
