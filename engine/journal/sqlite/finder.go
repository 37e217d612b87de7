package sqlite

import (
	"cmp"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/culvert/culvert/engine/journal/internal/codec"
)

// An index by hash touches another page of the file for every record, which costs more than keeping
// the record itself. The finder therefore keeps the latest records in memory, from where they are
// merged into the table in order of hash, a slice with each transaction: the same page takes many
// of them. Nothing is lost in a crash: memory is read again from the records above the mark.
const foundMark = "journal.found"

// reindex fills the table with all records.
var reindex = []string{
	"DELETE FROM finder",
	"INSERT OR IGNORE INTO finder SELECT hash, seq FROM (SELECT ident AS hash, seq FROM records UNION ALL SELECT " +
		"chain, seq FROM records WHERE state IN (0, 2)) ORDER BY hash, seq",
	"INSERT OR REPLACE INTO meta (name, value) SELECT '" + foundMark +
		"', CAST(coalesce(max(seq), 0) AS TEXT) FROM records",
}

// finder answers which records have an identity or a key. Its answers are candidates: whoever asks
// verifies them against the records.
type finder struct {
	sizes  sizes
	mu     sync.RWMutex
	active *generation
	frozen *generation // nil, or being merged

	// Only the writer uses what follows.
	ready bool
	last  int64 // the highest seq that memory knows
	plan  []found

	table   inspector
	foreign bool // another process changed records, perhaps such that memory lacks unsettled ones; the table has them
}

type generation struct {
	idents map[int64]int64 // the newest record of an identity
	chains chains
	size   int
	above  int64 // it knows all records above this seq
	upTo   int64 // and up to this one
}

type found struct{ hash, seq int64 }

func newGeneration(above int64) *generation {
	return &generation{above: above, upTo: above, idents: map[int64]int64{}, chains: newChains()}
}

func newFinder(s sizes) *finder {
	return &finder{sizes: s, active: newGeneration(0), table: inspector{enough: s.questions, least: s.presence}}
}

// reset forgets what is in memory; load reads it again.
func (f *finder) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.active, f.frozen, f.plan, f.ready, f.last = newGeneration(0), nil, nil, false, 0
	f.foreign = false
	f.table.drop()
}

// load brings memory up to the records that others have written, or all above the mark the first time.
func (f *finder) load(t *tx) error {
	f.table.drop()
	if !f.ready {
		var mark string
		err := t.queryRow("SELECT coalesce((SELECT value FROM meta WHERE name = ?), '0')", foundMark).Scan(&mark)
		if err == nil {
			f.last, err = strconv.ParseInt(mark, 10, 64)
		}
		if err != nil {
			return fmt.Errorf("find where the index of records ends: %w", err)
		}
		f.mu.Lock()
		f.active = newGeneration(f.last)
		f.mu.Unlock()
	} else {
		f.mu.Lock()
		f.foreign = true
		f.mu.Unlock()
	}
	rows, err := t.query("SELECT seq, ident, chain, state FROM records WHERE seq > ? ORDER BY seq", f.last)
	err = scan(rows, err, func(rows *sql.Rows) error {
		var seq, ident, chain int64
		var state int
		if err := rows.Scan(&seq, &ident, &chain, &state); err != nil {
			return err
		}
		f.add(ident, chain, seq, codec.Unsettled(state))
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the latest records: %w", err)
	}
	f.ready = true
	return nil
}

// add makes a durable record known.
func (f *finder) add(ident, chain, seq int64, unsettled bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	g := f.active
	g.idents[ident] = seq
	if unsettled {
		g.chains.insert(chain, seq)
	}
	g.size++
	g.upTo, f.last = seq, seq
}

// addPlaced makes a durable record known that need not be the last. The caller puts it into the table, too.
func (f *finder) addPlaced(ident, chain, seq int64, unsettled bool) {
	if f.isLast(seq) {
		f.add(ident, chain, seq, unsettled)
		return
	}
	f.mu.Lock()
	for _, g := range []*generation{f.frozen, f.active} {
		if g != nil && g.above < seq && seq <= g.upTo {
			g.idents[ident] = max(g.idents[ident], seq)
		}
	}
	f.mu.Unlock()
	if unsettled {
		f.waiting(chain, seq)
	}
}

func (f *finder) isLast(seq int64) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return seq > f.active.upTo
}

// settled takes a record out of the way of its key. In the table it stays, and is found to be stale by whoever looks.
func (f *finder) settled(chain, seq int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, g := range []*generation{f.active, f.frozen} {
		if g != nil {
			g.chains.remove(chain, seq)
		}
	}
}

// ident gives the newest record of an identity in memory, 0 for none.
func (f *finder) ident(hash int64) int64 {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if seq := f.active.idents[hash]; seq != 0 || f.frozen == nil {
		return seq
	}
	return f.frozen.idents[hash]
}

// chain gives the records of a key in memory that come after a seq, ascending, at most limit.
func (f *finder) chain(hash, after int64, limit int) []int64 {
	f.mu.RLock()
	defer f.mu.RUnlock()
	var seqs []int64
	for _, g := range []*generation{f.frozen, f.active} {
		if g != nil {
			seqs = g.chains.appendAfter(seqs, hash, after, limit)
		}
	}
	return seqs
}

// inTable tells whether the table may know more than memory of the records of a key from this seq on.
func (f *finder) inTable(seq int64) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.frozen != nil {
		return f.foreign || seq <= f.frozen.above
	}
	return f.foreign || seq <= f.active.above
}

// waiting makes known that a record of long ago is unsettled again. The caller puts it into the table, too.
func (f *finder) waiting(chain, seq int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, g := range []*generation{f.frozen, f.active} {
		if g != nil && g.above < seq && seq <= g.upTo {
			g.chains.insert(chain, seq)
		}
	}
}

// merging tells whether a generation is being merged.
func (f *finder) merging() bool { return f.frozen != nil || f.active.size >= f.sizes.generation }

// index puts entries into the table.
func (t *tx) index(entries int, at func(i int) found) error {
	return t.insert("INSERT OR IGNORE INTO finder (hash, seq)", 2, entries, func(values []any, i int) []any {
		e := at(i)
		t.w.finder.table.added(e.hash)
		return append(values, e.hash, e.seq)
	})
}

// merge moves a slice of the frozen generation into the table.
func (f *finder) merge(t *tx) error {
	if f.frozen == nil {
		if f.active.size < f.sizes.generation {
			return nil
		}
		f.freeze()
	}
	// A record has two entries: taking four for each that came keeps ahead of those that come.
	part := f.plan[:min(max(f.sizes.slice, 4*t.appended), len(f.plan))]
	live := make([]found, 0, len(part))
	for _, e := range part {
		if e.hash&1 == 0 || f.waits(e) {
			live = append(live, e)
		}
	}
	err := t.index(len(live), func(i int) found { return live[i] })
	if err != nil {
		return fmt.Errorf("merge the index of records: %w", err)
	}
	rest := f.plan[len(part):]
	if len(rest) == 0 {
		if err := t.exec(setMeta, foundMark, strconv.FormatInt(f.frozen.upTo, 10)); err != nil {
			return fmt.Errorf("merge the index of records: %w", err)
		}
	}
	t.then(func() {
		f.plan = rest
		if len(rest) == 0 {
			f.plan = nil
			f.mu.Lock()
			f.frozen = nil
			f.mu.Unlock()
		}
	})
	return nil
}

func (f *finder) freeze() {
	f.mu.Lock()
	defer f.mu.Unlock()
	g := f.active
	f.frozen, f.active = g, newGeneration(g.upTo)
	f.plan = make([]found, 0, 2*g.size)
	for hash, seq := range g.idents {
		f.plan = append(f.plan, found{hash, seq})
	}
	f.plan = g.chains.appendAll(f.plan)
	slices.SortFunc(f.plan, func(a, b found) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.seq, b.seq))
	})
}

// waits tells whether a record of the frozen generation is still unsettled.
func (f *finder) waits(e found) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.frozen.chains.has(e.hash, e.seq)
}
