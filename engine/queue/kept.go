package queue

import (
	"context"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/work"
)

// kept gives the record of a row that went through, for lookups that ask for earlier records of its key: it is in
// the journal before the next of the key is sent. nil where what was kept of its id is the same: an export of
// everything that comes every night is kept once. stored: the journal has a record of this row, then or already, as
// after a crash. The error is only that the runner ends.
func (q *Queue) kept(row work.Row, o work.Outcome) (rec *journal.Record, stored bool, err error) {
	rec, err = row.AsRecord()
	if err != nil {
		q.Log.Error("cannot keep a row for lookups", "rule", row.Flow().Name(), "error", err)
		return nil, false, nil
	}
	rec.Origin.Kept = true
	s := o.Settlement
	rec.State, rec.Problem, rec.Objects, rec.About, rec.Settled = s.State, s.Problem, s.Objects, s.About, q.Now()
	if !o.Unchanged {
		return rec, true, nil
	}
	var known []*journal.Record
	err = q.Writer.Retry("look for what was kept of a row", func(ctx context.Context) (err error) {
		known, err = q.Journal.Select(ctx, journal.Filter{Rule: rec.Rule, ID: rec.ID,
			States: []journal.State{journal.Delivered}, Limit: 1, NewestOne: true, WithBody: true})
		return err
	})
	if err != nil {
		return nil, false, err
	}
	if len(known) > 0 && known[0].Content == rec.Content && known[0].Body != nil {
		return nil, known[0].Seq == rec.Seq, nil
	}
	return rec, true, nil
}
