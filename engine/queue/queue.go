package queue

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/culvert/culvert/engine/durable"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/status"
	"github.com/culvert/culvert/engine/tracing"
	"github.com/culvert/culvert/engine/work"
	"github.com/culvert/culvert/internal/await"
)

// Journal is what the queue takes its work from.
type Journal interface {
	Claim(ctx context.Context, c journal.Claim) ([]*journal.Record, error)
	Release(ctx context.Context, owner string, seqs []int64) error
	Select(ctx context.Context, f journal.Filter) ([]*journal.Record, error)
	Identify(ctx context.Context, names []journal.Identification) (int64, error)
	Wake() <-chan struct{}
	Versions(ctx context.Context, rule, id string) ([]*journal.Record, error)
	journal.Appender
	journal.KeyLocker
}

// Gate says what may be sent.
type Gate interface {
	Program() *program.Program
	Runnable(f *program.Flow) bool
	LeaseEpoch() int64
}

// Dispatcher sends what it is given to one server.
type Dispatcher interface {
	Push(w work.Work)
}

// Config is what a Queue is made of.
type Config struct {
	Journal    Journal
	Writer     *durable.Writer
	Owner      string
	Gate       Gate
	Dispatcher func(server string) Dispatcher
	Window     int           // records in memory for each server
	Memory     int64         // bytes that they may take up, roughly
	Poll       time.Duration // the net below the journal's Wake
	// Added hears of records that further parts of rules got.
	Added func(n int)
	// Failed hears that a record is about to be recorded as failed; the error is only that the runner ends.
	Failed func(*program.Flow, *journal.Problem) error
	// Settled hears of records that were settled.
	Settled func([]*journal.Record, []journal.Settlement)

	Conditions *status.Conditions
	Metrics    *status.Metrics
	Trace      *tracing.Tracer
	Log        *slog.Logger
	Now        func() time.Time
}

// Queue holds what waits to be sent. Make it with New.
type Queue struct {
	Config

	wake     await.Signal
	caughtUp chan struct{} // closed when rows that may have been in flight at the last stop are in memory again
	claiming sync.Mutex    // held while records are claimed; taken before mu

	mu      sync.Mutex // of all that follows; nothing is called while it is held
	keys    *Keys[work.Work]
	fetched fetched
	barrier barrier
	named   map[int64]bool // records that were given ids and may not have taken them
}

// New makes a queue.
func New(c Config) *Queue {
	return &Queue{
		Config: c, wake: await.NewSignal(), caughtUp: make(chan struct{}), keys: NewKeys[work.Work](),
		fetched: fetched{records: map[int64]size{}, count: map[string]int{}},
		named:   map[int64]bool{},
		barrier: barrier{unread: map[*unreadFile]struct{}{}, awaitingRequeue: map[string]int{}, locked: map[string]bool{},
			held: map[string]struct{}{}},
	}
}

// Notify says that there may be something to fetch, or room for it.
func (q *Queue) Notify() { q.wake.Notify() }

// LeaseLost gives way to a new epoch: nothing is claimed anew before what was claimed under the old
// one is called stale.
func (q *Queue) LeaseLost(next func()) {
	q.claiming.Lock()
	defer q.claiming.Unlock()
	next()
}

// ReleaseAll gives claimed records and locked keys back at the end, so that another runner need not
// wait for the lease to end.
func (q *Queue) ReleaseAll(ctx context.Context) {
	q.mu.Lock()
	seqs, keys := q.fetched.all(), q.barrier.heldKeys()
	q.mu.Unlock()
	if len(seqs) > 0 {
		if err := q.Journal.Release(ctx, q.Owner, seqs); err != nil {
			q.Log.Warn("cannot release claimed records; they are free when the lease ends", "records", len(seqs), "error", err)
		}
	}
	if len(keys) > 0 {
		if err := q.Journal.ReleaseKeys(ctx, q.Owner, keys); err != nil {
			q.Log.Warn("cannot release locked keys; they are free when the lease ends", "keys", len(keys), "error", err)
		}
	}
}
