package client

import (
	"context"
	"sync"

	"golang.org/x/time/rate"
)

// gate lets requests through as the budget allows. It gives way to an overloaded server: every
// refusal halves how many requests may be under way, every good answer adds a little, as TCP does.
type gate struct {
	pace *rate.Limiter // nil: no bound

	mu      sync.Mutex
	most    float64
	allowed float64
	under   int
	waiting []chan struct{}
}

func newGate(concurrency int, perSecond float64) *gate {
	g := &gate{most: float64(concurrency), allowed: float64(concurrency)}
	if perSecond > 0 {
		g.pace = rate.NewLimiter(rate.Limit(perSecond), max(1, concurrency))
	}
	return g
}

// enter waits until a request may be sent; each must be followed by leave.
func (g *gate) enter(ctx context.Context) error {
	if g.pace != nil {
		if err := g.pace.Wait(ctx); err != nil {
			return err
		}
	}
	g.mu.Lock()
	if g.under < int(g.allowed) && len(g.waiting) == 0 {
		g.under++
		g.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	g.waiting = append(g.waiting, turn)
	g.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, w := range g.waiting {
		if w == turn {
			g.waiting = append(g.waiting[:i], g.waiting[i+1:]...)
			return ctx.Err()
		}
	}
	// The turn came at the same moment: pass it on.
	g.under--
	g.wake()
	return ctx.Err()
}

// leave gives the place back and says how the server bore it.
func (g *gate) leave(overloaded bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if overloaded {
		g.allowed = max(1, g.allowed/2)
	} else {
		g.allowed = min(g.most, g.allowed+1/g.allowed)
	}
	g.under--
	g.wake()
}

func (g *gate) wake() {
	for len(g.waiting) > 0 && g.under < int(g.allowed) {
		g.under++
		close(g.waiting[0])
		g.waiting = g.waiting[1:]
	}
}
