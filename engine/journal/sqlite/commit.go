package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
	"github.com/culvert/culvert/engine/journal/shared"
)

// Commit implements journal.Journal.
func (s *Store) Commit(ctx context.Context, b *journal.Batch) error {
	if err := shared.Owned(b); err != nil {
		return err
	}
	if err := s.own(ctx); err != nil {
		return err
	}
	now := codec.Micros(s.now())
	rows := make([]*row, len(b.New))
	for i, r := range b.New {
		var err error
		if rows[i], err = s.makeRow(r, now, true); err != nil {
			return err
		}
	}
	held, lost := s.held(b)
	if lost {
		s.log.Warn("a delivery came too late: its records were given to another runner", "owner", b.Owner)
	}
	err := s.writer.change(ctx, len(b.Settlements)+len(rows)+len(b.Digests)/8+1, func(t *tx) error {
		return s.commit(t, b, held, lost, rows, now)
	})
	if err != nil {
		return fmt.Errorf("record what a delivery came to: %w", err)
	}
	for _, r := range rows {
		r.fillRecord()
	}
	s.claims.mu.Lock()
	for i := range held {
		s.claims.free(b.Owner, held[i].Seq)
	}
	for _, key := range b.Keys {
		s.claims.freeKey(b.Owner, s.sealer.Chain(key))
	}
	s.claims.mu.Unlock()
	s.notify()
	return nil
}

// settlement is one with what the claim knew of its record.
type settlement struct {
	*journal.Settlement
	state      int
	hasProblem bool
}

// held gives the settlements of records that the owner still holds, and whether there were others,
// or keys that it lost.
func (s *Store) held(b *journal.Batch) (held []settlement, lost bool) {
	s.claims.mu.Lock()
	defer s.claims.mu.Unlock()
	held = make([]settlement, 0, len(b.Settlements))
	for i := range b.Settlements {
		set := &b.Settlements[i]
		cl, ok := s.claims.seqs[set.Seq]
		if !ok || cl.owner != b.Owner {
			lost = true
			continue
		}
		held = append(held, settlement{Settlement: set, hasProblem: cl.hasProblem})
	}
	for _, keys := range [][]string{b.Keys, b.Holding} {
		for _, key := range keys {
			h := s.claims.chains[s.sealer.Chain(key)]
			lost = lost || h.owner != b.Owner || h.seq != 0
		}
	}
	return held, lost
}

func (s *Store) commit(t *tx, b *journal.Batch, held []settlement, lost bool, rows []*row, now int64) error {
	if err := t.saveFiles(b, now); err != nil {
		return err
	}
	fresh, err := t.unrecorded(rows)
	if err != nil {
		return err
	}
	lost = lost || len(fresh) < len(rows)
	rows = fresh
	if err := s.settle(t, held, b.Server, now); err != nil {
		return err
	}
	if len(rows) > 0 {
		if err := s.appendRows(t, rows); err != nil {
			return err
		}
	}
	if err := t.saveIdentities(b.Server, b.Identities); err != nil {
		return err
	}
	if err := s.digests.add(t, b.Server, b.Digests, lost); err != nil {
		return err
	}
	return s.supersede(t, b.Versions, b.Server, now)
}

// standing is how a record stands in the file before it is settled.
type standing struct {
	rule, chain, ident int64
	state              int
	head               bool
	version, rank      int64
	received           int64
}

// order is where a record stands among those that write the same objects.
func (st standing) order(seq int64) actions.Order {
	return shared.Order(st.version, st.rank, seq)
}

func (s *Store) settle(t *tx, held []settlement, server string, now int64) error {
	if len(held) == 0 {
		return nil
	}
	seqs := make([]int64, len(held))
	for i := range held {
		seqs[i] = held[i].Seq
	}
	before, err := t.standing(seqs)
	if err != nil {
		return err
	}
	var changed []settlement
	var newer []shared.Newer
	for _, h := range held {
		was, ok := before[h.Seq]
		if !ok {
			continue
		}
		if h.state, err = codec.StateCode(h.State); err != nil {
			return err
		}
		// A person may have dismissed or forgotten it while it was in flight; only a delivery is stronger.
		if !codec.Unsettled(was.state) && h.state != codec.Delivered {
			continue
		}
		changed = append(changed, h)
		if h.state == codec.Delivered || h.state == codec.Superseded {
			newer = append(newer, shared.NewerOf(was.ident, was.order(h.Seq), h.Settlement))
		}
	}
	err = t.around(chainsOf(before), func(apart map[int64]bool) error {
		if err := s.writeStates(t, changed, before, server, now); err != nil {
			return fmt.Errorf("settle records: %w", err)
		}
		if err := s.writeOutcomes(t, changed, before); err != nil {
			return fmt.Errorf("keep outcomes: %w", err)
		}
		var done, moved []int64
		for _, h := range changed {
			if !codec.Unsettled(h.state) {
				done = append(done, h.Seq)
			}
			if chain := before[h.Seq].chain; h.state == codec.Delivered && apart[chain] {
				moved = append(moved, chain)
			}
		}
		if err := s.promote(t, done, before, apart); err != nil {
			return err
		}
		return t.wake(moved)
	})
	if err != nil {
		return err
	}
	return s.supersedeFailed(t, newer, server, now)
}

// standing reads how records stand.
func (t *tx) standing(seqs []int64) (map[int64]standing, error) {
	out := make(map[int64]standing, len(seqs))
	rows, err := t.query("SELECT r.seq, r.rule, r.chain, r.ident, r.state, r.head, r.version, r.rank, r.received FROM "+
		"json_each(?) j CROSS JOIN records r ON r.seq = j.value", list(seqs))
	err = scan(rows, err, func(rows *sql.Rows) error {
		var seq int64
		var st standing
		err := rows.Scan(&seq, &st.rule, &st.chain, &st.ident, &st.state, &st.head, &st.version, &st.rank, &st.received)
		out[seq] = st
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read how records stand: %w", err)
	}
	return out, nil
}

func (s *Store) writeStates(t *tx, changed []settlement, before map[int64]standing, server string, now int64) error {
	for _, h := range changed {
		was := before[h.Seq]
		next, head, waits := int64(0), 0, 0
		for _, text := range shared.Touched(h.Objects, h.About) {
			t.term(text, h.Seq)
		}
		lag := shared.Lag(now, was.received)
		shared.Settled(t.figures.Of(was.rule, server), h.state, 1, lag, lag)
		if codec.Unsettled(h.state) {
			head = number(was.head)
			if h.state == codec.Pending {
				next = codec.Micros(h.NextTry)
			}
			if codec.Waits(h.State, h.Problem) {
				waits = codec.FlagWaits
			}
		}
		if err := t.exec("UPDATE records SET state = ?, head = ?, next_try = ?, attempts = ?, flags = flags & ~8 | ?, "+
			"touched = ? WHERE seq = ?",
			h.state, head, next, h.Attempts, waits, now, h.Seq); err != nil {
			return err
		}
		if h.state == codec.Failed {
			if err := t.setCause(was.rule, h.Seq, h.Problem); err != nil {
				return err
			}
		}
		t.moved(was.rule, was.state, h.state, 1)
		if h.state == codec.Delivered {
			d := t.count(was.rule)
			d.delivered = max(d.delivered, now)
		}
	}
	return nil
}

// setCause keeps by what a failed record is grouped.
func (t *tx) setCause(rule, seq int64, p *journal.Problem) error {
	var name string
	if err := t.queryRow("SELECT name FROM rules WHERE id = ?", rule).Scan(&name); err != nil {
		return err
	}
	return t.exec("UPDATE records SET cause = ? WHERE seq = ?", codec.CauseOf(name, p), seq)
}

func (s *Store) writeOutcomes(t *tx, changed []settlement, before map[int64]standing) error {
	var keep []settlement
	var clear []int64
	for _, h := range changed {
		switch {
		case h.Problem != nil || len(h.Objects)+len(h.About) > 0 || h.SupersededBy != 0:
			keep = append(keep, h)
		case h.hasProblem:
			clear = append(clear, h.Seq)
		}
	}
	if len(clear) > 0 {
		if err := t.exec("DELETE FROM outcomes WHERE seq IN (SELECT value FROM json_each(?))", list(clear)); err != nil {
			return err
		}
	}
	privates := make([][]byte, len(keep))
	for i, h := range keep {
		var err error
		if privates[i], err = s.sealer.Private(before[h.Seq].ident, h.Problem); err != nil {
			return err
		}
	}
	return t.insert(insertOutcome, outcomeFields, len(keep), func(values []any, i int) []any {
		h := keep[i]
		return t.outcomeValues(values, h.Seq, h.Problem, privates[i], shared.Touched(h.Objects, h.About), h.SupersededBy)
	})
}

// promote lets the next record of every key come that a settled record was the head of, but for the
// keys that stand apart.
func (s *Store) promote(t *tx, settled []int64, before map[int64]standing, apart map[int64]bool) error {
	var heads []int64
	for _, seq := range settled {
		was := before[seq]
		if was.head && !apart[was.chain] {
			next, err := t.next(was.chain, seq)
			if err != nil {
				return err
			}
			if next != 0 {
				heads = append(heads, next)
			}
		}
		t.then(func() { s.finder.settled(was.chain, seq) })
	}
	return t.setHeads(heads, nil)
}
