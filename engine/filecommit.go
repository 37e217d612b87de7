package engine

import (
	"context"
	"errors"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/sources/files"
	"github.com/culvert/culvert/sources/tabular"
)

// commitRows is the most rows that are recorded at once.
const commitRows = 5000

// commitAll records outcomes in the order of the rows until the last one, or until the run is given up. Lines of the results file are on disk before
// the progress that counts them. When the runner ends, what is under way is recorded first.
func (run *fileRun) commitAll(ctx context.Context) error {
	results, err := files.OpenResults(files.ResultsPath(run.source), run.file.Offset)
	if err != nil {
		return err
	}
	defer results.Close()
	select {
	case <-run.before:
	case <-ctx.Done():
		return ctx.Err()
	}
	for ending := false; ; {
		rows, all := run.next(commitRows)
		if len(rows) > 0 {
			if err := run.commit(results, rows); err != nil {
				return err
			}
			continue
		}
		if all {
			return nil
		}
		if ending || run.isClosed() {
			return context.Canceled
		}
		select {
		case <-run.touched:
			run.gather(ctx)
		case <-ctx.Done():
			if !run.isClosed() {
				<-run.r.landed
				ending = true
			}
		}
	}
}

// gather waits a little, so that one sync of the results file and one transaction serve many rows; not for the last ones.
func (run *fileRun) gather(ctx context.Context) {
	run.mu.Lock()
	last := run.total
	run.mu.Unlock()
	if !last {
		sleep(ctx, run.r.limits.FileCommit)
	}
}

// commit records a run of settled rows.
func (run *fileRun) commit(results *files.ResultsWriter, rows []*fileRow) error {
	r := run.r
	b := &journal.Batch{Owner: r.owner, Server: run.flow.Server}
	progress := run.file
	now := r.now()
	var weight int64
	if progress.Offset == 0 {
		for _, note := range run.notes() {
			if err := results.Write(note); err != nil {
				return err
			}
		}
	}
	for _, row := range rows {
		weight += row.weight
		if err := run.add(b, &progress, results, row, now); err != nil {
			return err
		}
	}
	offset, err := results.Sync()
	if err != nil {
		return err
	}
	progress.Offset = offset
	b.Files = []journal.File{progress}
	if err := r.commit(b); err != nil {
		return err
	}
	run.mu.Lock()
	run.file = progress
	run.mu.Unlock()
	for _, row := range rows {
		if row.outcome.parked {
			r.sched.unpark(row.key)
		}
	}
	r.files.freed(b.Keys)
	run.lane.room.Release(weight)
	if len(b.New) > 0 {
		r.feed.poke()
	}
	return nil
}

// add counts a row, writes its result, and makes a record of it where it needs one.
func (run *fileRun) add(b *journal.Batch, progress *journal.File, results *files.ResultsWriter, row *fileRow, now time.Time) error {
	o := &row.outcome
	progress.Next = row.number + 1
	progress.Rows++
	switch {
	case o.state == journal.Failed:
		progress.Failed++
	case o.state == journal.Skipped:
		progress.Skipped++
	case o.state == journal.Superseded:
		progress.Superseded++
	case o.state == journal.Delivered && o.unchanged:
		progress.Unchanged++
	case o.state == journal.Delivered:
		progress.Delivered++
	}
	if v, ok := row.standing(); ok {
		b.Versions = append(b.Versions, v)
	}
	if o.kept() {
		rec, err := row.record(run.source.Received, now)
		if err != nil {
			return err
		}
		b.New = append(b.New, rec)
	}
	if o.claimed {
		b.Keys = append(b.Keys, row.key)
	}
	if line, ok := row.result(); ok {
		return results.Write(line)
	}
	return nil
}

// follow reads a file and records its rows. It gives nil when every row is recorded, context.Canceled when the run was given up.
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
		run.lane.room.Release(row.weight)
		if row.settled {
			run.r.files.free(row.key, row.outcome)
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
	run.lane.unread.Add(-1)
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
	run.touch()
}

// unreadable lets what cannot be read of a file stand as one failed row behind those that could be.
func (run *fileRun) unreadable(ctx context.Context, bad *tabular.FileError) error {
	known, err := run.r.anyRecord(ctx, journal.Filter{FileID: run.source.ID, Code: CodeUnreadableFile})
	if err != nil || known != nil {
		return err // it was said before the last stop
	}
	run.mu.Lock()
	defer run.mu.Unlock()
	number := max(run.last+1, run.file.Next)
	row := &fileRow{run: run, number: number, settled: true}
	row.outcome = rowOutcome{state: journal.Failed, attempts: 1, problem: unreadableFile(run.source.Name, bad)}
	run.rows = append(run.rows, row)
	return nil
}
