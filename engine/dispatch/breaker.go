package dispatch

import (
	"time"

	"github.com/culvert/culvert/internal/await"
)

// BreakerState is what a breaker lets through.
type BreakerState string

const (
	// Closed: everything may be sent.
	Closed BreakerState = "closed"
	// Open: the server is away or overloaded; nothing is sent but a probe from time to time.
	Open BreakerState = "open"
	// HalfOpen: the probe was answered; one batch is tried.
	HalfOpen BreakerState = "half-open"
	// Refused: the server refuses our credentials; nothing is sent but a probe from time to time.
	Refused BreakerState = "credentials"
)

// Breaker keeps a server that is away from being called all the time. It decides; others send. Not
// safe for concurrent use.
type Breaker struct {
	Away    await.Backoff // between probes of a server that is away
	Refusal await.Backoff // between probes of a server that refuses our credentials
	Random  func() float64

	state   BreakerState
	since   time.Time
	reason  string
	probes  int
	next    time.Time
	refused bool // the last trip was a refusal
	trial   bool // a batch is on its way while half-open
}

// State gives what the breaker lets through.
func (b *Breaker) State() BreakerState {
	if b.state == "" {
		return Closed
	}
	return b.state
}

// Since gives when the state began, and why in words; zero and empty while closed from the start.
func (b *Breaker) Since() (time.Time, string) { return b.since, b.reason }

// Trip records that the server is away (or, refused, does not take our credentials). retryAfter is
// what it asked for, 0 when it did not say. It tells whether this is news: the first trip after the
// breaker was closed, or a change between the two kinds.
func (b *Breaker) Trip(now time.Time, refused bool, retryAfter time.Duration, reason string) bool {
	to, backoff := Open, b.Away
	if refused {
		to, backoff = Refused, b.Refusal
	}
	if b.state == to {
		b.next = later(b.next, now.Add(retryAfter))
		return false // batches that were under way when it tripped say nothing new
	}
	news := b.State() == Closed || refused != b.refused
	if news {
		b.since, b.probes = now, 0
	}
	b.state, b.refused, b.reason, b.trial = to, refused, reason, false
	b.probes++
	b.next = now.Add(max(retryAfter, backoff.Wait(b.probes, b.Random)))
	return news
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// ProbeAt gives when to probe next; false while there is nothing to probe for.
func (b *Breaker) ProbeAt() (time.Time, bool) {
	if b.state != Open && b.state != Refused {
		return time.Time{}, false
	}
	return b.next, true
}

// Probed records the answer to a probe. A failed probe waits longer for the next one; refused says
// that the credentials were the reason. It tells whether this is news: the server is back but
// refuses us, or takes us no longer for strangers but is away.
func (b *Breaker) Probed(now time.Time, ok, refused bool, reason string) bool {
	if b.state != Open && b.state != Refused {
		return false
	}
	if ok {
		b.state, b.next, b.trial = HalfOpen, time.Time{}, false
		return false
	}
	b.state = HalfOpen // so that the failed probe trips it again, with a longer wait
	return b.Trip(now, refused, 0, reason)
}

// Allow tells whether a batch may be sent now. Half-open it says yes to one batch only.
func (b *Breaker) Allow() bool {
	switch b.State() {
	case Closed:
		return true
	case HalfOpen:
		if b.trial {
			return false
		}
		b.trial = true
		return true
	default:
		return false
	}
}

// Worked records that the server answered a batch. It tells whether the breaker closed by it.
func (b *Breaker) Worked(now time.Time) bool {
	if b.state != HalfOpen {
		return false // an answer to a batch sent before it tripped proves nothing
	}
	b.state, b.since, b.reason, b.probes, b.trial = Closed, now, "", 0, false
	return true
}

// CancelProbe takes back an Allow whose batch was not sent after all.
func (b *Breaker) CancelProbe() { b.trial = false }
