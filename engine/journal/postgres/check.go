package postgres

import (
	"context"
	"fmt"
)

// invariants are what must hold in every journal; each query gives nothing when it does.
var invariants = []struct{ what, query string }{
	{"every key stands at its first unsettled record", `SELECT coalesce(k.seq, h.seq) FROM keys k
		FULL JOIN (SELECT DISTINCT ON (chain) chain, seq, rule, state, next_try FROM records r WHERE state IN (0, 2)
		ORDER BY chain, ` + linePlace + `) h
		ON h.chain = k.chain
		WHERE (k.seq, k.rule, k.state, k.due) IS DISTINCT FROM (h.seq, h.rule, h.state, h.next_try)`},
	{"keys without unsettled records are in flight", "SELECT chain FROM keys WHERE seq IS NULL AND owner IS NULL"},
	{"settled records wait for nothing",
		"SELECT seq FROM records WHERE state NOT IN (0, 2) AND (next_try <> 0 OR flags & 8 <> 0)"},
	{"counters agree with the records", `SELECT coalesce(c.rule, r.rule) FROM (SELECT rule, state, sum(n) n
		FROM counts WHERE state >= 0 GROUP BY rule, state) c
		FULL JOIN (SELECT rule, state, count(*) n FROM records GROUP BY rule, state) r ON r.rule = c.rule
		AND r.state = c.state
		WHERE coalesce(c.n, 0) <> coalesce(r.n, 0)`},
	{"payloads belong to records",
		"SELECT p.seq FROM payloads p WHERE NOT EXISTS (SELECT 1 FROM records r WHERE r.seq = p.seq)"},
}

// Check implements journal.Journal: what must hold between records. The database's own files are the server's to check.
func (s *Store) Check(ctx context.Context) error {
	for _, inv := range invariants {
		found, err := numbers(ctx, s.pool, "SELECT q.* FROM ("+inv.query+") q(n) LIMIT 20")
		if err != nil {
			return fmt.Errorf("check the journal: %w", s.explain(err))
		}
		if len(found) > 0 {
			return fmt.Errorf("the journal contradicts itself: that %s does not hold at %d places or more, the first is %d",
				inv.what, len(found), found[0])
		}
	}
	return nil
}
