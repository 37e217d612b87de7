package shared

import (
	"cmp"
	"slices"
	"time"

	"github.com/culvert/culvert/engine/journal"
)

// OnlyFailed tells whether a filter restricts failed records by nothing that the index of their causes does not know.
func OnlyFailed(f journal.Filter) bool {
	plain := f.Key == "" && f.ID == "" && f.FileID == "" && f.Row == 0 && f.Seq == 0 && f.Seqs == nil && f.Text == "" &&
		f.Object == "" && f.About == nil &&
		f.Since.IsZero() && f.Until.IsZero() && f.AfterSeq == 0 && f.Before == 0
	return plain && slices.Equal(f.States, []journal.State{journal.Failed})
}

// CauseOf gives a group of failures by its newest record.
func CauseOf(example *journal.Record, count int64, first, last time.Time) journal.Cause {
	c := journal.Cause{Rule: example.Rule, Count: count, First: first, Last: last, Example: example}
	if p := example.Problem; p != nil {
		c.Class, c.Code, c.Cause, c.Hint, c.Place = p.Class, p.Code, p.Message, p.Hint, p.Place.String()
	}
	return c
}

// Causes gives those groups that a filter selects, the largest first.
func Causes(all []journal.Cause, f journal.Filter) []journal.Cause {
	out := slices.DeleteFunc(all, func(c journal.Cause) bool {
		return f.Rule != "" && c.Rule != f.Rule || f.Code != "" && c.Code != f.Code || f.Class != "" && c.Class != f.Class ||
			f.Cause != "" && c.Cause != f.Cause
	})
	slices.SortFunc(out, func(a, b journal.Cause) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Code, b.Code),
			cmp.Compare(a.Cause, b.Cause), cmp.Compare(a.Place, b.Place))
	})
	if f.Limit > 0 && len(out) > f.Limit {
		out = out[:f.Limit]
	}
	return out
}

// HasCause tells whether a filter selects the cause of a failed record.
func HasCause(r *journal.Record, f journal.Filter) bool {
	c := CauseOf(r, 0, time.Time{}, time.Time{})
	return len(Causes([]journal.Cause{c}, f)) == 1
}
