// Package await holds how the program waits: signals that never block whoever gives them, sleeps
// that end with their context, and growing waits between tries.
package await

import (
	"context"
	"time"
)

// Signal wakes one reader. Signals given while it is busy are one signal. Make it with NewSignal.
type Signal chan struct{}

// NewSignal makes a signal.
func NewSignal() Signal { return make(Signal, 1) }

// Notify wakes the reader, now or when it asks next.
func (s Signal) Notify() {
	select {
	case s <- struct{}{}:
	default:
	}
}

// Wait waits for the signal or for d to pass; false when ctx ended first.
func (s Signal) Wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-s:
		return true
	case <-timer.C:
		return true
	}
}

// Sleep waits; false when ctx ended first.
func Sleep(ctx context.Context, d time.Duration) bool { return Signal(nil).Wait(ctx, d) }

// Every calls do at intervals until ctx ends.
func Every(ctx context.Context, interval time.Duration, do func(context.Context)) {
	for Sleep(ctx, interval) {
		do(ctx)
	}
}
