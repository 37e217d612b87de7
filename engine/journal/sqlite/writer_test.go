package sqlite

import (
	"testing"
	"time"
)

// While many call, a transaction waits for half of them and no longer; while few do it takes those that are there.
func TestGather(t *testing.T) {
	for _, c := range []struct {
		name             string
		callers, waiting int // before the transaction; already there when it begins
		late, want       int // who come meanwhile
	}{
		{"a lone caller", 0, 0, 0, 1},
		{"few callers", manyCallers - 1, 1, 0, 2},
		{"half of many are there", 16, 7, 0, 8},
		{"more than half are there", 16, 11, 0, 12},
		{"half of many are on their way", 16, 2, 5, 8},
		{"all of them are on their way", 64, 0, 31, 32},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := gathering(c.callers)
			for range c.waiting {
				w.ops <- &op{}
			}
			come := make(chan struct{})
			go func() {
				defer close(come)
				for range c.late {
					w.ops <- &op{}
				}
			}()
			if got := len(w.gather(&op{})); got != c.want {
				t.Errorf("%d callers share the transaction, want %d", got, c.want)
			}
			<-come
		})
	}
}

// What does not come is not waited for: for ever neither when the time is over nor when the journal is closed.
func TestGatherGivesUp(t *testing.T) {
	w := gathering(64)
	w.batchDelay = time.Millisecond
	if got := len(w.gather(&op{})); got != 1 {
		t.Errorf("%d callers share the transaction, want the one that came", got)
	}
	w = gathering(64)
	close(w.stop)
	if got := len(w.gather(&op{})); got != 1 {
		t.Errorf("at the end %d callers share the transaction, want the one that came", got)
	}
}

// gathering is a writer after a transaction of so many callers, which waits as long as it takes.
func gathering(callers int) *writer {
	w := &writer{ops: make(chan *op, maxOps), stop: make(chan struct{}), callers: callers, batchDelay: time.Hour,
		delay: time.NewTimer(time.Hour)}
	w.delay.Stop()
	return w
}
