// Package heap sets how often garbage is collected: seldom while little memory is in use, so that a
// small runner does not spend its processor on it, and as often as memory asks for when much is.
package heap

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// What the program runs with. Ten million rows of a CSV stay below a hundred megabytes with
// Percent; Floor is what a heap may grow to, however little of it is in use.
const (
	Percent = 60
	Floor   = 32 << 20 // bytes
)

// sentinel is garbage from the start: that it is finalized tells that a collection has ended.
type sentinel struct{ k *keeper }

type keeper struct {
	percent int
	floor   uint64

	mu      sync.Mutex
	now     int
	stopped bool
	sample  []metrics.Sample
}

// Keep lets the heap grow by percent, as GOGC does, and at least up to floor bytes. It does nothing
// when GOGC is set in the environment: whoever set it wants that. stop puts back what was before.
func Keep(percent int, floor uint64) (stop func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	k := &keeper{percent: percent, floor: floor, sample: []metrics.Sample{{Name: "/gc/heap/live:bytes"}}}
	before := debug.SetGCPercent(percent)
	k.now = percent
	k.watch()
	return func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.stopped = true
		debug.SetGCPercent(before)
	}
}

// watch adjusts after the next collection, and so after every one.
func (k *keeper) watch() {
	runtime.SetFinalizer(&sentinel{k}, func(s *sentinel) {
		if s.k.adjust() {
			s.k.watch()
		}
	})
}

// adjust sets the growth that leads from what is alive to the floor, until it is stopped. Setting
// it stops the world for a moment, so that small differences are let be.
func (k *keeper) adjust() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.stopped {
		return false
	}
	metrics.Read(k.sample)
	want := growth(k.sample[0].Value.Uint64(), k.percent, k.floor)
	if want == k.percent && k.now != want || want > k.now*5/4 || want < k.now*4/5 {
		debug.SetGCPercent(want)
		k.now = want
	}
	return true
}

// growth is by how many percent a heap may grow of which so many bytes are alive.
func growth(live uint64, percent int, floor uint64) int {
	if live == 0 || live >= floor {
		return percent
	}
	return max(percent, int((floor-live)*100/live))
}
