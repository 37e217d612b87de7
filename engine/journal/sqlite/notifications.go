package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
)

// PendingNotifications implements journal.Journal.
func (s *Store) PendingNotifications(ctx context.Context, rule string, now time.Time, limit int) ([]*journal.Record,
	error) {
	var seqs []int64
	rows, err := s.read.query(ctx,
		`SELECT seq FROM untold WHERE rule = (SELECT id FROM rules WHERE name = ?) AND due <= ? ORDER BY due, seq LIMIT ?`,
		rule, codec.Micros(now), limit)
	err = scan(rows, err, func(rows *sql.Rows) error {
		var seq int64
		err := rows.Scan(&seq)
		seqs = append(seqs, seq)
		return err
	})
	var out []*journal.Record
	if err == nil && len(seqs) > 0 {
		err = s.fetch(ctx, "r.state NOT IN (0, 2)", true, seqs, func(f *fetched) { out = append(out, f.rec) })
	}
	if err != nil {
		return nil, fmt.Errorf("list what sources do not know: %w", explain(err, s.place))
	}
	return out, nil
}

// Notified implements journal.Journal.
func (s *Store) Notified(ctx context.Context, notifications []journal.Notification) error {
	if len(notifications) == 0 {
		return nil
	}
	err := s.writer.change(ctx, len(notifications), func(t *tx) error {
		for _, n := range notifications {
			var err error
			if n.RetryAt.IsZero() {
				err = t.exec("DELETE FROM untold WHERE seq = ? AND settled = ?", n.Seq, codec.Micros(n.Settled))
			} else {
				err = t.exec("UPDATE untold SET due = ? WHERE seq = ? AND settled = ?", codec.Micros(n.RetryAt), n.Seq,
					codec.Micros(n.Settled))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("keep what sources know: %w", err)
	}
	return nil
}
