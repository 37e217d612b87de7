package client

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestGateBoundsWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(3, 0)
		var under, most atomic.Int32
		for range 10 {
			go func() {
				if err := g.enter(context.Background()); err != nil {
					t.Error(err)
					return
				}
				if n := under.Add(1); n > most.Load() {
					most.Store(n)
				}
				time.Sleep(time.Second)
				under.Add(-1)
				g.leave(false)
			}()
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if most.Load() != 3 || g.under != 0 {
			t.Errorf("%d under way at once, %d at the end; want 3 and 0", most.Load(), g.under)
		}
	})
}

func TestGateGivesWay(t *testing.T) {
	g := newGate(8, 0)
	enter := func(n int) {
		t.Helper()
		for range n {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			if err := g.enter(ctx); err != nil {
				t.Fatalf("refused at %d of %v", g.under, g.allowed)
			}
		}
	}
	full := func() bool {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		return errors.Is(g.enter(ctx), context.Canceled)
	}
	enter(8)
	if !full() {
		t.Fatal("a ninth is let in")
	}
	for range 8 {
		g.leave(true)
	}
	enter(1)
	if !full() {
		t.Error("after refusals more than one is let in")
	}
	g.leave(false)
	for range 100 {
		enter(1)
		g.leave(false)
	}
	enter(8)
	if !full() || g.allowed != 8 {
		t.Errorf("after good answers %v are allowed, want 8", g.allowed)
	}
}

func TestGateCancelledWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1, 0)
		if err := g.enter(context.Background()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		errs := make(chan error, 1)
		go func() { errs <- g.enter(ctx) }()
		synctest.Wait()
		cancel()
		if err := <-errs; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		g.leave(false)
		if err := g.enter(context.Background()); err != nil || len(g.waiting) != 0 {
			t.Errorf("%v, %d wait", err, len(g.waiting))
		}
	})
}

func TestGateKeepsThePace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1, 10)
		started := time.Now()
		for range 31 {
			if err := g.enter(context.Background()); err != nil {
				t.Fatal(err)
			}
			g.leave(false)
		}
		if took := time.Since(started); took != 3*time.Second {
			t.Errorf("31 requests at 10 a second took %v, want 3s", took)
		}
	})
}
