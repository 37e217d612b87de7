package fileimport

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/semaphore"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/work"
	"github.com/culvert/culvert/internal/await"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/tabular"
)

// ChunkRows is how many rows are read before they are evaluated together.
const ChunkRows = 1024

// fileRun reads one open file from its first row that is not settled, and records what becomes of its rows.
type fileRun struct {
	m          *Importer
	source     sources.File // what it is, which does not change
	places     journal.File // as it was taken: where its rows stand in the order of acceptance
	from       int64        // first row that was not settled
	flow       *program.Flow
	dispatcher Dispatcher
	room       *semaphore.Weighted
	plan       Plan
	epoch      int64           // of the lease under which it was taken
	number     int             // files of one server in the order in which they are read
	before     <-chan struct{} // closed when all rows of the file before it are recorded
	read       chan struct{}   // closed when the last row has been read
	done       chan struct{}   // closed when all rows are recorded, or the run was given up
	cancel     context.CancelFunc
	filled     atomic.Bool // it has read as much as fits into memory

	ids         rowIDs // of the rows that were submitted
	overwritten int64  // rows that wrote over an earlier one; of the committer alone

	follows atomic.Bool // the dispatcher knows that rows do not follow one another closely any more

	mu      sync.Mutex
	file    journal.File // with its progress
	rows    []*fileRow   // in order, from file.Next on
	last    int64        // number of the last row that was read
	total   bool         // the last row is among them
	unused  []string     // columns that the rule does not read
	unread  []string     // tables that belong to no row that is read
	closed  bool         // given up
	reason  error        // why, nil when only the rule has changed
	touched await.Signal

	recorded await.Signal // progress, for rows that wait for it before they are handed on
}

func (run *fileRun) isClosed() bool {
	run.mu.Lock()
	defer run.mu.Unlock()
	return run.closed
}

// isRead tells whether the last row has been read.
func (run *fileRun) isRead() bool {
	select {
	case <-run.read:
		return true
	default:
		return false
	}
}

// abandon gives the run up: its unsettled rows are read again by a later run.
func (run *fileRun) abandon() { run.fail(nil) }

func (run *fileRun) fail(err error) {
	run.mu.Lock()
	if !run.closed {
		run.closed, run.reason = true, err
	}
	run.mu.Unlock()
	run.cancel()
}

// beginReading lets the dispatcher know that there are more rows and that they follow one another
// closely, endReading that they do so no longer.
func (run *fileRun) beginReading() {
	run.dispatcher.RowsUnread(1)
	run.dispatcher.RowsReading(1)
}

func (run *fileRun) endReading() {
	if run.follows.CompareAndSwap(false, true) {
		run.dispatcher.RowsReading(-1)
	}
}

// settle takes the outcome of a row that was delivered or diverted.
func (run *fileRun) settle(row *fileRow, o work.RowOutcome) {
	run.mu.Lock()
	closed := run.closed
	if !closed {
		row.outcome, row.settled = o, true
		row.plan = actions.Plan{}
		if !o.Kept() && (o.LookedAt || !run.flow.KeepRows) {
			row.body = nil
		}
	}
	run.mu.Unlock()
	if closed {
		run.m.Queue.Discard(row.key, o)
		return
	}
	run.touched.Notify()
}

// next takes the settled rows at the head, up to a number; all tells that they are the last ones.
func (run *fileRun) next(most int) (rows []*fileRow, all bool) {
	run.mu.Lock()
	defer run.mu.Unlock()
	n := 0
	for n < len(run.rows) && n < most && run.rows[n].settled {
		n++
	}
	rows = run.rows[:n:n]
	run.rows = run.rows[n:]
	if len(run.rows) == 0 {
		run.rows = nil
	}
	return rows, run.total && len(run.rows) == 0 && !run.closed
}

// leftovers empties a run that was given up.
func (run *fileRun) leftovers() []*fileRow {
	run.mu.Lock()
	defer run.mu.Unlock()
	rows := run.rows
	run.rows = nil
	return rows
}

// follow reads a file and records its rows. It gives nil when every row is recorded,
// context.Canceled when the run was given up.
func (run *fileRun) follow(ctx context.Context) error {
	defer close(run.done)
	read := make(chan struct{})
	go func() {
		defer close(read)
		run.readAll(ctx)
	}()
	if err := run.commitAll(ctx); err != nil {
		run.fail(err)
	}
	<-read
	for _, row := range run.leftovers() {
		run.room.Release(row.weight)
		if row.settled {
			run.m.Queue.Discard(row.key, row.outcome)
		}
	}
	run.mu.Lock()
	defer run.mu.Unlock()
	if run.closed && run.reason == nil {
		return context.Canceled
	}
	return run.reason
}

// readAll reads the file to its end, to where it cannot be read further, or until ctx ends.
func (run *fileRun) readAll(ctx context.Context) {
	defer close(run.read)
	run.beginReading()
	err := run.readRows(ctx)
	run.endReading()
	run.dispatcher.RowsUnread(-1)
	var bad *tabular.FileError
	switch {
	case errors.As(err, &bad):
		err = run.unreadable(ctx, bad)
	case errors.Is(err, context.Canceled):
		return // by the runner's end, or because the run was given up
	}
	if err != nil {
		run.fail(err)
		return
	}
	run.mu.Lock()
	run.total = true
	run.mu.Unlock()
	run.touched.Notify()
}

// unreadable lets what cannot be read of a file stand as one failed row behind those that could be.
func (run *fileRun) unreadable(ctx context.Context, bad *tabular.FileError) error {
	known, err := run.m.anyRecord(ctx, journal.Filter{FileID: run.source.ID, Code: program.CodeUnreadableFile})
	if err != nil || known != nil {
		return err // it was said before the last stop
	}
	run.mu.Lock()
	defer run.mu.Unlock()
	number := max(run.last+1, run.file.Next)
	row := &fileRow{run: run, number: number, settled: true}
	row.outcome = failed(unreadableFile(run.source.Name, bad))
	run.rows = append(run.rows, row)
	return nil
}
