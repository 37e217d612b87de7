package fileimport

import (
	"context"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/internal/await"
	"github.com/culvert/culvert/sources/results"
)

// commitRows is the most rows that are recorded at once.
const commitRows = 5000

// commitAll records outcomes in the order of the rows until the last one, or until the run is given
// up. Lines of the results file are on disk before the progress that counts them. When the runner
// ends, what is under way is recorded first.
func (run *fileRun) commitAll(ctx context.Context) error {
	out, err := results.Open(results.Path(run.source), run.file.Offset)
	if err != nil {
		return err
	}
	defer out.Close()
	if !run.awaitTurn(ctx) {
		return ctx.Err()
	}
	for ending := false; ; {
		closed := run.isClosed() // asked first: what was settled before is recorded
		rows, all := run.next(commitRows)
		if len(rows) > 0 {
			if err := run.commit(out, rows); err != nil {
				return err
			}
			continue
		}
		if all {
			return nil
		}
		if ending || closed {
			return context.Canceled
		}
		select {
		case <-run.touched:
			run.gather(ctx)
		case <-ctx.Done():
			if !run.isClosed() {
				<-run.m.Stopped
				ending = true
			}
		}
	}
}

// awaitTurn waits until the rows of the file before are recorded; false when the run is given up before that. A run
// whose turn has come records what was settled also when it was given up meanwhile: a rule that pauses itself at a
// failure must have that failure on record.
func (run *fileRun) awaitTurn(ctx context.Context) bool {
	select {
	case <-run.before:
		return true
	case <-ctx.Done():
	}
	select {
	case <-run.before:
		return true
	default:
		return false
	}
}

// gather waits a little, so that one sync of the results file and one transaction serve many rows;
// not for the last ones.
func (run *fileRun) gather(ctx context.Context) {
	run.mu.Lock()
	last := run.total
	run.mu.Unlock()
	if !last {
		await.Sleep(ctx, run.m.Gather)
	}
}

// commit records a run of settled rows.
func (run *fileRun) commit(out *results.Writer, rows []*fileRow) error {
	m := run.m
	b := &journal.Batch{Owner: m.Owner, Server: run.flow.Server}
	progress := run.file
	now := m.Now()
	var weight int64
	var awaited []string // keys whose later rows wait for one of these to be in the journal
	if progress.Offset == 0 {
		for _, note := range run.notes() {
			if err := out.Write(note); err != nil {
				return err
			}
		}
	}
	for _, row := range rows {
		weight += row.weight
		if row.outcome.AwaitingRequeue {
			awaited = append(awaited, row.key)
		}
		if err := run.add(b, &progress, out, row, now); err != nil {
			return err
		}
	}
	offset, err := out.Sync()
	if err != nil {
		return err
	}
	progress.Offset = offset
	b.Files = []journal.File{progress}
	if err := m.Writer.Commit(b); err != nil {
		return err
	}
	run.mu.Lock()
	run.file = progress
	run.mu.Unlock()
	run.recorded.Notify()
	m.Queue.Requeued(awaited, b.Keys)
	run.room.Release(weight)
	if len(b.New) > 0 {
		m.Queue.Notify()
	}
	return nil
}

// add counts a row, writes its result, and makes a record of it where it needs one.
func (run *fileRun) add(b *journal.Batch, progress *journal.File, out *results.Writer, row *fileRow,
	now time.Time) error {
	o := &row.outcome
	progress.Next = row.number + 1
	progress.Rows++
	switch {
	case o.State == journal.Failed:
		progress.Failed++
	case o.State == journal.Skipped:
		progress.Skipped++
	case o.State == journal.Superseded:
		progress.Superseded++
	case o.State == journal.Delivered && o.Unchanged:
		progress.Unchanged++
	case o.State == journal.Delivered:
		progress.Delivered++
	}
	if v, ok := row.standing(); ok {
		b.Versions = append(b.Versions, v)
	}
	if o.Stored {
		progress.RecordsDelivered++
	}
	if run.flow.KeepRows && o.State == journal.Delivered && !o.LookedAt { // it needed no server
		rec, err := row.record(run.source.Received, now)
		if err != nil {
			return err
		}
		rec.Origin.Kept = true
		b.New = append(b.New, rec)
		progress.RecordsDelivered++
	}
	if o.Kept() {
		rec, err := row.record(run.source.Received, now)
		if err != nil {
			return err
		}
		b.New = append(b.New, rec)
	}
	if o.Locked {
		b.Keys = append(b.Keys, row.key)
	}
	if row.overwrites() {
		run.overwritten++
	}
	if line, ok := row.result(); ok {
		return out.Write(run.m.said(line))
	}
	return nil
}
