package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/internal/await"
	"github.com/culvert/culvert/rules/diag"
)

// brokenProgram has the rule visits with a mistake, so that it can give its records no id.
func brokenProgram(t *testing.T) *program.Program {
	broken := testProgram(t, "visits")
	broken.Rules["visits"].Invalid = &journal.Problem{Class: actions.ClassMetadata,
		Problem: diag.Problem{Code: "unknown-stage", Message: "the stage is gone"}}
	return broken
}

// halting gives ids to the first record that it is asked for, and then does not any more, as where the process ends.
type halting struct {
	journal.Journal
	asked, halted atomic.Bool
	changed       await.Signal
}

func (h *halting) Identify(ctx context.Context, names []journal.Identification) (int64, error) {
	if !h.asked.Swap(true) {
		if n, err := h.Journal.Identify(ctx, names[:1]); n != 1 || err != nil {
			return n, err
		}
	}
	h.halted.Store(true)
	h.changed.Notify()
	return 0, errors.New("the process ends")
}

// TestRecordsTakenUnderABrokenRule sends two versions of a record while its rule is broken and a third one once it
// is not, and ends the process while the first two get their ids.
func TestRecordsTakenUnderABrokenRule(t *testing.T) {
	t.Parallel()
	w := newWorld(t, brokenProgram(t))
	h := &halting{Journal: w.journal, changed: w.target.changed}
	w.config.Journal = h
	w.run()
	w.accept(item("visits", "a", "p", 1))
	w.accept(item("visits", "a", "p", 2))
	w.accept(item("visits", "b", "p", 3))
	w.until("all are held", func() bool { return w.states()[journal.Held] == 3 })
	w.runner.Swap(testProgram(t, "visits"))
	w.until("the ids are given", h.halted.Load)
	w.accept(item("visits", "a", "p", 4))
	w.stop()
	if got := w.target.delivered("p"); len(got) > 0 {
		t.Errorf("delivered %q before the earlier records have their ids", got)
	}
	w.reopen()
	w.config.Program = testProgram(t, "visits")
	w.run()
	w.until("all are delivered", func() bool { return w.states()[journal.Delivered] == 4 })
	wantDelivered(t, w, "p", "1", "2", "3", "4")
	versions, err := w.journal.Versions(t.Context(), "visits", "a")
	if err != nil {
		t.Fatal(err)
	}
	if len(versions) != 3 {
		t.Errorf("%d versions of the record are known by its id, want 3", len(versions))
	}
	found, err := w.journal.Search(t.Context(), journal.Filter{Text: "p", Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Records) != 4 {
		t.Errorf("%d records are found by the person, want 4", len(found.Records))
	}
	receipts := w.accept(item("visits", "a", "p", 4))
	if !receipts[0].Duplicate {
		t.Error("the last version is not known any more")
	}
}

// TestReplayedRecordGetsItsID: a rule could give a record no id, and can once it is mended and the record replayed.
func TestReplayedRecordGetsItsID(t *testing.T) {
	t.Parallel()
	blind := &program.Program{Rules: map[string]*program.Flow{"visits": testFlow(t,
		replaceOnce(fmt.Sprintf(visitRule, "visits"), "id: trigger.id", `id: split(trigger.id, "/")[1]`))}}
	w := newWorld(t, blind)
	w.run()
	w.accept(item("visits", "a", "p", 1))
	w.until("it fails", func() bool { return w.states()[journal.Failed] == 1 })
	w.runner.Swap(testProgram(t, "visits"))
	if n, err := w.journal.Replay(t.Context(), journal.Filter{}, "amina", "", false); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	w.runner.notifyAll()
	w.until("it is delivered", func() bool { return w.states()[journal.Delivered] == 1 })
	if r := w.record("a"); r.Key != "p" {
		t.Errorf("its key is %q", r.Key)
	}
}

func replaceOnce(text, old, by string) string { return strings.Replace(text, old, by, 1) }
