package service

import (
	"context"
	"time"

	"github.com/culvert/culvert/engine/journal"
)

// How long a server's org units are left alone before its metadata is synced, how long at most where
// they go on changing, and how far the clocks of two runners may be apart.
const (
	unitsQuiet  = 20 * time.Second
	unitsAtMost = 5 * time.Minute
	unitsSkew   = 10 * time.Second
)

// unitSync knows the servers whose org units rules have changed since the last sync. It is in the
// journal: the runner that leads syncs them, also one that is started later. Its loop alone uses what is not marks.
type unitSync struct {
	changed marks // when org units of a server were written
	synced  marks // when its last sync began
	first   map[string]time.Time
	failed  map[string]time.Time
}

func newUnitSync(j journal.Meta, o Options) *unitSync {
	return &unitSync{changed: marks{prefix: "units-changed/", journal: j, log: o.Log},
		synced: marks{prefix: "units-synced/", journal: j, log: o.Log},
		first:  map[string]time.Time{}, failed: map[string]time.Time{}}
}

// due tells whether it is the turn of a server.
func (u *unitSync) due(ctx context.Context, server string, now time.Time) (bool, error) {
	changed, err := u.changed.at(ctx, server)
	if err != nil || changed.IsZero() {
		return false, err
	}
	synced, err := u.synced.at(ctx, server)
	if err != nil {
		return false, err
	}
	if !changed.After(synced.Add(-unitsSkew)) {
		delete(u.first, server)
		return false, nil
	}
	first, ok := u.first[server]
	if !ok {
		first = now
		u.first[server] = now
	}
	if failed, ok := u.failed[server]; ok && now.Sub(failed) < unitsAtMost {
		return false, nil
	}
	return now.Sub(changed) >= unitsQuiet || now.Sub(first) >= unitsAtMost, nil
}

// done notes what came of the sync of a server that began then.
func (u *unitSync) done(server string, began time.Time, ok bool) {
	delete(u.first, server)
	delete(u.failed, server)
	if !ok {
		u.failed[server] = began
	}
}

// syncChangedUnits syncs the metadata of servers whose org units rules have changed, so that records
// for a new facility find it.
func (s *Service) syncChangedUnits(ctx context.Context) error {
	scan := time.NewTicker(unitsQuiet / 4)
	defer scan.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-scan.C:
		}
		s.unitSync.changed.flush(ctx)
		if lead, err := s.runner.Leads(ctx); err != nil || !lead {
			continue
		}
		if s.syncDueUnits(ctx) {
			s.Reload(ctx)
		}
	}
}

// syncDueUnits syncs the servers whose turn it is, and tells whether there were any.
func (s *Service) syncDueUnits(ctx context.Context) (any bool) {
	for _, name := range s.clients.names() {
		due, err := s.unitSync.due(ctx, name, time.Now())
		if err != nil && ctx.Err() == nil {
			s.o.Log.Warn("cannot see whether org units were changed", "server", name, "error", err)
		}
		if !due {
			continue
		}
		began := time.Now()
		s.unitSync.done(name, began, s.syncOne(ctx, name))
		any = true
	}
	return any
}
