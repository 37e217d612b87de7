package sqlite

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/culvert/culvert/engine/journal/internal/codec"
)

// findHeads marks the rows that no unsettled record of their key comes before, and gives the keys of the others.
func (t *tx) findHeads(rows []*row, indexed map[int64]bool) ([]int64, error) {
	var chains []int64
	for _, r := range rows {
		if codec.Unsettled(r.state) {
			chains = append(chains, r.chain)
		}
	}
	if len(chains) == 0 {
		return nil, nil
	}
	blocked, err := t.blocked(chains, indexed)
	if err != nil {
		return nil, err
	}
	var behind []int64
	for _, r := range rows {
		r.head = false
		if !codec.Unsettled(r.state) {
			continue
		}
		if r.head = !blocked[r.chain]; !r.head {
			behind = append(behind, r.chain)
		}
		blocked[r.chain] = true
		t.waiting(r.chain, r.seq)
	}
	return behind, nil
}

// blocked gives those of the keys that have an unsettled record. Only those that are indexed are
// looked for in the table.
func (t *tx) blocked(chains []int64, indexed map[int64]bool) (map[int64]bool, error) {
	out := map[int64]bool{}
	var ask []int64
	for _, c := range chains {
		seq, err := t.inMemory(c, 0)
		if err != nil {
			return nil, err
		}
		if seq != 0 {
			out[c] = true
		} else if indexed[c] {
			ask = append(ask, c)
		}
	}
	if len(ask) == 0 {
		return out, nil
	}
	if err := t.addChains(out, blockedInTable, list(ask)); err != nil {
		return nil, fmt.Errorf("look for earlier records of a key: %w", err)
	}
	return out, nil
}

// addChains adds the keys that a query gives.
func (t *tx) addChains(to map[int64]bool, query string, args ...any) error {
	rows, err := t.query(query, args...)
	return scan(rows, err, func(rows *sql.Rows) error {
		var chain int64
		err := rows.Scan(&chain)
		to[chain] = true
		return err
	})
}

// blockedInTable begins with the newest, because an earlier one is settled whenever a later one is, but for replays.
const blockedInTable = `SELECT j.value FROM json_each(?) j WHERE (SELECT f.seq FROM finder f CROSS JOIN records r
	ON r.seq = f.seq
	WHERE f.hash = j.value AND r.state IN (0, 2) ORDER BY f.seq DESC LIMIT 1) IS NOT NULL`

// inMemory gives the first unsettled record of a key after a seq, among those that are not in the table; 0 for none.
func (t *tx) inMemory(chain, after int64) (int64, error) {
	first, err := t.inFinder(chain, after)
	if err != nil {
		return 0, err
	}
	for _, seq := range t.chains[chain] {
		if seq <= after || first != 0 && seq > first {
			continue
		}
		ok, err := t.unsettled(seq)
		if ok || err != nil {
			return seq, err
		}
	}
	return first, nil
}

// inFinder gives the first unsettled record of a key after a seq that the finder has in memory, 0 for none.
func (t *tx) inFinder(chain, after int64) (int64, error) {
	for {
		seqs := t.w.finder.chain(chain, after, 8)
		if len(seqs) == 0 {
			return 0, nil
		}
		for _, seq := range seqs {
			ok, err := t.unsettled(seq)
			if ok || err != nil {
				return seq, err
			}
			after = seq
		}
	}
}

// waiting notes an unsettled record of this transaction, which the finder does not know yet.
func (t *tx) waiting(chain, seq int64) {
	at, _ := slices.BinarySearch(t.chains[chain], seq)
	t.chains[chain] = slices.Insert(t.chains[chain], at, seq)
}

func (t *tx) unsettled(seq int64) (bool, error) {
	var state int
	err := t.queryRow("SELECT state FROM records WHERE seq = ?", seq).Scan(&state)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at an earlier record of a key: %w", err)
	}
	return codec.Unsettled(state), nil
}

// next gives the first unsettled record of a key after a seq, 0 for none.
func (t *tx) next(chain, after int64) (int64, error) {
	first, err := t.inMemory(chain, after)
	if err != nil || !t.w.finder.inTable(after) {
		return first, err
	}
	var seq int64
	err = t.queryRow(`SELECT coalesce((SELECT f.seq FROM finder f CROSS JOIN records r ON r.seq = f.seq
		WHERE f.hash = ? AND f.seq > ? AND r.state IN (0, 2)
		ORDER BY f.seq LIMIT 1), 0)`, chain, after).Scan(&seq)
	if err != nil {
		return 0, fmt.Errorf("look for the next record of a key: %w", err)
	}
	if seq == 0 {
		return first, nil
	}
	// A key with a long queue would leave a long trail of stale entries before its next record.
	if after > 0 {
		if err := t.exec("DELETE FROM finder WHERE hash = ? AND seq <= ?", chain, after); err != nil {
			return 0, fmt.Errorf("tidy the index of records: %w", err)
		}
	}
	if first == 0 || seq < first {
		return seq, nil
	}
	return first, nil
}
