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
	"github.com/culvert/culvert/engine/dispatch"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/status"
	"github.com/culvert/culvert/rules/diag"
)

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testProgram(t, "visits"))
	ctx := context.Background()
	if err := controls.PauseRule(ctx, w.journal, "visits",
		controls.Pause{Since: time.Now(), Who: "amina", Why: "the programme changes"}); err != nil {
		t.Fatal(err)
	}
	w.run()
	w.until("it knows the pause", func() bool { return len(w.runner.gate.Controls().Rules) == 1 })
	w.accept(item("visits", "a", "p", 1))
	if r := w.record("a"); r.State != journal.Held || !strings.Contains(r.Problem.Message, "amina") {
		t.Errorf("record of a paused rule: %s %+v", r.State, r.Problem)
	}
	if err := controls.ResumeRule(ctx, w.journal, "visits", controls.Pause{}); err != nil {
		t.Fatal(err)
	}
	w.until("it goes on", func() bool { return w.states()[journal.Delivered] == 1 })
	if err := controls.PauseServer(ctx, w.journal, "national", controls.Pause{Since: time.Now()}); err != nil {
		t.Fatal(err)
	}
	w.until("the server is paused", func() bool { return w.runner.Status().Servers[0].State == status.ServerPaused })
	w.accept(item("visits", "b", "p", 2))
	if r := w.record("b"); r.State != journal.Pending {
		t.Errorf("a record for a paused server is %s", r.State)
	}
	if err := controls.ResumeServer(ctx, w.journal, "national", controls.Pause{}); err != nil {
		t.Fatal(err)
	}
	w.until("it goes on", func() bool { return w.states()[journal.Delivered] == 2 })
}

type closedWindow struct{ open atomic.Bool }

func (c *closedWindow) Open(time.Time) bool { return c.open.Load() }

func TestDeliveryWindow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testProgram(t, "visits"))
	window := &closedWindow{}
	w.config.Servers["national"] = dispatch.Server{Target: w.target, Window: window}
	w.run()
	w.accept(item("visits", "a", "p", 1))
	if s := w.runner.Status().Servers[0]; s.State != status.ServerClosed {
		t.Errorf("status outside the window: %+v", s)
	}
	if err := w.runner.Health(); err != nil {
		t.Errorf("unhealthy outside the window: %v", err)
	}
	window.open.Store(true)
	w.until("it is delivered inside the window", func() bool { return w.states()[journal.Delivered] == 1 })
}

func TestSwapHoldsWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	valid := testProgram(t, "visits", "others")
	w := newWorld(t, valid)
	w.run()
	broken := testProgram(t, "others")
	invalid := testFlow(t, fmt.Sprintf(visitRule, "visits"))
	invalid.Invalid = &journal.Problem{Class: actions.ClassMetadata, Problem: diag.Problem{Code: "unknown-stage",
		Message: "the stage is gone"}}
	broken.Rules["visits"] = invalid
	w.runner.Swap(broken)
	w.accept(item("visits", "a", "p", 1), item("others", "b", "q", 1))
	w.until("the other rule goes on", func() bool { return w.states()[journal.Delivered] == 1 })
	if s := w.states(); s[journal.Held] != 1 {
		t.Errorf("states: %v", s)
	}
	w.runner.Swap(&program.Program{Rules: map[string]*program.Flow{"others": broken.Rules["others"]}})
	w.runner.Swap(valid)
	w.until("held records go on when the rule is valid again", func() bool { return w.states()[journal.Delivered] == 2 })
}

// TestRecordsOfARemovedRuleAreNamed removes a rule that records wait for.
func TestRecordsOfARemovedRuleAreNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testProgram(t, "visits", "others"))
	ctx := context.Background()
	if err := controls.PauseServer(ctx, w.journal, "national", controls.Pause{Since: time.Now()}); err != nil {
		t.Fatal(err)
	}
	w.run()
	w.accept(item("visits", "a", "p", 1))
	w.runner.Swap(testProgram(t, "others"))
	w.until("the rule is named", func() bool {
		return strings.Contains(strings.Join(w.runner.Conditions(), "\n"), `no rule "visits"`)
	})
	if err := w.runner.Health(); err != nil {
		t.Errorf("a rule that is gone stops the others: %v", err)
	}
	held := journal.Filter{Code: program.CodeMissingRule, States: []journal.State{journal.Held}}
	w.until("its record is held, and can be dismissed", func() bool {
		n, err := w.journal.Dismiss(ctx, held, "amina", "the programme has ended")
		if err != nil {
			t.Fatal(err)
		}
		return n == 1
	})
	w.until("nothing is named any more", func() bool { return len(w.runner.Conditions()) == 0 })
}

// TestSwapWhileRecordsFlow changes the rule all the time; nothing may be lost, doubled or reordered.
func TestSwapWhileRecordsFlow(t *testing.T) {
	t.Parallel()
	programs := []*program.Program{testProgram(t, "visits"), testProgram(t, "visits"), testProgram(t, "visits")}
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

func TestRecordsOfAServerThatIsNotConfiguredAreHeld(t *testing.T) {
	t.Parallel()
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
