package delivery

import (
	"time"
)

// Limits bound what the controller may try.
type Limits struct {
	MinBatch, MaxBatch int           // records in one batch
	MaxConcurrency     int           // batches on their way at once
	MaxLatency         time.Duration // of one batch; 0: no bound
}

// Sample is what one batch taught us.
type Sample struct {
	Epoch   int           // of the setting it was sent under
	Records int           // in the batch
	Took    time.Duration // until the server's answer
	Full    bool          // it was as large as asked for, and as many batches as asked for were on their way
	Trouble bool          // the server was away, overloaded or ran out of time
}

// Setting is how the server is to be worked. Epoch tells samples of one setting from those of another.
type Setting struct {
	Batch, Concurrency, Epoch int
}

// Controller finds the batch size and the parallelism that a server does best with, by trying neighbours of what it has and keeping what proves
// better. Throughput is taken as records on their way divided by the time that a batch takes (Little's law), which needs no clock and holds as long as
// the server has all that it was asked to take; other samples are not counted. Not safe for concurrent use.
type Controller struct {
	limits  Limits
	now     point   // in use
	base    point   // the best known
	rate    float64 // of base, records per second
	latency float64 // of base, seconds
	move    int     // next of moves to try from base; len(moves) while settled
	trying  bool    // now is a trial, not the base
	held    int     // epochs since it settled
	hold    int     // epochs to stay settled
	cap     point   // below what made trouble; zero without one
	epoch   int
	strikes int // troubles of this epoch
	skip    int // samples of this epoch that are still those of a server changing over
	count   int
	sum     float64 // seconds
	batch   float64 // records
}

type point struct{ batch, concurrency int }

// What is tried around the best known point, in this order. Growth comes first; a step down is taken when it costs nothing, for the server's sake.
var moves = []struct {
	batch       float64
	concurrency int
}{{2, 0}, {1, +1}, {1.4, 0}, {1, -1}, {0.7, 0}}

const (
	gain     = 1.015 // a step up must bring this much
	loss     = 0.997 // a step down may cost this much
	collapse = 0.7   // of the known rate: the server has changed
	minHold  = 16    // epochs between two searches, doubled every time that nothing better is found
	maxHold  = 256
	slowdown = 3 // times the known latency: no need to wait for the whole epoch
	// On a bad line a request is lost now and then, whatever is asked for. Only what fails again under one setting is put down to it, and what fails after
	// the server had long tried.
	baseStrikes, trialStrikes = 3, 2
	patience                  = 5 * time.Second // of a server whose latency is not known
	startSize                 = 16
)

// NewController starts small: a server that is unknown is not hit with its limit.
func NewController(l Limits) *Controller {
	l.MinBatch = max(l.MinBatch, 1)
	l.MaxBatch = max(l.MaxBatch, l.MinBatch)
	l.MaxConcurrency = max(l.MaxConcurrency, 1)
	c := &Controller{limits: l, hold: minHold}
	c.base = c.clamp(point{startSize, 2})
	c.begin(c.base, false)
	return c
}

// Setting gives what to use for the next batch.
func (c *Controller) Setting() Setting {
	return Setting{Batch: c.now.batch, Concurrency: c.now.concurrency, Epoch: c.epoch}
}

// Settled tells whether the search has come to an end for now.
func (c *Controller) Settled() bool { return c.move >= len(moves) && !c.trying }

// Observe takes in what a batch taught us.
func (c *Controller) Observe(s Sample) {
	if s.Trouble {
		if s.Epoch == c.epoch {
			c.struck(s.Took)
		}
		return
	}
	if s.Epoch != c.epoch || !s.Full {
		return
	}
	if c.skip > 0 {
		c.skip--
		return
	}
	c.count++
	c.sum += s.Took.Seconds()
	c.batch += float64(s.Records)
	mean := max(c.sum/float64(c.count), 1e-9)
	slow := c.count >= c.now.concurrency && c.latency > 0 && mean > slowdown*c.latency*c.share()
	if c.count < max(4, 3*c.now.concurrency) && !slow {
		return
	}
	c.decide(float64(c.now.concurrency)*c.batch/float64(c.count)/mean, time.Duration(mean*float64(time.Second)))
}

// struck takes in that a batch got no answer after so long.
func (c *Controller) struck(took time.Duration) {
	c.strikes++
	long := patience.Seconds()
	if c.latency > 0 {
		long = slowdown * c.latency * c.share()
	}
	switch {
	case took.Seconds() < long && c.strikes < c.bearable():
	case c.trying && took.Seconds() < long:
		// What is known to work goes on; what is more than this is left alone for a while.
		c.cap = c.below()
		c.move++
		c.next()
	default:
		c.trouble()
	}
}

// bearable is at how many troubles of an epoch its setting is held to be the reason.
func (c *Controller) bearable() int {
	if c.trying {
		return trialStrikes
	}
	return baseStrikes
}

// below is what may be tried for a while when the present setting makes trouble.
func (c *Controller) below() point {
	if c.trying && c.now.concurrency > c.base.concurrency {
		return point{c.limits.MaxBatch, c.base.concurrency}
	}
	return point{max(c.now.batch*3/4, 1), c.now.concurrency}
}

// trouble halves everything and keeps away for a while from where it happened.
func (c *Controller) trouble() {
	c.cap = point{max(c.now.batch*3/4, 1), c.now.concurrency}
	c.base = c.clamp(point{c.now.batch / 2, c.now.concurrency / 2})
	c.move, c.hold, c.held, c.rate, c.latency = 0, minHold, 0, 0, 0
	c.begin(c.base, false)
}

// decide ends an epoch whose rate is known.
func (c *Controller) decide(rate float64, latency time.Duration) {
	slow := c.limits.MaxLatency > 0 && latency > c.limits.MaxLatency
	switch {
	case c.trying && !slow && c.better(rate):
		c.base, c.rate, c.latency = c.now, rate, latency.Seconds()
		c.move = c.move % len(moves) // the same step again
	case c.trying:
		c.move++
	case slow && c.now != c.clamp(point{c.now.batch / 2, c.now.concurrency}):
		c.base, c.rate, c.latency, c.move = c.clamp(point{c.now.batch / 2, c.now.concurrency}), 0, 0, 0
		c.begin(c.base, false)
		return
	case c.rate > 0 && rate < collapse*c.rate: // also when a few answers show it
		// The server has become slow: less of everything, and the search begins again.
		c.base = c.clamp(point{c.now.batch / 2, max(c.now.concurrency/2, 1)})
		c.rate, c.latency, c.move, c.hold = 0, 0, 0, minHold
		c.begin(c.base, false)
		return
	case c.Settled():
		c.rate, c.latency = 0.8*c.rate+0.2*rate, 0.8*c.latency+0.2*latency.Seconds()
		c.held++
		if c.held < c.hold {
			c.strikes, c.count, c.sum, c.batch = 0, 0, 0, 0
			return
		}
		c.held, c.move, c.hold, c.cap, c.rate = 0, 0, min(2*c.hold, maxHold), point{}, rate
	default:
		c.rate, c.latency = rate, latency.Seconds()
	}
	c.next()
}

// share is by how much a batch may take longer than one of the base for the setting alone: it is larger, or waits behind more others.
func (c *Controller) share() float64 {
	return max(1, float64(c.now.batch*c.now.concurrency)/float64(max(c.base.batch*c.base.concurrency, 1)))
}

// better tells whether a trial is to be kept.
func (c *Controller) better(rate float64) bool {
	if c.now.batch*c.now.concurrency < c.base.batch*c.base.concurrency {
		return rate >= loss*c.rate
	}
	return rate >= gain*c.rate
}

// next begins the next trial, or settles on the best when all have been made.
func (c *Controller) next() {
	for ; c.move < len(moves); c.move++ {
		m := moves[c.move]
		p := c.clamp(point{int(float64(c.base.batch)*m.batch + 0.5), c.base.concurrency + m.concurrency})
		if p != c.base {
			c.begin(p, true)
			return
		}
	}
	c.begin(c.base, false)
}

func (c *Controller) begin(p point, trying bool) {
	c.now, c.trying = p, trying
	c.epoch++
	c.skip = p.concurrency
	c.strikes, c.count, c.sum, c.batch = 0, 0, 0, 0
}

func (c *Controller) clamp(p point) point {
	batch, concurrency := c.limits.MaxBatch, c.limits.MaxConcurrency
	if c.cap != (point{}) {
		batch, concurrency = min(batch, c.cap.batch), min(concurrency, c.cap.concurrency)
	}
	return point{max(min(p.batch, batch), c.limits.MinBatch), max(min(p.concurrency, concurrency), 1)}
}
