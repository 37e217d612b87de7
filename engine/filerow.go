package engine

import (
	"fmt"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/status"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/files"
)

// fileRow is one row of an open file that is not recorded yet.
type fileRow struct {
	run    *fileRun
	number int64 // 1-based data row
	line   int   // as a spreadsheet shows it
	sheet  string
	body   any
	weight int64 // bytes of the room that it takes up

	// Set when the row is settled, guarded by the run.
	settled bool
	outcome rowOutcome
	id, key string
	order   actions.Order
	fixes   *fixedRow // the row of another file that it stands for, nil: none
}

// rowOutcome is what became of a row.
type rowOutcome struct {
	state     journal.State // Delivered, Skipped, Failed, or Pending: it goes on as a record of the journal
	unchanged bool
	problem   *journal.Problem
	objects   []string
	attempts  int
	nextTry   time.Time
	job       *job
	by        int64 // what superseded it or a part of it
	parked    bool  // its key is parked until the record is in the journal
	claimed   bool  // its key is claimed until then, too
}

// settle says what became of the row. A run that was given up takes no more outcomes: the row is read again.
func (row *fileRow) settle(o rowOutcome) {
	row.run.settle(row, o)
}

// kept tells whether the row needs a record of its own in the journal.
func (o *rowOutcome) kept() bool { return o.state == journal.Pending || o.state == journal.Failed }

// record makes the journal's record of a row that failed or must be tried again.
func (row *fileRow) record(received time.Time, now time.Time) (*journal.Record, error) {
	o := &row.outcome
	rec := &journal.Record{
		Rule: row.run.source.Rule, ID: row.id, Key: row.key, Received: received, Origin: row.origin(),
		Seq: row.seq(), State: o.state, Attempts: o.attempts, NextTry: o.nextTry, Problem: o.problem, Objects: o.objects,
		Version: row.order.Version, SupersededBy: o.by,
	}
	if row.fixes != nil {
		rec.Rank = row.order.Seq
	}
	if o.state == journal.Failed {
		rec.Settled = now
	}
	if row.body != nil {
		if err := program.EncodeBody(rec, nil, row.body); err != nil {
			return nil, fmt.Errorf("keep row %d of %s: %w", row.line, row.run.source.Name, err)
		}
	}
	if rec.ID == "" {
		rec.ID = fmt.Sprintf("%s%s-%d", program.Unidentified, row.run.source.ID, row.number)
	}
	if rec.Key == "" {
		rec.Key = rec.ID
	}
	return rec, nil
}

// version is what a row that was delivered, or that something newer left nothing to do for, is to earlier failures of the same record.
func (row *fileRow) version(s journal.Settlement) (v journal.Version, ok bool) {
	if s.State != journal.Delivered && s.State != journal.Superseded {
		return v, false
	}
	v = journal.Version{Rule: row.run.source.Rule, ID: row.id, Order: row.order, Seq: row.seq()}
	row.fixes.settle(&v)
	if s.State == journal.Superseded && s.SupersededBy != 0 {
		v.Seq = s.SupersededBy
	}
	return v, true
}

// seq is the row's place in the order of acceptance: that of its file, before whatever was accepted later.
func (row *fileRow) seq() int64 { return row.run.places.Seq(row.number) }

func (row *fileRow) origin() sources.Origin {
	f := &row.run.source
	return sources.Origin{Trigger: "files", File: f.Name, FileID: f.ID, Row: row.line, DataRow: row.number, Sheet: row.sheet}
}

// result is the row's line in the results file; false while it goes on as a record.
func (row *fileRow) result() (files.ResultRow, bool) {
	o := &row.outcome
	res := files.ResultRow{Record: row.number, Line: row.line, Sheet: row.sheet, Outcome: status.Outcome(o.state, o.unchanged), Objects: o.objects}
	if o.problem != nil && (o.state == journal.Failed || o.problem.Code == program.CodeLeftOut) {
		res.Cause, res.Column, res.Value, res.Hint = allFaults(o.problem)
	}
	return res, o.state != journal.Pending
}
