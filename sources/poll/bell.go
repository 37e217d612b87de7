package poll

import (
	"errors"
	"sync"
)

// ErrRunning says that what should run now runs already.
var ErrRunning = errors.New("it is running already")

// ErrNotHere says that nothing of the kind runs in this process now.
var ErrNotHere = errors.New("it does not run in this process now")

// Bells let people have what a rule asks for asked now, without waiting for its time. The zero value
// is ready; it is safe for concurrent use.
type Bells struct {
	mu     sync.Mutex
	byRule map[string][]*Bell
}

// Bell belongs to one loop. A nil one is never rung.
type Bell struct {
	bells *Bells
	rule  string
	rung  chan struct{}
	busy  bool
}

// Hang gives a loop of a rule its bell. The loop takes it down with Take at its end.
func (b *Bells) Hang(rule string) *Bell {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.byRule == nil {
		b.byRule = map[string][]*Bell{}
	}
	bell := &Bell{bells: b, rule: rule, rung: make(chan struct{}, 1), busy: true} // until it waits for the first time
	b.byRule[rule] = append(b.byRule[rule], bell)
	return bell
}

// Prompt has the loops of a rule that wait go on at once. The error is ErrRunning when none of them
// waits, ErrNotHere when there are none.
func (b *Bells) Prompt(rule string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.byRule[rule]) == 0 {
		return ErrNotHere
	}
	err := ErrRunning
	for _, bell := range b.byRule[rule] {
		if !bell.busy {
			bell.busy, err = true, nil
			bell.rung <- struct{}{} // it waits, and nobody has rung: there is room
		}
	}
	return err
}

// Take takes the bell down.
func (b *Bell) Take() {
	if b == nil {
		return
	}
	b.bells.mu.Lock()
	defer b.bells.mu.Unlock()
	left := b.bells.byRule[b.rule][:0:0]
	for _, other := range b.bells.byRule[b.rule] {
		if other != b {
			left = append(left, other)
		}
	}
	b.bells.byRule[b.rule] = left
}

// heard is where a loop that waits hears the bell.
func (b *Bell) heard() <-chan struct{} {
	if b == nil {
		return nil
	}
	return b.rung
}

// wait says that the loop waits.
func (b *Bell) wait() {
	if b == nil {
		return
	}
	b.bells.mu.Lock()
	defer b.bells.mu.Unlock()
	b.busy = false
}

// goOn says that the loop waits no more; it tells whether the bell was rung at the last moment.
func (b *Bell) goOn() (rung bool) {
	if b == nil {
		return false
	}
	b.bells.mu.Lock()
	defer b.bells.mu.Unlock()
	b.busy = true
	select {
	case <-b.rung:
		return true
	default:
		return false
	}
}
