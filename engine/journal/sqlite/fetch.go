package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
)

// fetched is a record as it was read, with what callers do not see.
type fetched struct {
	rec   *journal.Record
	chain int64
}

const (
	recordFields = `r.seq, n.name, r.id, r.key, r.content, r.origin, r.state, r.received, r.next_try, r.attempts, r.flags, r.touched, r.ident, r.chain,
		o.seq, o.class, o.code, o.cause, o.hint, o.object, o.field, o.place, o.private, o.objects,
		r.version, r.rank, coalesce(o.superseded_by, 0)`
	recordJoins = "JOIN rules n ON n.id = r.rule LEFT JOIN outcomes o ON o.seq = r.seq"
	withBody    = " LEFT JOIN payloads p ON p.seq = r.seq"
)

// fetch reads records in order of seq, those for which the condition holds.
func (s *Store) fetch(ctx context.Context, condition string, bodies bool, seqs []int64, each func(*fetched)) error {
	fields, joins := recordFields+", NULL", recordJoins
	if bodies {
		fields, joins = recordFields+", p.body", recordJoins+withBody
	}
	query := "SELECT " + fields + " FROM json_each(?) j CROSS JOIN records r ON r.seq = j.value " + joins + " WHERE " + condition + " ORDER BY r.seq"
	rows, err := s.read.query(ctx, query, list(seqs))
	return scan(rows, err, func(rows *sql.Rows) error {
		f, err := s.readRecord(rows)
		if err != nil {
			return err
		}
		each(f)
		return nil
	})
}

// readRecord reads a row of recordFields and the body.
func (s *Store) readRecord(rows *sql.Rows) (*fetched, error) {
	r := &journal.Record{}
	f := &fetched{rec: r}
	var content, received, next, touched, ident int64
	var state, flags int
	var origin, body, private []byte
	var outcome sql.NullInt64
	var class, code, cause, hint, object, field, place, objects sql.NullString
	err := rows.Scan(&r.Seq, &r.Rule, &r.ID, &r.Key, &content, &origin, &state, &received, &next, &r.Attempts, &flags, &touched, &ident, &f.chain,
		&outcome, &class, &code, &cause, &hint, &object, &field, &place, &private, &objects,
		&r.Version, &r.Rank, &r.SupersededBy, &body)
	if err != nil {
		return nil, err
	}
	r.Content, r.State, r.Received, r.NextTry = uint64(content), codec.StateOf(state), codec.Time(received), codec.Time(next)
	r.Force, r.Edited, r.Notify = flags&codec.FlagForce != 0, flags&codec.FlagEdited != 0, flags&codec.FlagNotify != 0
	r.Insist = flags&codec.FlagInsist != 0
	r.Objects = codec.SplitObjects(objects.String)
	if !codec.Unsettled(state) {
		r.Settled = codec.Time(touched)
	}
	if r.Origin, err = s.sealer.OpenOrigin(ident, origin); err != nil {
		return nil, fmt.Errorf("record %d: %w", r.Seq, err)
	}
	if r.Body, err = s.sealer.Open(codec.PurposeBody, ident, body); err != nil {
		return nil, fmt.Errorf("record %d: %w", r.Seq, err)
	}
	if code.Valid {
		r.Problem = &journal.Problem{Class: actions.Class(class.String), Code: code.String, Cause: cause.String, Hint: hint.String,
			Object: object.String, Field: field.String, Place: place.String}
		if err := s.sealer.OpenPrivate(ident, private, r.Problem); err != nil {
			return nil, fmt.Errorf("record %d: %w", r.Seq, err)
		}
	}
	return f, nil
}
