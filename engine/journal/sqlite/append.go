package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
	"github.com/culvert/culvert/engine/journal/shared"
	"github.com/culvert/culvert/sources"
)

const (
	setMeta       = "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
	cursorPrefix  = "cursor:"
	insertRecords = `INSERT INTO records (seq, state, head, next_try, attempts, flags, touched, received, rule, ident,
		chain, content, id, key,
		file, place, origin, version, rank, cause)`
	recordColumns = 20
	insertOutcome = "INSERT OR REPLACE INTO outcomes (seq, class, code, cause, hint, object, field, place, private, " +
		"objects, superseded_by)"
	outcomeFields = 11
)

// row is a record made ready for the file outside of the writer, so that sealing runs on all cores.
type row struct {
	rec          *journal.Record
	id, key      string // as they are stored
	state        int
	ident, chain int64
	touched      int64
	origin, body []byte
	private      []byte
	always       bool // a file's row: kept even if the same is known
	placed       bool // it has a place already, which is before those of others that are kept

	seq       int64 // given by the writer
	head      bool
	duplicate bool
}

func (s *Store) makeRow(r *journal.Record, now int64, always bool) (*row, error) {
	p, err := shared.Prepare(s.sealer, r)
	if err != nil {
		return nil, err
	}
	return &row{rec: r, id: s.sealer.Hide(r.ID), key: s.sealer.Hide(r.Key), state: p.State, ident: p.Ident,
		chain: p.Chain, touched: now, origin: p.Origin, body: p.Body,
		private: p.Private, always: always, placed: always && r.Seq > 0}, nil
}

// Append implements journal.Journal.
func (s *Store) Append(ctx context.Context, records []*journal.Record, cursor *sources.Cursor) ([]bool, error) {
	if len(records) == 0 && cursor == nil {
		return nil, nil
	}
	now := codec.Micros(s.now())
	rows := make([]*row, len(records))
	for i, r := range records {
		var err error
		if rows[i], err = s.makeRow(r, now, false); err != nil {
			return nil, err
		}
	}
	o := &op{rows: rows, weight: len(rows)}
	if cursor != nil {
		o.do = func(t *tx) error {
			if err := t.exec(setMeta, cursorPrefix+cursor.Name, s.sealer.Hide(cursor.Value)); err != nil {
				return fmt.Errorf("keep the place in %s: %w", cursor.Name, err)
			}
			return nil
		}
	}
	if err := s.writer.run(ctx, o); err != nil {
		return nil, fmt.Errorf("append to the journal: %w", err)
	}
	duplicates := make([]bool, len(rows))
	for i, r := range rows {
		duplicates[i] = r.duplicate
		r.fillRecord()
	}
	return duplicates, nil
}

// fillRecord writes into the caller's record what the journal gave it.
func (r *row) fillRecord() { shared.Appended(r.rec, r.seq, r.duplicate, r.state, r.touched) }

// appendRows keeps rows in the order given; known ones are marked instead.
func (s *Store) appendRows(t *tx, rows []*row) error {
	indexed, err := t.indexed(rows)
	if err != nil {
		return err
	}
	if err := t.findDuplicates(rows, indexed); err != nil {
		return err
	}
	fresh := make([]*row, 0, len(rows))
	for _, r := range rows {
		if !r.duplicate {
			fresh = append(fresh, r)
		}
	}
	placed, last := partRows(fresh)
	behind, err := t.findHeads(last, indexed)
	if err != nil {
		return err
	}
	err = t.around(behind, func(map[int64]bool) error { return t.insertRows(last) })
	if err != nil {
		return fmt.Errorf("keep records: %w", err)
	}
	t.appended += len(fresh)
	t.then(func() {
		for _, r := range last {
			s.finder.add(r.ident, r.chain, r.seq, codec.Unsettled(r.state))
		}
	})
	return s.insertPlaced(t, placed)
}

// indexed tells which identities and keys of rows the table of the finder has at all: of those of
// new people, which most are, none.
func (t *tx) indexed(rows []*row) (map[int64]bool, error) {
	hashes := make([]int64, 0, 2*len(rows))
	for _, r := range rows {
		if !r.always && t.w.finder.table.mayHave(r.ident) {
			hashes = append(hashes, r.ident)
		}
		if codec.Unsettled(r.state) && t.w.finder.table.mayHave(r.chain) {
			hashes = append(hashes, r.chain)
		}
	}
	out := map[int64]bool{}
	if len(hashes) == 0 {
		return out, nil
	}
	err := t.addChains(out, "SELECT j.value FROM json_each(?) j WHERE EXISTS (SELECT 1 FROM finder WHERE hash = j.value)",
		list(hashes))
	if err != nil {
		return nil, fmt.Errorf("look for known records: %w", err)
	}
	return out, nil
}

// findDuplicates marks the rows whose identity's newest record has the same content, and gives the others their seq.
func (t *tx) findDuplicates(rows []*row, indexed map[int64]bool) error {
	known, err := t.newest(rows, indexed)
	if err != nil {
		return fmt.Errorf("look for known records: %w", err)
	}
	latest := map[int64]*row{}
	for _, r := range rows {
		r.duplicate = false
		if r.placed {
			r.seq = r.rec.Seq
			continue
		}
		if before := latest[r.ident]; before != nil && !r.always {
			if before.rec.Content == r.rec.Content && before.id == r.id && before.rec.Rule == r.rec.Rule {
				r.duplicate, r.seq = true, before.seq
				continue
			}
		} else if k, ok := known[r.ident]; ok && !r.always {
			if k.content == r.rec.Content && k.id == r.id && k.rule == r.rec.Rule {
				r.duplicate, r.seq = true, k.seq
				continue
			}
		}
		r.seq = t.nextSeq()
		latest[r.ident] = r
	}
	for ident, r := range latest {
		t.idents[ident] = r.seq
	}
	return nil
}

type knownRecord struct {
	seq      int64
	content  uint64
	id, rule string
}

// newest reads the newest record of every identity that is known.
func (t *tx) newest(rows []*row, indexed map[int64]bool) (map[int64]knownRecord, error) {
	seqs := make([]int64, 0, 16)
	var ask []int64
	for _, r := range rows {
		if r.always {
			continue
		}
		if seq := t.idents[r.ident]; seq != 0 {
			seqs = append(seqs, seq)
		} else if seq := t.w.finder.ident(r.ident); seq != 0 {
			seqs = append(seqs, seq)
		} else if indexed[r.ident] {
			ask = append(ask, r.ident)
		}
	}
	if len(ask) > 0 {
		found, err := t.query(`SELECT (SELECT seq FROM finder WHERE hash = j.value ORDER BY seq DESC LIMIT 1) AS s
			FROM json_each(?) j WHERE s IS NOT NULL`, list(ask))
		err = scan(found, err, func(rows *sql.Rows) error {
			var seq int64
			err := rows.Scan(&seq)
			seqs = append(seqs, seq)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	known := map[int64]knownRecord{}
	if len(seqs) == 0 {
		return known, nil
	}
	found, err := t.query(`SELECT r.seq, r.ident, r.content, r.id, n.name FROM json_each(?) j CROSS JOIN records r
		ON r.seq = j.value
		JOIN rules n ON n.id = r.rule`, list(seqs))
	err = scan(found, err, func(rows *sql.Rows) error {
		var k knownRecord
		var ident, content int64
		err := rows.Scan(&k.seq, &ident, &content, &k.id, &k.rule)
		k.content = uint64(content)
		if k.seq > known[ident].seq { // another may have been found by a name that it had
			known[ident] = k
		}
		return err
	})
	return known, err
}

func (t *tx) insertRows(rows []*row) error {
	var withBody, withOutcome []*row
	rules := make([]int64, len(rows))
	for i, r := range rows {
		rule, err := t.rule(r.rec.Rule)
		if err != nil {
			return err
		}
		rules[i] = rule
		d := t.count(rule)
		d.states[r.state]++
		d.lastReceived = max(d.lastReceived, codec.Micros(r.rec.Received))
		r.figure(t.figures.Of(rule, ""))
		for _, text := range append(shared.Terms(r.rec), shared.Touched(r.rec.Objects, r.rec.About)...) {
			t.term(text, r.seq)
		}
		if r.body != nil {
			withBody = append(withBody, r)
		}
		if r.rec.Problem != nil || len(r.rec.Objects)+len(r.rec.About) > 0 || r.rec.SupersededBy != 0 {
			withOutcome = append(withOutcome, r)
		}
	}
	err := t.insert(insertRecords, recordColumns, len(rows),
		func(values []any, i int) []any { return rows[i].values(values, rules[i]) })
	if err != nil {
		return err
	}
	err = t.insert("INSERT INTO payloads (seq, body)", 2, len(withBody), func(values []any, i int) []any {
		return append(values, withBody[i].seq, withBody[i].body)
	})
	if err != nil {
		return err
	}
	return t.insert(insertOutcome, outcomeFields, len(withOutcome), func(values []any, i int) []any {
		r := withOutcome[i]
		return t.outcomeValues(values, r.seq, r.rec.Problem, r.private, shared.Touched(r.rec.Objects, r.rec.About),
			r.rec.SupersededBy)
	})
}

// values adds what insertRecords takes.
func (r *row) values(values []any, rule int64) []any {
	next := int64(0)
	if r.state == codec.Pending {
		next = codec.Micros(r.rec.NextTry)
	}
	var file, place any
	if r.rec.Origin.FileID != "" {
		file, place = r.rec.Origin.FileID, r.rec.Origin.Row
	}
	return append(values, r.seq, r.state, number(r.head), next, r.rec.Attempts, codec.Flags(r.rec), r.touched,
		codec.Micros(r.rec.Received), rule, r.ident,
		r.chain, int64(r.rec.Content), r.id, r.key, file, place, r.origin,
		r.rec.Version, r.rec.Rank, r.cause())
}

// cause is by what failed records are grouped.
func (r *row) cause() int64 {
	if r.state != codec.Failed {
		return 0
	}
	return codec.CauseOf(r.rec.Rule, r.rec.Problem)
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

// outcomeValues adds what insertOutcome takes.
func (t *tx) outcomeValues(values []any, seq int64, p *journal.Problem, private []byte, objects []string,
	by int64) []any {
	if p == nil {
		return append(values, seq, nil, nil, nil, nil, nil, nil, nil, nil, codec.Objects(objects), by)
	}
	hide := t.w.sealer.Hide
	return append(values, seq, string(p.Class), p.Code, hide(p.Message), hide(p.Hint), hide(p.Object), p.Field,
		p.Place.String(), private, codec.Objects(objects), by)
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}
