package dispatch

import (
	"math"
	"time"
)

// cost is what a server takes for a batch: a fixed time, and a time for each record that it has to
// work on meanwhile. Both are fitted to the answers by least squares of the relative error, the
// latest ones weighing most. What is expected of the fixed part beforehand weighs as much as one
// answer, so that answers to batches of one size are enough to begin with.
type cost struct {
	expected float64 // seconds, of the fixed part, before anything is known
	guessed  float64 // seconds a record, until there is an answer
	shortest float64 // answer so far: the fixed part is no more
	n        int     // answers

	w, wx, wxx, wt, wxt float64
}

const (
	forget       = 0.9                    // how much of its weight an answer keeps with each further one
	unknownFixed = 250 * time.Millisecond // what DHIS2 takes for a request of its own, about
	unknownEach  = 5 * time.Millisecond
	leastEach    = 1e-7 // seconds a record: faster than any server, and no division by zero
)

func newCost(fixed, each time.Duration) cost {
	if fixed <= 0 {
		fixed = unknownFixed
	}
	if each <= 0 {
		each = unknownEach
	}
	return cost{expected: fixed.Seconds(), guessed: each.Seconds(), shortest: math.Inf(1)}
}

// add takes in an answer. load is how many records the server had from us on the average while it worked on it.
func (c *cost) add(load, took float64) {
	if took <= 0 || load <= 0 {
		return
	}
	c.n++
	c.shortest = min(c.shortest, took)
	weight := 1 / (took * took)
	for _, s := range []struct {
		sum *float64
		by  float64
	}{{&c.w, 1}, {&c.wx, load}, {&c.wxx, load * load}, {&c.wt, took}, {&c.wxt, load * took}} {
		*s.sum = *s.sum*forget + weight*s.by
	}
}

// fit gives the fixed part in seconds and that of each record that is under way.
func (c *cost) fit() (fixed, each float64) {
	if c.n == 0 {
		return c.expected, c.guessed
	}
	prior := 1 / (c.expected * c.expected)
	w, wt := c.w+prior, c.wt+prior*c.expected
	if d := w*c.wxx - c.wx*c.wx; d > 0 {
		fixed = (wt*c.wxx - c.wxt*c.wx) / d
	}
	fixed = min(max(fixed, 0), c.shortest)
	each = c.guessed
	if c.wxx > 0 {
		each = (c.wxt - fixed*c.wx) / c.wxx
	}
	return fixed, max(each, leastEach)
}

// size is the batch at which the fixed part is small beside the rest, with so many batches under way.
func (c *cost) size(concurrency int, longest float64) int {
	fixed, each := c.fit()
	each *= float64(concurrency)
	n := smallShare * fixed / each
	if longest > 0 {
		n = min(n, (longest-fixed)/each)
	}
	return int(min(max(n, 1), 1e6))
}

// smallShare is how many times the fixed part the rest must be for it to be small.
const smallShare = 15
