package postgres

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/shared"
)

// Identify implements journal.Desk.
func (s *Store) Identify(ctx context.Context, names []journal.Identification) (int64, error) {
	var total int64
	for part := range slices.Chunk(names, shared.ChangeSize) {
		n, err := s.identify(ctx, part)
		total += n
		if err != nil {
			return total, fmt.Errorf("give records their ids: %w", s.explain(err))
		}
	}
	if total > 0 {
		s.notifyAll(ctx)
	}
	return total, nil
}

func (s *Store) identify(ctx context.Context, names []journal.Identification) (int64, error) {
	seqs := make([]int64, len(names))
	for i, n := range names {
		seqs[i] = n.Seq
	}
	var records []*journal.Record
	if err := s.fetch(ctx, s.pool, true, seqs, func(r *journal.Record) { records = append(records, r) }); err != nil {
		return 0, err
	}
	all, err := shared.Identify(s.sealer, records, names)
	if err != nil || len(all) == 0 {
		return 0, err
	}
	var chains []int64
	for _, one := range all {
		chains = append(chains, one.Chain, one.Prepared.Chain)
	}
	var changed int64
	err = s.tx(ctx, func(ctx context.Context, t *tx) error {
		if err := t.lockKeys(ctx, chains); err != nil {
			return err
		}
		before, err := t.standing(ctx, seqs, rowLock)
		if err != nil {
			return err
		}
		claimed, err := numbers(ctx, t, "SELECT claimed FROM keys WHERE owner IS NOT NULL AND claimed = ANY($1)", seqs)
		if err != nil {
			return err
		}
		still := slices.DeleteFunc(slices.Clone(all), func(i shared.Identified) bool {
			was, ok := before[i.Record.Seq]
			return !ok || was.ident != i.Ident || was.chain != i.Chain || was.state != i.Prepared.State ||
				slices.Contains(claimed, i.Record.Seq)
		})
		if changed = int64(len(still)); changed > 0 {
			if err := t.giveNames(ctx, still); err != nil {
				return err
			}
		}
		if err := t.rehead(ctx, chains); err != nil || changed == 0 {
			return err
		}
		return t.audit(ctx, shared.Program, "identify", "", changed, "rule "+still[0].Record.Rule)
	})
	return changed, err
}

// giveNames writes records under their new names. The caller has locked their old and new keys.
func (t *tx) giveNames(ctx context.Context, all []shared.Identified) error {
	seqs := make([]int64, len(all))
	for i, one := range all {
		seqs[i] = one.Record.Seq
	}
	if err := t.dropTerms(ctx, seqs); err != nil {
		return err
	}
	err := t.batch(ctx, func(b *pgx.Batch) {
		for _, one := range all {
			r, p := one.Record, one.Prepared
			b.Queue("UPDATE records SET ident = $2, chain = $3, id = $4, key = $5, version = $6, origin = $7 WHERE seq = $1",
				r.Seq, p.Ident, p.Chain, t.s.hide(r.ID), t.s.hide(r.Key), r.Version, p.Origin)
			if p.Body != nil {
				b.Queue("UPDATE payloads SET body = $2 WHERE seq = $1", r.Seq, p.Body)
			}
			if r.Problem != nil {
				b.Queue("UPDATE outcomes SET private = $2 WHERE seq = $1", r.Seq, p.Private)
			}
		}
	})
	if err != nil {
		return fmt.Errorf("write records under their names: %w", err)
	}
	for _, one := range all {
		for _, text := range append(shared.Terms(one.Record), shared.Touched(one.Record.Objects, one.Record.About)...) {
			t.term(text, one.Record.Seq)
		}
	}
	return nil
}
