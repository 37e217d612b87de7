package fileimport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/status"
	"github.com/culvert/culvert/internal/await"
	"github.com/culvert/culvert/sources/results"
)

// finalizer finishes files of which every row is recorded: once the rows that stand as records have
// outcomes too, it completes the results and moves the file away.
type finalizer struct {
	m    *Importer
	wake await.Signal

	mu    sync.Mutex
	files map[string]*finishing
}

// finishing is a file on its way out.
type finishing struct {
	file    journal.File
	changed bool // something happened to one of its records
	next    time.Time
	tries   int
}

// finalizerPoll finds what other processes did to records of a file: dismissals, edits.
const finalizerPoll = 5 * time.Second

func newFinalizer(m *Importer) *finalizer {
	return &finalizer{m: m, wake: await.NewSignal(), files: map[string]*finishing{}}
}

func (c *finalizer) add(f journal.File) {
	c.mu.Lock()
	c.files[f.ID] = &finishing{file: f, changed: true}
	c.mu.Unlock()
	c.wake.Notify()
}

func (c *finalizer) has(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.files[id] != nil
}

// Settled hears of settled records; those that stand for rows of a file may be what it waits for.
func (m *Importer) Settled(records []*journal.Record) {
	c := m.finalizer
	c.mu.Lock()
	hit := false
	for _, rec := range records {
		if rec.Origin.FileID == "" {
			continue
		}
		if f := c.files[rec.Origin.FileID]; f != nil {
			f.changed, hit = true, true
		}
	}
	c.mu.Unlock()
	if hit {
		c.wake.Notify()
	}
}

// run finishes files until ctx ends.
func (c *finalizer) run(ctx context.Context) {
	for {
		for _, f := range c.due() {
			if ctx.Err() != nil {
				return
			}
			c.close(ctx, f)
		}
		if !c.wake.Wait(ctx, c.m.Poll) {
			return
		}
	}
}

// due gives the files that are worth a look now.
func (c *finalizer) due() []*finishing {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.m.Now()
	var due []*finishing
	for _, f := range c.files {
		if f.changed && f.tries == 0 || !now.Before(f.next) {
			f.changed, f.next = false, now.Add(finalizerPoll)
			due = append(due, f)
		}
	}
	return due
}

// close finishes one file if it can.
func (c *finalizer) close(ctx context.Context, f *finishing) {
	finished, err := c.finish(ctx, &f.file)
	c.mu.Lock()
	defer c.mu.Unlock()
	name := "file " + f.file.Name
	switch {
	case errors.Is(err, journal.ErrNotOwner):
		delete(c.files, f.file.ID)
	case err != nil:
		f.tries++
		f.next = c.m.Now().Add(c.m.Away.Wait(f.tries, nil))
		if ctx.Err() == nil {
			c.m.Conditions.Set(name, fmt.Sprintf("cannot finish file %s: %v", f.file.Name, err), c.m.Now())
			c.m.Log.Error("cannot finish file", "rule", f.file.Rule, "file", f.file.Name, "error", err)
		}
	case finished:
		delete(c.files, f.file.ID)
		c.m.Conditions.Clear(name)
		c.m.Log.Info("file finished", "rule", f.file.Rule, "file", f.file.Name, "rows", f.file.Rows, "delivered",
			f.file.Delivered,
			"unchanged", f.file.Unchanged, "superseded", f.file.Superseded, "skipped", f.file.Skipped, "failed", f.file.Failed)
	default:
		f.tries = 0
	}
}

// finish completes the results and moves the file away; false while one of its rows has no outcome
// yet. It can be repeated after a crash at any point.
func (c *finalizer) finish(ctx context.Context, f *journal.File) (bool, error) {
	flow := c.m.Gate.Program().Flow(f.Rule)
	if flow == nil || flow.Invalid != nil {
		return false, nil
	}
	plan, err := c.m.Plan(flow, f.File)
	if err != nil {
		return false, err
	}
	if f.Finished.IsZero() {
		waiting, err := c.m.anyRecord(ctx, journal.Filter{FileID: f.ID,
			States: []journal.State{journal.Pending, journal.Held}})
		if err != nil || waiting != nil {
			return false, err
		}
		if err := c.complete(ctx, f, flow.Server); err != nil {
			return false, err
		}
	}
	unreadable, err := c.m.anyRecord(ctx, journal.Filter{FileID: f.ID, Code: program.CodeUnreadableFile})
	if err != nil {
		return false, err
	}
	out, err := results.Finish(ctx, results.FinishRequest{
		File: f.File, Format: plan.Format, Results: results.Path(f.File), Done: plan.Done, Failed: plan.Failed,
		Unreadable: unreadable != nil && unreadable.Origin.DataRow == 1, Say: c.m.Say,
	})
	if err != nil {
		return false, err
	}
	f.State, f.Results = journal.FileFinished, out.Results
	return true, c.m.Writer.Commit(&journal.Batch{Owner: c.m.Owner, Files: []journal.File{*f}})
}

// anyRecord gives one record that a filter selects, without its body; nil when there is none.
func (m *Importer) anyRecord(ctx context.Context, f journal.Filter) (*journal.Record, error) {
	f.Limit = 1
	records, err := m.Journal.Select(ctx, f)
	if err != nil || len(records) == 0 {
		return nil, err
	}
	return records[0], nil
}

// recordPage is how many records of a file are looked at at once; a file may have as many as it has rows.
const recordPage = 1000

// eachRecord calls do for every record that stands for a row of a file.
func eachRecord(ctx context.Context, j Journal, fileID string, do func(*journal.Record) error) error {
	for after := int64(0); ; {
		records, err := j.Select(ctx, journal.Filter{FileID: fileID, AfterSeq: after, Limit: recordPage})
		if err != nil {
			return err
		}
		for _, rec := range records {
			if err := do(rec); err != nil {
				return err
			}
			after = rec.Seq
		}
		if len(records) < recordPage {
			return nil
		}
	}
}

// complete adds what became of the rows that stood as records, and notes in the journal that the
// file may go. From then on its results stand.
func (c *finalizer) complete(ctx context.Context, f *journal.File, server string) error {
	failed, err := failedLines(f)
	if err != nil {
		return err
	}
	out, err := results.Open(results.Path(f.File), f.Offset)
	if err != nil {
		return err
	}
	defer out.Close()
	done := *f
	err = eachRecord(ctx, c.m.Journal, f.ID, func(rec *journal.Record) error {
		if !addRecord(&done, rec, failed[rec.Origin.DataRow]) {
			return nil
		}
		return out.Write(c.m.said(recordResult(rec)))
	})
	if err != nil {
		return err
	}
	if done.Offset, err = out.Sync(); err != nil {
		return err
	}
	done.Finished = c.m.Now()
	corrected, err := c.corrects(ctx, f)
	if err != nil {
		return err
	}
	if err := c.m.Writer.Commit(&journal.Batch{Owner: c.m.Owner, Server: server, Files: []journal.File{done},
		Versions: corrected}); err != nil {
		return err
	}
	*f = done
	return ctx.Err()
}

// corrects gives what a file that could be read settles: that an earlier one of its rule and name could not be.
func (c *finalizer) corrects(ctx context.Context, f *journal.File) (corrected []journal.Version, err error) {
	failed, err := c.m.Journal.Select(ctx, journal.Filter{Rule: f.Rule, Code: program.CodeUnreadableFile,
		States: []journal.State{journal.Failed}})
	if err != nil {
		return nil, err
	}
	for _, rec := range failed {
		switch {
		case rec.Origin.FileID == f.ID:
			return nil, nil // it cannot be read either
		case rec.Origin.File == f.Name && rec.Received.Before(f.Received):
			corrected = append(corrected, journal.Version{Rule: f.Rule, Order: actions.Order{Seq: f.Seq(1)}, Seq: f.Seq(1),
				Fixes: rec.Seq, File: rec.Origin.FileID})
		}
	}
	return corrected, nil
}

// addRecord counts the outcome of a row that stood as a record; knownFailed says that the results
// already call it failed. It tells whether they need another line.
func addRecord(f *journal.File, rec *journal.Record, knownFailed bool) bool {
	if rec.State == journal.Failed && knownFailed || rec.Origin.Kept {
		return false
	}
	if knownFailed {
		f.Failed--
	}
	switch rec.State {
	case journal.Failed:
		f.Failed++
	case journal.Delivered:
		f.Delivered++
		f.RecordsDelivered++
	case journal.Superseded:
		f.Superseded++
		f.RecordsSuperseded++
	default:
		f.Skipped++
		f.RecordsSkipped++
	}
	return true
}

// said gives a row's result in the language of the project; the journal keeps it as it was said first.
func (m *Importer) said(row results.Row) results.Row {
	if m.Say != nil {
		row.Message, row.Hint = m.Say(row.Message), m.Say(row.Hint)
	}
	return row
}

func recordResult(rec *journal.Record) results.Row {
	row := results.Row{
		Record: rec.Origin.DataRow, Line: rec.Origin.Row, Sheet: rec.Origin.Sheet, Outcome: status.Outcome(rec.State, false),
		Objects: rec.Objects, ID: rec.ID, Key: rec.Key,
	}
	if rec.State == journal.Failed && rec.Problem != nil {
		row.Message, row.Column, row.Value, row.Hint = AllFaults(rec.Problem)
	}
	return row
}

// failedLines gives the rows that the results call failed so far.
func failedLines(f *journal.File) (map[int64]bool, error) {
	failed := map[int64]bool{}
	file, err := os.Open(results.Path(f.File))
	if errors.Is(err, fs.ErrNotExist) && f.Offset == 0 {
		return failed, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	err = results.Read(io.LimitReader(file, f.Offset), func(_ int64, row results.Row) error {
		if row.Outcome == results.Failed {
			failed[row.Record] = true
		}
		return nil
	})
	return failed, err
}
