package queue

import (
	"context"
	"strings"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/work"
)

// goOn gives the further parts of rules their records: those that come after what was settled, and
// those that wait for nothing (beside), of what is evaluated for the first time. It comes before the settlement is recorded: after a crash in between the
// same work is done again and makes the same records, which the journal knows. The error is only that
// the runner ends.
func (q *Queue) goOn(outcomes []work.Outcome, beside bool) error {
	var add []*journal.Record
	for i := range outcomes {
		o := &outcomes[i]
		flow := o.Flow()
		if flow == nil || len(flow.Next) == 0 && (!beside || len(flow.Beside) == 0) {
			continue
		}
		from, err := o.AsRecord()
		if err != nil {
			q.Log.Error("cannot go on with a record", "rule", flow.Name(), "error", err)
			continue
		}
		add = append(add, q.partsOf(flow, from, o, beside)...)
	}
	if len(add) == 0 {
		return nil
	}
	var known []bool
	err := q.Writer.Retry("keep records", func(ctx context.Context) (err error) {
		known, err = q.Journal.Append(ctx, add, nil)
		return err
	})
	if err != nil {
		return err
	}
	n := 0
	for i, rec := range add {
		duplicate := i < len(known) && known[i]
		q.Metrics.Accepted(rec.Rule, rec.State, duplicate)
		if !duplicate {
			n++
		}
	}
	q.Added(n)
	q.Notify()
	return nil
}

// partsOf makes the records of the parts that follow on an outcome. Those that wait for nothing were
// made when the record was accepted, but for rows of files and for records that had no id then.
func (q *Queue) partsOf(flow *program.Flow, from *journal.Record, o *work.Outcome,
	beside bool) (add []*journal.Record) {
	s := &o.Settlement
	if from.Body == nil || from.Origin.Withdrawn || strings.HasPrefix(from.ID, program.Unidentified) ||
		s.State == journal.Skipped || s.State == journal.Held {
		return nil
	}
	put := func(next *program.Flow, results program.Results, d *program.Delivery) {
		rec, err := next.Record(from, flow, results, d)
		if err != nil {
			q.Log.Error("cannot go on with a record", "rule", next.Name(), "record", from.ID, "error", err)
			return
		}
		add = append(add, rec)
	}
	for _, next := range flow.Beside {
		if beside {
			put(next, nil, nil)
		}
	}
	for _, next := range flow.Next {
		if next.Wants(s.State) {
			put(next, o.Results, program.DeliveryOf(s))
		}
	}
	return add
}

// GoOn gives the further parts of rules their records for rows of files that need no server. The error
// is only that the runner ends.
func (q *Queue) GoOn(outcomes []work.Outcome) error { return q.goOn(outcomes, true) }

// evaluated lists what was evaluated, with the settlement where there is one already.
func evaluated(works []*record, settlements []*journal.Settlement) []work.Outcome {
	out := make([]work.Outcome, len(works))
	for i, w := range works {
		out[i].Work = w
		if s := settlements[i]; s != nil {
			out[i].Settlement = *s
		}
	}
	return out
}

// entering lists rows of which nothing was decided.
func entering(rows []work.Work) []work.Outcome {
	out := make([]work.Outcome, len(rows))
	for i, w := range rows {
		out[i].Work = w
	}
	return out
}
