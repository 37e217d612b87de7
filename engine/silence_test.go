package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/sqlite"
)

// mutedJournal does not pass on signs of life while it is muted, as of a process that is stopped.
type mutedJournal struct {
	journal.Journal
	muted atomic.Bool
}

func (m *mutedJournal) Heartbeat(ctx context.Context, owner string) error {
	if m.muted.Load() {
		return errors.New("nobody hears it")
	}
	return m.Journal.Heartbeat(ctx, owner)
}

// TestSilentRunnerSendsNothing mutes one of two runners for longer than the lease, several times,
// while records flow. The target fails the test when a key is on its way twice; afterwards
// everything is delivered once and in order.
func TestSilentRunnerSendsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testProgram(t, "visits"))
	if err := w.journal.Close(); err != nil {
		t.Fatal(err)
	}
	const lease = 300 * time.Millisecond
	store, err := sqlite.Open(context.Background(), w.dir+"/shared.db", journal.Options{Lease: lease})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	w.config.Limits.Lease, w.config.Limits.Heartbeat = lease, lease/10
	w.journal, w.config.Journal = store, store
	other := *w
	muted := &mutedJournal{Journal: store}
	other.config.Journal, other.config.Owner = muted, "other"
	w.run()
	other.run()
	const visits = 600
	for n := range visits {
		w.accept(item("visits", fmt.Sprint("v", n), fmt.Sprint("p", n%25), n))
		switch n % 200 {
		case 50:
			muted.muted.Store(true)
			w.until("the muted runner has noticed", other.runner.gate.LeaseLost)
		case 150:
			muted.muted.Store(false)
		}
	}
	w.until("all are delivered", func() bool { return w.states()[journal.Delivered] == visits })
	for p := range 25 {
		if got := w.target.delivered(fmt.Sprint("p", p)); len(got) != visits/25 || !slices.IsSortedFunc(got, byNumber) {
			t.Errorf("person %d: %v", p, got)
		}
	}
}
