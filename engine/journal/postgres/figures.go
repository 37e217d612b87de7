package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
	"github.com/culvert/culvert/engine/journal/shared"
)

// flushFigures adds what the transaction counted to the minute, the hour and the day. As with counts, it comes last.
func (t *tx) flushFigures(ctx context.Context) error {
	var rules []int32
	var servers []string
	var columns [7][]int64
	for of, f := range t.figures {
		if *f == (journal.Figures{}) {
			continue
		}
		rules, servers = append(rules, int32(of.Rule)), append(servers, clean(of.Server))
		for i, n := range []int64{f.Received, f.Delivered, f.Failed, f.Skipped, f.Superseded, f.LagSum.Microseconds(),
			f.LagMax.Microseconds()} {
			columns[i] = append(columns[i], n)
		}
	}
	if len(rules) == 0 {
		return nil
	}
	now := codec.Micros(t.s.now())
	err := t.batch(ctx, func(b *pgx.Batch) {
		for _, w := range shared.Widths {
			b.Queue(`INSERT INTO figures AS f SELECT $1, $2, u.rule, u.server, pg_backend_pid() % 64, u.received, u.delivered,
				u.failed, u.skipped, u.superseded, u.lag_sum, u.lag_max
				FROM unnest($3::int[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[],
				$10::bigint[], $11::bigint[])
				u(rule, server, received, delivered, failed, skipped, superseded, lag_sum, lag_max) ORDER BY u.rule, u.server
				ON CONFLICT (width, start, rule, server, slot) DO UPDATE SET received = f.received + excluded.received,
				delivered = f.delivered + excluded.delivered,
				failed = f.failed + excluded.failed, skipped = f.skipped + excluded.skipped, superseded = f.superseded +
				excluded.superseded,
				lag_sum = f.lag_sum + excluded.lag_sum, lag_max = greatest(f.lag_max, excluded.lag_max)`,
				w.Minutes, shared.Stretch(now, w.Minutes), rules, servers, columns[0], columns[1], columns[2], columns[3],
				columns[4], columns[5], columns[6])
		}
	})
	if err != nil {
		return fmt.Errorf("count what became of records: %w", err)
	}
	return nil
}

// Figures implements journal.Reader.
func (s *Store) Figures(ctx context.Context, q journal.FigureQuery) ([]journal.Figures, error) {
	width, first, last, err := shared.FigureRange(q)
	if err != nil {
		return nil, err
	}
	var out []journal.Figures
	err = s.query(ctx, func(rows pgx.Rows) error {
		var f journal.Figures
		var start, sum, most int64
		err := rows.Scan(&start, &f.Rule, &f.Server, &f.Received, &f.Delivered, &f.Failed, &f.Skipped, &f.Superseded, &sum,
			&most)
		f.Start, f.LagSum, f.LagMax = shared.StretchTime(start), time.Duration(sum)*time.Microsecond,
			time.Duration(most)*time.Microsecond
		out = append(out, f)
		return err
	}, `SELECT f.start, n.name, f.server, sum(f.received)::bigint, sum(f.delivered)::bigint, sum(f.failed)::bigint,
		sum(f.skipped)::bigint,
		sum(f.superseded)::bigint, sum(f.lag_sum)::bigint, max(f.lag_max) FROM figures f JOIN rules n ON n.id = f.rule
		WHERE f.width = $1 AND f.start BETWEEN $2 AND $3 AND ($4 = '' OR n.name = $4) AND ($5 = '' OR f.server = $5)
		GROUP BY f.start, n.name, f.server ORDER BY f.start, n.name COLLATE "C", f.server COLLATE "C"`, width, first, last,
		clean(q.Rule), clean(q.Server))
	if err != nil {
		return nil, fmt.Errorf("read what became of records: %w", s.explain(err))
	}
	return out, nil
}

// expireFigures removes figures that are older than is kept of their width.
func (t *tx) expireFigures(ctx context.Context, now time.Time) error {
	for _, w := range shared.Widths {
		if _, err := t.Exec(ctx, "DELETE FROM figures WHERE width = $1 AND start < $2", w.Minutes,
			shared.Stretch(codec.Micros(now.Add(-w.Keep)), w.Minutes)); err != nil {
			return err
		}
	}
	return nil
}
