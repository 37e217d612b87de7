package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/controls"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/rules/diag"
)

// saying makes a flow of a rule that says more than others.
func saying(t *testing.T, name, more string) *program.Flow {
	return testFlow(t, fmt.Sprintf(visitRule, name)+more)
}

// TestWindowOfARule holds back what comes outside of a rule's window, in memory and in the journal,
// and lets other rules go on.
func TestWindowOfARule(t *testing.T) {
	t.Parallel()
	p := testProgram(t, "others")
	p.Rules["visits"] = saying(t, "visits", "window: {hours: '18:00-06:00', days: mon-fri}\n")
	w := newWorld(t, p)
	var clock atomic.Pointer[time.Time]
	at := func(text string) {
		now, err := time.Parse("2006-01-02 15:04", text)
		if err != nil {
			t.Fatal(err)
		}
		clock.Store(&now)
	}
	at("2026-03-06 12:00") // a Friday
	w.config.Now = func() time.Time { return *clock.Load() }
	w.run()
	w.accept(item("visits", "a", "p", 1), item("others", "b", "q", 1))
	w.until("the other rule goes on", func() bool { return w.states()[journal.Delivered] == 1 })
	if r := w.record("a"); r.State != journal.Pending || r.Problem != nil {
		t.Errorf("outside of the window a record is %s: %+v", r.State, r.Problem)
	}
	s := w.runner.Status()
	if len(s.Closed) != 1 || s.Closed[0].Rule != "visits" || s.Closed[0].Opens.Format("15:04") != "18:00" {
		t.Errorf("status: %+v", s.Closed)
	}
	at("2026-03-07 05:00") // in the night that began on Friday
	w.until("it is delivered inside of the window", func() bool { return w.states()[journal.Delivered] == 2 })
	at("2026-03-07 20:00")
	w.accept(item("visits", "c", "p", 2), item("others", "d", "q", 2))
	w.until("the other rule goes on", func() bool { return w.states()[journal.Delivered] == 3 })
	if r := w.record("c"); r.State != journal.Pending {
		t.Errorf("on a Saturday a record is %s", r.State)
	}
	p = testProgram(t, "others", "visits")
	w.runner.Swap(p)
	w.until("it goes once the rule has no window", func() bool { return w.states()[journal.Delivered] == 4 })
}

// TestDisabledRule holds what a rule had taken before it was switched off.
func TestDisabledRule(t *testing.T) {
	t.Parallel()
	p := testProgram(t, "others")
	p.Rules["visits"] = saying(t, "visits", "enabled: false\n")
	w := newWorld(t, p)
	w.run()
	w.accept(item("visits", "a", "p", 1), item("others", "b", "q", 1))
	w.until("the other rule goes on", func() bool { return w.states()[journal.Delivered] == 1 })
	if r := w.record("a"); r.State != journal.Held || r.Problem.Code != program.CodeDisabled {
		t.Errorf("a record of a rule that is switched off is %s: %+v", r.State, r.Problem)
	}
	if s := w.runner.Status(); !slices.Equal(s.Disabled, []string{"visits"}) || len(s.Invalid) > 0 {
		t.Errorf("status: %+v", s)
	}
	w.runner.Swap(testProgram(t, "others", "visits"))
	w.until("it goes once the rule is switched on", func() bool { return w.states()[journal.Delivered] == 2 })
}

// TestStopOnFailure pauses a rule with its first failure: the next record of the same person is not
// sent before somebody has looked, and other rules go on.
func TestStopOnFailure(t *testing.T) {
	t.Parallel()
	p := testProgram(t, "others")
	p.Rules["visits"] = saying(t, "visits", "on_failure: stop\n")
	w := newWorld(t, p)
	var fixed atomic.Bool
	w.target.answer = func(_ actions.Plan, v visit) actions.Outcome {
		if v.ID == "bad" && !fixed.Load() {
			return actions.Outcome{Status: actions.Failed, Class: actions.ClassData,
				Problem: diag.Problem{Code: "E1120", Message: "the day is in the future"}}
		}
		return actions.Outcome{}
	}
	w.run()
	w.accept(item("visits", "bad", "p", 1), item("visits", "next", "p", 2), item("others", "b", "q", 1))
	w.until("the rule is paused", func() bool {
		s := w.states()
		return s[journal.Failed] == 1 && s[journal.Held] == 1 && s[journal.Delivered] == 1
	})
	c, err := controls.Read(context.Background(), w.journal)
	if err != nil || c.Rules["visits"] == nil || !strings.Contains(c.Rules["visits"].Why, "the day is in the future") {
		t.Fatalf("pauses: %+v %v", c, err)
	}
	ctx := context.Background()
	fixed.Store(true)
	if _, err := w.journal.Replay(ctx, journal.Filter{ID: "bad"}, "amina", "corrected", false); err != nil {
		t.Fatal(err)
	}
	if err := controls.ResumeRule(ctx, w.journal, "visits", controls.Pause{}); err != nil {
		t.Fatal(err)
	}
	w.until("all goes in order", func() bool { return w.states()[journal.Delivered] == 3 })
	if got := w.target.delivered("p"); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("order: %v", got)
	}
}

// TestStopOnRecordsThatCannotBeEvaluated pauses a rule for failures that never reach the server: as a
// record is taken, and as it is evaluated.
func TestStopOnRecordsThatCannotBeEvaluated(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]map[string]any{
		"without an id": {"person": "p", "n": "1"}, "with a bad number": {"id": "x", "person": "p", "n": "many"},
	} {
		w := newWorld(t, &program.Program{Rules: map[string]*program.Flow{"visits": saying(t, "visits", "on_failure: stop\n")}})
		w.run()
		r := item("visits", "", "", 0)
		r.Body = broken
		w.accept(r)
		w.until("the rule is paused: "+name, func() bool { return w.runner.gate.Controls().Rules["visits"] != nil })
		w.accept(item("visits", "next", "q", 1))
		w.until("what comes next is held: "+name, func() bool { return w.states()[journal.Held] == 1 })
	}
}

// TestRetryOfARule gives up where the rule says so.
func TestRetryOfARule(t *testing.T) {
	t.Parallel()
	p := &program.Program{Rules: map[string]*program.Flow{
		"visits": saying(t, "visits", "retry: {attempts: 3, first: 1s, longest: 1s}\n")}}
	w := newWorld(t, p)
	var ahead atomic.Int64 // seconds that the clock is ahead, so that nobody waits for the pauses
	w.config.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load()) * time.Second) }
	var tries atomic.Int64
	w.target.answer = func(_ actions.Plan, v visit) actions.Outcome {
		tries.Add(1)
		ahead.Add(5)
		return actions.Outcome{Status: actions.Retry, Class: actions.ClassTransient,
			Problem: diag.Problem{Code: "locked", Message: "somebody else writes it"}}
	}
	w.run()
	w.accept(item("visits", "a", "p", 1))
	w.until("it fails", func() bool { return w.states()[journal.Failed] == 1 })
	if tries.Load() != 3 {
		t.Errorf("%d tries", tries.Load())
	}
}

// TestStopOnRowsOfAFile stops at rows that fail by themselves and at one that the server refuses: what is before each
// has arrived, the failure is on record, nothing behind it is sent before somebody lets the rule go on, and then it goes on.
func TestStopOnRowsOfAFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, &program.Program{Rules: map[string]*program.Flow{"visits": saying(t, "visits", "on_failure: stop\n")}})
	w.target.answer = func(_ actions.Plan, v visit) actions.Outcome {
		if v.ID == "v9" {
			return actions.Outcome{Status: actions.Failed, Class: actions.ClassData,
				Problem: diag.Problem{Code: "E1120", Message: "the day is in the future"}}
		}
		return actions.Outcome{}
	}
	w.run()
	f := w.drop("visits", "visits.csv", visitsCSV(12, 3, func(row int, cells []string) {
		if row == 3 || row == 4 || row == 7 {
			cells[2] = "many"
		}
	}))
	ctx := context.Background()
	for failed, arrived := range []int{2, 2, 4, -1} { // -1: rows behind the refused one were in its batch
		w.until(fmt.Sprintf("failure %d is on record and the rule paused", failed+1), func() bool {
			c, err := controls.Read(ctx, w.journal)
			return err == nil && c.Rules["visits"] != nil && w.states()[journal.Failed] == failed+1
		})
		if n := w.target.count(); arrived >= 0 && n != arrived {
			t.Errorf("at failure %d, %d rows have arrived, want %d", failed+1, n, arrived)
		}
		if err := controls.ResumeRule(ctx, w.journal, "visits", controls.Pause{}); err != nil {
			t.Fatal(err)
		}
	}
	w.finished(f)
	if got := w.file(f.ID); got.Rows != 12 || got.Failed != 4 || got.Delivered != 8 {
		t.Errorf("file: %+v", got)
	}
	if outcomes, lines := w.results("visits.csv"); lines != 12 || outcomes[3] != "failed" || outcomes[12] != "delivered" {
		t.Errorf("%d lines of results: %v", lines, outcomes)
	}
}
