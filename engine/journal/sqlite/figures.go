package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
	"github.com/culvert/culvert/engine/journal/shared"
)

// flushFigures adds what the transaction counted to the minute, the hour and the day.
func (t *tx) flushFigures() error {
	if len(t.figures) == 0 {
		return nil // as while only merging: the clock is the callers'
	}
	now := codec.Micros(t.w.now())
	for of, f := range t.figures {
		if *f == (journal.Figures{}) {
			continue
		}
		for _, w := range shared.Widths {
			err := t.exec(`INSERT INTO figures (width, start, rule, server, received, delivered, failed, skipped, superseded,
				lag_sum, lag_max)
				VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (width, start, rule, server)
				DO UPDATE SET received = received + excluded.received,
				delivered = delivered + excluded.delivered, failed = failed + excluded.failed, skipped = skipped + excluded.skipped,
				superseded = superseded + excluded.superseded, lag_sum = lag_sum + excluded.lag_sum, lag_max = max(lag_max,
				excluded.lag_max)`,
				w.Minutes, shared.Stretch(now, w.Minutes), of.Rule, of.Server, f.Received, f.Delivered, f.Failed, f.Skipped,
				f.Superseded,
				f.LagSum.Microseconds(), f.LagMax.Microseconds())
			if err != nil {
				return fmt.Errorf("count what became of records: %w", err)
			}
		}
	}
	return nil
}

// Figures implements journal.Reader.
func (s *Store) Figures(ctx context.Context, q journal.FigureQuery) ([]journal.Figures, error) {
	width, first, last, err := shared.FigureRange(q)
	if err != nil {
		return nil, err
	}
	rows, err := s.read.query(ctx, `SELECT f.start, n.name, f.server, f.received, f.delivered, f.failed, f.skipped,
		f.superseded, f.lag_sum, f.lag_max
		FROM figures f JOIN rules n ON n.id = f.rule WHERE f.width = ?1 AND f.start BETWEEN ?2 AND ?3 AND (?4 = ''
		OR n.name = ?4) AND (?5 = '' OR f.server = ?5)
		ORDER BY f.start, n.name, f.server`, width, first, last, q.Rule, q.Server)
	var out []journal.Figures
	err = scan(rows, err, func(rows *sql.Rows) error {
		var f journal.Figures
		var start, sum, most int64
		err := rows.Scan(&start, &f.Rule, &f.Server, &f.Received, &f.Delivered, &f.Failed, &f.Skipped, &f.Superseded, &sum,
			&most)
		f.Start, f.LagSum, f.LagMax = shared.StretchTime(start), time.Duration(sum)*time.Microsecond,
			time.Duration(most)*time.Microsecond
		out = append(out, f)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read what became of records: %w", explain(err, s.place))
	}
	return out, nil
}

// expireFigures removes figures that are older than is kept of their width.
func (s *Store) expireFigures(ctx context.Context, now time.Time) error {
	return s.writer.change(ctx, 1, func(t *tx) error {
		for _, w := range shared.Widths {
			if err := t.exec("DELETE FROM figures WHERE width = ? AND start < ?", w.Minutes,
				shared.Stretch(codec.Micros(now.Add(-w.Keep)), w.Minutes)); err != nil {
				return err
			}
		}
		return nil
	})
}
