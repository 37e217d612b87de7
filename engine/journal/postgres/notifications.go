package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
)

// PendingNotifications implements journal.Journal.
func (s *Store) PendingNotifications(ctx context.Context, rule string, now time.Time, limit int) ([]*journal.Record,
	error) {
	seqs, err := numbers(ctx, s.pool,
		`SELECT seq FROM untold WHERE rule = (SELECT id FROM rules WHERE name = $1) AND due <= $2 ORDER BY due, seq LIMIT $3`,
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

// Notified implements journal.Journal.
func (s *Store) Notified(ctx context.Context, notifications []journal.Notification) error {
	if len(notifications) == 0 {
		return nil
	}
	err := s.tx(ctx, func(ctx context.Context, t *tx) error {
		return t.batch(ctx, func(b *pgx.Batch) {
			for _, n := range notifications {
				if n.RetryAt.IsZero() {
					b.Queue("DELETE FROM untold WHERE seq = $1 AND settled = $2", n.Seq, codec.Micros(n.Settled))
				} else {
					b.Queue("UPDATE untold SET due = $3 WHERE seq = $1 AND settled = $2", n.Seq, codec.Micros(n.Settled),
						codec.Micros(n.RetryAt))
				}
			}
		})
	})
	if err != nil {
		return fmt.Errorf("keep what sources know: %w", err)
	}
	return nil
}
