package postgres

import (
	"context"
	"fmt"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
)

// RowChanges implements journal.Journal.
func (s *Store) RowChanges(ctx context.Context, limit int) ([]*journal.Record, error) {
	seqs, err := numbers(ctx, s.pool, `SELECT c.seq FROM row_changes c JOIN records r ON r.seq = c.seq
		JOIN files f ON f.id = r.file AND f.state = $1
		WHERE r.state NOT IN (0, 2) ORDER BY c.seq LIMIT $2`, string(journal.FileFinished), limit)
	var out []*journal.Record
	if err == nil && len(seqs) > 0 {
		err = s.fetch(ctx, s.pool, false, seqs, func(r *journal.Record) { out = append(out, r) })
	}
	if err != nil {
		return nil, fmt.Errorf("list rows that came to another end: %w", s.explain(err))
	}
	return out, nil
}

// RowChangesNoted implements journal.Journal.
func (s *Store) RowChangesNoted(ctx context.Context, records []*journal.Record) error {
	seqs, touched := make([]int64, len(records)), make([]int64, len(records))
	for i, r := range records {
		seqs[i], touched[i] = r.Seq, codec.Micros(r.Settled)
	}
	err := s.tx(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.Exec(ctx, "DELETE FROM row_changes c USING unnest($1::bigint[], $2::bigint[]) u(seq, touched) WHERE "+
			"c.seq = u.seq AND c.touched = u.touched", seqs, touched)
		return err
	})
	if err != nil {
		return fmt.Errorf("note what results say: %w", err)
	}
	return nil
}
