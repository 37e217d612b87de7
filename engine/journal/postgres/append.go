package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/jackc/pgx/v5"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
	"github.com/culvert/culvert/engine/journal/shared"
	"github.com/culvert/culvert/sources"
)

// How much one append takes together from callers that wait.
const (
	maxGather  = 1024
	maxRecords = 4096
)

// row is a record made ready for the database.
type row struct {
	rec          *journal.Record
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
	state, err := codec.StateCode(r.State)
	if err != nil {
		return nil, err
	}
	if err := shared.Whole(r); err != nil {
		return nil, err
	}
	out := &row{rec: r, state: state, ident: codec.Ident(r.Rule, r.ID), chain: codec.Chain(r.Key), touched: now,
		always: always}
	if out.rule, err = s.rule(ctx, r.Rule); err != nil {
		return nil, err
	}
	if out.origin, err = s.sealer.Origin(out.ident, r.Origin); err != nil {
		return nil, err
	}
	if out.private, err = s.sealer.Private(out.ident, r.Problem); err != nil {
		return nil, err
	}
	out.body = s.sealer.Seal(codec.PurposeBody, out.ident, r.Body)
	return out, nil
}

// tell writes into the caller's record what the journal gave it.
func (r *row) tell() {
	r.rec.Seq = r.seq
	if r.duplicate {
		return
	}
	r.rec.State = codec.StateOf(r.state)
	if !codec.Unsettled(r.state) {
		r.rec.Settled = codec.Time(r.touched)
	}
}

// appendOp is one caller's records.
type appendOp struct {
	rows   []*row
	cursor *sources.Cursor
	taken  atomic.Bool // by the loop, or given up by the caller
	done   chan error
}

// Append implements journal.Journal. Callers that come together share a transaction.
func (s *Store) Append(ctx context.Context, records []*journal.Record, cursor *sources.Cursor) ([]bool, error) {
	if len(records) == 0 && cursor == nil {
		return nil, nil
	}
	if s.life.Err() != nil {
		return nil, journal.ErrClosed
	}
	now := codec.Micros(s.now())
	o := &appendOp{rows: make([]*row, len(records)), cursor: cursor, done: make(chan error, 1)}
	for i, r := range records {
		var err error
		if o.rows[i], err = s.makeRow(ctx, r, now, false); err != nil {
			return nil, err
		}
	}
	if err := s.hand(ctx, o); err != nil {
		return nil, fmt.Errorf("append to the journal: %w", err)
	}
	duplicates := make([]bool, len(o.rows))
	for i, r := range o.rows {
		duplicates[i] = r.duplicate
		r.tell()
	}
	return duplicates, nil
}

// hand gives records to the loop and waits until they are durable.
func (s *Store) hand(ctx context.Context, o *appendOp) error {
	select {
	case s.appends <- o:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.life.Done():
		return journal.ErrClosed
	}
	var ended error
	select {
	case err := <-o.done:
		return err
	case <-ctx.Done():
		ended = ctx.Err()
	case <-s.life.Done():
		ended = journal.ErrClosed
	}
	if o.taken.CompareAndSwap(false, true) {
		return ended
	}
	return <-o.done
}

func (s *Store) appendLoop(ctx context.Context) {
	for {
		var batch []*appendOp
		records := 0
		take := func(o *appendOp) {
			if o.taken.CompareAndSwap(false, true) {
				batch = append(batch, o)
				records += len(o.rows)
			}
		}
		select {
		case o := <-s.appends:
			take(o)
		case <-ctx.Done():
			return
		}
	gather:
		for len(batch) < maxGather && records < maxRecords {
			select {
			case o := <-s.appends:
				take(o)
			default:
				break gather
			}
		}
		s.appendBatch(batch)
	}
}

// appendBatch keeps the records of some callers. When they cannot be kept together for a reason of
// one of them, each is tried alone.
func (s *Store) appendBatch(batch []*appendOp) {
	// Not the loop's context: what has begun is finished when the store closes.
	ctx, cancel := context.WithTimeout(context.Background(), s.lease)
	defer cancel()
	err := s.appendTogether(ctx, batch)
	var gone *journal.ErrUnavailable
	if err != nil && len(batch) > 1 && !errors.As(err, &gone) && ctx.Err() == nil {
		for _, o := range batch {
			o.done <- s.appendTogether(ctx, []*appendOp{o})
		}
		return
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = &journal.ErrUnavailable{Reason: fmt.Sprintf("%s did not answer in time", s.place), RetryAfter: retryAfter,
			Err: err}
	}
	if err != nil {
		s.log.Error("the journal cannot be written", "error", err)
	}
	for _, o := range batch {
		o.done <- err
	}
}

func (s *Store) appendTogether(ctx context.Context, batch []*appendOp) error {
	var rows []*row
	for _, o := range batch {
		rows = append(rows, o.rows...)
	}
	err := s.guardedTx(ctx, func(ctx context.Context, t *tx) error {
		if len(rows) > 0 {
			if err := t.appendRows(ctx, rows); err != nil {
				return err
			}
		}
		for _, o := range batch {
			if o.cursor == nil {
				continue
			}
			if _, err := t.Exec(ctx, setMeta, clean(cursorPrefix+o.cursor.Name), clean(o.cursor.Value)); err != nil {
				return fmt.Errorf("keep the place in %s: %w", o.cursor.Name, err)
			}
		}
		return nil
	})
	if err == nil {
		s.tell(ctx)
	}
	return err
}

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
	err := each(ctx, t, func(rows pgx.Rows) error {
		var ident, content int64
		var k knownRecord
		err := rows.Scan(&ident, &k.seq, &content, &k.rule, &k.id)
		k.content = uint64(content)
		known[ident] = k
		return err
	}, `SELECT u.ident, r.seq, r.content, r.rule, r.id FROM unnest($1::bigint[]) u(ident),
		LATERAL (SELECT ident, seq, content, rule, id FROM records r WHERE (r.ident, r.seq) <= (u.ident, 9223372036854775807)
		ORDER BY r.ident DESC, r.seq DESC LIMIT 1) r WHERE r.ident = u.ident`, idents) // in the order of the index; see rehead
	if err != nil {
		return err
	}
	fresh := int64(0)
	for _, r := range rows {
		k, ok := known[r.ident]
		if r.duplicate = ok && !r.always && k.content == r.rec.Content && k.rule == r.rule &&
			k.id == clean(r.rec.ID); r.duplicate {
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
		ON CONFLICT (chain) DO UPDATE SET seq = least(k.seq, excluded.seq), rule = CASE WHEN k.seq < excluded.seq THEN k.rule ELSE excluded.rule END,
		due = CASE WHEN k.seq < excluded.seq THEN k.due ELSE excluded.due END, state = CASE WHEN k.seq < excluded.seq THEN k.state ELSE excluded.state END`,
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
		attempts[i], rules[i], ids[i], keys[i], origins[i] = int32(r.rec.Attempts), r.rule, clean(r.rec.ID),
			clean(r.rec.Key), r.origin
		versions[i], ranks[i] = r.rec.Version, r.rec.Rank
		if o := &r.rec.Origin; o.FileID != "" {
			place := int32(o.Row)
			file := clean(o.FileID)
			files[i], places[i] = &file, &place
		}
		if r.body != nil {
			bodySeqs, bodies = append(bodySeqs, r.seq), append(bodies, r.body)
		}
		if r.rec.Problem != nil || len(r.rec.Objects) > 0 || r.rec.SupersededBy != 0 {
			outcomes.add(r.seq, r.rec.Problem, r.private, r.rec.Objects, r.rec.SupersededBy)
		}
		t.count(r.rule, r.state, 1, 0)
		t.count(r.rule, receivedState, 0, received[i])
		r.figure(t.figures.Of(int64(r.rule), ""))
		for _, text := range append(shared.Terms(r.rec), r.rec.Objects...) {
			t.term(text, r.seq)
		}
		if r.state == codec.Failed {
			causes[i] = codec.CauseOf(r.rec.Rule, cleanProblem(r.rec.Problem))
		}
	}
	return t.batch(ctx, func(b *pgx.Batch) {
		b.Queue(`INSERT INTO records (seq, state, attempts, flags, rule, ident, chain, content, next_try, touched, received, id, key, file, row, origin, version, rank, cause)
			SELECT * FROM unnest($1::bigint[], $2::smallint[], $3::int[], $4::smallint[], $5::int[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[],
			$10::bigint[], $11::bigint[], $12::text[], $13::text[], $14::text[], $15::int[], $16::bytea[], $17::bigint[], $18::bigint[], $19::bigint[])`,
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
	return &journal.Problem{Class: p.Class, Code: clean(p.Code), Cause: clean(p.Cause), Place: clean(p.Place)}
}

// outcomes are outcomes to be kept together.
type outcomes struct {
	seqs, newer                                            []int64
	classes, codes, causes, hints, objects, fields, places []*string
	ids                                                    []string
	privates                                               [][]byte
}

func (o *outcomes) add(seq int64, p *journal.Problem, private []byte, objects []string, by int64) {
	texts := [7]*string{}
	if p != nil {
		for i, text := range [7]string{string(p.Class), p.Code, p.Cause, p.Hint, p.Object, p.Field, p.Place} {
			text = clean(text)
			texts[i] = &text
		}
	}
	o.newer = append(o.newer, by)
	o.seqs, o.ids, o.privates = append(o.seqs, seq), append(o.ids, clean(codec.Objects(objects))),
		append(o.privates, private)
	for i, list := range []*[]*string{&o.classes, &o.codes, &o.causes, &o.hints, &o.objects, &o.fields, &o.places} {
		*list = append(*list, texts[i])
	}
}

func (o *outcomes) queue(b *pgx.Batch) {
	if len(o.seqs) == 0 {
		return
	}
	b.Queue(`INSERT INTO outcomes (seq, class, code, cause, hint, object, field, place, private, objects, superseded_by)
		SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bytea[], $10::text[], $11::bigint[])
		ON CONFLICT (seq) DO UPDATE SET class = excluded.class, code = excluded.code, cause = excluded.cause, hint = excluded.hint, object = excluded.object,
		field = excluded.field, place = excluded.place, private = excluded.private, objects = excluded.objects,
		superseded_by = excluded.superseded_by`,
		o.seqs, o.classes, o.codes, o.causes, o.hints, o.objects, o.fields, o.places, o.privates, o.ids, o.newer)
}
