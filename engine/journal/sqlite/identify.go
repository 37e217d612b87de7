package sqlite

import (
	"context"
	"fmt"
	"slices"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
	"github.com/culvert/culvert/engine/journal/shared"
)

// Identify implements journal.Desk.
func (s *Store) Identify(ctx context.Context, names []journal.Identification) (int64, error) {
	var total int64
	for part := range slices.Chunk(names, shared.ChangeSize) {
		n, err := s.identify(ctx, part)
		total += n
		if err != nil {
			return total, fmt.Errorf("give records their ids: %w", explain(err, s.place))
		}
	}
	if total > 0 {
		s.notify()
	}
	return total, nil
}

func (s *Store) identify(ctx context.Context, names []journal.Identification) (int64, error) {
	seqs := make([]int64, len(names))
	for i, n := range names {
		seqs[i] = n.Seq
	}
	var records []*journal.Record
	if err := s.fetch(ctx, "1", true, seqs, func(f *fetched) { records = append(records, f.rec) }); err != nil {
		return 0, err
	}
	all, err := shared.Identify(s.sealer, records, names)
	if err != nil || len(all) == 0 {
		return 0, err
	}
	var changed int64
	err = s.writer.change(ctx, len(all), func(t *tx) error {
		before, err := t.standing(seqs)
		if err != nil {
			return err
		}
		still := slices.DeleteFunc(slices.Clone(all), func(i shared.Identified) bool {
			was, ok := before[i.Record.Seq]
			return !ok || was.ident != i.Ident || was.chain != i.Chain || was.state != i.Prepared.State ||
				s.inFlight(i.Record.Seq)
		})
		if changed = int64(len(still)); changed == 0 {
			return nil
		}
		if err := s.giveNames(t, still); err != nil {
			return err
		}
		return s.audit(t, shared.Program, "identify", "", changed, "rule "+still[0].Record.Rule)
	})
	return changed, err
}

// giveNames writes records under their new names, and puts them among the records of their new keys.
func (s *Store) giveNames(t *tx, all []shared.Identified) error {
	seqs := make([]int64, len(all))
	chains := map[int64]bool{}
	var entries []found
	for i, one := range all {
		seqs[i] = one.Record.Seq
		chains[one.Chain], chains[one.Prepared.Chain] = true, true
	}
	if err := t.dropTerms(seqs); err != nil {
		return err
	}
	for _, one := range all {
		r, p := one.Record, one.Prepared
		err := t.exec("UPDATE records SET ident = ?, chain = ?, id = ?, key = ?, version = ?, origin = ?, head = 0 "+
			"WHERE seq = ?",
			p.Ident, p.Chain, s.sealer.Hide(r.ID), s.sealer.Hide(r.Key), r.Version, p.Origin, r.Seq)
		if err == nil && p.Body != nil {
			err = t.exec("UPDATE payloads SET body = ? WHERE seq = ?", p.Body, r.Seq)
		}
		if err == nil && r.Problem != nil {
			err = t.exec("UPDATE outcomes SET private = ? WHERE seq = ?", p.Private, r.Seq)
		}
		if err != nil {
			return err
		}
		for _, text := range append(shared.Terms(r), shared.Touched(r.Objects, r.About)...) {
			t.term(text, r.Seq)
		}
		entries = append(entries, found{p.Ident, r.Seq})
		unsettled := codec.Unsettled(p.State)
		if unsettled {
			entries = append(entries, found{p.Chain, r.Seq})
			t.waiting(p.Chain, r.Seq)
		}
		t.idents[p.Ident] = max(t.idents[p.Ident], r.Seq)
		t.then(func() {
			s.finder.settled(one.Chain, r.Seq)
			s.finder.addPlaced(p.Ident, p.Chain, r.Seq, unsettled)
		})
	}
	if err := t.index(len(entries), func(i int) found { return entries[i] }); err != nil {
		return fmt.Errorf("index records by their names: %w", err)
	}
	return t.straighten(chains)
}
