package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/tabular"
)

// FilePlan says how a rule's files are read and where they go when they are finished.
type FilePlan struct {
	Format       tabular.Format
	Done, Failed string // folders
}

// FilePlanner finds the plan for a taken file from its rule's trigger.
type FilePlanner func(flow *program.Flow, f sources.File) (FilePlan, error)

// openRuns is how many files of one server are under way at once: one is read, the others wait for their last outcomes.
const openRuns = 16

// fileManager reads open files, those of one server one after the other in the order in which they were accepted.
type fileManager struct {
	r          *Runner
	wake       chan struct{}
	evaluating chan struct{} // one slot per processor
	caughtUp   chan struct{} // closed when what may have been under way at the last stop is in memory again

	unread unreadFiles
	begun  atomic.Int64 // how many runs there were
	mu     sync.Mutex
	keys   map[string]struct{}  // claimed in the journal for rows
	runs   map[string]*fileRun  // by file id
	later  map[string]time.Time // files that could not be read: when to try again
	tries  map[string]int
	wg     sync.WaitGroup
}

func newFileManager(r *Runner) *fileManager {
	return &fileManager{
		r: r, wake: make(chan struct{}, 1), evaluating: make(chan struct{}, runtime.GOMAXPROCS(0)), caughtUp: make(chan struct{}), keys: map[string]struct{}{},
		runs: map[string]*fileRun{}, later: map[string]time.Time{}, tries: map[string]int{},
	}
}

func (m *fileManager) poke() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// run starts what can be read until ctx ends, then waits for what is being read.
func (m *fileManager) run(ctx context.Context) {
	defer m.wg.Wait()
	if m.r.filePlan == nil {
		close(m.caughtUp)
		return
	}
	timer := time.NewTimer(m.r.limits.Poll)
	defer timer.Stop()
	for ctx.Err() == nil {
		if err := m.look(ctx); err != nil && ctx.Err() == nil {
			m.r.log.Error("cannot look for open files", "error", err)
		}
		timer.Reset(m.r.limits.Poll)
		select {
		case <-ctx.Done():
		case <-m.wake:
		case <-timer.C:
		}
	}
}

// look starts the files whose turn it is, and gives up those whose rule cannot run as it is any more.
func (m *fileManager) look(ctx context.Context) error {
	m.mu.Lock()
	for _, run := range m.runs {
		if !m.r.runnable(run.flow) || run.claims != m.r.claims.Load() {
			run.abandon()
		}
	}
	m.mu.Unlock()
	unread := m.unread.known()
	open, err := m.r.journal.Files(ctx, journal.FileOpen)
	if err != nil {
		return err
	}
	slices.SortStableFunc(open, func(a, b journal.File) int { return a.Received.Compare(b.Received) })
	blocked := map[string]bool{} // servers whose later files must not start: an earlier one has to wait, or another runner reads it
	began := m.begun.Load()
	for _, f := range open {
		if err := m.start(ctx, f, blocked); err != nil {
			return err
		}
	}
	m.noteRead(unread)
	if m.begun.Load() == began {
		m.noteCaughtUp()
	}
	return nil
}

// noteCaughtUp ends the wait of the start when every open file has been read to its end or to what fits into memory. No more than that can have been
// under way when the last run ended.
func (m *fileManager) noteCaughtUp() {
	select {
	case <-m.caughtUp:
		return
	default:
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, run := range m.runs {
		if !run.isRead() && !run.filled.Load() {
			return
		}
	}
	close(m.caughtUp)
}

// startLimit bounds how long records of the journal wait for the rows that stand before them: a share that hangs must not stop everything.
const startLimit = 2 * time.Minute

// catchUp waits until rows that may have been under way when the last run ended are in memory: records of their keys that were accepted later come
// behind them. It is false when ctx ends first.
func (m *fileManager) catchUp(ctx context.Context) bool {
	timer := time.NewTimer(startLimit)
	defer timer.Stop()
	select {
	case <-m.caughtUp:
	case <-timer.C:
		m.r.log.Warn("open files are slow to read; records are sent without waiting for them any longer", "waited", startLimit)
	case <-ctx.Done():
		return false
	}
	return true
}

// start begins to read a file, unless it is under way, its turn has not come, or its rule cannot run.
func (m *fileManager) start(ctx context.Context, f journal.File, blocked map[string]bool) error {
	flow := m.r.program.Load().Flow(f.Rule)
	if m.r.closing.has(f.ID) {
		return nil
	}
	if flow == nil {
		m.r.trouble.Set("file "+f.Name, fmt.Sprintf("file %s waits: there is no rule %q any more", f.Name, f.Rule), m.r.now())
		return nil
	}
	if !m.r.runnable(flow) || blocked[flow.Server] {
		return nil
	}
	m.mu.Lock()
	_, under := m.runs[f.ID]
	wait := m.r.now().Before(m.later[f.ID])
	before, free := m.turn(flow.Server)
	m.mu.Unlock()
	if under || wait {
		return nil
	}
	if !free {
		blocked[flow.Server] = true // though the file that is read may end before the next one is looked at
		return nil
	}
	claims := m.r.claims.Load()
	mine, err := m.r.journal.TakeFile(ctx, m.r.owner, f.ID)
	if err != nil || !mine {
		blocked[flow.Server] = true // the rows of later files may be of the same people
		return err
	}
	if !f.Finished.IsZero() {
		m.r.closing.add(f) // it was being moved when the last run ended
		return nil
	}
	plan, err := m.r.filePlan(flow, f.File)
	if err != nil {
		m.putOff(f.ID)
		m.r.trouble.Set("file "+f.Name, err.Error(), m.r.now())
		m.r.log.Error("cannot tell how to read a file", "rule", f.Rule, "file", f.Name, "error", err)
		return nil
	}
	m.begin(ctx, f, flow, plan, before, claims)
	return nil
}

// turn tells whether another file of the server may be read now, and gives what its outcomes must wait for.
func (m *fileManager) turn(server string) (before <-chan struct{}, free bool) {
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

func (m *fileManager) begin(ctx context.Context, f journal.File, flow *program.Flow, plan FilePlan, before <-chan struct{}, claims int64) {
	ctx, cancel := context.WithCancel(ctx)
	run := &fileRun{
		r: m.r, flow: flow, lane: m.r.lanes[flow.Server], plan: plan, before: before, cancel: cancel, source: f.File, places: f, from: f.Next, file: f, claims: claims,
		read: make(chan struct{}), done: make(chan struct{}), touched: make(chan struct{}, 1),
	}
	m.mu.Lock()
	for _, other := range m.runs {
		run.number = max(run.number, other.number+1)
	}
	m.runs[f.ID] = run
	m.mu.Unlock()
	m.begun.Add(1)
	m.r.trouble.Clear("file " + f.Name)
	m.r.log.Info("reading file", "rule", f.Rule, "file", f.Name, "from_row", f.Next)
	m.wg.Go(func() {
		defer cancel()
		go func() {
			select {
			case <-run.read:
				m.poke() // the next file's turn
			case <-ctx.Done():
			}
		}()
		m.ended(run, run.follow(ctx))
	})
}

// ended takes a run off the list: its file is complete, must be read again, or cannot be read for now.
func (m *fileManager) ended(run *fileRun, err error) {
	f := run.file
	switch {
	case err == nil:
		m.r.trouble.Clear("file " + f.Name)
		m.r.closing.add(f)
	case errors.Is(err, context.Canceled), errors.Is(err, journal.ErrNotOwner):
	default:
		m.putOff(f.ID)
		m.r.trouble.Set("file "+f.Name, fmt.Sprintf("cannot read file %s: %v", f.Name, err), m.r.now())
		m.r.log.Error("cannot read file", "rule", f.Rule, "file", f.Name, "error", err)
	}
	m.mu.Lock()
	delete(m.runs, f.ID)
	m.mu.Unlock()
	run.lane.sweep() // gives back the keys of rows that will be read again
	m.poke()
}

func (m *fileManager) putOff(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tries[id]++
	m.later[id] = m.r.now().Add(m.r.limits.Away.Wait(m.tries[id], nil))
}

// claimed notes the keys that the journal gave.
func (m *fileManager) claimed(keys []journal.RowKey, given []bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, key := range keys {
		if given[i] {
			m.keys[key.Key] = struct{}{}
		}
	}
}

// freed notes keys that were given back with a commit.
func (m *fileManager) freed(keys []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range keys {
		delete(m.keys, key)
	}
}

// release gives keys back to the journal.
func (m *fileManager) release(keys []string) {
	if len(keys) == 0 {
		return
	}
	err := m.r.persist(m.r.work, "give back keys", func(ctx context.Context) error { return m.r.journal.ReleaseKeys(ctx, m.r.owner, keys) })
	if err == nil {
		m.freed(keys)
	}
}

// free undoes what a row held whose run was given up before it was recorded.
func (m *fileManager) free(key string, o rowOutcome) {
	if o.parked {
		m.r.sched.unpark(key)
	}
	if o.claimed {
		m.release([]string{key})
	}
}

func (m *fileManager) allClaimed() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Keys(m.keys))
}
