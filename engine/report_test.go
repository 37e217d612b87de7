package engine

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/sources"
)

// brokenJournal cannot be written while it is broken, as when the disk is full.
type brokenJournal struct {
	journal.Journal
	broken  atomic.Bool
	refused atomic.Int64
}

func (b *brokenJournal) fail() error {
	if !b.broken.Load() {
		return nil
	}
	b.refused.Add(1)
	return &journal.ErrUnavailable{Reason: "the disk is full", RetryAfter: 1100 * time.Millisecond, Err: os.ErrPermission}
}

func (b *brokenJournal) Append(ctx context.Context, r []*journal.Record, c *sources.Cursor) ([]bool, error) {
	if err := b.fail(); err != nil {
		return nil, err
	}
	return b.Journal.Append(ctx, r, c)
}

func (b *brokenJournal) Commit(ctx context.Context, batch *journal.Batch) error {
	if err := b.fail(); err != nil {
		return err
	}
	return b.Journal.Commit(ctx, batch)
}

// TestFullDisk breaks the journal after records were delivered and before that is recorded: intake
// is told to wait, nothing is sent twice, and all goes on by itself.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testProgram(t, "visits"))
	broken := &brokenJournal{Journal: w.journal}
	w.config.Journal = broken
	w.target.answer = func(_ actions.Plan, v visit) actions.Outcome {
		if v.ID == "a" {
			broken.broken.Store(true)
		}
		return actions.Outcome{}
	}
	w.run()
	w.accept(item("visits", "a", "p", 1))
	w.until("the outcome cannot be recorded", func() bool { return broken.refused.Load() > 0 })
	_, err := w.runner.Accept(context.Background(), sources.Batch{Records: []sources.Record{item("visits", "b", "p", 2)}})
	busy, ok := errors.AsType[*sources.ErrBusy](err)
	if !ok || busy.RetryAfter != 1100*time.Millisecond || busy.Reason != "the disk is full" {
		t.Errorf("error %v", err)
	}
	if err := w.runner.Health(); err == nil || !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("health: %v", err)
	}
	broken.broken.Store(false)
	w.until("the outcome is recorded", func() bool { return w.states()[journal.Delivered] == 1 })
	w.accept(item("visits", "b", "p", 2))
	w.until("it goes on", func() bool { return w.states()[journal.Delivered] == 2 })
	if got := w.target.delivered("p"); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("delivered %v", got)
	}
	w.until("it is healthy again", func() bool { return w.runner.Health() == nil })
}

// brokenSource gives up at once.
type brokenSource struct{}

func (*brokenSource) Run(context.Context, sources.Sink) error {
	return errors.New("the folder is not there")
}

func TestSourceThatGivesUpIsSaidSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testProgram(t, "visits"))
	w.config.Intakes = []program.Intake{{Name: "files", Source: &brokenSource{}}}
	w.run()
	w.until("it is said", func() bool {
		s := w.runner.Status()
		return len(s.Conditions) == 1 && strings.Contains(s.Conditions[0].What,
			"source files does not run: the folder is not there")
	})
}
