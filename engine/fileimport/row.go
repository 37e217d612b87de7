package fileimport

import (
	"fmt"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/status"
	"github.com/culvert/culvert/engine/work"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/results"
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
	outcome work.RowOutcome
	id, key string
	order   actions.Order
	plan    actions.Plan
	repeats int           // the line of the earlier row of the file with the same id; 0: none is known
	fixes   *correctedRow // the row of another file that it stands for, nil: none
}

var _ work.Row = (*fileRow)(nil)

// Flow implements work.Work, as the following methods do.
func (row *fileRow) Flow() *program.Flow { return row.run.flow }
func (row *fileRow) Plan() *actions.Plan { return &row.plan }
func (row *fileRow) Key() string         { return row.key }
func (row *fileRow) Attempts() int       { return 0 }
func (row *fileRow) Received() time.Time { return row.run.source.Received }
func (row *fileRow) LeaseEpoch() int64   { return row.run.epoch }
func (row *fileRow) OfFile() bool        { return true }
func (row *fileRow) Cancelled() bool     { return row.run.isClosed() }

// AsRecord implements work.Work.
func (row *fileRow) AsRecord() (*journal.Record, error) {
	return row.record(row.run.source.Received, time.Time{})
}

// Settle says what became of the row. A run that was given up takes no more outcomes: the row is read again.
func (row *fileRow) Settle(o work.RowOutcome) { row.run.settle(row, o) }

// Abandon gives the row's file up.
func (row *fileRow) Abandon() { row.run.abandon() }

// Seq is the row's place in the order of acceptance: that of its file, before whatever was accepted later.
func (row *fileRow) Seq() int64 { return row.run.places.Seq(row.number) }

// failed is the outcome of a row that needs no server to fail.
func failed(p *journal.Problem) work.RowOutcome {
	return work.RowOutcome{Settlement: journal.Settlement{State: journal.Failed, Attempts: 1, Problem: p}}
}

// record makes the journal's record of a row that failed, must be tried again, or is kept for lookups.
func (row *fileRow) record(received time.Time, now time.Time) (*journal.Record, error) {
	o := &row.outcome
	rec := &journal.Record{
		Rule: row.run.source.Rule, ID: row.id, Key: row.key, Received: received, Origin: row.origin(),
		Seq: row.Seq(), State: o.State, Attempts: o.Attempts, NextTry: o.NextTry, Problem: o.Problem, Objects: o.Objects,
		About: o.About, Version: row.order.Version, SupersededBy: o.SupersededBy,
	}
	if row.fixes != nil {
		rec.Rank = row.order.Seq
	}
	if o.State == journal.Failed || o.State == journal.Delivered {
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

// Version is what a row that was delivered, or that something newer left nothing to do for, is to
// earlier failures of the same record.
func (row *fileRow) Version(s journal.Settlement) (v journal.Version, ok bool) {
	if s.State != journal.Delivered && s.State != journal.Superseded {
		return v, false
	}
	v = journal.Version{Rule: row.run.source.Rule, ID: row.id, Order: row.order, Seq: row.Seq()}
	row.fixes.settle(&v)
	if s.State == journal.Superseded && s.SupersededBy != 0 {
		v.Seq = s.SupersededBy
	}
	return v, true
}

func (row *fileRow) origin() sources.Origin {
	f := &row.run.source
	return sources.Origin{Trigger: "files", File: f.Name, FileID: f.ID, Row: row.line, DataRow: row.number,
		Sheet: row.sheet}
}

// result is the row's line in the results file; false while it goes on as a record.
func (row *fileRow) result() (results.Row, bool) {
	o := &row.outcome
	res := results.Row{Record: row.number, Line: row.line, Sheet: row.sheet,
		Outcome: status.Outcome(o.State, o.Unchanged), Objects: o.Objects, ID: row.id, Key: row.key}
	if o.Problem != nil && (o.State == journal.Failed || o.State == journal.Delivered) {
		res.Message, res.Column, res.Value, res.Hint = AllFaults(o.Problem)
	} else if row.repeats > 0 && o.State != journal.Pending {
		res.Message, res.Hint = row.sameID()
	}
	return res, o.State != journal.Pending
}
