package fileimport

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/tracing"
	"github.com/culvert/culvert/engine/work"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/results"
	"github.com/culvert/culvert/sources/tabular"
)

// chunk is a number of rows on their way through evaluation.
type chunk struct {
	rows  []*fileRow
	errs  []error     // of rows that cannot be read
	works []work.Work // rows that have a plan
	done  chan struct{}
}

// readRows reads to the end of the file, evaluates rows several at once and hands them on in order.
func (run *fileRun) readRows(ctx context.Context) error {
	format := run.plan.Format
	if !run.flow.Rule.Concerns(program.SourceFields(sources.Origin{Trigger: "files", File: run.source.Name},
		run.source.Received)) {
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
			run.submit(ctx, c)
			handedOn.Done()
		}
	})
	defer submit.Wait()
	defer close(chunks)
	in := &rowReader{run: run, reader: reader, handedOn: handedOn.Wait,
		fixed: correctedRows{run.m.Journal, run.source.Rule, map[string]map[int64]correctedRow{}}}
	for end := false; !end; {
		c := &chunk{done: make(chan struct{})}
		end, err = in.readChunk(ctx, c)
		if len(c.rows) > 0 {
			handedOn.Add(1)
			run.m.evaluating <- struct{}{}
			go func() {
				defer func() { <-run.m.evaluating; close(c.done) }()
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
func (run *fileRun) notes() []results.Row {
	run.mu.Lock()
	defer run.mu.Unlock()
	var rows []results.Row
	if len(run.unused) > 0 {
		rows = append(rows, run.m.said(results.UnusedColumns(run.unused)))
	}
	if len(run.unread) > 0 {
		rows = append(rows, run.m.said(results.UnreadTables(run.unread)))
	}
	return rows
}

// rowReader reads rows as there is room for them in memory.
type rowReader struct {
	run      *fileRun
	reader   *tabular.Reader
	fixed    correctedRows
	handedOn func()   // waits until all chunks so far have been submitted
	ahead    *fileRow // read, without room
	aheadErr error    // why it cannot be read
}

// readChunk fills a chunk; end tells that the file has no more rows. When memory is full, what
// there is makes a short chunk.
func (in *rowReader) readChunk(ctx context.Context, c *chunk) (end bool, err error) {
	for len(c.rows) < ChunkRows {
		if in.ahead == nil {
			if end, err := in.next(ctx); end || err != nil {
				return end, err
			}
		}
		room := in.run.room
		if !room.TryAcquire(in.ahead.weight) {
			if len(c.rows) > 0 {
				return false, nil // only what is handed on gives its room back
			}
			if !in.run.filled.Load() {
				in.handedOn() // only then does it keep later records from coming before it
				in.run.filled.Store(true)
				in.run.endReading()
				in.run.m.Notify() // it may be what others wait for
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
	in.ahead = &fileRow{run: in.run, number: int64(row.Number), line: row.Line, sheet: row.Sheet,
		weight: in.run.weight(row)}
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
	return min(max(n, run.m.Memory/int64(run.m.Window)), run.m.Memory)
}

// evaluate runs the rule on the rows of a chunk. What needs no server is settled; the rest has plans.
func (run *fileRun) evaluate(c *chunk) {
	evaluator := program.NewEvaluator(run.flow)
	var source map[string]any // of the rows of a chunk only the place differs
	for i, row := range c.rows {
		if c.errs[i] != nil {
			row.outcome = failed(unreadableRow(c.errs[i]))
			row.settled = true
			continue
		}
		if source == nil || row.sheet != c.rows[i-1].sheet {
			source = program.SourceFields(row.origin(), run.source.Received)
		}
		if row.line > 0 {
			source["row"] = row.line
		}
		e, err := evaluator.Evaluate(rules.Input{Body: row.body, Source: source, FileID: run.source.ID})
		row.id, row.key = e.ID, e.Key
		row.order = row.place(e.Version)
		e.Plan.Order = row.order
		switch {
		case err != nil:
			row.outcome = failed(program.ProblemOf(run.m.Log, run.flow, e.ID, err))
		case e.Failure != nil:
			row.outcome = failed(program.FailureProblem(e.Failure))
			row.outcome.About = e.Plan.About
			if by := work.NewerDelivered(run.m.Writer.End, run.m.Journal, run.source.Rule, row.id, row.order, false); by != 0 {
				row.outcome.Settlement = journal.Settlement{State: journal.Superseded, SupersededBy: by}
			}
		case e.Skipped:
			row.outcome.State = journal.Skipped
		case e.Plan.Empty():
			row.outcome.State, row.outcome.Unchanged = journal.Delivered, true
		default:
			row.plan = e.Plan
			c.works = append(c.works, row)
			continue
		}
		row.settled = true
	}
}

// trace tells of a row that needed no server.
func (run *fileRun) trace(row *fileRow) {
	if run.m.Trace == nil || row.id == "" {
		return
	}
	now := time.Now()
	run.m.Trace.Step(tracing.Step{Name: "evaluate", Rule: run.flow.Rule.Name, Record: row.id,
		Received: run.source.Received, Start: now, End: now, State: string(row.outcome.State), Unchanged: row.outcome.Unchanged,
		Code: row.outcome.Problem.CodeOf(), Last: true})
}
