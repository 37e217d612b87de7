package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/culvert/culvert/engine/journal/internal/codec"
	"github.com/culvert/culvert/engine/journal/shared"
)

// Records are searched by their ids, keys and the objects that they wrote. As with the finder, an
// index by hash would touch a page of the file for each of these. A transaction writes its terms
// into a log, in one row; when the log has many, they are merged into the table in order of hash, a
// slice with each transaction. A search reads the log and the table.

const termBytes = codec.TermBits/8 + 1 + 8 // hash, seq

// terms is what the writer knows of the log.
type terms struct {
	most   int // terms in the log before they are merged
	slice  int // of them with one transaction
	ready  bool
	logged int   // terms in the log
	last   int64 // the log's highest id that is counted in
	plan   []found
	upTo   int64 // the log's highest id that the plan holds
}

func (x *terms) reset() { x.plan, x.ready, x.logged, x.last = nil, false, 0, 0 }

// distrust has the log read anew by the next transaction.
func (x *terms) distrust() { x.plan, x.ready = nil, false }

// load counts what the log holds. What others changed may have been erased from the log, so that the plan is made anew.
func (x *terms) load(t *tx) error {
	x.reset()
	err := t.queryRow("SELECT coalesce(sum(length(entries)), 0), coalesce(max(id), 0) FROM term_log").Scan(&x.logged,
		&x.last)
	if err != nil {
		return fmt.Errorf("read how many terms of records wait: %w", err)
	}
	x.logged /= termBytes
	x.ready = true
	return nil
}

func (x *terms) merging() bool { return x.plan != nil || x.logged >= x.most }

// term makes a record known by a text once the transaction ends.
func (t *tx) term(text string, seq int64) {
	if text != "" {
		t.terms = append(t.terms, found{t.w.sealer.Term(text), seq})
	}
}

// flushTerms writes the transaction's terms into the log.
func (t *tx) flushTerms() error {
	if len(t.terms) == 0 {
		return nil
	}
	id, err := t.logTerms(t.terms)
	if err != nil {
		return err
	}
	n := len(t.terms)
	t.then(func() { t.w.terms.logged, t.w.terms.last = t.w.terms.logged+n, id })
	return nil
}

func (t *tx) logTerms(all []found) (id int64, err error) {
	entries := make([]byte, 0, termBytes*len(all))
	for _, e := range all {
		entries = appendNumber(entries, uint64(e.hash), termBytes-8)
		entries = binary.BigEndian.AppendUint64(entries, uint64(e.seq))
	}
	if err := t.queryRow("INSERT INTO term_log (entries) VALUES (?) RETURNING id", entries).Scan(&id); err != nil {
		return 0, fmt.Errorf("make records known by their terms: %w", err)
	}
	return id, nil
}

// eachTerm reads entries of the log.
func eachTerm(entries []byte, f func(found)) {
	for ; len(entries) >= termBytes; entries = entries[termBytes:] {
		f(found{int64(numberAt(entries, termBytes-8)), int64(binary.BigEndian.Uint64(entries[termBytes-8:]))})
	}
}

// merge moves a slice of the log into the table.
func (x *terms) merge(t *tx) error {
	if x.plan == nil {
		if x.logged < x.most {
			return nil
		}
		if err := x.freeze(t); err != nil {
			return err
		}
	}
	part := x.plan[:min(max(x.slice, 2*len(t.terms)), len(x.plan))]
	err := t.insert("INSERT OR IGNORE INTO terms (hash, seq)", 2, len(part), func(values []any, i int) []any {
		return append(values, part[i].hash, part[i].seq)
	})
	if err != nil {
		return fmt.Errorf("merge the terms of records: %w", err)
	}
	rest := x.plan[len(part):]
	if len(rest) == 0 {
		if err := t.exec("DELETE FROM term_log WHERE id <= ?", x.upTo); err != nil {
			return fmt.Errorf("merge the terms of records: %w", err)
		}
	}
	t.then(func() {
		x.plan = rest
		if len(rest) == 0 {
			x.plan = nil
		}
	})
	return nil
}

// freeze takes what the log holds into the plan. What this transaction wrote may be in it, and is
// again should the transaction fail.
func (x *terms) freeze(t *tx) error {
	x.plan, x.upTo = make([]found, 0, x.logged), 0
	rows, err := t.query("SELECT id, entries FROM term_log ORDER BY id")
	err = scan(rows, err, func(rows *sql.Rows) error {
		var entries sql.RawBytes
		if err := rows.Scan(&x.upTo, &entries); err != nil {
			return err
		}
		eachTerm(entries, func(e found) { x.plan = append(x.plan, e) })
		return nil
	})
	if err != nil {
		x.plan = nil
		return fmt.Errorf("read the terms of records: %w", err)
	}
	slices.SortFunc(x.plan, byTerm)
	x.plan = slices.Compact(x.plan)
	t.then(func() { x.logged = 0 })
	return nil
}

func byTerm(a, b found) int { return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.seq, b.seq)) }

// recordsBy gives the latest records before a Seq that may be known by one of the texts, at most n, descending.
func (s *Store) recordsBy(ctx context.Context, texts []string, before int64, n int) ([]int64, error) {
	hashes := make(map[int64]bool, len(texts))
	for _, text := range texts {
		hashes[s.sealer.Term(text)] = true
	}
	var logged []int64
	// The log first: what is merged meanwhile is found in both.
	rows, err := s.read.query(ctx, "SELECT entries FROM term_log")
	err = scan(rows, err, func(rows *sql.Rows) error {
		var entries sql.RawBytes
		err := rows.Scan(&entries)
		eachTerm(entries, func(e found) {
			if e.seq < before && hashes[e.hash] {
				logged = append(logged, e.seq)
			}
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	lists := [][]int64{logged}
	for hash := range hashes {
		seqs, err := s.numbers(ctx, "SELECT seq FROM terms WHERE hash = ? AND seq < ? ORDER BY seq DESC LIMIT ?", hash,
			before, n)
		if err != nil {
			return nil, err
		}
		lists = append(lists, seqs)
	}
	return shared.Latest(n, lists...), nil
}

// numbers reads one column of numbers.
func (s *Store) numbers(ctx context.Context, query string, args ...any) ([]int64, error) {
	rows, err := s.read.query(ctx, query, args...)
	var out []int64
	err = scan(rows, err, func(rows *sql.Rows) error {
		var n int64
		err := rows.Scan(&n)
		out = append(out, n)
		return err
	})
	return out, err
}

// dropTerms erases by what records are found, before they change or go: from the table, and from the log.
func (t *tx) dropTerms(seqs []int64) error {
	gone := make(map[int64]bool, len(seqs))
	var drop []found
	for _, seq := range seqs {
		gone[seq] = true
	}
	rows, err := t.query("SELECT r.seq, r.id, r.key, coalesce(o.objects, '') FROM json_each(?) j CROSS JOIN records r "+
		"ON r.seq = j.value LEFT JOIN outcomes o ON o.seq = r.seq",
		list(seqs))
	err = scan(rows, err, func(rows *sql.Rows) error {
		var seq int64
		var id, key, objects string
		err := rows.Scan(&seq, &id, &key, &objects)
		if err == nil {
			err = t.w.sealer.ShowAll(&id, &key)
		}
		for _, text := range append(codec.SplitObjects(objects), id, key) {
			drop = append(drop, found{t.w.sealer.Term(text), seq})
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("read by what records are found: %w", err)
	}
	for _, e := range drop {
		if err := t.exec("DELETE FROM terms WHERE hash = ? AND seq = ?", e.hash, e.seq); err != nil {
			return fmt.Errorf("erase by what records are found: %w", err)
		}
	}
	return t.dropLogged(gone)
}

// dropLogged erases terms of records from the log.
func (t *tx) dropLogged(gone map[int64]bool) error {
	kept := map[int64][]found{}
	rows, err := t.query("SELECT id, entries FROM term_log")
	err = scan(rows, err, func(rows *sql.Rows) error {
		var id int64
		var entries sql.RawBytes
		if err := rows.Scan(&id, &entries); err != nil {
			return err
		}
		var rest []found
		changed := false
		eachTerm(entries, func(e found) {
			if gone[e.seq] {
				changed = true
			} else {
				rest = append(rest, e)
			}
		})
		if changed {
			kept[id] = rest
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the terms of records: %w", err)
	}
	for id, rest := range kept {
		if err := t.exec("DELETE FROM term_log WHERE id = ?", id); err != nil {
			return fmt.Errorf("erase terms of records: %w", err)
		}
		if len(rest) == 0 {
			continue
		}
		if _, err := t.logTerms(rest); err != nil {
			return err
		}
	}
	// The plan may hold them, too: nothing of it is merged.
	t.w.terms.distrust()
	return nil
}
