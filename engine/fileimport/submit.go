package fileimport

import (
	"context"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/work"
)

// submit hands the rows of a chunk on, in order. Where the rule stops at a failure, a row that fails by itself is
// handed on once all before it are recorded, and what is behind it stays in the file until the rule goes on: so
// the failure can be seen, corrected and left behind.
func (run *fileRun) submit(ctx context.Context, c *chunk) {
	if !run.flow.Rule.Delivery.StopOnFailure {
		run.enter(c)
		return
	}
	if !run.awaitTurn(ctx) { // what pauses the rule can be recorded at once
		run.release(c.rows)
		return
	}
	for {
		part, rest := c.cut()
		if !run.enter(part) || len(rest.rows) == 0 {
			run.release(rest.rows)
			return
		}
		run.endReading() // what was handed on must not be kept for fuller batches
		if !run.awaitRecorded(ctx) {
			run.release(rest.rows)
			return
		}
		c = rest
	}
}

// cut parts a chunk before the first row that fails by itself, or behind it where it is the first of all.
func (c *chunk) cut() (head, rest *chunk) {
	n := 0
	for n < len(c.rows) && !c.rows[n].failedAlone() {
		n++
	}
	if n == 0 {
		n = 1
	}
	works := 0
	for _, row := range c.rows[:n] {
		if !row.settled {
			works++
		}
	}
	return &chunk{rows: c.rows[:n], errs: c.errs[:n], works: c.works[:works]},
		&chunk{rows: c.rows[n:], errs: c.errs[n:], works: c.works[works:]}
}

// failedAlone tells of a row that was not handed on yet whether it fails without any server.
func (row *fileRow) failedAlone() bool { return row.settled && row.outcome.State == journal.Failed }

// awaitRecorded waits until all rows that were handed on are recorded; false when the run is given up.
func (run *fileRun) awaitRecorded(ctx context.Context) bool {
	for {
		run.mu.Lock()
		closed, waiting := run.closed, run.last >= run.file.Next
		run.mu.Unlock()
		switch {
		case closed:
			return false
		case !waiting && run.m.Gate.Runnable(run.flow):
			return true
		case !waiting: // paused: the rest is read when it goes on
			run.abandon()
			return false
		}
		select {
		case <-run.recorded:
		case <-ctx.Done():
			return false
		}
	}
}

// enter hands rows on together; false when the run is given up or the runner ends.
func (run *fileRun) enter(c *chunk) bool {
	run.noteRepeated(c.rows) // first: once they are among the run's rows they may be recorded
	run.mu.Lock()
	if run.closed {
		run.mu.Unlock()
		run.release(c.rows)
		return false
	}
	run.rows = append(run.rows, c.rows...)
	run.last = c.rows[len(c.rows)-1].number
	run.mu.Unlock()
	for _, row := range c.rows {
		if o := &row.outcome; row.settled {
			if o.State == journal.Failed && run.m.Failed(run.flow, o.Problem) != nil {
				return false // the runner ends
			}
			run.m.Metrics.Settled(run.flow.Name(), run.flow.Server, o.State, o.Unchanged, o.Problem)
			run.trace(row)
		}
	}
	if settled := run.settledParts(c); len(settled) > 0 && run.m.Queue.GoOn(settled) != nil {
		return false // the runner ends
	}
	run.m.Queue.EnterRows(c.works)
	run.touched.Notify()
	return true
}

// release gives back the room of rows that are not handed on.
func (run *fileRun) release(rows []*fileRow) {
	for _, row := range rows {
		run.room.Release(row.weight)
	}
}

// settledParts lists the rows of a chunk that needed no server, where the rule has further parts.
func (run *fileRun) settledParts(c *chunk) (list []work.Outcome) {
	if len(run.flow.Next)+len(run.flow.Beside) == 0 {
		return nil
	}
	for i, row := range c.rows {
		if row.settled && c.errs[i] == nil {
			list = append(list, work.Outcome{Work: row, Settlement: row.outcome.Settlement})
		}
	}
	return list
}
