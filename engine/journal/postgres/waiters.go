package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/culvert/culvert/engine/journal/internal/codec"
)

// A record that waits for its parent would hold its own parent up when that was accepted later. It
// lets records of other rules pass, therefore; those of its own rule stay behind it, for they may
// write the same object. Another version of the same record passes, too: a correction must not wait
// for what the mistake waits for.

// linePlace orders the unsettled records r of a key: first those that neither wait for their
// parents nor stand behind another record of their own rule that does, in order; then those that wait, by when
// they are due.
const linePlace = `CASE WHEN r.flags & 8 <> 0 THEN 1 WHEN EXISTS (SELECT 1 FROM records w WHERE w.flags & 8 <> 0
	AND w.chain = r.chain AND w.rule = r.rule AND w.ident <> r.ident
	AND w.seq < r.seq) THEN 2 ELSE 0 END, CASE WHEN r.flags & 8 <> 0 THEN r.state END, CASE
	WHEN r.flags & 8 <> 0 THEN r.next_try END, r.seq`

// fillKeys makes the keys of all unsettled records known.
const fillKeys = `INSERT INTO keys (chain, seq, rule, due, state) SELECT DISTINCT ON (chain) chain, seq, rule, next_try,
	state FROM records r WHERE state IN (0, 2) ORDER BY chain, ` + linePlace

// waitersOf gives the records of keys that wait for their parents. It asks key by key: the planner
// believes that most records have the flag, and would rather read all of them for many keys at
// once.
const waitersOf = `unnest($1::bigint[]) c(chain), LATERAL (SELECT seq FROM records w WHERE w.flags & 8 <> 0
	AND w.chain = c.chain OFFSET 0) w`

// passWaiters sets the heads of those keys that have a record which waits for its parent. The
// caller has locked the keys.
const passWaiters = `UPDATE keys k SET seq = h.seq, rule = h.rule, due = h.next_try, state = h.state
	FROM (SELECT DISTINCT c.chain FROM ` + waitersOf + `) u, LATERAL (SELECT seq, rule, next_try, state FROM records r
	WHERE r.chain = u.chain AND r.state IN (0, 2) ORDER BY ` + linePlace + ` LIMIT 1) h WHERE k.chain = u.chain`

// wake has the records of keys that wait for their parents tried again at their old places, now
// that something of their key was delivered. That try is not counted: much may be delivered before
// their parents are.
func wake(b *pgx.Batch, chains []int64) {
	if len(chains) > 0 {
		b.Queue(`UPDATE records SET flags = flags & ~8, next_try = 0, attempts = greatest(attempts - 1, 0)
			WHERE seq = ANY (ARRAY(SELECT w.seq FROM `+waitersOf+`))`, chains)
	}
}

// letPass lets new records of keys, which are locked, pass those that wait.
func (t *tx) letPass(ctx context.Context, rows []*row) error {
	var chains []int64
	for _, r := range rows {
		if codec.Unsettled(r.state) {
			chains = append(chains, r.chain)
		}
	}
	if len(chains) == 0 {
		return nil
	}
	if _, err := t.Exec(ctx, passWaiters, chains); err != nil {
		return fmt.Errorf("let records pass those that wait for their parents: %w", err)
	}
	return nil
}
