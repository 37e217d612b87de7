package dispatch

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// server is a simulated DHIS2: a batch costs a fixed time and a time per record, and only so many
// are worked on at once; the others queue.
type server struct {
	fixed, each float64 // seconds
	square      float64 // seconds per record squared: large batches cost more than their share
	workers     int
	noise       float64
	random      *rand.Rand
}

func (s *server) cost(records int) float64 {
	n := float64(records)
	t := s.fixed + s.each*n + s.square*n*n
	if s.random != nil {
		t *= 1 + s.noise*(2*s.random.Float64()-1)
	}
	return t
}

// rate is what the server does in the long run with a setting.
func (s *server) rate(batch, concurrency int) float64 {
	n := float64(batch)
	return float64(min(concurrency, s.workers)) * n / (s.fixed + s.each*n + s.square*n*n)
}

// best tries all settings within the limits.
func (s *server) best(l Limits) (rate float64) {
	for b := l.MinBatch; b <= l.MaxBatch; b++ {
		for c := 1; c <= l.MaxConcurrency; c++ {
			rate = max(rate, s.rate(b, c))
		}
	}
	return rate
}

type flight struct {
	end     float64
	began   float64
	setting Setting
}

type flights []flight

func (f flights) Len() int           { return len(f) }
func (f flights) Less(i, j int) bool { return f[i].end < f[j].end }
func (f flights) Swap(i, j int)      { f[i], f[j] = f[j], f[i] }
func (f *flights) Push(x any)        { *f = append(*f, x.(flight)) }
func (f *flights) Pop() any {
	old := *f
	x := old[len(old)-1]
	*f = old[:len(old)-1]
	return x
}

// drive sends records through the controller in simulated time until they are all there, with as
// many in flight as it asks for. trouble, when set, says which batches get no answer. It gives the
// seconds that it took.
func drive(c *Controller, s *server, records int, trouble func(Setting) bool) float64 {
	free := make([]float64, s.workers)
	var under flights
	now := 0.0
	for records > 0 || len(under) > 0 {
		for set := c.Setting(); records > 0 && len(under) < set.Concurrency; {
			worker := 0
			for w := range free {
				if free[w] < free[worker] {
					worker = w
				}
			}
			free[worker] = max(free[worker], now) + s.cost(set.Batch)
			heap.Push(&under, flight{end: free[worker], began: now, setting: set})
			records -= set.Batch
		}
		f := heap.Pop(&under).(flight)
		now = f.end
		sample := Sample{Epoch: f.setting.Epoch, Records: f.setting.Batch,
			Took: time.Duration((f.end - f.began) * float64(time.Second)), Full: true}
		if trouble != nil && trouble(f.setting) {
			sample.Unanswered = true
			records += f.setting.Batch
		}
		c.Observe(sample)
	}
	return now
}

func TestControllerFindsTheServersBest(t *testing.T) {
	limits := Limits{MinBatch: 1, MaxBatch: 1000, MaxConcurrency: 8}
	servers := map[string]server{
		"as DHIS2 2.42 was measured": {fixed: 0.172, each: 0.0278, workers: 2},
		"high fixed cost":            {fixed: 2, each: 0.005, workers: 2},
		"no fixed cost":              {fixed: 0.001, each: 0.01, workers: 4},
		"one worker":                 {fixed: 0.2, each: 0.02, workers: 1},
		"large batches cost more":    {fixed: 0.3, each: 0.004, square: 0.00002, workers: 3},
		"eight workers":              {fixed: 0.1, each: 0.01, workers: 8},
	}
	for name, s := range servers {
		for _, noise := range []float64{0, 0.05} {
			t.Run(fmt.Sprintf("%s, noise %v", name, noise), func(t *testing.T) {
				s := s
				s.noise, s.random = noise, rand.New(rand.NewPCG(1, 2))
				c := NewController(limits, Start{})
				drive(c, &s, 400_000, nil)
				got := s.rate(c.base.batch, c.base.concurrency)
				if best := s.best(limits); got < 0.95*best {
					t.Errorf("ended at %d x %d: %.1f records/s, the best setting gives %.1f", c.base.batch, c.base.concurrency, got,
						best)
				}
			})
		}
	}
}

func TestControllerDoesNotAskForMoreThanHelps(t *testing.T) {
	s := server{fixed: 0.05, each: 0.01, workers: 2}
	c := NewController(Limits{MinBatch: 1, MaxBatch: 500, MaxConcurrency: 16}, Start{})
	drive(c, &s, 200_000, nil)
	if c.base.concurrency > 3 {
		t.Errorf("%d batches at once for a server that works on two", c.base.concurrency)
	}
}

func TestControllerBacksOffWhenAnswersSlowDown(t *testing.T) {
	s := server{fixed: 0.1, each: 0.01, workers: 4}
	c := NewController(Limits{MinBatch: 1, MaxBatch: 500, MaxConcurrency: 8}, Start{})
	drive(c, &s, 200_000, nil)
	before := c.base
	s.each, s.square, s.workers = 0.05, 0.0005, 1
	drive(c, &s, 20_000, nil)
	if c.base.batch*c.base.concurrency >= before.batch*before.concurrency {
		t.Errorf("still at %v after the server became slow, before it was %v", c.base, before)
	}
	if got, best := s.rate(c.base.batch, c.base.concurrency), s.best(c.limits); got < 0.85*best {
		t.Errorf("at %v: %.1f records/s, the slow server can do %.1f", c.base, got, best)
	}
}

func TestControllerStaysBelowWhatMakesTrouble(t *testing.T) {
	s := server{fixed: 0.1, each: 0.01, workers: 2}
	c := NewController(Limits{MinBatch: 1, MaxBatch: 500, MaxConcurrency: 4}, Start{})
	failures, batches := 0, 0
	drive(c, &s, 100_000, func(set Setting) bool {
		batches++
		if set.Batch > 120 {
			failures++
			return true
		}
		return false
	})
	if c.base.batch > 120 {
		t.Errorf("settled at %v though batches above 120 fail", c.base)
	}
	if failures*20 > batches {
		t.Errorf("%d of %d batches failed: it keeps trying what makes trouble", failures, batches)
	}
}

// On a line that loses one request in twenty, whatever is asked for, the server is still worked as it likes best.
func TestControllerBearsABadLine(t *testing.T) {
	for name, s := range map[string]server{
		"as DHIS2 2.42 was measured": {fixed: 0.172, each: 0.0278, workers: 2},
		"high fixed cost":            {fixed: 2, each: 0.005, workers: 2},
		"far away":                   {fixed: 0.6, each: 0.01, workers: 4},
	} {
		t.Run(name, func(t *testing.T) {
			limits := Limits{MinBatch: 1, MaxBatch: 500, MaxConcurrency: 4}
			random := rand.New(rand.NewPCG(3, 4))
			c := NewController(limits, Start{})
			const records = 200_000
			took := drive(c, &s, records, func(Setting) bool { return random.IntN(20) == 0 })
			got, best := records/took, s.best(limits)*0.95
			t.Logf("%.1f records/s over all, at %v in the end; the line lets %.1f through", got, c.base, best)
			if got < 0.75*best {
				t.Error("it lets too much of the line lie idle")
			}
		})
	}
}

// Where every fifth request is lost at once, or after a moment, whatever is asked for, batches do not fall to one.
func TestControllerKeepsItsBatchesOnAVeryBadLine(t *testing.T) {
	for _, most := range []int{20, 500} {
		random := rand.New(rand.NewPCG(7, 8))
		c := NewController(Limits{MinBatch: 1, MaxBatch: most, MaxConcurrency: 4, MaxLatency: 25 * time.Second},
			Start{Batch: 1000, Concurrency: 2, Fixed: 100 * time.Millisecond})
		small := 0
		for range 2000 {
			set := c.Setting()
			if set.Batch < most/4 {
				small++
			}
			s := Sample{Epoch: set.Epoch, Records: set.Batch, Full: true,
				Took: 10*time.Millisecond + time.Duration(set.Batch*set.Concurrency)*time.Millisecond/4}
			if random.IntN(5) == 0 {
				s.Unanswered, s.Took = true, time.Duration(random.IntN(1000))*time.Millisecond
			}
			c.Observe(s)
		}
		if small > 200 {
			t.Errorf("%d of 2000 batches were small where %d fit; in the end it is %v", small, most, c.base)
		}
	}
}

// When most requests fail it asks for less, so that what comes through is not lost with a large batch.
func TestControllerBacksOffWhenMostFails(t *testing.T) {
	s := server{fixed: 0.1, each: 0.01, workers: 2}
	c := NewController(Limits{MinBatch: 1, MaxBatch: 500, MaxConcurrency: 4}, Start{})
	drive(c, &s, 100_000, nil)
	before := c.base
	random := rand.New(rand.NewPCG(5, 6))
	drive(c, &s, 20_000, func(Setting) bool { return random.IntN(10) < 7 })
	if c.base.batch*c.base.concurrency*4 > before.batch*before.concurrency {
		t.Errorf("still at %v though seven of ten fail, before it was %v", c.base, before)
	}
}

func TestControllerKeepsBatchesWithinTheirTime(t *testing.T) {
	s := server{fixed: 1, each: 0.1, workers: 2}
	limits := Limits{MinBatch: 1, MaxBatch: 1000, MaxConcurrency: 2, MaxLatency: 20 * time.Second}
	c := NewController(limits, Start{})
	drive(c, &s, 50_000, nil)
	if took := s.cost(c.base.batch); took > limits.MaxLatency.Seconds() {
		t.Errorf("settled at %v: a batch takes %.0f s", c.base, took)
	}
}

func TestControllerLearnsNothingFromHalfEmptyBatches(t *testing.T) {
	c := NewController(Limits{MinBatch: 1, MaxBatch: 500, MaxConcurrency: 4}, Start{})
	before := c.Setting()
	for range 1000 {
		c.Observe(Sample{Epoch: before.Epoch, Records: 1, Took: time.Second})
	}
	if got := c.Setting(); got != before {
		t.Errorf("setting went from %v to %v without a full batch", before, got)
	}
}
