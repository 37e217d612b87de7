// Package intake takes what sources hand over and makes it durable: records and files. It is the
// sources' Sink, tells sources how their records were settled, and hears what is wrong with them.
package intake

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/controls"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/status"
	"github.com/culvert/culvert/engine/tracing"
	"github.com/culvert/culvert/sources"
)

// Journal is where what was accepted is kept.
type Journal interface {
	journal.Appender
	journal.Notifications
	AddFile(ctx context.Context, f *journal.File) (duplicate bool, err error)
	Files(ctx context.Context, state journal.FileState) ([]journal.File, error)
	Cursor(ctx context.Context, name string) (string, error)
	Meta(ctx context.Context, name string) (string, error)
	SetMeta(ctx context.Context, name, value string) error
	Memory(server string) actions.Memory
	Commit(ctx context.Context, b *journal.Batch) error
	Select(ctx context.Context, f journal.Filter) ([]*journal.Record, error)
}

// Gate says what is known of rules.
type Gate interface {
	Program() *program.Program
	Controls() *controls.Controls
}

// Queue hears of what was accepted.
type Queue interface {
	Notify()
	// Expect has later records for a server wait for a file that is about to be accepted.
	Expect(f sources.File, server string) (accepted func(place int64), cancel func())
}

// Files hears of accepted files.
type Files interface{ Notify() }

// Config is what an Intake is made of.
type Config struct {
	Journal    Journal
	Gate       Gate
	Queue      Queue
	Files      Files
	Owner      string
	Accepting  int           // batches that may be accepted at the same time
	MaxBacklog int64         // accepted records that may wait before the answer is busy; 0: no limit
	Backlog    *atomic.Int64 // roughly how many wait

	// Failed hears that a record is about to be kept as failed.
	Failed func(context.Context, *program.Flow, *journal.Problem) error

	Conditions *status.Conditions
	Outside    *status.Conditions // what is wrong while the engine does its work all the same
	Metrics    *status.Metrics
	Trace      *tracing.Tracer
	Log        *slog.Logger
	Now        func() time.Time
}

// Intake takes what sources hand over. Make it with New.
type Intake struct {
	Config
	accepting chan struct{}
	editing   sync.RWMutex // what edits join is not accepted meanwhile
	watch     watch
}

var (
	_ sources.Sink       = (*Intake)(nil)
	_ sources.Outcomes   = (*Intake)(nil)
	_ sources.Awaiter    = (*Intake)(nil)
	_ sources.Alarm      = (*Intake)(nil)
	_ sources.Conditions = (*Intake)(nil)

	_ sources.FileOutcomes = (*Intake)(nil)
)

// New makes an intake.
func New(c Config) *Intake { return &Intake{Config: c, accepting: make(chan struct{}, c.Accepting)} }

// SetCondition has status, health and console say what is wrong outside of the engine while it does
// its work; an empty text takes it back.
func (in *Intake) SetCondition(subject, what string) { in.Outside.Put(subject, what, in.Now()) }
