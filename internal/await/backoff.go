package await

import (
	"math/rand/v2"
	"time"
)

// Backoff is exponential with full jitter: the n-th wait is a random time up to Base doubled n times, never above Cap.
type Backoff struct {
	Base, Cap time.Duration
}

// Wait gives how long to wait after the given number of failed tries, counted from 1. It is at
// least a tenth of its bound, so that a run of lucky draws cannot become a storm. random gives a
// number in [0,1); nil uses the program's own source.
func (b Backoff) Wait(tries int, random func() float64) time.Duration {
	if random == nil {
		random = rand.Float64
	}
	bound := b.Base
	for range max(tries, 1) - 1 {
		bound *= 2
		if bound >= b.Cap {
			break
		}
	}
	bound = min(bound, b.Cap)
	return bound/10 + time.Duration(random()*float64(bound-bound/10))
}
