package shared

import (
	"fmt"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
	"github.com/culvert/culvert/rules/diag"
)

// RecordColumns are what Stored takes but for the body, which comes last: of records r, rules n and outcomes o.
const RecordColumns = `r.seq, n.name, r.id, r.key, r.content, r.origin, r.state, r.received,
	r.next_try, r.attempts, r.flags, r.touched, r.ident, r.chain,
	o.class, o.code, o.cause, o.hint, o.object, o.field, o.place, o.private, o.objects,
	r.version, r.rank, coalesce(o.superseded_by, 0)`

// RecordJoins join what RecordColumns need, and BodyJoin the payloads p.
const (
	RecordJoins = "JOIN rules n ON n.id = r.rule LEFT JOIN outcomes o ON o.seq = r.seq"
	BodyJoin    = " LEFT JOIN payloads p ON p.seq = r.seq"
)

// Stored is a record as both stores keep it.
type Stored struct {
	Chain int64 // hash of its key

	rec                                                 journal.Record
	content, received, next, touched, ident             int64
	state, flags                                        int
	origin, body, private                               []byte
	class, code, cause, hint, object, field, place, ids *string
}

// Into is what a row of RecordColumns and the body is scanned into.
func (s *Stored) Into() []any {
	r := &s.rec
	return []any{
		&r.Seq, &r.Rule, &r.ID, &r.Key, &s.content, &s.origin, &s.state, &s.received, &s.next, &r.Attempts, &s.flags,
		&s.touched, &s.ident, &s.Chain,
		&s.class, &s.code, &s.cause, &s.hint, &s.object, &s.field, &s.place, &s.private, &s.ids, &r.Version, &r.Rank,
		&r.SupersededBy, &s.body,
	}
}

// Record gives the record of what was scanned.
func (s *Stored) Record(sealer *codec.Sealer) (*journal.Record, error) {
	r := &s.rec
	r.Content, r.State, r.Received, r.NextTry = uint64(s.content), codec.StateOf(s.state), codec.Time(s.received),
		codec.Time(s.next)
	r.Force, r.Edited, r.Notify = s.flags&codec.FlagForce != 0, s.flags&codec.FlagEdited != 0,
		s.flags&codec.FlagNotify != 0
	r.Insist = s.flags&codec.FlagInsist != 0
	r.Objects, r.About = untouched(codec.SplitObjects(text(s.ids)))
	if !codec.Unsettled(s.state) {
		r.Settled = codec.Time(s.touched)
	}
	err := s.open(sealer, r)
	if err != nil {
		return nil, fmt.Errorf("record %d: %w", r.Seq, err)
	}
	return r, nil
}

// open opens what may be sealed.
func (s *Stored) open(sealer *codec.Sealer, r *journal.Record) (err error) {
	if err := sealer.ShowAll(&r.ID, &r.Key); err != nil {
		return err
	}
	if r.Origin, err = sealer.OpenOrigin(s.ident, s.origin); err != nil {
		return err
	}
	if r.Body, err = sealer.Open(codec.PurposeBody, s.ident, s.body); err != nil || s.code == nil {
		return err
	}
	r.Problem = &journal.Problem{Class: actions.Class(text(s.class)), Problem: diag.Problem{Code: text(s.code),
		Message: text(s.cause),
		Hint:    text(s.hint),
		Field:   text(s.field), Place: diag.ParsePlace(text(s.place))},
		Object: text(s.object)}
	if err := sealer.ShowAll(&r.Problem.Message, &r.Problem.Hint, &r.Problem.Object); err != nil {
		return err
	}
	return sealer.OpenPrivate(s.ident, s.private, r.Problem)
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
