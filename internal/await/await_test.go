package await

import (
	"context"
	"testing"
	"time"
)

func TestSignal(t *testing.T) {
	t.Parallel()
	s := NewSignal()
	s.Notify()
	s.Notify() // nobody reads, and yet it does not block
	if !s.Wait(t.Context(), time.Hour) {
		t.Error("a signal that was given is lost")
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if s.Wait(ended, time.Hour) {
		t.Error("two signals in a row were not one")
	}
	if !s.Wait(t.Context(), 0) || !Sleep(t.Context(), 0) {
		t.Error("a wait that is over says that its context ended")
	}
}

func TestEveryEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, end := context.WithCancel(t.Context())
	n := 0
	Every(ctx, 0, func(context.Context) {
		if n++; n == 3 {
			end()
		}
	})
	if n < 3 {
		t.Errorf("it was called %d times", n)
	}
}
