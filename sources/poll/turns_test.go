package poll_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/culvert/culvert/sources/poll"
)

// Those that read one system do not do so at once; those that read others are not held up by them.
func TestTurns(t *testing.T) {
	var turns poll.Turns
	var inside, most atomic.Int32
	once := func(context.Context) error {
		if n := inside.Add(1); n > most.Load() {
			most.Store(n)
		}
		runtime.Gosched()
		inside.Add(-1)
		return nil
	}
	var wg sync.WaitGroup
	for range 20 {
		read := turns.At("hq", once)
		wg.Go(func() {
			for range 200 {
				if err := read(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if most.Load() != 1 {
		t.Errorf("%d read one system at once", most.Load())
	}
	err := turns.At("hq", func(ctx context.Context) error { return turns.At("central", once)(ctx) })(t.Context())
	if err != nil {
		t.Error(err)
	}
}
