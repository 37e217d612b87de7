package sqlite

import (
	"context"
	"database/sql"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/shared"
)

// fetched is a record as it was read, with what callers do not see.
type fetched struct {
	rec   *journal.Record
	chain int64
}

const (
	recordFields = shared.RecordColumns
	recordJoins  = shared.RecordJoins
	withBody     = shared.BodyJoin
)

// fetch reads records in order of seq, those for which the condition holds.
func (s *Store) fetch(ctx context.Context, condition string, bodies bool, seqs []int64, each func(*fetched)) error {
	fields, joins := recordFields+", NULL", recordJoins
	if bodies {
		fields, joins = recordFields+", p.body", recordJoins+withBody
	}
	return s.fetchOf(ctx, fields, joins, condition, seqs, func(f *fetched) bool {
		each(f)
		return true
	})
}

// fetchSome reads records with their bodies as fetch does, until each has enough.
func (s *Store) fetchSome(ctx context.Context, condition string, seqs []int64, each func(*fetched) (more bool)) error {
	return s.fetchOf(ctx, recordFields+", p.body", recordJoins+withBody, condition, seqs, each)
}

func (s *Store) fetchOf(ctx context.Context, fields, joins, condition string, seqs []int64,
	each func(*fetched) (more bool)) error {
	query := "SELECT " + fields + " FROM json_each(?) j CROSS JOIN records r ON r.seq = j.value " + joins + " WHERE " +
		condition + " ORDER BY r.seq"
	rows, err := s.read.query(ctx, query, list(seqs))
	return scanSome(rows, err, func(rows *sql.Rows) (bool, error) {
		f, err := s.readRecord(rows)
		if err != nil {
			return false, err
		}
		return each(f), nil
	})
}

// readRecord reads a row of recordFields and the body.
func (s *Store) readRecord(rows *sql.Rows) (*fetched, error) {
	var stored shared.Stored
	if err := rows.Scan(stored.Into()...); err != nil {
		return nil, err
	}
	rec, err := stored.Record(s.sealer)
	return &fetched{rec: rec, chain: stored.Chain}, err
}
