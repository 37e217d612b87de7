package fileimport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/culvert/culvert/engine/durable"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/status"
	"github.com/culvert/culvert/engine/tracing"
	"github.com/culvert/culvert/engine/work"
	"github.com/culvert/culvert/internal/await"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/tabular"
)

// Plan says how a rule's files are read and where they go when they are finished.
type Plan struct {
	Format       tabular.Format
	Done, Failed string // folders
}

// Planner finds the plan for a taken file from its rule's trigger.
type Planner func(flow *program.Flow, f sources.File) (Plan, error)

// openRuns is how many files of one server are under way at once: one is read, the others wait for their last outcomes.
const openRuns = 16

// Journal is what files need of the journal.
type Journal interface {
	journal.FileStore
	Files(ctx context.Context, state journal.FileState) ([]journal.File, error)
	Select(ctx context.Context, f journal.Filter) ([]*journal.Record, error)
	Versions(ctx context.Context, rule, id string) ([]*journal.Record, error)
}

// Queue is where rows go.
type Queue interface {
	EnterRows(rows []work.Work)
	// GoOn gives the further parts of rules their records for rows that need no server.
	GoOn(outcomes []work.Outcome) error
	Requeued(awaited, freed []string)
	Discard(key string, o work.RowOutcome)
	FilesScanned(scan func() error, reading func(fileID string) bool) error
	CaughtUp()
	Notify()
}

// Dispatcher is told how rows for its server come.
type Dispatcher interface {
	RowsUnread(n int)
	RowsReading(n int)
	EvictStale()
}

// Gate says which files may be read.
type Gate interface {
	Program() *program.Program
	Runnable(f *program.Flow) bool
	LeaseEpoch() int64
	Leading() bool
}

// Config is what an Importer is made of.
type Config struct {
	Journal    Journal
	Writer     *durable.Writer
	Queue      Queue
	Gate       Gate
	Dispatcher func(server string) Dispatcher
	Servers    []string
	Plan       Planner // nil: dropped files are not read
	Owner      string
	Window     int           // rows in memory for each server
	Memory     int64         // bytes that they may take up, roughly
	Poll       time.Duration // for files that nobody told of
	Gather     time.Duration // how long outcomes of rows may be gathered before they are recorded
	Away       await.Backoff // between tries of what cannot be read or moved
	// Failed hears that a row is about to be recorded as failed; the error is only that the runner ends.
	Failed func(*program.Flow, *journal.Problem) error
	// Stopped is closed once nothing is sent any more: what was in flight is recorded by then.
	Stopped <-chan struct{}

	Conditions *status.Conditions
	Outside    *status.Conditions // what is wrong while the engine does its work all the same
	Metrics    *status.Metrics
	Trace      *tracing.Tracer
	Log        *slog.Logger
	Now        func() time.Time
	// Say gives what results say of a row in the language of the project; nil: as it was said.
	Say func(string) string
}

// Importer reads open files, those of one server one after the other in the order in which they
// were accepted. Make it with New.
type Importer struct {
	Config
	finalizer  *finalizer
	wake       await.Signal
	evaluating chan struct{}                  // one slot per processor
	room       map[string]*semaphore.Weighted // bytes of rows in memory, by server
	caughtUp   bool                           // what may have been in flight at the last stop is in memory again
	begun      atomic.Int64                   // how many runs there were
	running    sync.WaitGroup

	mu    sync.Mutex           // of all that follows; taken before a run's
	runs  map[string]*fileRun  // by file id
	later map[string]time.Time // files that could not be read: when to try again
	tries map[string]int
}

// New makes an importer.
func New(c Config) *Importer {
	m := &Importer{
		Config: c, wake: await.NewSignal(), evaluating: make(chan struct{}, runtime.GOMAXPROCS(0)),
		room: map[string]*semaphore.Weighted{},
		runs: map[string]*fileRun{}, later: map[string]time.Time{}, tries: map[string]int{},
	}
	for _, server := range c.Servers {
		m.room[server] = semaphore.NewWeighted(c.Memory)
	}
	m.finalizer = newFinalizer(m)
	return m
}

// Notify says that there may be a file to read.
func (m *Importer) Notify() { m.wake.Notify() }

// Run reads files until ctx ends, then waits for what is being read.
func (m *Importer) Run(ctx context.Context) {
	defer m.running.Wait()
	m.running.Go(func() { m.finalizer.run(ctx) })
	m.running.Go(func() { m.keepResults(ctx) })
	if m.Plan == nil {
		m.Queue.CaughtUp()
		return
	}
	for {
		began := m.begun.Load()
		err := m.Queue.FilesScanned(func() error { return m.scan(ctx) }, m.isReading)
		switch {
		case err == nil && m.begun.Load() == began:
			m.noteCaughtUp()
		case err != nil && ctx.Err() == nil:
			m.Log.Error("cannot look for open files", "error", err)
		}
		if !m.wake.Wait(ctx, m.Poll) {
			return
		}
	}
}

// isReading tells whether rows of a file are being read into memory.
func (m *Importer) isReading(fileID string) bool {
	m.mu.Lock()
	run := m.runs[fileID]
	m.mu.Unlock()
	return run != nil && !run.isRead() && !run.filled.Load()
}

// IsRead tells whether a file that is worked on has been read to its end.
func (m *Importer) IsRead(fileID string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	run := m.runs[fileID]
	return run != nil && run.isRead()
}

// scan starts the files whose turn it is, and gives up those whose rule cannot run as it is any more.
func (m *Importer) scan(ctx context.Context) error {
	m.mu.Lock()
	for _, run := range m.runs {
		if !m.Gate.Runnable(run.flow) || run.epoch != m.Gate.LeaseEpoch() {
			run.abandon()
		}
	}
	m.mu.Unlock()
	open, err := m.Journal.Files(ctx, journal.FileOpen)
	if err != nil {
		return err
	}
	m.forgetTries(func(id string) bool {
		return !slices.ContainsFunc(open, func(f journal.File) bool { return f.ID == id })
	})
	slices.SortStableFunc(open, func(a, b journal.File) int { return a.Received.Compare(b.Received) })
	// servers whose later files must not start: an earlier one has to wait, or another runner reads it
	blocked := map[string]bool{}
	for _, f := range open {
		if err := m.start(ctx, f, blocked); err != nil {
			return err
		}
	}
	return nil
}

// noteCaughtUp ends the wait of the start when every open file has been read to its end or to what
// fits into memory. No more than that can have been under way when the last run ended.
func (m *Importer) noteCaughtUp() {
	if m.caughtUp {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, run := range m.runs {
		if !run.isRead() && !run.filled.Load() {
			return
		}
	}
	m.caughtUp = true
	m.Queue.CaughtUp()
}

// start begins to read a file, unless it is under way, its turn has not come, or its rule cannot run.
func (m *Importer) start(ctx context.Context, f journal.File, blocked map[string]bool) error {
	flow := m.Gate.Program().Flow(f.Rule)
	if m.finalizer.has(f.ID) {
		return nil
	}
	if flow == nil {
		m.Outside.Set("file "+f.Name, fmt.Sprintf("file %s waits: there is no rule %q any more", f.Name, f.Rule), m.Now())
		return nil
	}
	m.Outside.Clear("file " + f.Name)
	if !m.Gate.Runnable(flow) || blocked[flow.Server] {
		return nil
	}
	m.mu.Lock()
	_, under := m.runs[f.ID]
	wait := m.Now().Before(m.later[f.ID])
	before, free := m.turn(flow.Server)
	m.mu.Unlock()
	if under || wait {
		return nil
	}
	if !free {
		blocked[flow.Server] = true // though the file that is read may end before the next one is looked at
		return nil
	}
	epoch := m.Gate.LeaseEpoch()
	mine, err := m.Journal.TakeFile(ctx, m.Owner, f.ID)
	if err != nil || !mine {
		blocked[flow.Server] = true // the rows of later files may be of the same people
		return err
	}
	// What is known of its progress is of before it was ours: whoever had it may have recorded more since.
	if f, mine, err = m.taken(ctx, f); err != nil || !mine {
		return err
	}
	if !f.Finished.IsZero() {
		m.finalizer.add(f) // it was being moved when the last run ended
		return nil
	}
	plan, err := m.Plan(flow, f.File)
	if err != nil {
		m.putOff(f.ID)
		m.Conditions.Set("file "+f.Name, err.Error(), m.Now())
		m.Log.Error("cannot tell how to read a file", "rule", f.Rule, "file", f.Name, "error", err)
		return nil
	}
	m.begin(ctx, f, flow, plan, before, epoch)
	return nil
}

// taken reads a file that is ours now; false when it is not open any more.
func (m *Importer) taken(ctx context.Context, f journal.File) (journal.File, bool, error) {
	open, err := m.Journal.Files(ctx, journal.FileOpen)
	if err != nil {
		return f, false, err
	}
	i := slices.IndexFunc(open, func(o journal.File) bool { return o.ID == f.ID })
	if i < 0 {
		return f, false, nil
	}
	return open[i], true, nil
}

// turn tells whether another file of the server may be read now, and gives what its outcomes must wait for.
func (m *Importer) turn(server string) (before <-chan struct{}, free bool) {
	n := 0
	var last *fileRun
	for _, run := range m.runs {
		if run.flow.Server != server {
			continue
		}
		n++
		if !run.isRead() {
			return nil, false
		}
		if last == nil || run.number > last.number {
			last = run
		}
	}
	if last != nil {
		return last.done, n < openRuns
	}
	nothing := make(chan struct{})
	close(nothing)
	return nothing, true
}

func (m *Importer) begin(ctx context.Context, f journal.File, flow *program.Flow, plan Plan, before <-chan struct{},
	epoch int64) {
	ctx, cancel := context.WithCancel(ctx)
	run := &fileRun{
		m: m, flow: flow, dispatcher: m.Dispatcher(flow.Server), room: m.room[flow.Server], plan: plan, before: before,
		cancel: cancel, epoch: epoch,
		source: f.File, places: f, from: f.Next, file: f,
		read: make(chan struct{}), done: make(chan struct{}), touched: await.NewSignal(), recorded: await.NewSignal(),
	}
	m.mu.Lock()
	for _, other := range m.runs {
		run.number = max(run.number, other.number+1)
	}
	m.runs[f.ID] = run
	m.mu.Unlock()
	m.begun.Add(1)
	m.Conditions.Clear("file " + f.Name)
	m.Log.Info("reading file", "rule", f.Rule, "file", f.Name, "from_row", f.Next)
	m.running.Go(func() {
		defer cancel()
		go func() {
			select {
			case <-run.read:
				m.Notify() // the next file's turn
			case <-ctx.Done():
			}
		}()
		m.ended(run, run.follow(ctx))
	})
}

// ended takes a run off the list: its file is complete, must be read again, or cannot be read for now.
func (m *Importer) ended(run *fileRun, err error) {
	f := run.file
	switch {
	case err == nil:
		m.forgetTries(func(id string) bool { return id == f.ID })
		m.Conditions.Clear("file " + f.Name)
		m.tellRepeated(run)
		m.finalizer.add(f)
	case errors.Is(err, context.Canceled), errors.Is(err, journal.ErrNotOwner):
	default:
		m.putOff(f.ID)
		m.Conditions.Set("file "+f.Name, fmt.Sprintf("cannot read file %s: %v", f.Name, err), m.Now())
		m.Log.Error("cannot read file", "rule", f.Rule, "file", f.Name, "error", err)
	}
	m.mu.Lock()
	delete(m.runs, f.ID)
	m.mu.Unlock()
	run.dispatcher.EvictStale() // gives back the keys of rows that will be read again
	m.Notify()
}

// forgetTries drops what is kept of tries to read files that were read or are not open any more.
func (m *Importer) forgetTries(gone func(id string) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id := range m.tries {
		if gone(id) {
			delete(m.tries, id)
			delete(m.later, id)
		}
	}
}

// putOff has a file that could not be read tried again later.
func (m *Importer) putOff(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tries[id]++
	m.later[id] = m.Now().Add(m.Away.Wait(m.tries[id], nil))
}
