package postgres_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/internal/await/awaittest"
)

// TestLocks gives a name to one runner at a time, as often as that one asks.
func TestLocks(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	one := p.Open(t, journal.Options{}).Memory("national").(actions.Locks)
	two := p.Open(t, journal.Options{}).Memory("national").(actions.Locks)
	take := func(who string, l actions.Locks, names []string, want ...bool) {
		t.Helper()
		got, err := l.Lock(t.Context(), names)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s got %v of %v, want %v", who, got, names, want)
		}
	}
	give := func(l actions.Locks, names ...string) {
		t.Helper()
		if err := l.Unlock(t.Context(), names); err != nil {
			t.Fatal(err)
		}
	}
	take("one", one, []string{"a", "b", "a"}, true, true, true)
	take("one again", one, []string{"a"}, true)
	take("two", two, []string{"a", "b", "c"}, false, false, true)
	take("one", one, []string{"c"}, false)
	give(one, "a", "a", "b")
	take("two, of what is held once more", two, []string{"a", "b"}, false, true)
	give(one, "a")
	take("two", two, []string{"a"}, true)
	give(one, "a") // what somebody else has by now stays
	take("one", one, []string{"a"}, false)
}

// TestLocksOfADeadRunner are given to others when its lease ends, and at once when it stops.
func TestLocksOfADeadRunner(t *testing.T) {
	t.Parallel()
	const lease = 300 * time.Millisecond
	p := newPlace(t)
	dead := p.Open(t, journal.Options{Lease: lease})
	if _, err := dead.Memory("national").(actions.Locks).Lock(t.Context(), []string{"a"}); err != nil {
		t.Fatal(err)
	}
	other := p.Open(t, journal.Options{Lease: lease}).Memory("national").(actions.Locks)
	waitForLock(t, other, "a")
	stopped := p.Open(t, journal.Options{})
	if _, err := stopped.Memory("national").(actions.Locks).Lock(t.Context(), []string{"b"}); err != nil {
		t.Fatal(err)
	}
	if err := stopped.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := other.Lock(t.Context(), []string{"b"}); err != nil || !got[0] {
		t.Errorf("a runner that stopped holds on: %v", err)
	}
}

func waitForLock(t *testing.T, l actions.Locks, name string) {
	t.Helper()
	awaittest.Until(t, "a silent runner's locks are given to others", func() bool {
		got, err := l.Lock(t.Context(), []string{name})
		if err != nil {
			t.Fatal(err)
		}
		return got[0]
	})
}

// TestLocksOfManyAtOnce never gives a name to two, and nobody waits for ever.
func TestLocksOfManyAtOnce(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	var mu sync.Mutex
	held := map[string]int{}
	var wg sync.WaitGroup
	for n := range 3 {
		l := p.Open(t, journal.Options{}).Memory("national").(actions.Locks)
		wg.Go(func() {
			for round := range 30 {
				var names []string
				for i := range 20 {
					names = append(names, fmt.Sprint("object ", (i*7+round*(n+1))%40))
				}
				taken, err := l.Lock(t.Context(), names)
				if err != nil {
					t.Error(err)
					return
				}
				var mine []string
				mu.Lock()
				for i, ok := range taken {
					if !ok {
						continue
					}
					mine = append(mine, names[i])
					if by, is := held[names[i]]; is && by != n {
						t.Errorf("%s is held by %d and %d", names[i], by, n)
					}
					held[names[i]] = n
				}
				mu.Unlock()
				mu.Lock()
				for _, name := range mine {
					delete(held, name)
				}
				mu.Unlock()
				if err := l.Unlock(t.Context(), mine); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}
