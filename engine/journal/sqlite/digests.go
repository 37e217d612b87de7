package sqlite

import (
	"cmp"
	"database/sql"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
)

// Ten million objects have to fit into two hundred megabytes, so that a row of SQLite per object is
// out of the question. The latest digests are kept in memory and, for durability, in a log; from
// time to time they are merged into pages of sorted entries that fill a page of the file each.
const (
	plainForm, orderForm = 0, 1 // of the log's entries: those of formats before the eighth have no order

	plainEntry = 8 + 4               // bytes: hash, sum
	logEntry   = plainEntry + 2 + 16 // and mark, version, seq
)

// digests remembers the last delivered form of every object.
type digests struct {
	sizes  sizes
	pages  sync.RWMutex // held by who reads pages, and taken before mu
	mu     sync.RWMutex
	active map[uint64]entry
	frozen []digest // nil, or being merged, ascending
	firsts []uint64 // the first hash of every page, ascending

	// Only the writer uses what follows.
	ready     bool
	log       int64 // the highest id in the log that memory knows
	frozenLog int64 // the highest id of the frozen part
	merged    int   // how much of the frozen part is in pages
	page      int   // the next page to merge with
}

type digest struct {
	hash uint64
	entry
}

// entry is what is kept of an object.
type entry struct {
	sum          uint32
	mark         uint16
	version, seq int64
}

func newDigests(s sizes) *digests { return &digests{sizes: s, active: map[uint64]entry{}} }

func entryOf(a actions.Digest) entry {
	return entry{uint32(a.Sum & journal.SumMask), a.Mark, a.Order.Version, a.Order.Seq}
}

func (e entry) digest(object string) actions.Digest {
	return actions.Digest{Object: object, Sum: uint64(e.sum), Mark: e.mark,
		Order: actions.Order{Version: e.version, Seq: e.seq}}
}

// before tells whether an entry is of what was written earlier than another.
func (e entry) before(other entry) bool {
	return actions.Order{Version: e.version, Seq: e.seq}.Before(actions.Order{Version: other.version, Seq: other.seq})
}

func (d *digests) reset() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.active, d.frozen, d.firsts, d.ready, d.log = map[uint64]entry{}, nil, nil, false, 0
}

// asker is how the log is read: by the writer in its transaction, or by a reader.
type asker func(query string, args ...any) (*sql.Rows, error)

// load reads the log and where the pages begin, the first time; later what others have added to the log.
func (d *digests) load(ask asker) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	rows, err := ask("SELECT id, form, entries FROM digest_log WHERE id > ? ORDER BY id", d.log)
	err = scan(rows, err, func(rows *sql.Rows) error {
		var entries []byte
		var form int
		if err := rows.Scan(&d.log, &form, &entries); err != nil {
			return err
		}
		d.loadLog(form, entries)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the latest digests: %w", err)
	}
	if d.ready {
		return nil
	}
	rows, err = ask("SELECT first FROM digest_pages ORDER BY first")
	err = scan(rows, err, func(rows *sql.Rows) error {
		var first int64
		err := rows.Scan(&first)
		d.firsts = append(d.firsts, uint64(first))
		return err
	})
	if err != nil {
		return fmt.Errorf("read where digests lie: %w", err)
	}
	d.ready = true
	return nil
}

func (d *digests) loadLog(form int, entries []byte) {
	size := logEntry
	if form == plainForm {
		size = plainEntry
	}
	for ; len(entries) >= size; entries = entries[size:] {
		e := entry{sum: binary.BigEndian.Uint32(entries[8:])}
		if form != plainForm {
			e.mark = binary.BigEndian.Uint16(entries[12:])
			e.version, e.seq = int64(binary.BigEndian.Uint64(entries[14:])), int64(binary.BigEndian.Uint64(entries[22:]))
		}
		d.active[binary.BigEndian.Uint64(entries)] = e
	}
}

// add remembers digests with the transaction. An empty one forgets the object.
func (d *digests) add(t *tx, server string, all []actions.Digest, late bool) error {
	if len(all) == 0 {
		return nil
	}
	fresh := make([]digest, len(all))
	for i, a := range all {
		fresh[i] = digest{codec.Object(server, a.Object), entryOf(a)}
	}
	if late {
		if err := d.forget(t, fresh); err != nil {
			return err
		}
	}
	entries := make([]byte, 0, logEntry*len(all))
	for _, f := range fresh {
		entries = binary.BigEndian.AppendUint64(entries, f.hash)
		entries = binary.BigEndian.AppendUint32(entries, f.sum)
		entries = binary.BigEndian.AppendUint16(entries, f.mark)
		entries = binary.BigEndian.AppendUint64(entries, uint64(f.version))
		entries = binary.BigEndian.AppendUint64(entries, uint64(f.seq))
	}
	t.remembered += len(fresh)
	var id int64
	if err := t.queryRow("INSERT INTO digest_log (form, entries) VALUES (?, ?) RETURNING id", orderForm,
		entries).Scan(&id); err != nil {
		return fmt.Errorf("remember digests: %w", err)
	}
	t.then(func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		for _, f := range fresh {
			d.active[f.hash] = f.entry
		}
		d.log = id
	})
	return nil
}

// forget makes of the digests of a delivery that came too late what is still true: what it wrote
// may have been overwritten since, but the newest of both is the newest.
func (d *digests) forget(t *tx, fresh []digest) error {
	hashes := make([]uint64, len(fresh))
	for i, f := range fresh {
		hashes[i] = f.hash
	}
	kept, err := d.lookup(hashes, pagesOf(func(q string, args ...any) (*sql.Rows, error) { return t.query(q, args...) }))
	if err != nil {
		return fmt.Errorf("look for digests: %w", err)
	}
	for i, f := range fresh {
		if f.before(kept[i]) {
			fresh[i].entry = kept[i]
		}
		fresh[i].sum = 0
	}
	return nil
}

// pagesOf reads pages by their first hashes.
func pagesOf(ask asker) func(firsts []int64, each func(first uint64, entries []byte)) error {
	return func(firsts []int64, each func(uint64, []byte)) error {
		rows, err := ask("SELECT p.first, p.entries FROM json_each(?) j CROSS JOIN digest_pages p ON p.first = j.value",
			list(firsts))
		return scan(rows, err, func(rows *sql.Rows) error {
			var first int64
			var entries sql.RawBytes
			if err := rows.Scan(&first, &entries); err != nil {
				return err
			}
			each(uint64(first), entries)
			return nil
		})
	}
}

func (d *digests) merging() bool { return d.frozen != nil || len(d.active) >= d.sizes.log }

// merge writes the next pages anew with what the frozen part of the log says of their objects.
func (d *digests) merge(t *tx) error {
	if d.frozen == nil {
		if len(d.active) < d.sizes.log {
			return nil
		}
		d.freeze()
	}
	// Twice as many pages as would do to be finished when as many digests have come again.
	pace := 2 * len(d.firsts) * t.remembered / d.sizes.log
	last := min(d.page+max(d.sizes.pages, pace), len(d.firsts))
	old := d.firsts[d.page:last]
	part := d.frozen[d.merged:]
	if last < len(d.firsts) {
		end, _ := slices.BinarySearchFunc(part, d.firsts[last], byHash)
		part = part[:end]
	}
	merged, err := d.mergedPages(t, old, part)
	if err != nil {
		return fmt.Errorf("merge digests: %w", err)
	}
	pages := pack(merged)
	if len(old) > 0 {
		if err := t.exec("DELETE FROM digest_pages WHERE first BETWEEN ? AND ?", int64(old[0]),
			int64(old[len(old)-1])); err != nil {
			return fmt.Errorf("merge digests: %w", err)
		}
	}
	err = t.insert("INSERT INTO digest_pages (first, entries)", 2, len(pages), func(values []any, i int) []any {
		return append(values, int64(pages[i].first), pages[i].entries)
	})
	if err != nil {
		return fmt.Errorf("merge digests: %w", err)
	}
	finished := last == len(d.firsts)
	if finished {
		if err := t.exec("DELETE FROM digest_log WHERE id <= ?", d.frozenLog); err != nil {
			return fmt.Errorf("merge digests: %w", err)
		}
	}
	d.swap(t, len(old), part, pages, finished)
	return nil
}

// swap changes memory to what the file holds, while nobody reads pages.
func (d *digests) swap(t *tx, old int, part []digest, pages []digestPage, finished bool) {
	fresh := make([]uint64, len(pages))
	for i, p := range pages {
		fresh[i] = p.first
	}
	page := d.page
	t.withhold(&d.pages)
	t.then(func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.firsts = slices.Replace(slices.Clone(d.firsts), page, page+old, fresh...)
		d.page = page + len(fresh)
		d.merged += len(part)
		if finished {
			d.frozen = nil
		}
	})
}

func (d *digests) freeze() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.frozen = make([]digest, 0, len(d.active))
	for hash, e := range d.active {
		d.frozen = append(d.frozen, digest{hash, e})
	}
	slices.SortFunc(d.frozen, func(a, b digest) int { return cmp.Compare(a.hash, b.hash) })
	d.active = map[uint64]entry{}
	d.frozenLog, d.merged, d.page = d.log, 0, 0
}

func byHash(e digest, hash uint64) int { return cmp.Compare(e.hash, hash) }

// mergedPages gives the entries of pages with newer ones in their place, in order; forgotten ones are left out.
func (d *digests) mergedPages(t *tx, old []uint64, newer []digest) ([]digest, error) {
	out := make([]digest, 0, len(old)*perPage+len(newer))
	take := func(e digest) {
		if e.entry != (entry{}) {
			out = append(out, e)
		}
	}
	for _, first := range old {
		var entries []byte
		if err := t.queryRow("SELECT entries FROM digest_pages WHERE first = ?", int64(first)).Scan(&entries); err != nil {
			return nil, err
		}
		for _, e := range unpack(first, entries) {
			for len(newer) > 0 && newer[0].hash < e.hash {
				take(newer[0])
				newer = newer[1:]
			}
			if len(newer) > 0 && newer[0].hash == e.hash {
				continue
			}
			take(e)
		}
	}
	for _, e := range newer {
		take(e)
	}
	return out, nil
}

// lookup gives what is kept of hashes, nothing of unknown ones. read reads pages by their first hashes.
func (d *digests) lookup(hashes []uint64, read func(firsts []int64,
	each func(first uint64, entries []byte)) error) ([]entry, error) {
	d.pages.RLock()
	defer d.pages.RUnlock()
	d.mu.RLock()
	defer d.mu.RUnlock()
	found := make([]entry, len(hashes))
	wanted := map[uint64][]int{}
	var firsts []int64
	for i, hash := range hashes {
		if e, ok := d.active[hash]; ok {
			found[i] = e
			continue
		}
		if at, ok := slices.BinarySearchFunc(d.frozen, hash, byHash); ok {
			found[i] = d.frozen[at].entry
			continue
		}
		at, exact := slices.BinarySearch(d.firsts, hash)
		if !exact {
			at--
		}
		if at < 0 {
			continue
		}
		first := d.firsts[at]
		if wanted[first] == nil {
			firsts = append(firsts, int64(first))
		}
		wanted[first] = append(wanted[first], i)
	}
	if len(firsts) == 0 {
		return found, nil
	}
	slices.Sort(firsts)
	err := read(firsts, func(first uint64, entries []byte) {
		for _, i := range wanted[first] {
			found[i] = find(first, entries, hashes[i])
		}
	})
	return found, err
}
