package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
	"github.com/culvert/culvert/engine/journal/shared"
	"github.com/culvert/culvert/rules/diag"
)

// row is a record made ready for the database.
type row struct {
	rec          *journal.Record
	id, key      string // as they are stored
	state        int
	rule         int32
	ident, chain int64
	touched      int64
	origin, body []byte
	private      []byte
	always       bool // a file's row: kept even if the same is known

	seq       int64
	duplicate bool
}

func (s *Store) makeRow(ctx context.Context, r *journal.Record, now int64, always bool) (*row, error) {
	p, err := shared.Prepare(s.sealer, r)
	if err != nil {
		return nil, err
	}
	rule, err := s.rule(ctx, r.Rule)
	if err != nil {
		return nil, err
	}
	return &row{rec: r, id: s.hide(r.ID), key: s.hide(r.Key), rule: rule, state: p.State, ident: p.Ident,
		chain: p.Chain, touched: now, origin: p.Origin,
		body: p.Body, private: p.Private, always: always}, nil
}

// fillRecord writes into the caller's record what the journal gave it.
func (r *row) fillRecord() { shared.Appended(r.rec, r.seq, r.duplicate, r.state, r.touched) }

// appendRows keeps rows in the order given; known ones are marked instead. One append after the
// other, whichever runner makes it: so seqs come in the order in which they become visible, and of
// two runners that get the same record at once one sees the other's.
func (t *tx) appendRows(ctx context.Context, rows []*row) error {
	if _, err := t.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", t.s.lockID(appendLock)); err != nil {
		return fmt.Errorf("wait for other appends: %w", err)
	}
	if err := t.findDuplicates(ctx, rows); err != nil {
		return fmt.Errorf("look for known records: %w", err)
	}
	fresh := slices.DeleteFunc(slices.Clone(rows), func(r *row) bool { return r.duplicate })
	if len(fresh) == 0 {
		return nil
	}
	if err := t.number(ctx, fresh); err != nil {
		return fmt.Errorf("number records: %w", err)
	}
	for _, r := range rows {
		if r.duplicate && r.seq < 0 {
			r.seq = fresh[-r.seq-1].seq
		}
	}
	if err := t.queue(ctx, fresh); err != nil {
		return fmt.Errorf("put records in order: %w", err)
	}
	if err := t.insertRows(ctx, fresh); err != nil {
		return fmt.Errorf("keep records: %w", err)
	}
	return t.letPass(ctx, fresh)
}

// findDuplicates marks the rows whose identity's newest record has the same content. The seq of one
// that repeats a row of the same append is that row's place among the fresh ones, from -1
// downwards, until it has its own.
func (t *tx) findDuplicates(ctx context.Context, rows []*row) error {
	type knownRecord struct {
		seq     int64
		content uint64
		rule    int32
		id      string
	}
	var idents []int64
	for _, r := range rows {
		if !r.always {
			idents = append(idents, r.ident)
		}
	}
	known := map[int64]knownRecord{}
	// The newest is found in the order of the index; see rehead.
	err := each(ctx, t, func(rows pgx.Rows) error {
		var ident, content int64
		var k knownRecord
		err := rows.Scan(&ident, &k.seq, &content, &k.rule, &k.id)
		k.content = uint64(content)
		if err == nil {
			k.id, err = t.s.sealer.Show(k.id)
		}
		known[ident] = k
		return err
	}, `SELECT u.ident, r.seq, r.content, r.rule, r.id FROM unnest($1::bigint[]) u(ident),
		LATERAL (SELECT ident, seq, content, rule, id FROM records r WHERE (r.ident, r.seq) <= (u.ident, 9223372036854775807)
		ORDER BY r.ident DESC, r.seq DESC LIMIT 1) r WHERE r.ident = u.ident`, idents)
	if err != nil {
		return err
	}
	fresh := int64(0)
	for _, r := range rows {
		k, ok := known[r.ident]
		if r.duplicate = ok && !r.always && k.content == r.rec.Content && k.rule == r.rule &&
			clean(k.id) == clean(r.rec.ID); r.duplicate {
			r.seq = k.seq
			continue
		}
		fresh++
		known[r.ident] = knownRecord{-fresh, r.rec.Content, r.rule, clean(r.rec.ID)}
	}
	return nil
}

// queue puts unsettled rows among those of their keys; the first of a key stands at its head.
func (t *tx) queue(ctx context.Context, rows []*row) error {
	heads := slices.DeleteFunc(slices.Clone(rows), func(r *row) bool { return !codec.Unsettled(r.state) })
	if len(heads) == 0 {
		return nil
	}
	slices.SortFunc(heads, func(a, b *row) int { return cmp.Or(cmp.Compare(a.chain, b.chain), cmp.Compare(a.seq, b.seq)) })
	heads = slices.CompactFunc(heads, func(a, b *row) bool { return a.chain == b.chain })
	n := len(heads)
	chains, seqs, dues, rules, states := make([]int64, n), make([]int64, n), make([]int64, n), make([]int32, n),
		make([]int16, n)
	for i, r := range heads {
		chains[i], seqs[i], dues[i], rules[i], states[i] = r.chain, r.seq, r.due(), r.rule, int16(r.state)
	}
	// Updating a key whose head stays changes nothing but locks it, so that nobody takes it away meanwhile.
	_, err := t.Exec(ctx, `INSERT INTO keys AS k (chain, seq, rule, due, state)
		SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::int[], $4::bigint[], $5::smallint[])
		ON CONFLICT (chain) DO UPDATE SET seq = least(k.seq, excluded.seq), rule = CASE
		WHEN k.seq < excluded.seq THEN k.rule ELSE excluded.rule END,
		due = CASE WHEN k.seq < excluded.seq THEN k.due ELSE excluded.due END, state = CASE
		WHEN k.seq < excluded.seq THEN k.state ELSE excluded.state END`,
		chains, seqs, rules, dues, states)
	return err
}

// due is when a pending row may be sent: 0 for at once.
func (r *row) due() int64 {
	if r.state != codec.Pending {
		return 0
	}
	return codec.Micros(r.rec.NextTry)
}

func (t *tx) insertRows(ctx context.Context, rows []*row) error {
	n := len(rows)
	var (
		seqs, idents, chains, contents, dues, touched, received = make([]int64, n), make([]int64, n), make([]int64, n),
			make([]int64, n), make([]int64, n),
			make([]int64, n), make([]int64, n)
		states, flags   = make([]int16, n), make([]int16, n)
		attempts, rules = make([]int32, n), make([]int32, n)
		ids, keys       = make([]string, n), make([]string, n)
		files           = make([]*string, n)
		places          = make([]*int32, n)
		origins         = make([][]byte, n)
		versions, ranks = make([]int64, n), make([]int64, n)
		causes          = make([]int64, n)
		bodySeqs        []int64
		bodies          [][]byte
		outcomes        outcomes
	)
	for i, r := range rows {
		seqs[i], idents[i], chains[i], contents[i], dues[i] = r.seq, r.ident, r.chain, int64(r.rec.Content), r.due()
		touched[i], received[i], states[i], flags[i] = r.touched, codec.Micros(r.rec.Received), int16(r.state),
			int16(codec.Flags(r.rec))
		attempts[i], rules[i], ids[i], keys[i], origins[i] = int32(r.rec.Attempts), r.rule, r.id,
			r.key, r.origin
		versions[i], ranks[i] = r.rec.Version, r.rec.Rank
		if o := &r.rec.Origin; o.FileID != "" {
			place := int32(o.Row)
			file := clean(o.FileID)
			files[i], places[i] = &file, &place
		}
		if r.body != nil {
			bodySeqs, bodies = append(bodySeqs, r.seq), append(bodies, r.body)
		}
		if r.rec.Problem != nil || len(r.rec.Objects)+len(r.rec.About) > 0 || r.rec.SupersededBy != 0 {
			outcomes.add(t.s, r.seq, r.rec.Problem, r.private, shared.Touched(r.rec.Objects, r.rec.About), r.rec.SupersededBy)
		}
		t.count(r.rule, r.state, 1, 0)
		t.count(r.rule, receivedState, 0, received[i])
		r.figure(t.figures.Of(int64(r.rule), ""))
		for _, text := range append(shared.Terms(r.rec), shared.Touched(r.rec.Objects, r.rec.About)...) {
			t.term(text, r.seq)
		}
		if r.state == codec.Failed {
			causes[i] = codec.CauseOf(r.rec.Rule, cleanProblem(r.rec.Problem))
		}
	}
	return t.batch(ctx, func(b *pgx.Batch) {
		b.Queue(`INSERT INTO records (seq, state, attempts, flags, rule, ident, chain, content, next_try, touched, received,
			id, key, file, row, origin, version, rank, cause)
			SELECT * FROM unnest($1::bigint[], $2::smallint[], $3::int[], $4::smallint[], $5::int[], $6::bigint[],
			$7::bigint[], $8::bigint[], $9::bigint[],
			$10::bigint[], $11::bigint[], $12::text[], $13::text[], $14::text[], $15::int[], $16::bytea[], $17::bigint[],
			$18::bigint[], $19::bigint[])`,
			seqs, states, attempts, flags, rules, idents, chains, contents, dues, touched, received, ids, keys, files, places,
			origins, versions, ranks, causes)
		if len(bodySeqs) > 0 {
			b.Queue("INSERT INTO payloads SELECT * FROM unnest($1::bigint[], $2::bytea[])", bodySeqs, bodies)
		}
		outcomes.queue(b)
	})
}

// figure counts a new record. Rows of files are counted with the progress of their file, but for those that failed.
func (r *row) figure(f *journal.Figures) {
	if !r.always {
		f.Received++
	}
	if !r.always || r.state == codec.Failed {
		shared.Settled(f, r.state, 1, 0, 0)
	}
}

// cleanProblem gives a problem as it is stored, for its cause.
func cleanProblem(p *journal.Problem) *journal.Problem {
	if p == nil {
		return nil
	}
	return &journal.Problem{Class: p.Class, Problem: diag.Problem{Code: clean(p.Code), Message: clean(p.Message),
		Place: diag.ParsePlace(clean(p.Place.String()))}}
}
