package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/status"
	"github.com/culvert/culvert/sources/files"
)

// closer finishes files of which every row is recorded: once the rows that stand as records have outcomes too, it completes the results and
// moves the file away.
type closer struct {
	r    *Runner
	wake chan struct{}

	mu    sync.Mutex
	files map[string]*closing
}

// closing is a file on its way out.
type closing struct {
	file  journal.File
	look  bool // something happened to one of its records
	next  time.Time
	tries int
}

// closerPoll finds what other processes did to records of a file: dismissals, edits.
const closerPoll = 5 * time.Second

func newCloser(r *Runner) *closer {
	return &closer{r: r, wake: make(chan struct{}, 1), files: map[string]*closing{}}
}

func (c *closer) add(f journal.File) {
	c.mu.Lock()
	c.files[f.ID] = &closing{file: f, look: true}
	c.mu.Unlock()
	c.poke()
}

func (c *closer) has(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.files[id] != nil
}

func (c *closer) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// touched hears of settled jobs; those that stand for rows of a file may be what it waits for.
func (c *closer) touched(jobs []*job) {
	c.mu.Lock()
	hit := false
	for _, j := range jobs {
		if j.rec == nil || j.rec.Origin.FileID == "" {
			continue
		}
		if f := c.files[j.rec.Origin.FileID]; f != nil {
			f.look, hit = true, true
		}
	}
	c.mu.Unlock()
	if hit {
		c.poke()
	}
}

// run finishes files until ctx ends.
func (c *closer) run(ctx context.Context) {
	for {
		for _, f := range c.due() {
			if ctx.Err() != nil {
				return
			}
			c.close(ctx, f)
		}
		if !wait(ctx, c.wake, c.r.limits.Poll) {
			return
		}
	}
}

// due gives the files that are worth a look now.
func (c *closer) due() []*closing {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.r.now()
	var due []*closing
	for _, f := range c.files {
		if f.look && f.tries == 0 || !now.Before(f.next) {
			f.look, f.next = false, now.Add(closerPoll)
			due = append(due, f)
		}
	}
	return due
}

// close finishes one file if it can.
func (c *closer) close(ctx context.Context, f *closing) {
	finished, err := c.finish(ctx, &f.file)
	c.mu.Lock()
	defer c.mu.Unlock()
	name := "file " + f.file.Name
	switch {
	case errors.Is(err, journal.ErrNotOwner):
		delete(c.files, f.file.ID)
	case err != nil:
		f.tries++
		f.next = c.r.now().Add(c.r.limits.Away.Wait(f.tries, nil))
		if ctx.Err() == nil {
			c.r.trouble.Set(name, fmt.Sprintf("cannot finish file %s: %v", f.file.Name, err), c.r.now())
			c.r.log.Error("cannot finish file", "rule", f.file.Rule, "file", f.file.Name, "error", err)
		}
	case finished:
		delete(c.files, f.file.ID)
		c.r.trouble.Clear(name)
		c.r.log.Info("file finished", "rule", f.file.Rule, "file", f.file.Name, "rows", f.file.Rows, "delivered", f.file.Delivered,
			"unchanged", f.file.Unchanged, "superseded", f.file.Superseded, "skipped", f.file.Skipped, "failed", f.file.Failed)
	default:
		f.tries = 0
	}
}

// finish completes the results and moves the file away; false while one of its rows has no outcome yet. It can be repeated after a crash at any point.
func (c *closer) finish(ctx context.Context, f *journal.File) (bool, error) {
	flow := c.r.program.Load().Flow(f.Rule)
	if flow == nil || flow.Invalid != nil {
		return false, nil
	}
	plan, err := c.r.filePlan(flow, f.File)
	if err != nil {
		return false, err
	}
	if f.Finished.IsZero() {
		waiting, err := c.r.anyRecord(ctx, journal.Filter{FileID: f.ID, States: []journal.State{journal.Pending, journal.Held}})
		if err != nil || waiting != nil {
			return false, err
		}
		if err := c.complete(ctx, f); err != nil {
			return false, err
		}
	}
	unreadable, err := c.r.anyRecord(ctx, journal.Filter{FileID: f.ID, Code: CodeUnreadableFile})
	if err != nil {
		return false, err
	}
	out, err := files.Finish(ctx, files.FinishRequest{
		File: f.File, Format: plan.Format, Results: files.ResultsPath(f.File), Done: plan.Done, Failed: plan.Failed, Unreadable: unreadable != nil && unreadable.Origin.DataRow == 1,
	})
	if err != nil {
		return false, err
	}
	f.State, f.Results = journal.FileFinished, out.Results
	return true, c.r.commit(&journal.Batch{Owner: c.r.owner, Files: []journal.File{*f}})
}

// anyRecord gives one record that a filter selects, without its body; nil when there is none.
func (r *Runner) anyRecord(ctx context.Context, f journal.Filter) (*journal.Record, error) {
	f.Limit = 1
	records, err := r.journal.Select(ctx, f)
	if err != nil || len(records) == 0 {
		return nil, err
	}
	return records[0], nil
}

// recordPage is how many records of a file are looked at at once; a file may have as many as it has rows.
const recordPage = 1000

// eachRecord calls do for every record that stands for a row of a file.
func (r *Runner) eachRecord(ctx context.Context, fileID string, do func(*journal.Record) error) error {
	for after := int64(0); ; {
		records, err := r.journal.Select(ctx, journal.Filter{FileID: fileID, AfterSeq: after, Limit: recordPage})
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

// complete adds what became of the rows that stood as records, and notes in the journal that the file may go. From then on its results stand.
func (c *closer) complete(ctx context.Context, f *journal.File) error {
	told, err := failedLines(f)
	if err != nil {
		return err
	}
	results, err := files.OpenResults(files.ResultsPath(f.File), f.Offset)
	if err != nil {
		return err
	}
	defer results.Close()
	done := *f
	err = c.r.eachRecord(ctx, f.ID, func(rec *journal.Record) error {
		if !addRecord(&done, rec, told[rec.Origin.DataRow]) {
			return nil
		}
		return results.Write(recordResult(rec))
	})
	if err != nil {
		return err
	}
	if done.Offset, err = results.Sync(); err != nil {
		return err
	}
	done.Finished = c.r.now()
	if err := c.r.commit(&journal.Batch{Owner: c.r.owner, Files: []journal.File{done}}); err != nil {
		return err
	}
	*f = done
	return ctx.Err()
}

// addRecord counts the outcome of a row that stood as a record; told says that the results already call it failed. It tells whether they need
// another line.
func addRecord(f *journal.File, rec *journal.Record, told bool) bool {
	if rec.State == journal.Failed && told {
		return false
	}
	if told {
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

func recordResult(rec *journal.Record) files.ResultRow {
	row := files.ResultRow{
		Record: rec.Origin.DataRow, Line: rec.Origin.Row, Sheet: rec.Origin.Sheet, Outcome: status.Outcome(rec.State, false), Objects: rec.Objects,
	}
	if rec.State == journal.Failed && rec.Problem != nil {
		row.Cause, row.Column, row.Value, row.Hint = allFaults(rec.Problem)
	}
	return row
}

// failedLines gives the rows that the results call failed so far.
func failedLines(f *journal.File) (map[int64]bool, error) {
	told := map[int64]bool{}
	file, err := os.Open(files.ResultsPath(f.File))
	if errors.Is(err, fs.ErrNotExist) && f.Offset == 0 {
		return told, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	err = files.ReadResults(io.LimitReader(file, f.Offset), func(_ int64, row files.ResultRow) error {
		if row.Outcome == files.OutcomeFailed {
			told[row.Record] = true
		}
		return nil
	})
	return told, err
}
