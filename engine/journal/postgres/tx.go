package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/shared"
)

// tx runs a transaction unless the store is closed, or the journal is not to be written here.
func (s *Store) tx(ctx context.Context, do func(context.Context, *tx) error) error {
	if s.life.Err() != nil {
		return journal.ErrClosed
	}
	return s.guardedTx(ctx, do)
}

// guardedTx runs a transaction unless the journal is not to be written here.
func (s *Store) guardedTx(ctx context.Context, do func(context.Context, *tx) error) error {
	return s.beginTx(ctx, func(ctx context.Context, t *tx) error {
		if err := t.guard(ctx); err != nil {
			return err
		}
		return do(ctx, t)
	})
}

// beginTx runs a transaction, again when it met another one.
func (s *Store) beginTx(ctx context.Context, do func(context.Context, *tx) error) error {
	var err error
	for range tries {
		t := &tx{s: s, counts: map[countOf]countBy{}, figures: shared.FigureSums{}}
		err = pgx.BeginFunc(ctx, s.pool, func(p pgx.Tx) error {
			t.Tx = p
			if err := do(ctx, t); err != nil {
				return err
			}
			return t.flush(ctx)
		})
		if err == nil {
			for _, f := range t.after {
				f()
			}
			return nil
		}
		if !retriable(err) {
			break
		}
	}
	return s.explain(err)
}

// query reads rows with f.
func (s *Store) query(ctx context.Context, f func(pgx.Rows) error, text string, args ...any) error {
	return each(ctx, s.pool, f, text, args...)
}

type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func each(ctx context.Context, q querier, f func(pgx.Rows) error, text string, args ...any) error {
	rows, err := q.Query(ctx, text, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// numbers reads one column of numbers.
func numbers(ctx context.Context, q querier, text string, args ...any) ([]int64, error) {
	rows, err := q.Query(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// tx is a transaction with the counters that it changes.
type tx struct {
	pgx.Tx
	s       *Store
	counts  map[countOf]countBy
	figures shared.FigureSums
	terms   []term // by which records become known
	after   []func()
}

func (t *tx) then(f func()) { t.after = append(t.after, f) }

func (t *tx) run(ctx context.Context, text string, args ...any) (int64, error) {
	tag, err := t.Exec(ctx, text, args...)
	return tag.RowsAffected(), err
}

// batch sends statements that need no answer together, for one wait.
func (t *tx) batch(ctx context.Context, queue func(*pgx.Batch)) error {
	b := &pgx.Batch{}
	queue(b)
	if b.Len() == 0 {
		return nil
	}
	return t.SendBatch(ctx, b).Close()
}

type countOf struct {
	rule  int32
	state int16
}

type countBy struct{ n, last int64 }

// receivedState is the counter that holds when the last record of a rule was received.
const receivedState = -1

func (t *tx) count(rule int32, state int, n, last int64) {
	of := countOf{rule, int16(state)}
	by := t.counts[of]
	t.counts[of] = countBy{by.n + n, max(by.last, last)}
}

func (t *tx) moved(rule int32, from, to int, n int64) {
	t.count(rule, from, -n, 0)
	t.count(rule, to, n, 0)
}

// flush writes what the transaction collected.
func (t *tx) flush(ctx context.Context) error {
	if err := t.saveTerms(ctx); err != nil {
		return err
	}
	if err := t.flushCounts(ctx); err != nil {
		return err
	}
	return t.flushFigures(ctx)
}

// flushCounts comes last in every transaction, so that waiting for a slot cannot close a circle of waiters.
func (t *tx) flushCounts(ctx context.Context) error {
	if len(t.counts) == 0 {
		return nil
	}
	var rules []int32
	var states []int16
	var ns, lasts []int64
	for of, by := range t.counts {
		rules, states, ns, lasts = append(rules, of.rule), append(states, of.state), append(ns, by.n), append(lasts, by.last)
	}
	_, err := t.Exec(ctx, `INSERT INTO counts SELECT rule, state, pg_backend_pid() % 64, n, last
		FROM unnest($1::int[], $2::smallint[], $3::bigint[], $4::bigint[]) u(rule, state, n, last) ORDER BY rule, state
		ON CONFLICT (rule, state, slot) DO UPDATE SET n = counts.n + excluded.n, last = greatest(counts.last,
		excluded.last)`, rules, states, ns, lasts)
	if err != nil {
		return fmt.Errorf("count records: %w", err)
	}
	return nil
}
