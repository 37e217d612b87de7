package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"math/bits"
	"sync/atomic"
	"time"
)

// Most records are of people and forms never seen before, so that the finder's table is mostly
// asked for what it lacks: a page of the file is read for each, in a large journal from the disk. A
// bit for every hash that is in the table, at the place that the hash's first bits name, answers
// nearly all of these questions.
const (
	// bits: 8 MB, with which a fourth of the questions is still asked when the table has twenty million entries
	maxPresence  = 1 << 26
	presenceBits = 8       // for each entry at least, below that: an eighth of the questions, or less
	presenceRead = 1 << 14 // entries read at once
)

// presence tells which hashes the table surely lacks. The writer adds while another goroutine fills
// it, and asks when that has read the whole table.
type presence struct {
	words []uint64
	shift int
	state atomic.Int32

	// Only the writer uses what follows.
	entries int64 // in it, and perhaps gone from the table since
	room    int64 // for so many; with more it is read again, for more room or because most of them are gone
}

const (
	presenceFilling = iota
	presenceWhole
	presenceFailed
)

// newPresence has room for twice the entries, and at least so many bits.
func newPresence(entries, least int64) *presence {
	size := uint64(1) << bits.Len64(uint64(max(least, min(presenceBits*2*entries, maxPresence))-1))
	return &presence{
		words: make([]uint64, size/64), shift: 64 - bits.TrailingZeros64(size),
		entries: entries, room: max(int64(size/presenceBits), 2*entries),
	}
}

func (p *presence) add(hash int64) {
	bit := uint64(hash) >> p.shift
	atomic.OrUint64(&p.words[bit/64], 1<<(bit%64))
}

func (p *presence) has(hash int64) bool {
	bit := uint64(hash) >> p.shift
	return atomic.LoadUint64(&p.words[bit/64])&(1<<(bit%64)) != 0
}

// inspector decides for the writer when the table's presence is worth having, and keeps it true.
type inspector struct {
	enough int   // questions to the table
	least  int64 // bits
	fill   func(context.Context, *presence)

	asked     int
	now, next *presence // whole, and being filled, each if there is one
	stop      context.CancelFunc
}

// mayHave tells whether a hash has to be looked for in the table.
func (i *inspector) mayHave(hash int64) bool {
	if i.now != nil {
		return i.now.has(hash)
	}
	i.asked++
	return true
}

// added is told of every entry that the table gets, before the transaction is durable: too many do no harm.
func (i *inspector) added(hash int64) {
	for _, p := range []*presence{i.now, i.next} {
		if p != nil {
			p.add(hash)
			p.entries++
		}
	}
}

// drop forgets everything, because the table may have been changed by others.
func (i *inspector) drop() {
	if i.stop != nil {
		i.stop()
	}
	i.stop, i.now, i.next, i.asked = nil, nil, nil, 0
}

// tend begins to read the table when many questions have been asked, or when more has been added
// than there is room for. It is called at the beginning of a transaction: what was added before is
// durable, and is read; what comes is added here.
func (i *inspector) tend(t *tx) error {
	if i.next != nil {
		switch i.next.state.Load() {
		case presenceWhole:
			i.now, i.next = i.next, nil
		case presenceFailed:
			i.drop()
		}
		return nil
	}
	if i.now == nil && i.asked < i.enough || i.now != nil && i.now.entries <= i.now.room {
		return nil
	}
	var records int64
	err := t.queryRow(`SELECT coalesce(sum(pending + delivered + held + skipped + failed + dismissed), 0)
		FROM rules`).Scan(&records)
	if err != nil {
		return fmt.Errorf("count what the index of records has: %w", err)
	}
	if i.stop != nil {
		i.stop()
	}
	ctx, stop := context.WithCancel(context.Background())
	i.stop, i.next = stop, newPresence(2*records, i.least)
	i.fill(ctx, i.next)
	return nil
}

// fill reads the whole table into p in the background, at half of a core's pace. Close waits for it.
func (s *Store) fill(ctx context.Context, p *presence) {
	s.watching.Go(func() {
		err := s.readPresence(ctx, p)
		switch {
		case err == nil:
			p.state.Store(presenceWhole)
		case ctx.Err() == nil:
			p.state.Store(presenceFailed)
			s.log.Warn("read which records are indexed; until that works the index is asked for each", "error", err)
		}
	})
}

// readPresence reads a part at a time, so that the file's log can be emptied meanwhile.
func (s *Store) readPresence(ctx context.Context, p *presence) error {
	for from, more := int64(math.MinInt64), true; more; {
		began := time.Now()
		n, last := 0, from
		rows, err := s.read.query(ctx, "SELECT hash FROM finder WHERE hash >= ? ORDER BY hash LIMIT ?", from, presenceRead)
		err = scan(rows, err, func(rows *sql.Rows) error {
			if err := rows.Scan(&last); err != nil {
				return err
			}
			p.add(last)
			n++
			return nil
		})
		if err != nil {
			return err
		}
		from, more = last+1, n == presenceRead && last < math.MaxInt64
		select {
		case <-time.After(time.Since(began)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
