package service

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/culvert/culvert/engine/journal"
)

const (
	// markEvery is how often at most a mark is written to the journal; what comes in between is kept with the next.
	markEvery = 5 * time.Second
	markLimit = 10 * time.Second // of one write
)

// marks keep in the journal, by server, when something was last done to it: what has to follow
// outlives the process, and reaches the runner that leads. Safe for concurrent use.
type marks struct {
	prefix  string
	journal journal.Meta
	log     *slog.Logger

	mu    sync.Mutex
	noted map[string]time.Time
	kept  map[string]time.Time
}

// set notes that it was done to a server.
func (m *marks) set(ctx context.Context, server string, at time.Time) {
	m.mu.Lock()
	if m.noted == nil {
		m.noted, m.kept = map[string]time.Time{}, map[string]time.Time{}
	}
	m.noted[server] = at
	due := at.Sub(m.kept[server]) >= markEvery
	m.mu.Unlock()
	if due {
		m.keep(ctx, server, at)
	}
}

// flush keeps what was not kept yet.
func (m *marks) flush(ctx context.Context) {
	m.mu.Lock()
	noted := maps.Clone(m.noted)
	maps.DeleteFunc(noted, func(server string, at time.Time) bool { return at.Equal(m.kept[server]) })
	m.mu.Unlock()
	for server, at := range noted {
		m.keep(ctx, server, at)
	}
}

func (m *marks) keep(ctx context.Context, server string, at time.Time) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), markLimit)
	defer cancel()
	if err := m.journal.SetMeta(ctx, m.prefix+server, at.UTC().Format(time.RFC3339Nano)); err != nil {
		m.log.Warn("cannot note what has to follow a delivery; it is noted a little later", "server", server, "error", err)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if at.After(m.kept[server]) {
		m.kept[server] = at
	}
}

// at tells when it was last done to a server, by any runner; zero: never.
func (m *marks) at(ctx context.Context, server string) (at time.Time, err error) {
	text, err := m.journal.Meta(ctx, m.prefix+server)
	if err == nil && text != "" {
		at, err = time.Parse(time.RFC3339Nano, text)
	}
	if err != nil {
		return at, fmt.Errorf("read what has to follow deliveries to %s: %w", server, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if noted := m.noted[server]; noted.After(at) {
		return noted, nil
	}
	return at, nil
}
