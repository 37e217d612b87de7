package postgres

import (
	"context"
	"fmt"
	"slices"
)

// reserve keeps the next places in the order of acceptance for the rows of a file and gives the one
// before them. Places that are kept for a file that turns out to be known are never taken.
func (t *tx) reserve(ctx context.Context, places int64) (before int64, err error) {
	if places <= 0 {
		return 0, nil
	}
	if _, err := t.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", t.s.lockID(appendLock)); err != nil {
		return 0, fmt.Errorf("wait for appends: %w", err)
	}
	err = t.QueryRow(ctx, "SELECT nextval('record_seq')").Scan(&before)
	if err == nil {
		_, err = t.Exec(ctx, "SELECT setval('record_seq', $1)", before+places)
	}
	if err != nil {
		return 0, fmt.Errorf("keep places for rows: %w", err)
	}
	return before, nil
}

// unrecorded leaves out rows of files that are records already: the answer to the commit that made
// them was lost, or another runner read the file meanwhile.
func (t *tx) unrecorded(ctx context.Context, rows []*row) ([]*row, error) {
	var places []int64
	for _, r := range rows {
		if r.rec.Seq > 0 {
			r.seq = r.rec.Seq
			places = append(places, r.seq)
		}
	}
	if len(places) == 0 {
		return rows, nil
	}
	known, err := numbers(ctx, t, "SELECT seq FROM records WHERE seq = ANY($1)", places)
	if err != nil {
		return nil, fmt.Errorf("look for rows that are recorded: %w", err)
	}
	return slices.DeleteFunc(slices.Clone(rows), func(r *row) bool {
		return r.rec.Seq > 0 &&
			slices.Contains(known, r.seq)
	}), nil
}

// number gives rows their places in the order of acceptance: the next ones, unless their file has taken them a place.
func (t *tx) number(ctx context.Context, rows []*row) error {
	last := slices.DeleteFunc(slices.Clone(rows), func(r *row) bool { return r.always && r.rec.Seq > 0 })
	if len(last) < len(rows) {
		for _, r := range rows {
			r.seq = r.rec.Seq
		}
	}
	if len(last) == 0 {
		return nil
	}
	seqs, err := numbers(ctx, t, "SELECT nextval('record_seq') FROM generate_series(1, $1)", len(last))
	if err != nil {
		return err
	}
	slices.Sort(seqs)
	for i, r := range last {
		r.seq = seqs[i]
	}
	return nil
}
