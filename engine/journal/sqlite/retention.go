package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
	"github.com/culvert/culvert/engine/journal/shared"
)

// vacuumPages is how many free pages are given back to the file system with one transaction of an expiry.
const vacuumPages = 2000

// Expire implements journal.Journal, a part at a time. Delivered, skipped and superseded records go
// by Retention.Delivered, failed and dismissed ones by Retention.Failed. The last record always
// stays, so that its seq is not given out again.
func (s *Store) Expire(ctx context.Context, r journal.Retention, now time.Time) (journal.Expired, error) {
	var out journal.Expired
	err := s.expirePayloads(ctx, r.Payloads, now, &out.Payloads)
	if err == nil {
		err = s.expireRecords(ctx, r.Delivered, now, []int64{codec.Delivered, codec.Skipped, codec.Superseded}, &out.Records)
	}
	if err == nil {
		err = s.expireRecords(ctx, r.Failed, now, []int64{codec.Failed, codec.Dismissed}, &out.Records)
	}
	if err == nil {
		err = s.expireFiles(ctx, r.Delivered, now, &out.Files)
	}
	if err == nil {
		err = s.expireFigures(ctx, now)
	}
	if err == nil && out != (journal.Expired{}) {
		err = s.writer.change(ctx, 1, func(t *tx) error {
			if err := t.exec(fmt.Sprintf("PRAGMA incremental_vacuum(%d)", vacuumPages)); err != nil {
				return err
			}
			return s.audit(t, shared.Program, "expire", "the project's retention", out.Payloads+out.Records,
				fmt.Sprintf("%d payloads, %d records, %d files", out.Payloads, out.Records, out.Files))
		})
	}
	if err != nil {
		return out, fmt.Errorf("apply the retention: %w", explain(err, s.place))
	}
	return out, nil
}

func (s *Store) expirePayloads(ctx context.Context, age time.Duration, now time.Time, count *int64) error {
	return s.expire(ctx, age, now, `SELECT r.seq FROM payloads p CROSS JOIN records r ON r.seq = p.seq
		WHERE p.seq > ? AND p.seq < ? AND r.state IN (1, 3, 5, 6) AND r.touched < ? ORDER BY p.seq LIMIT ?`,
		func(t *tx, seqs []int64, _ map[int64]standing) error {
			err := t.exec("UPDATE outcomes SET private = NULL WHERE seq IN (SELECT value FROM json_each(?))", list(seqs))
			if err != nil {
				return err
			}
			n, err := t.execCount("DELETE FROM payloads WHERE seq IN (SELECT value FROM json_each(?))", list(seqs))
			t.then(func() { *count += n })
			return err
		})
}

func (s *Store) expireRecords(ctx context.Context, age time.Duration, now time.Time, states []int64,
	count *int64) error {
	query := fmt.Sprintf(`SELECT seq FROM records WHERE seq > ? AND seq < ? AND state IN (SELECT value
		FROM json_each('%s')) AND touched < ? ORDER BY seq LIMIT ?`,
		list(states))
	return s.expire(ctx, age, now, query, func(t *tx, seqs []int64, before map[int64]standing) error {
		if err := t.dropTerms(seqs); err != nil {
			return err
		}
		gone := list(seqs)
		for _, q := range []string{
			"DELETE FROM finder WHERE (hash, seq) IN (SELECT ident, seq FROM records WHERE seq IN (SELECT value FROM " +
				"json_each(?)))",
			"DELETE FROM finder WHERE (hash, seq) IN (SELECT chain, seq FROM records WHERE seq IN (SELECT value FROM " +
				"json_each(?)))",
			"DELETE FROM payloads WHERE seq IN (SELECT value FROM json_each(?))",
			"DELETE FROM outcomes WHERE seq IN (SELECT value FROM json_each(?))",
			"DELETE FROM records WHERE seq IN (SELECT value FROM json_each(?))",
			fmt.Sprintf("PRAGMA incremental_vacuum(%d)", vacuumPages),
		} {
			args := []any{gone}
			if q[0] == 'P' {
				args = nil
			}
			if err := t.exec(q, args...); err != nil {
				return err
			}
		}
		for _, seq := range seqs {
			was := before[seq]
			t.count(was.rule).states[was.state]--
		}
		t.then(func() { *count += int64(len(seqs)) })
		return nil
	})
}

// expire applies one kind of expiry to all that is older than age, in parts. query gives seqs
// between two, touched before a time, some of them.
func (s *Store) expire(ctx context.Context, age time.Duration, now time.Time, query string,
	change func(*tx, []int64, map[int64]standing) error) error {
	if age <= 0 {
		return nil
	}
	cutoff := codec.Micros(now.Add(-age))
	end, err := s.firstSince(ctx, cutoff)
	if err != nil {
		return err
	}
	after := int64(0)
	for {
		rows, err := s.read.query(ctx, query, after, end, cutoff, shared.ChangeSize)
		var seqs []int64
		err = scan(rows, err, func(rows *sql.Rows) error {
			var seq int64
			err := rows.Scan(&seq)
			seqs = append(seqs, seq)
			return err
		})
		if err != nil || len(seqs) == 0 {
			return err
		}
		after = seqs[len(seqs)-1]
		err = s.writer.change(ctx, len(seqs), func(t *tx) error {
			before, err := t.standing(seqs)
			if err != nil {
				return err
			}
			// A replay may have come in between.
			still := slices.DeleteFunc(slices.Clone(seqs), func(seq int64) bool {
				was, ok := before[seq]
				return !ok || codec.Unsettled(was.state)
			})
			if len(still) == 0 {
				return nil
			}
			return change(t, still, before)
		})
		if err != nil {
			return err
		}
	}
}

// firstSince gives the first record that was received at a time or later, else the last one.
// Records are accepted nearly in order of time, so that halving finds it; a record out of order
// merely expires a little later.
func (s *Store) firstSince(ctx context.Context, micros int64) (int64, error) {
	var low, high int64
	rows, err := s.read.query(ctx,
		"SELECT coalesce((SELECT min(seq) FROM records), 0), coalesce((SELECT max(seq) FROM records), 0)")
	if err := scan(rows, err, func(rows *sql.Rows) error { return rows.Scan(&low, &high) }); err != nil {
		return 0, err
	}
	return shared.FirstSince(low, high, micros, func(from int64) (seq, received int64, err error) {
		rows, err := s.read.query(ctx, "SELECT seq, received FROM records WHERE seq >= ? ORDER BY seq LIMIT 1", from)
		err = scan(rows, err, func(rows *sql.Rows) error { return rows.Scan(&seq, &received) })
		return seq, received, err
	})
}

func (s *Store) expireFiles(ctx context.Context, age time.Duration, now time.Time, count *int64) error {
	if age <= 0 {
		return nil
	}
	return s.writer.change(ctx, 1, func(t *tx) error {
		n, err := t.execCount("DELETE FROM files WHERE state = ? AND finished > 0 AND finished < ?",
			string(journal.FileFinished), codec.Micros(now.Add(-age)))
		t.then(func() { *count = n })
		return err
	})
}
