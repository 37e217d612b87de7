package poll

import (
	"context"
	"sync"
)

// Turns lets those that read one system do so one after another: a system that is read by several rules at once is
// asked for the same thing several times, and its limits are soon reached. The zero value works.
type Turns struct {
	mu   sync.Mutex
	busy map[string]*sync.Mutex
}

// At gives once as it waits for its turn at a system.
func (t *Turns) At(system string, once func(context.Context) error) func(context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.busy == nil {
		t.busy = map[string]*sync.Mutex{}
	}
	turn := t.busy[system]
	if turn == nil {
		turn = &sync.Mutex{}
		t.busy[system] = turn
	}
	return func(ctx context.Context) error {
		turn.Lock()
		defer turn.Unlock()
		return once(ctx)
	}
}
