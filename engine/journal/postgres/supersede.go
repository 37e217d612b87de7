package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
	"github.com/culvert/culvert/engine/journal/shared"
)

// supersede lets rows of files supersede what they are newer versions of, and what they stand for.
func (t *tx) supersede(ctx context.Context, versions []journal.Version, server string, now int64) error {
	var all []shared.Newer
	for _, v := range versions {
		if v.ID != "" {
			all = append(all, shared.Newer{Ident: t.s.sealer.Ident(v.Rule, v.ID), Order: v.Order, Seq: v.Seq})
		}
		if v.Fixes == 0 {
			continue
		}
		var seq int64
		var st standing
		c := shared.Corrected{Rule: v.Rule, By: v.Seq}
		err := t.QueryRow(ctx, "SELECT seq, id, version, rank FROM records WHERE seq = $1 AND "+
			"rule = (SELECT id FROM rules WHERE name = $2) AND file = $3 AND state = 4",
			v.Fixes, v.Rule, clean(v.File)).Scan(&seq, &c.ID, &st.version, &st.rank)
		if errors.Is(err, pgx.ErrNoRows) {
			continue
		}
		if err == nil {
			err = t.setSuperseded(ctx, map[int64]int64{seq: v.Seq}, server, now)
		}
		if err == nil {
			c.Order = st.order(seq)
			err = t.s.sealer.ShowAll(&c.ID)
		}
		if err == nil {
			err = t.supersedeParts(ctx, c, server, now)
		}
		if err != nil {
			return fmt.Errorf("supersede what was fixed: %w", err)
		}
	}
	return t.supersedeFailed(ctx, all, server, now)
}

// supersedeFailed settles failed records of which something newer was delivered.
func (t *tx) supersedeFailed(ctx context.Context, all []shared.Newer, server string, now int64) error {
	if len(all) == 0 {
		return nil
	}
	byIdent, idents := shared.Newest(all)
	by := map[int64]int64{}
	err := each(ctx, t, func(rows pgx.Rows) error {
		var seq int64
		var st standing
		err := rows.Scan(&seq, &st.ident, &st.version, &st.rank)
		if n := byIdent[st.ident]; n.Supersedes(st.order(seq), seq) {
			by[seq] = n.Seq
		}
		return err
	}, "SELECT seq, ident, version, rank FROM records WHERE ident = ANY($1) AND state = 4", idents)
	if err == nil && len(by) > 0 {
		err = t.setSuperseded(ctx, by, server, now)
	}
	if err != nil {
		return fmt.Errorf("supersede older versions: %w", err)
	}
	return nil
}

// supersedeParts settles what failed of a corrected record at further places of its rule.
func (t *tx) supersedeParts(ctx context.Context, c shared.Corrected, server string, now int64) error {
	rows, err := t.Query(ctx, "SELECT name FROM rules WHERE starts_with(name, $1)", shared.PartsPrefix(c.Rule))
	if err != nil {
		return err
	}
	parts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(parts) == 0 {
		return err
	}
	by := map[int64]int64{}
	err = each(ctx, t, func(rows pgx.Rows) error {
		var seq int64
		var st standing
		err := rows.Scan(&seq, &st.version, &st.rank)
		if c.Concerns(st.order(seq), seq) {
			by[seq] = c.By
		}
		return err
	}, "SELECT seq, version, rank FROM records WHERE ident = ANY($1) AND state = 4", c.Idents(t.s.sealer, parts))
	if err != nil || len(by) == 0 {
		return err
	}
	return t.setSuperseded(ctx, by, server, now)
}

// setSuperseded settles failed records for good: each by the record or row at a place. One that a
// person is just replaying is left alone.
func (t *tx) setSuperseded(ctx context.Context, by map[int64]int64, server string, now int64) error {
	seqs := make([]int64, 0, len(by))
	for seq := range by {
		seqs = append(seqs, seq)
	}
	before, err := t.standing(ctx, seqs, rowLock)
	if err != nil {
		return err
	}
	var still, newer []int64
	for seq, st := range before {
		if st.state == codec.Failed {
			still, newer = append(still, seq), append(newer, by[seq])
			t.moved(st.rule, st.state, codec.Superseded, 1)
			t.figures.Of(int64(st.rule), server).Superseded++
		}
	}
	return t.batch(ctx, func(b *pgx.Batch) {
		b.Queue("UPDATE records SET state = $2, touched = $3 WHERE seq = ANY($1)", still, codec.Superseded, now)
		b.Queue(`INSERT INTO outcomes (seq, superseded_by) SELECT * FROM unnest($1::bigint[], $2::bigint[])
			ON CONFLICT (seq) DO UPDATE SET superseded_by = excluded.superseded_by`, still, newer)
	})
}

// rowLock keeps records from being changed by two at once: by a person, and by the delivery of a
// newer version. Keys are locked before.
const rowLock = "ORDER BY seq FOR UPDATE"
