package dispatch

import (
	"math"
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
	Epoch   int // of the setting it was sent under
	Records int // in the batch
	// records on their way to the server on the average while it was, this one's included; 0: Records times the
	// batches asked for
	Load       float64
	Took       time.Duration // until the server's answer
	Full       bool          // it was as large as asked for, and as many batches as asked for were on their way
	Unanswered bool          // the server was away, overloaded or ran out of time
}

// Start is what is known of a server before the first answer: what an earlier run found out, or
// what servers of its kind are like. Zero: nothing.
type Start struct {
	Batch, Concurrency int
	Fixed              time.Duration // what a request costs, whatever is in it
	Each               time.Duration // what each record in it costs
}

// Setting is how the server is to be worked. Epoch tells samples of one setting from those of another.
type Setting struct {
	Batch, Concurrency, Epoch int
}

// Controller finds the batch size and the parallelism that a server does best with. It begins with
// what is known beforehand, fits what a request and a record cost to the first answers and goes at
// once to the size at which the request's own part is small. From there on it tries neighbours of
// what it has and keeps what proves better. Throughput is taken as records on their way divided by
// the time that a batch takes (Little's law), which needs no clock and holds as long as the server
// has all that it was asked to take; other samples are not counted. Not safe for concurrent use.
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
	fitting int  // jumps that the fit may still make before the search begins
	cost    cost // what the answers so far say
	first   struct {
		load, took float64
		n          int
	} // the slowest of the first answers, and how many they are
	unanswered, answers int // of late: how much of what is asked for gets no answer, whatever its size
	unansweredNow       int // batches of this epoch without an answer
	seen                int // samples of this epoch
	skip                int // samples of this epoch that are still those of a server changing over
	count               int
	sum                 float64 // seconds
	batch               float64 // records
}

type point struct{ batch, concurrency int }

// What is tried around the best known point, in this order. Growth comes first; a step down is
// taken when it costs nothing, for the server's sake.
var moves = []struct {
	batch       float64
	concurrency int
}{{2, 0}, {1, +1}, {1.4, 0}, {1, -1}, {0.7, 0}}

const (
	gain      = 1.015 // a step up must bring this much
	promising = 1.025 // and larger batches must let one expect this much
	hopeless  = 0.93  // of the known rate: a trial that comes to no more ends early
	loss      = 0.997 // a step down may cost this much
	collapse  = 0.7   // of the known rate: the server has changed
	minHold   = 16    // epochs between two searches, doubled every time that nothing better is found
	maxHold   = 256
	slowdown  = 3 // times the known latency: no need to wait for the whole epoch
	// On a bad line a request is lost now and then, whatever is asked for. Only what fails again under
	// one setting is put down to it, and what fails after the server had long tried.
	baseUnanswered, trialUnanswered = 3, 2
	patience                        = 5 * time.Second // what any server may take
	startSize, startBatches         = 16, 2
	jumps                           = 3         // that the fit may make
	worthAPart                      = 8         // times the cost of a request must the records of a part cost
	worthAJump, worthAStep          = 1.25, 0.5 // by how much the size must differ, up and down
)

// NewController starts with what is known of the server; one that is unknown is not hit with its limit.
func NewController(l Limits, start Start) *Controller {
	l.MinBatch = max(l.MinBatch, 1)
	l.MaxBatch = max(l.MaxBatch, l.MinBatch)
	l.MaxConcurrency = max(l.MaxConcurrency, 1)
	c := &Controller{limits: l, hold: minHold, fitting: jumps, cost: newCost(start.Fixed, start.Each)}
	if start.Batch <= 0 || start.Concurrency <= 0 {
		start.Batch, start.Concurrency = startSize, startBatches
	}
	c.base = c.clamp(point{start.Batch, start.Concurrency})
	c.begin(c.base, false)
	return c
}

// Found gives what a later run should begin with; false while too little is known.
func (c *Controller) Found() (Start, bool) {
	fixed, each := c.cost.fit()
	known := Start{Batch: c.base.batch, Concurrency: c.base.concurrency,
		Fixed: time.Duration(fixed * float64(time.Second)), Each: time.Duration(each * float64(time.Second))}
	return known, c.cost.n > 0
}

// Setting gives what to use for the next batch.
func (c *Controller) Setting() Setting {
	return Setting{Batch: c.now.batch, Concurrency: c.now.concurrency, Epoch: c.epoch}
}

// Part is how many of the records that wait the next batch should take: as many as are asked for,
// or an even part of the last ones, so that no batch runs alone while others could be under way
// beside it; free is how many may be. Parts in which the request's own cost weighs much are not
// made.
func (c *Controller) Part(waiting, free int) int {
	if waiting <= 0 {
		return c.now.batch
	}
	fixed, each := c.cost.fit()
	// whether the server works on several at once or on one after another is not known
	each *= math.Sqrt(float64(c.now.concurrency))
	worthwhile := max(int(worthAPart*fixed/each), 1)
	parts := (waiting + c.now.batch - 1) / c.now.batch
	parts = max(parts, min(free, waiting/worthwhile))
	return min(c.now.batch, (waiting+parts-1)/parts)
}

// Settled tells whether the search has come to an end for now.
func (c *Controller) Settled() bool { return c.move >= len(moves) && !c.trying }

// Observe takes in what a batch taught us.
func (c *Controller) Observe(s Sample) {
	if c.answers+c.unanswered > 200 { // of late only
		c.answers, c.unanswered = c.answers/2, c.unanswered/2
	}
	if s.Unanswered {
		c.unanswered++
		if s.Epoch == c.epoch {
			c.struck(s.Took)
		}
		return
	}
	c.answers++
	if s.Records > 0 {
		c.price(&s)
	}
	if s.Epoch == c.epoch {
		c.seen++
	}
	if s.Epoch != c.epoch || !s.Full {
		return
	}
	if c.fitting > 0 && c.jump() {
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
	rate := float64(c.now.concurrency) * c.batch / float64(c.count) / mean
	lost := c.trying && c.count >= max(2, c.now.concurrency) && rate < hopeless*c.rate
	if c.count < max(4, 2*c.now.concurrency) && !slow && !lost {
		return
	}
	c.decide(rate, time.Duration(mean*float64(time.Second)))
}

// price takes an answer into the fit. Of the first ones that come to a full load only the slowest
// counts: an idle server answers the first of them sooner than it will answer when it is busy.
func (c *Controller) price(s *Sample) {
	load, took := s.Load, s.Took.Seconds()
	if load == 0 {
		load = float64(s.Records * c.now.concurrency)
	}
	if c.fitting < jumps || !s.Full {
		c.cost.add(load, took)
		return
	}
	if c.first.n++; took >= c.first.took {
		c.first.load, c.first.took = load, took
	}
	if c.first.n >= c.now.concurrency {
		c.cost.add(c.first.load, c.first.took)
	}
}

// jump goes to the size that the fit finds best, once as many answers are there as batches are
// asked for at once; false when it stays.
func (c *Controller) jump() bool {
	switch {
	case c.fitting == jumps && c.first.n < c.now.concurrency:
		return true
	case c.fitting < jumps && c.seen < c.now.concurrency:
		return false
	}
	c.fitting--
	goal := c.clamp(point{c.cost.size(c.now.concurrency, c.limits.MaxLatency.Seconds()/2), c.now.concurrency})
	if ratio := float64(goal.batch) / float64(c.now.batch); ratio < worthAJump && ratio > worthAStep {
		if c.fitting == jumps-1 {
			c.move = len(moves) // what was known beforehand is right: the search can wait
		}
		c.fitting = 0
		return false
	}
	c.base, c.rate, c.latency, c.move = goal, 0, 0, 0
	c.begin(goal, false)
	return true
}

// refit forgets what the server was like but for what a request costs it.
func (c *Controller) refit() {
	fixed, _ := c.cost.fit()
	c.cost = newCost(time.Duration(fixed*float64(time.Second)), 0)
	c.first.n, c.first.took, c.fitting = 0, 0, jumps
}

// struck takes in that a batch got no answer after so long.
func (c *Controller) struck(took time.Duration) {
	c.unansweredNow++
	long := max(patience.Seconds(), slowdown*c.latency*c.share())
	switch {
	case took.Seconds() < long && (c.unansweredNow < c.bearable() || c.usual()):
	case c.trying && took.Seconds() < long:
		// What is known to work goes on; what is more than this is left alone for a while.
		c.cap = c.below()
		c.move++
		c.next()
	default:
		c.backOff()
	}
}

// usual tells whether no more gets lost than under other settings: then the line is bad, and a
// smaller batch fares no better.
func (c *Controller) usual() bool {
	others := c.answers + c.unanswered - c.seen - c.unansweredNow
	if others < 2*c.unansweredNow {
		return false
	}
	before := float64(c.unanswered-c.unansweredNow) / float64(others)
	return before < mostlyLost && float64(c.unansweredNow)/float64(c.seen+c.unansweredNow+1) < max(3*before, 0.3)
}

// mostlyLost is the share of lost requests from which on less is asked for in any case.
const mostlyLost = 0.5

// bearable is at how many batches of an epoch without an answer its setting is held to be the reason.
func (c *Controller) bearable() int {
	if c.trying {
		return trialUnanswered
	}
	return baseUnanswered
}

// below is what may be tried for a while when the present setting makes trouble.
func (c *Controller) below() point {
	if c.trying && c.now.concurrency > c.base.concurrency {
		return point{c.limits.MaxBatch, c.base.concurrency}
	}
	return point{max(c.now.batch*3/4, 1), c.now.concurrency}
}

// backOff halves everything and keeps away for a while from where it happened.
func (c *Controller) backOff() {
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
		c.move %= len(moves) // the same step again
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
		c.refit()
		c.begin(c.base, false)
		return
	case c.Settled():
		c.rate, c.latency = 0.8*c.rate+0.2*rate, 0.8*c.latency+0.2*latency.Seconds()
		c.held++
		if c.held < c.hold {
			c.unansweredNow, c.count, c.sum, c.batch, c.seen = 0, 0, 0, 0, 0
			return
		}
		c.held, c.move, c.hold, c.cap, c.rate = 0, 0, min(2*c.hold, maxHold), point{}, rate
	default:
		c.rate, c.latency = rate, latency.Seconds()
	}
	c.next()
}

// share is by how much a batch may take longer than one of the base for the setting alone: it is
// larger, or waits behind more others.
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
		if m.batch >= 2 && !c.promises(m.batch) {
			continue
		}
		p := c.clamp(point{int(float64(c.base.batch)*m.batch + 0.5), c.base.concurrency + m.concurrency})
		if p != c.base {
			c.begin(p, true)
			return
		}
	}
	c.begin(c.base, false)
}

// promises tells whether the fit leaves something to be gained by larger batches; a trial costs
// time, the more the larger its batches are.
func (c *Controller) promises(larger float64) bool {
	fixed, each := c.cost.fit()
	each *= float64(c.base.batch * c.base.concurrency)
	return larger*(fixed+each)/(fixed+larger*each) >= promising
}

func (c *Controller) begin(p point, trying bool) {
	c.now, c.trying = p, trying
	c.epoch++
	c.skip = p.concurrency
	c.unansweredNow, c.count, c.sum, c.batch, c.seen = 0, 0, 0, 0, 0
}

func (c *Controller) clamp(p point) point {
	batch, concurrency := c.limits.MaxBatch, c.limits.MaxConcurrency
	if c.cap != (point{}) {
		batch, concurrency = min(batch, c.cap.batch), min(concurrency, c.cap.concurrency)
	}
	return point{max(min(p.batch, batch), c.limits.MinBatch), max(min(p.concurrency, concurrency), 1)}
}

// withDefaults fills in what culvert.yaml does not say. DHIS2 2.43 gains up to a thousand records a
// request, and a request must end well before proxies give up on it.
func (l Limits) withDefaults() Limits {
	if l.MinBatch <= 0 {
		l.MinBatch = 1
	}
	if l.MaxBatch <= 0 {
		l.MaxBatch = max(1000, l.MinBatch)
	}
	if l.MaxConcurrency <= 0 {
		l.MaxConcurrency = 4
	}
	if l.MaxLatency <= 0 {
		l.MaxLatency = 25 * time.Second
	}
	return l
}
