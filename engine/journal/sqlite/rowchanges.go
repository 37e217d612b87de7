package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
)

// RowChanges implements journal.Journal.
func (s *Store) RowChanges(ctx context.Context, limit int) ([]*journal.Record, error) {
	var seqs []int64
	rows, err := s.read.query(ctx, `SELECT c.seq FROM row_changes c CROSS JOIN records r ON r.seq = c.seq
		CROSS JOIN files f ON f.id = r.file AND f.state = ?
		WHERE r.state NOT IN (0, 2) ORDER BY c.seq LIMIT ?`, string(journal.FileFinished), limit)
	err = scan(rows, err, func(rows *sql.Rows) error {
		var seq int64
		err := rows.Scan(&seq)
		seqs = append(seqs, seq)
		return err
	})
	var out []*journal.Record
	if err == nil && len(seqs) > 0 {
		err = s.fetch(ctx, "r.state NOT IN (0, 2)", false, seqs, func(f *fetched) { out = append(out, f.rec) })
	}
	if err != nil {
		return nil, fmt.Errorf("list rows that came to another end: %w", explain(err, s.place))
	}
	return out, nil
}

// RowChangesNoted implements journal.Journal.
func (s *Store) RowChangesNoted(ctx context.Context, records []*journal.Record) error {
	err := s.writer.change(ctx, len(records), func(t *tx) error {
		for _, r := range records {
			if err := t.exec("DELETE FROM row_changes WHERE seq = ? AND touched = ?", r.Seq,
				codec.Micros(r.Settled)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("note what results say: %w", err)
	}
	return nil
}
