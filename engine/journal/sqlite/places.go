package sqlite

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/culvert/culvert/engine/journal/internal/codec"
)

// reservedMark is the last place that was kept for the rows of a file: records that come later
// stand behind it, whether or not a row has taken it.
const reservedMark = "journal.reserved"

// reserve keeps the next places for the rows of a file.
func (t *tx) reserve(places int64) error {
	if places <= 0 {
		return nil
	}
	t.seq = t.lastSeq() + places
	if err := t.exec(setMeta, reservedMark, strconv.FormatInt(t.seq, 10)); err != nil {
		return fmt.Errorf("keep places for rows: %w", err)
	}
	return nil
}

// unrecorded leaves out rows of files that are records already: another runner read the file meanwhile.
func (t *tx) unrecorded(rows []*row) ([]*row, error) {
	var places []int64
	for _, r := range rows {
		if r.placed {
			r.seq = r.rec.Seq
			places = append(places, r.seq)
		}
	}
	if len(places) == 0 {
		return rows, nil
	}
	known, err := t.standing(places)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(rows), func(r *row) bool {
		_, recorded := known[r.seq]
		return r.placed && recorded
	}), nil
}

// partRows parts the rows that have a place of their own from those that come last.
func partRows(rows []*row) (placed, last []*row) {
	for _, r := range rows {
		if r.placed {
			placed = append(placed, r)
		} else {
			last = append(last, r)
		}
	}
	return placed, last
}

// insertPlaced keeps rows at the places that their file took: in front of what was accepted after it.
func (s *Store) insertPlaced(t *tx, rows []*row) error {
	if len(rows) == 0 {
		return nil
	}
	standings := make(map[int64]standing, len(rows))
	var waiting []int64
	for _, r := range rows {
		r.head = false
		standings[r.seq] = standing{chain: r.chain, ident: r.ident, state: r.state}
		if codec.Unsettled(r.state) {
			waiting = append(waiting, r.seq)
		}
	}
	heads, err := t.heads(waiting, standings)
	if err != nil {
		return err
	}
	if err := t.insertRows(rows); err != nil {
		return fmt.Errorf("keep rows as records: %w", err)
	}
	err = t.index(len(rows), func(i int) found { return found{rows[i].ident, rows[i].seq} })
	if err != nil {
		return fmt.Errorf("index records: %w", err)
	}
	t.then(func() {
		for _, r := range rows {
			s.finder.addPlaced(r.ident, r.chain, r.seq, codec.Unsettled(r.state))
		}
	})
	for _, seq := range waiting {
		t.waiting(standings[seq].chain, seq)
	}
	return t.around(chainsOf(standings), func(map[int64]bool) error { return s.rejoin(t, waiting, standings, heads) })
}
