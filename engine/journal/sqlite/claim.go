package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
)

// claims is what is in flight. It lives in memory, because one runner owns the file: what a dead
// runner had in flight is free again.
type claims struct {
	mu     sync.Mutex
	seqs   map[int64]claim  // records
	chains map[int64]holder // keys, of records and of file rows
	owners map[string]time.Time
}

type claim struct {
	owner      string
	chain      int64
	hasProblem bool
}

type holder struct {
	owner string
	seq   int64 // 0: a key of file rows
}

func newClaims() *claims {
	return &claims{seqs: map[int64]claim{}, chains: map[int64]holder{}, owners: map[string]time.Time{}}
}

// rowLeases is for how many leases the keys of a silent owner's rows are kept from others than
// rows. Whoever takes its files over reads the rows again and takes their keys; records of these
// keys that were accepted later must not come first meanwhile.
const rowLeases = 4

// alive notes a sign of life and frees what silent owners held. The caller holds the lock. It reads
// the process's own monotonic clock, so that a changed wall clock frees nothing.
func (c *claims) alive(owner string, lease time.Duration) {
	now := time.Now()
	c.owners[owner] = now
	for other, seen := range c.owners {
		switch silent := now.Sub(seen); {
		case silent > rowLeases*lease:
			c.drop(other, true)
			delete(c.owners, other)
		case silent > lease:
			c.drop(other, false)
		}
	}
}

// drop frees the records that an owner held, and the keys of rows too when it is told so.
func (c *claims) drop(owner string, rows bool) {
	for seq, cl := range c.seqs {
		if cl.owner == owner {
			delete(c.seqs, seq)
		}
	}
	for chain, h := range c.chains {
		if h.owner == owner && (rows || h.seq != 0) {
			delete(c.chains, chain)
		}
	}
}

// busy tells whether a key may not be given to a row.
func (c *claims) busy(chain int64, lease time.Duration) bool {
	h, taken := c.chains[chain]
	return taken && (h.seq != 0 || c.known(h.owner, lease))
}

func (c *claims) free(owner string, seq int64) {
	cl, ok := c.seqs[seq]
	if !ok || cl.owner != owner {
		return
	}
	delete(c.seqs, seq)
	if c.chains[cl.chain].seq == seq {
		delete(c.chains, cl.chain)
	}
}

func (c *claims) freeKey(owner string, chain int64) {
	if h, ok := c.chains[chain]; ok && h.owner == owner && h.seq == 0 {
		delete(c.chains, chain)
	}
}

// Claim implements journal.Journal. The lock is held from before the file is read until the records
// are marked: a record that is settled meanwhile is still marked, and so not given twice.
func (s *Store) Claim(ctx context.Context, c journal.Claim) ([]*journal.Record, error) {
	err := s.own(ctx)
	if err != nil {
		return nil, err
	}
	if c.Limit <= 0 {
		return nil, nil
	}
	s.claims.mu.Lock()
	defer s.claims.mu.Unlock()
	s.claims.alive(c.Owner, s.lease)
	got := claiming{Claim: c, busy: map[int64]bool{}}
	for !got.full() {
		n := len(got.records) + len(got.busy)
		if err := s.claimSome(ctx, &got); err != nil {
			for _, r := range got.records {
				s.claims.free(c.Owner, r.Seq)
			}
			return nil, fmt.Errorf("look for records to send: %w", explain(err, s.place))
		}
		if n == len(got.records)+len(got.busy) {
			break
		}
	}
	slices.SortFunc(got.records, func(a, b *journal.Record) int { return cmp.Compare(a.Seq, b.Seq) })
	return got.records, nil
}

// claiming is a claim with what it has taken so far.
type claiming struct {
	journal.Claim
	records []*journal.Record
	bytes   int64          // of their bodies
	busy    map[int64]bool // records that have to wait because their key is in flight
}

func (c *claiming) full() bool {
	return len(c.records) >= c.Limit || c.Bytes > 0 && c.bytes >= c.Bytes
}

// claimSome takes more records until the claim is full.
func (s *Store) claimSome(ctx context.Context, c *claiming) error {
	due, err := s.due(ctx, c.Claim, c.busy)
	if err != nil {
		return err
	}
	slices.Sort(due)
	due = due[:min(len(due), c.Limit-len(c.records))]
	return s.fetchSome(ctx, "r.state = 0 AND r.head = 1", due, func(f *fetched) (more bool) {
		if _, taken := s.claims.chains[f.chain]; taken {
			c.busy[f.rec.Seq] = true
			return true
		}
		s.claims.seqs[f.rec.Seq] = claim{owner: c.Owner, chain: f.chain,
			hasProblem: f.rec.Problem != nil || f.rec.SupersededBy != 0}
		s.claims.chains[f.chain] = holder{owner: c.Owner, seq: f.rec.Seq}
		c.records, c.bytes = append(c.records, f.rec), c.bytes+int64(len(f.rec.Body))
		return !c.full()
	})
}

// dueNew and dueLater give heads by rule: never tried ones by seq, others by when they are due.
const (
	dueNew = "SELECT seq FROM records INDEXED BY work WHERE state = 0 AND head = 1 AND rule = ? AND next_try = 0 AND " +
		"seq > ? ORDER BY seq"
	dueLater = `SELECT seq FROM records INDEXED BY work WHERE state = 0 AND head = 1 AND rule = ? AND next_try > 0
		AND next_try <= ? AND seq > ?
		ORDER BY next_try, seq`
)

// due gives records that may be claimed, not in flight, of every rule up to the limit: the first of
// them in order of seq are what was asked for.
func (s *Store) due(ctx context.Context, c journal.Claim, busy map[int64]bool) ([]int64, error) {
	names, err := s.ruleNames(ctx)
	if err != nil {
		return nil, err
	}
	var out []int64
	for id, name := range names {
		if slices.Contains(c.NotRules, name) {
			continue
		}
		for _, q := range []struct {
			text string
			args []any
		}{{dueNew, []any{id, c.AfterSeq}}, {dueLater, []any{id, codec.Micros(c.Now), c.AfterSeq}}} {
			n := 0
			rows, err := s.read.query(ctx, q.text, q.args...)
			err = scanSome(rows, err, func(rows *sql.Rows) (bool, error) {
				var seq int64
				if err := rows.Scan(&seq); err != nil {
					return false, err
				}
				if _, taken := s.claims.seqs[seq]; !taken && !busy[seq] {
					out = append(out, seq)
					n++
				}
				return n < c.Limit, nil
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// scanSome reads rows with f until it has enough.
func scanSome(rows *sql.Rows, err error, f func(*sql.Rows) (bool, error)) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		more, err := f(rows)
		if err != nil || !more {
			return err
		}
	}
	return rows.Err()
}

// Release implements journal.Journal.
func (s *Store) Release(_ context.Context, owner string, seqs []int64) error {
	s.claims.mu.Lock()
	for _, seq := range seqs {
		s.claims.free(owner, seq)
	}
	s.claims.mu.Unlock()
	s.notify()
	return nil
}

// ClaimKeys implements journal.Journal.
func (s *Store) ClaimKeys(ctx context.Context, owner string, keys []journal.RowKey) ([]bool, error) {
	if err := s.own(ctx); err != nil {
		return nil, err
	}
	given := make([]bool, len(keys))
	chains := make([]int64, len(keys))
	s.claims.mu.Lock()
	s.claims.alive(owner, s.lease)
	for i, key := range keys {
		chains[i] = s.sealer.Chain(key.Key)
		if !s.claims.busy(chains[i], s.lease) {
			s.claims.chains[chains[i]] = holder{owner: owner}
			given[i] = true
		}
	}
	s.claims.mu.Unlock()
	// Marked first, looked up then: a record that arrives in between finds the key in flight and waits.
	first, err := s.firstUnsettled(ctx, chains)
	s.claims.mu.Lock()
	defer s.claims.mu.Unlock()
	for i, chain := range chains {
		if given[i] && (err != nil || first[chain] > 0 && (keys[i].Seq == 0 || first[chain] < keys[i].Seq)) {
			s.claims.freeKey(owner, chain)
			given[i] = false
		}
	}
	if err != nil {
		return nil, fmt.Errorf("look whether keys are free: %w", explain(err, s.place))
	}
	return given, nil
}

// firstInTable gives the first unsettled record of keys of which something waits.
const firstInTable = `SELECT f.hash, min(f.seq) FROM json_each(?) j CROSS JOIN finder f ON f.hash = j.value
	CROSS JOIN records r ON r.seq = f.seq
	WHERE r.state IN (0, 2) GROUP BY f.hash`

// firstUnsettled gives the first unsettled records of the keys that have any, as the file stands now.
func (s *Store) firstUnsettled(ctx context.Context, chains []int64) (map[int64]int64, error) {
	out := map[int64]int64{}
	var seqs, waiting []int64
	for _, c := range chains {
		// Memory may hold stale entries of what another process settled; the file decides.
		seqs = append(seqs, s.finder.chain(c, 0, 64)...)
	}
	each := func(rows *sql.Rows) error {
		var chain, seq int64
		err := rows.Scan(&chain, &seq)
		if known := out[chain]; known == 0 || seq < known {
			out[chain] = seq
		}
		return err
	}
	if len(seqs) > 0 {
		rows, err := s.read.query(ctx,
			"SELECT r.chain, r.seq FROM json_each(?) j CROSS JOIN records r ON r.seq = j.value WHERE r.state IN (0, 2)",
			list(seqs))
		if err := scan(rows, err, each); err != nil {
			return nil, err
		}
	}
	rows, err := s.read.query(ctx, blockedInTable, list(chains))
	err = scan(rows, err, func(rows *sql.Rows) error {
		var chain int64
		err := rows.Scan(&chain)
		waiting = append(waiting, chain)
		return err
	})
	if err != nil || len(waiting) == 0 {
		return out, err
	}
	rows, err = s.read.query(ctx, firstInTable, list(waiting))
	return out, scan(rows, err, each)
}

// ReleaseKeys implements journal.Journal.
func (s *Store) ReleaseKeys(_ context.Context, owner string, keys []string) error {
	s.claims.mu.Lock()
	for _, key := range keys {
		s.claims.freeKey(owner, s.sealer.Chain(key))
	}
	s.claims.mu.Unlock()
	s.notify()
	return nil
}

// Heartbeat implements journal.Journal.
func (s *Store) Heartbeat(ctx context.Context, owner string) error {
	if err := s.own(ctx); err != nil {
		return err
	}
	s.claims.mu.Lock()
	defer s.claims.mu.Unlock()
	s.claims.alive(owner, s.lease)
	return nil
}

// Lead implements journal.Journal: the runner that owns the file leads.
func (s *Store) Lead(ctx context.Context, owner string) (bool, error) {
	err := s.own(ctx)
	var inUse *journal.ErrInUse
	if errors.As(err, &inUse) {
		return false, err
	}
	if err != nil {
		return false, fmt.Errorf("take the journal over: %w", err)
	}
	s.claims.mu.Lock()
	defer s.claims.mu.Unlock()
	if s.leader == "" || !s.claims.known(s.leader, s.lease) {
		s.leader = owner
	}
	s.claims.alive(owner, s.lease)
	return s.leader == owner, nil
}

// known tells whether an owner has been heard of within the lease.
func (c *claims) known(owner string, lease time.Duration) bool {
	seen, ok := c.owners[owner]
	return ok && time.Since(seen) <= lease
}
