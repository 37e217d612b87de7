package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/internal/codec"
)

// signOfLife notes that an owner is alive, at most some times in a lease, and frees what silent owners held.
func (s *Store) signOfLife(ctx context.Context, owner string, always bool) error {
	if s.life.Err() != nil {
		return journal.ErrClosed
	}
	s.mu.Lock()
	seen, known := s.seen[owner]
	now := time.Now()
	fresh := known && now.Sub(seen) < s.lease/4 && !always
	evict := now.Sub(s.evicted) >= s.lease/4
	if !fresh {
		s.seen[owner] = now
	}
	if s.self == "" {
		s.self = owner
	}
	if evict {
		s.evicted = now
	}
	s.mu.Unlock()
	if !fresh {
		err := s.tx(ctx, func(ctx context.Context, t *tx) error {
			_, err := t.Exec(ctx, `INSERT INTO owners VALUES ($1, clock_timestamp())
				ON CONFLICT (owner) DO UPDATE SET seen = clock_timestamp()`, owner)
			return err
		})
		if err != nil {
			s.mu.Lock()
			delete(s.seen, owner)
			s.mu.Unlock()
			return fmt.Errorf("say that this runner is alive: %w", err)
		}
	}
	if !evict {
		return nil
	}
	silent, err := s.silent(ctx)
	if err != nil {
		return err
	}
	for _, other := range silent {
		s.log.Warn("a runner is silent: its work is given to others", "owner", other)
		if err := s.dropSilent(ctx, other); err != nil {
			return fmt.Errorf("take over the work of a silent runner: %w", s.explain(err))
		}
	}
	return nil
}

// silent gives the owners that hold something which is to be given to others.
func (s *Store) silent(ctx context.Context) ([]string, error) {
	rows, err := s.pool.Query(ctx, `SELECT owner FROM owners o WHERE seen < clock_timestamp() - $2::interval
		OR seen < clock_timestamp() - $1::interval
		AND EXISTS (SELECT 1 FROM keys k WHERE k.owner = o.owner AND k.claimed > 0)`, s.lease, rowLeases*s.lease)
	if err == nil {
		var out []string
		if out, err = pgx.CollectRows(rows, pgx.RowTo[string]); err == nil {
			return out, nil
		}
	}
	return nil, fmt.Errorf("look for silent runners: %w", s.explain(err))
}

// rowLeases is for how many leases the keys of a silent owner's rows are kept from others than
// rows. Whoever takes its files over reads the rows again and takes their keys; records of these
// keys that were accepted later must not come first meanwhile.
const rowLeases = 4

// dropSilent frees what an owner held, if it is still silent: it may have come back this moment.
func (s *Store) dropSilent(ctx context.Context, owner string) error {
	return s.tx(ctx, func(ctx context.Context, t *tx) error {
		n, err := t.run(ctx, "DELETE FROM owners WHERE owner = $1 AND seen < clock_timestamp() - $2::interval", owner,
			rowLeases*s.lease)
		if err != nil {
			return err
		}
		if n > 0 {
			return t.free(ctx, owner)
		}
		n, err = t.run(ctx, "UPDATE owners SET seen = seen WHERE owner = $1 AND seen < clock_timestamp() - $2::interval",
			owner, s.lease)
		if err != nil || n == 0 {
			return err
		}
		return t.release(ctx, "owner = $1 AND claimed > 0", owner)
	})
}

// leave frees what an owner held.
func (s *Store) leave(ctx context.Context, owner string) error {
	return s.beginTx(ctx, func(ctx context.Context, t *tx) error {
		if _, err := t.Exec(ctx, "DELETE FROM owners WHERE owner = $1", owner); err != nil {
			return err
		}
		return t.free(ctx, owner)
	})
}

func (t *tx) free(ctx context.Context, owner string) error {
	if _, err := t.Exec(ctx, "DELETE FROM locks WHERE owner = $1", owner); err != nil {
		return err
	}
	return t.release(ctx, "owner = $1", owner)
}

// release frees keys for which the condition holds, one after the other in order of their locks.
func (t *tx) release(ctx context.Context, condition string, args ...any) error {
	chains, err := numbers(ctx, t, "SELECT chain FROM keys WHERE "+condition+" ORDER BY chain FOR UPDATE", args...)
	if err != nil {
		return err
	}
	return t.freeLocked(ctx, chains)
}

// freeLocked frees keys that are locked. Keys without unsettled records are forgotten.
func (t *tx) freeLocked(ctx context.Context, chains []int64) error {
	if len(chains) == 0 {
		return nil
	}
	return t.batch(ctx, func(b *pgx.Batch) {
		b.Queue("DELETE FROM keys WHERE chain = ANY($1) AND seq IS NULL", chains)
		b.Queue("UPDATE keys SET owner = NULL, claimed = NULL WHERE chain = ANY($1)", chains)
	})
}

// Claim implements journal.Journal. Keys that another claim has locked this moment are passed over.
func (s *Store) Claim(ctx context.Context, c journal.Claim) ([]*journal.Record, error) {
	if err := s.signOfLife(ctx, c.Owner, false); err != nil {
		return nil, err
	}
	if c.Limit <= 0 {
		return nil, nil
	}
	var out []*journal.Record
	err := s.tx(ctx, func(ctx context.Context, t *tx) error {
		out = nil
		if c.NotRules == nil {
			c.NotRules = []string{}
		}
		seqs, err := numbers(ctx, t, claimKeys, c.NotRules, c.AfterSeq, c.Limit, codec.Micros(c.Now), c.Owner,
			cmp.Or(max(c.Bytes, 0), math.MaxInt64))
		if err != nil || len(seqs) == 0 {
			return err
		}
		return s.fetch(ctx, t, true, seqs, func(r *journal.Record) { out = append(out, r) })
	})
	if err != nil {
		return nil, fmt.Errorf("look for records to send: %w", err)
	}
	slices.SortFunc(out, func(a, b *journal.Record) int { return cmp.Compare(a.Seq, b.Seq) })
	return out, nil
}

// claimKeys takes the first keys in order of seq among what every rule has to offer: keys never
// tried by seq, others by when they are due. It stops once the bodies taken have enough bytes; to
// tell how long one is reads nothing of it.
const claimKeys = `WITH wanted AS (SELECT id FROM rules WHERE name <> ALL($1::text[])),
	fresh AS (SELECT k.chain, k.seq FROM wanted w, LATERAL (SELECT chain, seq FROM keys WHERE rule = w.id
	AND owner IS NULL AND state = 0 AND due = 0
		AND seq > $2 ORDER BY seq LIMIT $3 FOR UPDATE SKIP LOCKED) k),
	later AS (SELECT k.chain, k.seq FROM wanted w, LATERAL (SELECT chain, seq FROM keys WHERE rule = w.id
	AND owner IS NULL AND state = 0 AND due > 0
		AND due <= $4 AND seq > $2 ORDER BY due, seq LIMIT $3 FOR UPDATE SKIP LOCKED) k),
	first AS (SELECT chain, seq FROM (SELECT * FROM fresh UNION ALL SELECT * FROM later) a ORDER BY seq LIMIT $3),
	sized AS (SELECT f.chain, f.seq, coalesce((SELECT octet_length(p.body) FROM payloads p WHERE p.seq = f.seq), 0)
		AS bytes
		FROM first f),
	chosen AS (SELECT chain, sum(bytes) OVER (ORDER BY seq) - bytes AS before FROM sized)
	UPDATE keys k SET owner = $5, claimed = k.seq FROM chosen c WHERE k.chain = c.chain AND c.before < $6 RETURNING k.seq`

// Release implements journal.Journal.
func (s *Store) Release(ctx context.Context, owner string, seqs []int64) error {
	err := s.tx(ctx, func(ctx context.Context, t *tx) error {
		return t.release(ctx, "owner = $1 AND claimed = ANY($2)", owner, seqs)
	})
	if err != nil {
		return fmt.Errorf("give records back: %w", err)
	}
	s.notifyAll(ctx)
	return nil
}

// ClaimKeys implements journal.Journal.
func (s *Store) ClaimKeys(ctx context.Context, owner string, keys []journal.RowKey) ([]bool, error) {
	if err := s.signOfLife(ctx, owner, false); err != nil {
		return nil, err
	}
	chains := make([]int64, len(keys))
	first := map[int64]int64{} // the place of a key's first row
	for i, key := range keys {
		chains[i] = s.sealer.Chain(key.Key)
		if _, known := first[chains[i]]; !known {
			first[chains[i]] = key.Seq
		}
	}
	sorted := slices.Sorted(maps.Keys(first))
	seqs := make([]int64, len(sorted))
	for i, chain := range sorted {
		seqs[i] = first[chain]
	}
	free := map[int64]bool{}
	err := s.tx(ctx, func(ctx context.Context, t *tx) error {
		clear(free)
		got, err := numbers(ctx, t, takeKeys, sorted, seqs, owner, s.lease)
		for _, chain := range got {
			free[chain] = true
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("take keys: %w", err)
	}
	given := make([]bool, len(keys))
	for i, chain := range chains {
		given[i] = free[chain]
		delete(free, chain)
	}
	return given, nil
}

// takeKeys takes keys that are new, that have only records behind the row, or that a silent owner
// took for a row. What a row claims is its place, negative. The head of a key may have passed
// records that wait for their parents, and those stand before the row, too.
const takeKeys = `INSERT INTO keys AS k (chain, owner, claimed) SELECT chain, $3, -place
	FROM unnest($1::bigint[], $2::bigint[]) w(chain, place)
	ON CONFLICT (chain) DO UPDATE SET owner = excluded.owner, claimed = excluded.claimed
	WHERE (k.seq IS NULL OR excluded.claimed < 0 AND k.seq >= -excluded.claimed
		AND NOT EXISTS (SELECT 1 FROM records w WHERE w.flags & 8 <> 0 AND w.chain = k.chain AND w.seq < -excluded.claimed))
		AND (k.owner IS NULL OR k.claimed <= 0
		AND NOT EXISTS (SELECT 1 FROM owners o WHERE o.owner = k.owner AND o.seen >= clock_timestamp() - $4::interval))
	RETURNING chain`

// ReleaseKeys implements journal.Journal.
func (s *Store) ReleaseKeys(ctx context.Context, owner string, keys []string) error {
	err := s.tx(ctx, func(ctx context.Context, t *tx) error { return t.releaseKeys(ctx, owner, keys) })
	if err != nil {
		return fmt.Errorf("free keys: %w", err)
	}
	s.notifyAll(ctx)
	return nil
}

func (t *tx) releaseKeys(ctx context.Context, owner string, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	chains := make([]int64, len(keys))
	for i, key := range keys {
		chains[i] = t.s.sealer.Chain(key)
	}
	return t.release(ctx, "owner = $1 AND claimed <= 0 AND chain = ANY($2)", owner, chains)
}

// Heartbeat implements journal.Journal.
func (s *Store) Heartbeat(ctx context.Context, owner string) error {
	return s.signOfLife(ctx, owner, true)
}

// Lead implements journal.Journal. The leader holds an advisory lock on a connection of its own,
// which ends with the process. One that is frozen would keep it: when it has been silent for longer
// than the lease, its connection is ended for it.
func (s *Store) Lead(ctx context.Context, owner string) (bool, error) {
	if err := s.signOfLife(ctx, owner, false); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leading != nil {
		_, err := s.leading.Exec(ctx, "SELECT 1")
		if err == nil {
			return s.leader == owner, nil
		}
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		s.log.Warn("this runner does not lead any more", "error", s.explain(err))
		s.resign()
	}
	won, err := s.elect(ctx, owner)
	if err != nil {
		return false, fmt.Errorf("elect the runner that leads: %w", s.explain(err))
	}
	return won, nil
}

// elect tries to become the leader. The caller holds the lock.
func (s *Store) elect(ctx context.Context, owner string) (bool, error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return false, err
	}
	var won bool
	if err = conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", s.lockID(leaderLock)).Scan(&won); err == nil && won {
		_, err = conn.Exec(ctx, `INSERT INTO leader (owner, pid) VALUES ($1, pg_backend_pid()) ON CONFLICT (one)
			DO UPDATE SET owner = excluded.owner, pid = excluded.pid`, owner)
		if err == nil {
			s.leading, s.leader = conn, owner
			return true, nil
		}
	}
	if err == nil {
		// Only a session that holds our lock is ended: the number of a process that is gone may be another's by now.
		_, err = conn.Exec(ctx, `SELECT pg_terminate_backend(l.pid) FROM leader l JOIN pg_locks k ON k.pid = l.pid
			AND k.locktype = 'advisory' AND k.granted AND (k.classid::bigint << 32 | k.objid::bigint) = $1
			WHERE NOT EXISTS (SELECT 1 FROM owners o WHERE o.owner = l.owner AND o.seen >= clock_timestamp() - $2::interval)`,
			s.lockID(leaderLock), s.lease)
	}
	if err != nil {
		// The lock may be held: it goes with the connection.
		_ = conn.Conn().Close(context.WithoutCancel(ctx))
	}
	conn.Release()
	return false, err
}

// resign gives the lead up. The caller holds the lock.
func (s *Store) resign() {
	if s.leading == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.leading.Conn().Close(ctx); err != nil && !errors.Is(err, context.Canceled) {
		s.log.Debug("close the leader's connection", "error", err)
	}
	s.leading.Release()
	s.leading, s.leader = nil, ""
}
