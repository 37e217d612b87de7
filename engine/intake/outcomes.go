package intake

import (
	"context"
	"encoding/json"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/sources"
)

// notifiedServer is under which name it is remembered what sources were notified of; no server of
// culvert.yaml holds a slash.
func notifiedServer(rule string) string { return "told/" + rule }

// Outcomes gives settled records of a rule of which its source does not know yet.
func (in *Intake) Outcomes(ctx context.Context, rule string, limit int) ([]sources.Outcome, error) {
	records, err := in.Journal.PendingNotifications(ctx, rule, in.Now(), limit)
	if err != nil || len(records) == 0 {
		return nil, err
	}
	ids := make([]string, len(records))
	for i, rec := range records {
		ids[i] = rec.ID
	}
	known, err := in.Journal.Memory(notifiedServer(rule)).Digests(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make([]sources.Outcome, len(records))
	for i, rec := range records {
		if rec, err = in.successor(ctx, rec); err != nil {
			return nil, err
		}
		o := outcomeOf(rec)
		o.Known = known[rec.ID].Sum
		if len(rec.Body) > 0 {
			if err := json.Unmarshal(rec.Body, &o.Body); err != nil {
				in.Log.Warn("a record is no row any more; its source is not told of it", "rule", rule, "record", rec.ID)
				o.Body = nil
			}
		}
		out[i] = o
	}
	return out, nil
}

// successor gives a record with what became of the newer version that superseded it: that is what
// its source is to know of the id.
func (in *Intake) successor(ctx context.Context, rec *journal.Record) (*journal.Record, error) {
	if rec.State != journal.Superseded || rec.SupersededBy == 0 {
		return rec, nil
	}
	found, err := in.Journal.Select(ctx, journal.Filter{Seq: rec.SupersededBy, Limit: 1})
	if err != nil || len(found) == 0 {
		return rec, err
	}
	newer := found[0]
	if newer.Rule != rec.Rule || newer.ID != rec.ID || newer.State == journal.Pending || newer.State == journal.Held {
		return rec, err
	}
	told := *rec
	told.State, told.Problem, told.Objects = newer.State, newer.Problem, newer.Objects
	return &told, nil
}

// Told keeps what a source knows now: the digests first, so that after a crash in between it is told nothing twice.
func (in *Intake) Told(ctx context.Context, rule string, told []sources.Told) error {
	b := journal.Batch{Server: notifiedServer(rule)}
	notifications := make([]journal.Notification, len(told))
	for i := range told {
		t := &told[i]
		notifications[i] = journal.Notification{Seq: t.Seq, Settled: t.Settled, RetryAt: t.Again}
		if t.Digest != 0 && t.Again.IsZero() {
			b.Digests = append(b.Digests, actions.Digest{Object: t.RecordID, Sum: t.Digest})
		}
	}
	if len(b.Digests) > 0 {
		if err := in.Journal.Commit(ctx, &b); err != nil {
			return err
		}
	}
	return in.Journal.Notified(ctx, notifications)
}

// Alarm tells people what is wrong with a source, until it is not.
func (in *Intake) Alarm(subject, what string) { in.Conditions.Put(subject, what, in.Now()) }
