package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
)

// Untold implements journal.Journal.
func (s *Store) Untold(ctx context.Context, rule string, now time.Time, limit int) ([]*journal.Record, error) {
	seqs, err := numbers(ctx, s.pool, `SELECT seq FROM untold WHERE rule = (SELECT id FROM rules WHERE name = $1) AND due <= $2 ORDER BY due, seq LIMIT $3`,
		clean(rule), codec.Micros(now), limit)
	var out []*journal.Record
	if err == nil && len(seqs) > 0 {
		err = s.fetch(ctx, s.pool, true, seqs, func(r *journal.Record) {
			if r.State != journal.Pending && r.State != journal.Held {
				out = append(out, r)
			}
		})
	}
	if err != nil {
		return nil, fmt.Errorf("list what sources do not know: %w", s.explain(err))
	}
	return out, nil
}

// Told implements journal.Journal.
func (s *Store) Told(ctx context.Context, tellings []journal.Telling) error {
	if len(tellings) == 0 {
		return nil
	}
	err := s.tx(ctx, func(ctx context.Context, t *tx) error {
		return t.batch(ctx, func(b *pgx.Batch) {
			for _, telling := range tellings {
				if telling.Again.IsZero() {
					b.Queue("DELETE FROM untold WHERE seq = $1 AND settled = $2", telling.Seq, codec.Micros(telling.Settled))
				} else {
					b.Queue("UPDATE untold SET due = $3 WHERE seq = $1 AND settled = $2", telling.Seq, codec.Micros(telling.Settled), codec.Micros(telling.Again))
				}
			}
		})
	})
	if err != nil {
		return fmt.Errorf("keep what sources know: %w", err)
	}
	return nil
}
