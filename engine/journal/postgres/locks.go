package postgres

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"github.com/culvert/culvert/actions"
)

var _ actions.Locks = memory{}

// lockLasts is longer than any batch is on its way: a lock that is older was forgotten by its holder.
const lockLasts = 15 * time.Minute

// takeLocks takes names that nobody has, that this runner has, or whose holder is silent or has
// forgotten them. The names come in order, so that two runners do not wait for each other.
const takeLocks = `INSERT INTO locks AS l (name, owner, since) SELECT name, $2, clock_timestamp()
	FROM unnest($1::bigint[]) u(name)
	ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, since = excluded.since
	WHERE l.owner = excluded.owner OR l.since < clock_timestamp() - $4::interval
	OR NOT EXISTS (SELECT 1 FROM owners o WHERE o.owner = l.owner AND o.seen >= clock_timestamp() - $3::interval)
	RETURNING name`

// Lock implements actions.Locks. A lock is held in the name of the runner and ends with its lease.
func (m memory) Lock(ctx context.Context, names []string) ([]bool, error) {
	s := m.s
	owner := s.lockOwner()
	if err := s.signOfLife(ctx, owner, false); err != nil {
		return nil, err
	}
	hashes := m.lockHashes(names)
	sorted := slices.Compact(slices.Sorted(slices.Values(hashes)))
	s.lockMu.Lock()
	defer s.lockMu.Unlock()
	free := map[int64]bool{}
	err := s.lockTx(ctx, func(ctx context.Context, t *tx) error {
		clear(free)
		got, err := numbers(ctx, t, takeLocks, sorted, owner, s.lease, lockLasts)
		for _, hash := range got {
			free[hash] = true
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("lock objects: %w", err)
	}
	taken := make([]bool, len(names))
	for i, hash := range hashes {
		if taken[i] = free[hash]; taken[i] {
			s.locks[hash]++
		}
	}
	return taken, nil
}

// Unlock implements actions.Locks.
func (m memory) Unlock(ctx context.Context, names []string) error {
	s := m.s
	owner := s.lockOwner()
	s.lockMu.Lock()
	defer s.lockMu.Unlock()
	var done []int64
	for _, hash := range m.lockHashes(names) {
		if s.locks[hash]--; s.locks[hash] <= 0 {
			delete(s.locks, hash)
			done = append(done, hash)
		}
	}
	if len(done) == 0 {
		return nil
	}
	slices.Sort(done)
	err := s.lockTx(ctx, func(ctx context.Context, t *tx) error {
		// Whoever takes locks takes them in this order, too.
		_, err := t.Exec(ctx, `DELETE FROM locks WHERE name IN
			(SELECT name FROM locks WHERE name = ANY($1) AND owner = $2 ORDER BY name FOR UPDATE)`, done, owner)
		return err
	})
	if err != nil {
		return fmt.Errorf("unlock objects: %w", err)
	}
	return nil
}

// lockTx runs a transaction for which nobody waits until it is on disk.
func (s *Store) lockTx(ctx context.Context, do func(context.Context, *tx) error) error {
	return s.tx(ctx, func(ctx context.Context, t *tx) error {
		if _, err := t.Exec(ctx, "SET LOCAL synchronous_commit = off"); err != nil {
			return err
		}
		return do(ctx, t)
	})
}

func (m memory) lockHashes(names []string) []int64 {
	hashes := make([]int64, len(names))
	for i, name := range names {
		hashes[i] = m.s.sealer.Lock(m.server, name)
	}
	return hashes
}

// lockOwner is in whose name this process holds locks.
func (s *Store) lockOwner() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.self == "" {
		s.self = "locks-" + rand.Text()
	}
	return s.self
}
