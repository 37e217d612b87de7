package service

import (
	"context"
	"fmt"
	"time"

	"github.com/culvert/culvert/engine/project"
)

// syncLoop syncs the metadata of every server as often as culvert.yaml asks. What a sync changes is
// picked up like any other change of the project: every rule is checked again, and the records of
// rules that no longer fit are held.
func (s *Service) syncLoop(ctx context.Context) error {
	for {
		every := s.current.Load().Config.SyncEvery
		if every <= 0 {
			every = time.Minute // asked again: the interval may be set while we run
			s.synced.wait(time.Time{})
		} else {
			s.synced.wait(time.Now().Add(every))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(every):
		}
		if s.current.Load().Config.SyncEvery <= 0 {
			continue
		}
		if lead, err := s.runner.Leads(ctx); err != nil || !lead {
			continue
		}
		for _, name := range s.clients.names() {
			s.syncOne(ctx, name)
		}
		s.syncLocations(ctx)
		s.Reload(ctx)
	}
}

// syncOne syncs one server and tells whether that succeeded; a server that is away is tried again at the next turn.
func (s *Service) syncOne(ctx context.Context, name string) (synced bool) {
	_, err := s.syncServer(ctx, name)
	if err != nil && ctx.Err() == nil {
		s.o.Log.Warn("metadata could not be synced; the last snapshot stays", "server", name, "error", err)
	}
	return err == nil
}

// syncServer reads the metadata of a server anew and says what changed, with the rules that use it.
func (s *Service) syncServer(ctx context.Context, name string) ([]string, error) {
	select {
	case s.synced.one <- struct{}{}:
		defer func() { <-s.synced.one }()
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the sync that is under way: %w", ctx.Err())
	}
	began := time.Now()
	r, err := project.Sync(ctx, s.clients.get(name), s.o.Dir, name, true, nil)
	if err != nil {
		return nil, err
	}
	uses := s.current.Load().Uses(name)
	changes := make([]string, 0, len(r.Changes))
	for _, c := range r.Changes {
		changes = append(changes, c.Words+uses.OfChange(c))
		s.o.Log.Info("metadata changed", "server", name, "change", c.Words+uses.OfChange(c))
	}
	s.synced.set(name, changes)
	s.unitSync.synced.set(ctx, name, began)
	return changes, nil
}

// syncLocations refreshes the tables of CommCare's locations; a project space that cannot be read
// is tried again at the next turn.
func (s *Service) syncLocations(ctx context.Context) {
	config := s.current.Load().Config
	for i := range config.Connections {
		c := &config.Connections[i]
		if c.Locations == "" {
			continue
		}
		n, changed, err := project.SyncLocations(ctx, config, c, s.o.Dir, s.o.Log)
		switch {
		case err != nil && ctx.Err() == nil:
			s.o.Log.Warn("locations could not be synced; the last table stays", "connection", c.Name, "error", err)
		case changed:
			s.o.Log.Info("locations changed", "connection", c.Name, "locations", n, "table", c.Locations)
		}
	}
}
