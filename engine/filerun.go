package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/files"
	"github.com/culvert/culvert/sources/tabular"
)

// chunkRows is how many rows are read before they are evaluated together.
const chunkRows = 1024

// fileRun reads one open file from its first row that is not settled, and records what becomes of its rows.
type fileRun struct {
	r      *Runner
	source sources.File // what it is, which does not change
	places journal.File // as it was taken: where its rows stand in the order of acceptance
	from   int64        // first row that was not settled
	flow   *program.Flow
	lane   *lane
	plan   FilePlan
	claims int64           // generation of the claim
	number int             // files of one server in the order in which they are read
	before <-chan struct{} // closed when all rows of the file before it are recorded
	read   chan struct{}   // closed when the last row has been read
	done   chan struct{}   // closed when all rows are recorded, or the run was given up
	cancel context.CancelFunc
	filled atomic.Bool // it has read as much as fits into memory

	follows atomic.Bool // the lane knows that rows do not follow one another closely any more

	mu      sync.Mutex
	file    journal.File // with its progress
	rows    []*fileRow   // in order, from file.Next on
	last    int64        // number of the last row that was read
	total   bool         // the last row is among them
	unused  []string     // columns that the rule does not read
	unread  []string     // tables that belong to no row that is read
	closed  bool         // given up
	reason  error        // why, nil when only the rule has changed
	touched chan struct{}
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

// beginReading lets the lane know that there are more rows and that they follow one another closely, endReading that they do so no longer.
func (run *fileRun) beginReading() {
	run.lane.unread.Add(1)
	run.lane.reading.Add(1)
}

func (run *fileRun) endReading() {
	if run.follows.CompareAndSwap(false, true) {
		run.lane.reading.Add(-1)
	}
}

// chunk is a number of rows on their way through evaluation.
type chunk struct {
	rows []*fileRow
	errs []error // of rows that cannot be read
	jobs []*job  // of rows that have a plan
	done chan struct{}
}

// readRows reads to the end of the file, evaluates rows several at once and hands them on in order.
func (run *fileRun) readRows(ctx context.Context) error {
	format := run.plan.Format
	if !run.flow.Rule.Concerns(program.SourceFields(sources.Origin{Trigger: "files", File: run.source.Name}, run.source.Received)) {
		format.Reading = nil // the file is for another rule: nothing of it is read
	}
	reader, err := tabular.Open(ctx, run.source.Path, format)
	if err != nil {
		return err
	}
	defer reader.Close()
	run.noteUnused(reader)
	if err := reader.Skip(run.from - 1); err != nil {
		return err
	}
	chunks := make(chan *chunk, 4)
	var submit, handedOn sync.WaitGroup
	submit.Go(func() {
		for c := range chunks {
			<-c.done
			run.submit(c)
			handedOn.Done()
		}
	})
	defer submit.Wait()
	defer close(chunks)
	in := &rowReader{run: run, reader: reader, handedOn: handedOn.Wait, fixed: fixedRows{run.r, run.source.Rule, map[string]map[int64]fixedRow{}}}
	for end := false; !end; {
		c := &chunk{done: make(chan struct{})}
		end, err = in.readChunk(ctx, c)
		if len(c.rows) > 0 {
			handedOn.Add(1)
			run.r.files.evaluating <- struct{}{}
			go func() {
				defer func() { <-run.r.files.evaluating; close(c.done) }()
				run.evaluate(c)
			}()
			chunks <- c
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// noteUnused keeps which columns and tables the rule does not read, for the results file.
func (run *fileRun) noteUnused(reader *tabular.Reader) {
	run.mu.Lock()
	defer run.mu.Unlock()
	run.unused, run.unread = reader.Unused(), reader.Unread()
}

// notes is what the results file says of the file as a whole, before its rows.
func (run *fileRun) notes() []files.ResultRow {
	run.mu.Lock()
	defer run.mu.Unlock()
	var rows []files.ResultRow
	if len(run.unused) > 0 {
		rows = append(rows, files.UnusedColumns(run.unused))
	}
	if len(run.unread) > 0 {
		rows = append(rows, files.UnreadTables(run.unread))
	}
	return rows
}

// rowReader reads rows as there is room for them in memory.
type rowReader struct {
	run      *fileRun
	reader   *tabular.Reader
	fixed    fixedRows
	handedOn func()   // waits until all chunks so far have been submitted
	ahead    *fileRow // read, without room
	aheadErr error    // why it cannot be read
}

// readChunk fills a chunk; end tells that the file has no more rows. When memory is full, what there is makes a short chunk.
func (in *rowReader) readChunk(ctx context.Context, c *chunk) (end bool, err error) {
	for len(c.rows) < chunkRows {
		if in.ahead == nil {
			if end, err := in.next(ctx); end || err != nil {
				return end, err
			}
		}
		room := in.run.lane.room
		if !room.TryAcquire(in.ahead.weight) {
			if len(c.rows) > 0 {
				return false, nil // only what is handed on gives its room back
			}
			if !in.run.filled.Load() {
				in.handedOn() // only then does it keep later records from coming before it
				in.run.filled.Store(true)
				in.run.endReading()
				in.run.r.files.poke() // it may be what others wait for
			}
			if err := room.Acquire(ctx, in.ahead.weight); err != nil {
				return false, err
			}
		}
		c.rows, c.errs = append(c.rows, in.ahead), append(c.errs, in.aheadErr)
		in.ahead, in.aheadErr = nil, nil
	}
	return false, nil
}

// next reads one row ahead.
func (in *rowReader) next(ctx context.Context) (end bool, err error) {
	row, err := in.reader.Next()
	var bad *tabular.RowError
	switch {
	case err == io.EOF:
		return true, nil
	case errors.As(err, &bad):
		row.Number, row.Line, row.Sheet = in.reader.Number(), bad.Line, bad.Sheet
		in.aheadErr = bad
	case err != nil:
		return false, err
	}
	in.ahead = &fileRow{run: in.run, number: int64(row.Number), line: row.Line, sheet: row.Sheet, weight: in.run.weight(row)}
	if bad == nil {
		in.ahead.body = row.Body
	}
	if row.Fixes != "" {
		if in.ahead.fixes, err = in.fixed.find(ctx, row.Fixes); err != nil {
			return false, err
		}
	}
	return false, nil
}

// weight is what a row takes of the room: what it holds, and never so little that more rows than the window fit.
func (run *fileRun) weight(row tabular.Row) int64 {
	n := int64(len(row.Raw)) * 3
	for _, c := range row.Cells {
		n += int64(len(c))*2 + 48
	}
	limits := &run.r.limits
	return min(max(n, limits.Memory/int64(limits.Window)), limits.Memory)
}

// evaluate runs the rule on the rows of a chunk. What needs no server is settled; the rest has jobs.
func (run *fileRun) evaluate(c *chunk) {
	evaluator := program.NewEvaluator(run.flow)
	var source map[string]any // of the rows of a chunk only the place differs
	for i, row := range c.rows {
		if c.errs[i] != nil {
			row.outcome = rowOutcome{state: journal.Failed, attempts: 1, problem: unreadableRow(c.errs[i])}
			row.settled = true
			continue
		}
		if source == nil || row.sheet != c.rows[i-1].sheet {
			source = program.SourceFields(row.origin(), run.source.Received)
		}
		if row.line > 0 {
			source["row"] = row.line
		}
		e, err := evaluator.Evaluate(rules.Input{Body: row.body, Source: source})
		row.id, row.key = e.ID, e.Key
		row.order = row.place(e.Version)
		e.Plan.Order = row.order
		switch {
		case err != nil:
			row.outcome = rowOutcome{state: journal.Failed, attempts: 1, problem: program.ProblemOf(run.r.log, run.flow, e.ID, err)}
		case e.Failure != nil:
			row.outcome = rowOutcome{state: journal.Failed, attempts: 1, problem: program.FailureProblem(e.Failure)}
		case e.Skipped:
			row.outcome = rowOutcome{state: journal.Skipped}
		case len(e.Plan.Writes) == 0:
			row.outcome = rowOutcome{state: journal.Delivered, unchanged: true}
		default:
			c.jobs = append(c.jobs, &job{flow: run.flow, row: row, plan: e.Plan, claims: run.claims})
			continue
		}
		row.settled = true
	}
}

// submit hands the rows of a chunk on, in order.
func (run *fileRun) submit(c *chunk) {
	run.mu.Lock()
	if run.closed {
		run.mu.Unlock()
		for _, row := range c.rows {
			run.lane.room.Release(row.weight)
		}
		return
	}
	run.rows = append(run.rows, c.rows...)
	run.last = c.rows[len(c.rows)-1].number
	run.mu.Unlock()
	for _, row := range c.rows {
		if row.settled && row.outcome.job == nil {
			o := &row.outcome
			run.r.metrics.Settled(run.flow.Rule.Name, run.flow.Server, o.state, o.unchanged, o.problem)
		}
	}
	run.lane.enterRows(c.jobs)
	run.touch()
}

func (run *fileRun) touch() {
	select {
	case run.touched <- struct{}{}:
	default:
	}
}

// settle takes the outcome of a row that was delivered or diverted.
func (run *fileRun) settle(row *fileRow, o rowOutcome) {
	run.mu.Lock()
	closed := run.closed
	if !closed {
		row.outcome, row.settled = o, true
		if !o.kept() {
			row.body = nil
		}
	}
	run.mu.Unlock()
	if closed {
		run.r.files.free(row.key, o)
		return
	}
	run.touch()
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

func unreadableRow(err error) *journal.Problem {
	p := &journal.Problem{Class: actions.ClassData, Code: "unreadable-row", Cause: err.Error()}
	var bad *tabular.RowError
	if errors.As(err, &bad) {
		p.Cause, p.Hint, p.Field, p.Column = bad.Message, bad.Hint, bad.Column, bad.Column
	}
	if p.Hint == "" {
		p.Hint = "fix the row in the file of failed rows and drop it again"
	}
	return p
}

// CodeUnreadableFile marks the record that stands for what cannot be read of a file.
const CodeUnreadableFile = "unreadable-file"

func unreadableFile(name string, err error) *journal.Problem {
	p := &journal.Problem{Class: actions.ClassData, Code: CodeUnreadableFile, Cause: err.Error(), Hint: "fix the file and drop it again"}
	var bad *tabular.FileError
	if errors.As(err, &bad) {
		p.Cause = fmt.Sprintf("%s: %s", name, bad.Message)
		if bad.Hint != "" {
			p.Hint = bad.Hint
		}
	}
	return p
}
