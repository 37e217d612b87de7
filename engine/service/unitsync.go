package service

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// How long a server's org units are left alone before its metadata is synced, and how long at most
// where they go on changing.
const (
	unitsQuiet  = 20 * time.Second
	unitsAtMost = 5 * time.Minute
)

// unitSync knows the servers whose org units rules have changed since the last sync. The zero value is ready.
type unitSync struct {
	mu      sync.Mutex
	servers map[string]changedUnits
}

type changedUnits struct{ first, last time.Time }

// changed notes that org units of a server were written.
func (u *unitSync) changed(server string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.servers == nil {
		u.servers = map[string]changedUnits{}
	}
	now := time.Now()
	c := u.servers[server]
	if c.first.IsZero() {
		c.first = now
	}
	c.last = now
	u.servers[server] = c
}

// retry notes that the sync of a server did not succeed: its turn comes anew, after a while.
func (u *unitSync) retry(server string, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, ok := u.servers[server]; !ok { // else it was written to meanwhile
		u.servers[server] = changedUnits{first: now, last: now.Add(unitsAtMost)}
	}
}

// due takes the servers whose turn it is.
func (u *unitSync) due(now time.Time) []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	var list []string
	for _, name := range slices.Sorted(maps.Keys(u.servers)) {
		c := u.servers[name]
		if now.Sub(c.last) >= unitsQuiet || now.Sub(c.first) >= unitsAtMost {
			list = append(list, name)
			delete(u.servers, name)
		}
	}
	return list
}

// syncChangedUnits syncs the metadata of servers whose org units rules have changed, so that records
// for a new facility find it.
func (s *Service) syncChangedUnits(ctx context.Context) error {
	look := time.NewTicker(unitsQuiet / 4)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
		}
		due := s.unitSync.due(time.Now())
		for _, name := range due {
			if !s.syncOne(ctx, name) {
				s.unitSync.retry(name, time.Now())
			}
		}
		if len(due) > 0 {
			s.Reload(ctx)
		}
	}
}
