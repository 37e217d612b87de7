package sqlite

import (
	"cmp"
	"database/sql"
	"fmt"
	"maps"
	"math"
	"slices"
)

// A record that waits for its parent would hold its own parent up when that was accepted later. It
// lets records of other rules pass, therefore; those of its own rule stay behind it, for they may
// write the same object. Another version of the same record passes, too: a correction must not wait
// for what the mistake waits for. Keys with such records are few, and their heads are found by looking at
// all records of the key.

// around runs a change of records of some keys, and then finds the heads of those keys anew that
// had or have a record that waits for its parent. The change leaves those alone that had one.
func (t *tx) around(chains []int64, change func(apart map[int64]bool) error) error {
	before, err := t.withWaiters(chains)
	if err != nil {
		return err
	}
	if err := change(before); err != nil {
		return err
	}
	after, err := t.withWaiters(chains)
	if err != nil {
		return err
	}
	maps.Copy(after, before)
	return t.straighten(after)
}

// withWaiters gives those of the keys that have a record which waits for its parent.
func (t *tx) withWaiters(chains []int64) (map[int64]bool, error) {
	out := map[int64]bool{}
	if len(chains) == 0 {
		return out, nil
	}
	var some bool
	err := t.queryRow("SELECT EXISTS (SELECT 1 FROM records INDEXED BY waiters WHERE flags & 8)").Scan(&some)
	if err == nil && some {
		err = t.addChains(out, `SELECT j.value FROM json_each(?) j WHERE EXISTS (SELECT 1 FROM records r INDEXED BY waiters
			WHERE r.flags & 8 AND r.chain = j.value)`, list(chains))
	}
	if err != nil {
		return nil, fmt.Errorf("look for records that wait for their parents: %w", err)
	}
	return out, nil
}

// wake has the records of keys that wait for their parents tried again at their old places, now
// that something of their key was delivered. That try is not counted: much may be delivered before
// their parents are.
func (t *tx) wake(chains []int64) error {
	if len(chains) == 0 {
		return nil
	}
	err := t.exec(`UPDATE records SET flags = flags & ~8, next_try = 0, attempts = max(attempts - 1, 0)
		WHERE seq IN (SELECT r.seq FROM json_each(?) j CROSS JOIN records r INDEXED BY waiters ON r.chain = j.value
		WHERE r.flags & 8)`, list(chains))
	if err != nil {
		return fmt.Errorf("wake records that wait for their parents: %w", err)
	}
	return nil
}

// member is an unsettled record of a key.
type member struct {
	seq, rule   int64
	ident       int64
	state       int
	next        int64
	waits, head bool
}

// straighten sets the heads of keys.
func (t *tx) straighten(chains map[int64]bool) error {
	var up, down []int64
	for chain := range chains {
		all, err := t.members(chain)
		if err != nil {
			return err
		}
		first := headOf(all)
		for _, m := range all {
			switch {
			case m.seq == first && !m.head:
				up = append(up, m.seq)
			case m.seq != first && m.head:
				down = append(down, m.seq)
			}
		}
	}
	return t.setHeads(up, down)
}

// headOf gives the record of a key that comes next: the first that neither waits for its parent nor
// stands behind another record of its own rule that does. When all do, it is the one of the waiting
// that is due first.
func headOf(all []member) int64 {
	var waiting []member
	var standIn *member
	for i := range all {
		m := &all[i]
		switch {
		case m.waits:
			waiting = append(waiting, *m)
			if standIn == nil || m.state < standIn.state || m.state == standIn.state && m.next < standIn.next {
				standIn = m
			}
		case !slices.ContainsFunc(waiting, func(w member) bool { return w.rule == m.rule && w.ident != m.ident }):
			return m.seq
		}
	}
	if standIn == nil {
		return 0
	}
	return standIn.seq
}

// members gives the unsettled records of a key in order.
func (t *tx) members(chain int64) ([]member, error) {
	known := append(t.w.finder.chain(chain, 0, math.MaxInt32), t.chains[chain]...)
	rows, err := t.query(`SELECT r.seq, r.rule, r.ident, r.state, r.next_try, r.flags & 8 <> 0, r.head
		FROM (SELECT value AS seq FROM json_each(?)
		UNION SELECT seq FROM finder WHERE hash = ?) u CROSS JOIN records r ON r.seq = u.seq WHERE r.chain = ?
		AND r.state IN (0, 2)`, list(known), chain, chain)
	var out []member
	err = scan(rows, err, func(rows *sql.Rows) error {
		var m member
		err := rows.Scan(&m.seq, &m.rule, &m.ident, &m.state, &m.next, &m.waits, &m.head)
		out = append(out, m)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the records of a key: %w", err)
	}
	slices.SortFunc(out, func(a, b member) int { return cmp.Compare(a.seq, b.seq) })
	return out, nil
}

// setHeads lets records come next, and others not.
func (t *tx) setHeads(up, down []int64) error {
	for head, some := range map[int][]int64{0: down, 1: up} {
		if len(some) == 0 {
			continue
		}
		if err := t.exec("UPDATE records SET head = ? WHERE seq IN (SELECT value FROM json_each(?))", head,
			list(some)); err != nil {
			return fmt.Errorf("put records in order: %w", err)
		}
	}
	return nil
}

// chainsOf gives the keys of records.
func chainsOf(records map[int64]standing) []int64 {
	chains := make([]int64, 0, len(records))
	for _, r := range records {
		chains = append(chains, r.chain)
	}
	slices.Sort(chains)
	return slices.Compact(chains)
}
