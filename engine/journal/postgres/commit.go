package postgres

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

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
	now := codec.Micros(s.now())
	rows := make([]*row, len(b.New))
	for i, r := range b.New {
		var err error
		if rows[i], err = s.makeRow(ctx, r, now, true); err != nil {
			return err
		}
	}
	lost := 0
	err := s.tx(ctx, func(ctx context.Context, t *tx) error {
		var err error
		lost, err = t.commit(ctx, b, rows, now)
		return err
	})
	if err != nil {
		return fmt.Errorf("record what a delivery came to: %w", err)
	}
	if lost > 0 {
		s.log.Warn("a delivery came too late: its records were given to another runner", "owner", b.Owner, "records", lost)
	}
	for _, r := range rows {
		r.fillRecord()
	}
	s.notifyAll(ctx)
	return nil
}

func (t *tx) commit(ctx context.Context, b *journal.Batch, rows []*row, now int64) (lost int, err error) {
	if len(rows) > 0 {
		// Before any file or key is locked, as everybody does who appends or makes a file known.
		if _, err := t.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", t.s.lockID(appendLock)); err != nil {
			return 0, fmt.Errorf("wait for other appends: %w", err)
		}
	}
	if err := t.saveFiles(ctx, b, now); err != nil {
		return 0, err
	}
	h, err := t.held(ctx, b, rows)
	if err != nil {
		return 0, err
	}
	lost = h.lost
	fresh, err := t.unrecorded(ctx, rows)
	if err != nil {
		return 0, err
	}
	lost += len(rows) - len(fresh)
	rows = fresh
	if err := t.settle(ctx, h, b.Server, now); err != nil {
		return 0, err
	}
	if len(rows) > 0 {
		if err := t.appendRows(ctx, rows); err != nil {
			return 0, err
		}
	}
	if err := t.releaseKeys(ctx, b.Owner, b.Keys); err != nil {
		return 0, fmt.Errorf("free keys: %w", err)
	}
	if err := t.saveDigests(ctx, b.Server, b.Digests, lost > 0); err != nil {
		return 0, err
	}
	if err := t.supersede(ctx, b.Versions, b.Server, now); err != nil {
		return 0, err
	}
	return lost, t.saveIdentities(ctx, b.Server, b.Identities)
}

// settlement is one with how its record stands.
type settlement struct {
	*journal.Settlement
	standing
	to int
}

// standing is how a record stands before it is changed.
type standing struct {
	rule         int32
	chain, ident int64
	state        int

	version, rank int64
	received      int64
}

// order is where a record stands among those that write the same objects.
func (st standing) order(seq int64) actions.Order {
	return shared.Order(st.version, st.rank, seq)
}

// holding is what of a batch its owner still holds.
type holding struct {
	settlements []settlement
	chains      []int64 // of their keys
	lost        int
}

// held locks the keys of a batch, all in one order, and gives what the owner still holds.
func (t *tx) held(ctx context.Context, b *journal.Batch, rows []*row) (holding, error) {
	var h holding
	seqs := make([]int64, len(b.Settlements))
	for i := range b.Settlements {
		seqs[i] = b.Settlements[i].Seq
	}
	others := make([]int64, 0, len(rows)+len(b.Keys)+len(b.Holding))
	for _, r := range rows {
		others = append(others, r.chain)
	}
	taken := map[int64]bool{} // by rows of this batch
	for _, keys := range [][]string{b.Keys, b.Holding} {
		for _, key := range keys {
			others = append(others, t.s.sealer.Chain(key))
			taken[t.s.sealer.Chain(key)] = true
		}
	}
	if len(seqs)+len(others) == 0 {
		return h, nil
	}
	claimed := map[int64]int64{}
	err := each(ctx, t, func(rows pgx.Rows) error {
		var chain int64
		var seq *int64
		err := rows.Scan(&chain, &seq)
		if seq != nil {
			claimed[*seq] = chain
			if *seq <= 0 {
				delete(taken, chain)
			}
		}
		return err
	}, `SELECT chain, CASE WHEN owner = $1 THEN claimed END FROM keys WHERE owner = $1 AND claimed = ANY($2)
		OR chain = ANY($3) ORDER BY chain FOR UPDATE`,
		b.Owner, seqs, others)
	if err != nil {
		return h, fmt.Errorf("lock keys: %w", err)
	}
	h.lost = len(taken)
	before, err := t.standing(ctx, seqs, "")
	if err != nil {
		return h, err
	}
	for i := range b.Settlements {
		set := &b.Settlements[i]
		was, known := before[set.Seq]
		chain, ours := claimed[set.Seq]
		if !known || !ours {
			h.lost++
			continue
		}
		to, err := codec.StateCode(set.State)
		if err != nil {
			return h, err
		}
		h.settlements, h.chains = append(h.settlements, settlement{set, was, to}), append(h.chains, chain)
	}
	return h, nil
}

func (t *tx) standing(ctx context.Context, seqs []int64, locking string) (map[int64]standing, error) {
	out := make(map[int64]standing, len(seqs))
	err := each(ctx, t, func(rows pgx.Rows) error {
		var seq int64
		var st standing
		err := rows.Scan(&seq, &st.rule, &st.chain, &st.ident, &st.state, &st.version, &st.rank, &st.received)
		out[seq] = st
		return err
	}, "SELECT seq, rule, chain, ident, state, version, rank, received FROM records WHERE seq = ANY($1) "+locking, seqs)
	if err != nil {
		return nil, fmt.Errorf("read how records stand: %w", err)
	}
	return out, nil
}

// settle writes outcomes, frees the keys and lets the next record of each come.
func (t *tx) settle(ctx context.Context, all holding, server string, now int64) error {
	if len(all.settlements) == 0 {
		return nil
	}
	names, err := t.ruleNames(ctx, all.settlements)
	if err != nil {
		return err
	}
	var seqs, dues, clear, moved, causes []int64
	var states, waits []int16
	var attempts []int32
	var keep outcomes
	var newer []shared.Newer
	for _, h := range all.settlements {
		// A person may have dismissed or forgotten it while it was in flight; only a delivery is stronger.
		if !codec.Unsettled(h.state) && h.to != codec.Delivered {
			continue
		}
		due := int64(0)
		if h.to == codec.Pending {
			due = codec.Micros(h.NextTry)
		}
		seqs, dues, states, attempts = append(seqs, h.Seq), append(dues, due), append(states, int16(h.to)),
			append(attempts, int32(h.Attempts))
		waits = append(waits, 0)
		if codec.Waits(h.State, h.Problem) {
			waits[len(waits)-1] = codec.FlagWaits
		}
		t.moved(h.rule, h.state, h.to, 1)
		lag := shared.Lag(now, h.received)
		shared.Settled(t.figures.Of(int64(h.rule), server), h.to, 1, lag, lag)
		for _, text := range shared.Touched(h.Objects, h.About) {
			t.term(text, h.Seq)
		}
		cause := int64(0)
		if h.to == codec.Failed {
			cause = codec.CauseOf(names[h.rule], cleanProblem(h.Problem))
		}
		causes = append(causes, cause)
		if h.to == codec.Delivered {
			t.count(h.rule, codec.Delivered, 0, now)
			moved = append(moved, h.chain)
		}
		if h.to == codec.Delivered || h.to == codec.Superseded {
			newer = append(newer, shared.NewerOf(h.ident, h.order(h.Seq), h.Settlement))
		}
		if h.Problem == nil && len(h.Objects)+len(h.About) == 0 && h.SupersededBy == 0 {
			clear = append(clear, h.Seq)
			continue
		}
		private, err := t.s.sealer.Private(h.ident, h.Problem)
		if err != nil {
			return err
		}
		keep.add(t.s, h.Seq, h.Problem, private, shared.Touched(h.Objects, h.About), h.SupersededBy)
	}
	err = t.batch(ctx, func(b *pgx.Batch) {
		b.Queue(`UPDATE records r SET state = u.state, next_try = u.due, attempts = u.attempts,
			flags = r.flags & ~8 | u.waits, touched = $6, cause = u.cause
			FROM unnest($1::bigint[], $2::smallint[], $3::bigint[], $4::int[], $5::smallint[], $7::bigint[]) u(seq, state, due,
			attempts, waits, cause) WHERE r.seq = u.seq`,
			seqs, states, dues, attempts, waits, now, causes)
		wake(b, moved)
		b.Queue("DELETE FROM outcomes WHERE seq = ANY($1)", clear)
		keep.queue(b)
		b.Queue("UPDATE keys SET owner = NULL, claimed = NULL WHERE chain = ANY($1)", all.chains)
	})
	if err != nil {
		return fmt.Errorf("settle records: %w", err)
	}
	if err := t.rehead(ctx, all.chains); err != nil {
		return err
	}
	return t.supersedeFailed(ctx, newer, server, now)
}

// ruleNames names the rules of records that fail, by which their causes are told apart.
func (t *tx) ruleNames(ctx context.Context, all []settlement) (map[int32]string, error) {
	names := map[int32]string{}
	var ids []int32
	for _, h := range all {
		if _, known := names[h.rule]; h.to == codec.Failed && !known {
			names[h.rule] = ""
			ids = append(ids, h.rule)
		}
	}
	if len(ids) == 0 {
		return names, nil
	}
	err := each(ctx, t, func(rows pgx.Rows) error {
		var id int32
		var name string
		err := rows.Scan(&id, &name)
		names[id] = name
		return err
	}, "SELECT id, name FROM rules WHERE id = ANY($1)", ids)
	if err != nil {
		return nil, fmt.Errorf("read the names of rules: %w", err)
	}
	return names, nil
}

// rehead sets the heads of keys, which the caller has locked, to their first unsettled records, or
// where some wait for their parents, to what may pass them. Keys with nothing left are forgotten.
//
// It asks for the first record at or behind a place in the order of chain and seq, and not for the
// first of a chain: to that the planner may well go through all records in the order of seq, when
// few keys have many of them.
func (t *tx) rehead(ctx context.Context, chains []int64) error {
	err := t.batch(ctx, func(b *pgx.Batch) {
		b.Queue(`UPDATE keys k SET seq = h.seq, rule = h.rule, due = h.next_try, state = h.state
			FROM unnest($1::bigint[]) u(chain) LEFT JOIN LATERAL (SELECT chain, seq, rule, next_try, state FROM records r
			WHERE (r.chain, r.seq) > (u.chain, 0) AND r.state IN (0, 2) ORDER BY r.chain, r.seq LIMIT 1) h
			ON h.chain = u.chain WHERE k.chain = u.chain`, chains)
		b.Queue(passWaiters, chains)
		b.Queue("DELETE FROM keys WHERE chain = ANY($1) AND seq IS NULL AND owner IS NULL", chains)
	})
	if err != nil {
		return fmt.Errorf("let the next records of keys come: %w", err)
	}
	return nil
}

// lockKeys locks keys, in order, making them known where they are not: for records that become unsettled again.
func (t *tx) lockKeys(ctx context.Context, chains []int64) error {
	_, err := t.Exec(ctx, `INSERT INTO keys AS k (chain) SELECT u FROM unnest($1::bigint[]) u ON CONFLICT (chain)
		DO UPDATE SET seq = k.seq`,
		slices.Compact(slices.Sorted(slices.Values(chains))))
	if err != nil {
		return fmt.Errorf("lock keys: %w", err)
	}
	return nil
}

// saveDigests remembers digests. Where another runner has written something later to an object
// meanwhile, that stays, but nobody knows which of the two came last. Of those of a delivery that
// came too late only the order is kept, for what it wrote may have been overwritten since.
func (t *tx) saveDigests(ctx context.Context, server string, digests []actions.Digest, late bool) error {
	if len(digests) == 0 {
		return nil
	}
	latest := map[int64]actions.Digest{}
	for _, d := range digests {
		if late {
			d.Sum = 0
		}
		latest[int64(codec.Object(server, d.Object))] = d
	}
	objects := slices.Sorted(maps.Keys(latest)) // one order for all runners
	n := len(objects)
	sums, marks, versions, seqs := make([]int32, n), make([]int16, n), make([]int64, n), make([]int64, n)
	for i, object := range objects {
		d := latest[object]
		sums[i], marks[i], versions[i], seqs[i] = int32(uint32(d.Sum&journal.SumMask)), int16(d.Mark), d.Order.Version,
			d.Order.Seq
	}
	_, err := t.Exec(ctx, `INSERT INTO digests AS d (object, sum, mark, version, seq)
		SELECT * FROM unnest($1::bigint[], $2::int[], $3::smallint[], $4::bigint[], $5::bigint[])
		ON CONFLICT (object) DO UPDATE SET sum = CASE WHEN d.seq > excluded.seq THEN 0 ELSE excluded.sum END,
		mark = CASE WHEN d.seq > excluded.seq THEN d.mark ELSE excluded.mark END,
		version = CASE WHEN d.seq > excluded.seq THEN d.version ELSE excluded.version END, seq = greatest(d.seq,
		excluded.seq)`, objects, sums, marks, versions, seqs)
	if err != nil {
		return fmt.Errorf("remember digests: %w", err)
	}
	return nil
}

// saveIdentities keeps what was learned. A generation never goes back, for a runner that was taken
// over may come late with an older one, and what a person entered gives way only to a new
// generation.
func (t *tx) saveIdentities(ctx context.Context, server string, ids []actions.Identity) error {
	sorted := slices.SortedFunc(slices.Values(ids), func(a, b actions.Identity) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.ExternalID, b.ExternalID),
			cmp.Compare(a.Generation, b.Generation))
	})
	err := t.batch(ctx, func(b *pgx.Batch) {
		for _, id := range sorted {
			b.Queue(`INSERT INTO identities AS i VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (server, type, external_id)
				DO UPDATE SET uid = excluded.uid,
				generation = excluded.generation, origin = excluded.origin WHERE excluded.generation > i.generation
				OR excluded.generation = i.generation AND i.origin <> 'manual'`, server, clean(id.Type), t.s.hide(id.ExternalID),
				clean(id.UID), id.Generation, id.Origin)
		}
	})
	if err != nil {
		return fmt.Errorf("keep identities: %w", err)
	}
	return nil
}
