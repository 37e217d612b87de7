package dispatch

import (
	"container/heap"
	"math"
	"testing"
	"time"
)

// shape is a DHIS2 as it was measured: a request waits a while whatever others do, then it queues
// for work that is done one at a time: some for the request, some for each woman (person,
// enrollment and visit), which from a size on costs more than its share.
type shape struct {
	latency, serial, each float64 // seconds
	large                 float64 // size from which each costs more; 0: none
}

// The figures of plain loops against real servers, batch x workers: 2.43 10x2 84 women/s, 100x2
// 630, 200x1 861, 500x2 1,094, 1000x2 1,506; 2.42 10x2 28, 50x2 73, 200x2 115, 200x4 140, 500x2 99,
// 1000x2 89. The shapes give 83, 573, 1,085, 1,168, 1,404 and 29, 78, 115, 125, 105, 88.
var (
	shape243 = shape{latency: 0.017, serial: 0.105, each: 0.00055}
	shape242 = shape{serial: 0.3, each: 0.0072, large: 250}
)

func (s shape) work(records int) float64 {
	each := s.each
	if s.large > 0 && float64(records) > s.large {
		each *= math.Pow(float64(records)/s.large, 0.3)
	}
	return s.serial + each*float64(records)
}

// deliver sends records as the setting asks for, in simulated time, and tells observe of every
// answer. It gives the seconds.
func (s shape) deliver(records int, setting func() Setting, part func(waiting, free int) int,
	observe func(Sample)) float64 {
	type sent struct{ area float64 }
	var under flights
	areas := map[float64]sent{}
	now, area, load := 0.0, 0.0, 0
	free := 0.0
	sizes := map[float64]int{}
	forward := func(to float64) {
		area += float64(load) * (to - now)
		now = to
	}
	for records > 0 || len(under) > 0 {
		for set := setting(); records > 0 && len(under) < set.Concurrency; set = setting() {
			n := min(part(records, set.Concurrency-len(under)), records)
			records -= n
			load += n
			free = max(free, now+s.latency) + s.work(n)
			heap.Push(&under, flight{end: free, began: now, setting: set})
			areas[free], sizes[free] = sent{area}, n
		}
		f := heap.Pop(&under).(flight)
		forward(f.end)
		n := sizes[f.end]
		load -= n
		took := f.end - f.began
		observe(Sample{Epoch: f.setting.Epoch, Records: n, Took: time.Duration(took * float64(time.Second)),
			Full: records >= 0 && n == f.setting.Batch,
			Load: (area - areas[f.end].area) / took})
	}
	return now
}

// bestFixed gives the best time of all fixed settings.
func (s shape) bestFixed(records int) (best float64, at Setting) {
	best = math.Inf(1)
	for _, batch := range []int{10, 25, 50, 100, 150, 200, 250, 300, 400, 500, 700, 1000} {
		for concurrency := 1; concurrency <= 4; concurrency++ {
			set := Setting{Batch: batch, Concurrency: concurrency}
			if t := s.deliver(records, func() Setting { return set }, func(int, int) int { return set.Batch },
				func(Sample) {}); t < best {
				best, at = t, set
			}
		}
	}
	return best, at
}

// What is known of servers by their version.
var (
	start243 = Start{Batch: 1000, Concurrency: 2, Fixed: 120 * time.Millisecond, Each: 600 * time.Microsecond}
	start242 = Start{Batch: 250, Concurrency: 4, Fixed: 350 * time.Millisecond, Each: 8 * time.Millisecond}
)

// TestShapes holds that the controller comes close to the best fixed setting of a server from the
// first record on, and closer when it remembers the server.
func TestShapes(t *testing.T) {
	limits := Limits{MinBatch: 1, MaxBatch: 1000, MaxConcurrency: 4, MaxLatency: 25 * time.Second}
	for _, c := range []struct {
		name  string
		shape shape
		start Start
	}{
		{"2.43", shape243, start243},
		{"2.42", shape242, start242},
		{"2.42, of which nothing is known", shape242, Start{}},
		{"2.43 whose requests wait", shape{latency: 0.25, each: 0.0006}, start243},
		{"2.42 whose requests wait", shape{latency: 0.35, each: 0.008}, start242},
	} {
		t.Run(c.name, func(t *testing.T) {
			warm := c.start
			for _, run := range []struct {
				records int
				cold    float64
			}{{600, 0.85}, {6000, 0.95}} {
				if c.start == (Start{}) {
					run.cold -= 0.2
				}
				best, at := c.shape.bestFixed(run.records)
				cold := NewController(limits, c.start)
				took := c.shape.deliver(run.records, cold.Setting, cold.Part, cold.Observe)
				t.Logf("%d women: %.2f s, %.0f %% of the best, %.2f s at %dx%d; at %dx%d in the end", run.records, took,
					100*best/took, best, at.Batch, at.Concurrency,
					cold.base.batch, cold.base.concurrency)
				if best/took < run.cold {
					t.Errorf("%.1f %% of the best", 100*best/took)
				}
				if found, ok := cold.Found(); ok {
					warm = found
				}
			}
			for _, records := range []int{600, 6000} {
				best, _ := c.shape.bestFixed(records)
				again := NewController(limits, warm)
				took := c.shape.deliver(records, again.Setting, again.Part, again.Observe)
				t.Logf("%d women, warm from %+v: %.0f %% of the best", records, warm, 100*best/took)
				if best/took < 0.95 {
					t.Errorf("%.1f %% of the best", 100*best/took)
				}
			}
		})
	}
}

// TestShapesAreThoseOfRealServers compares the shapes with what plain loops came to.
func TestShapesAreThoseOfRealServers(t *testing.T) {
	for _, c := range []struct {
		shape          shape
		batch, workers int
		rate           float64
	}{
		{shape243, 10, 2, 84}, {shape243, 25, 2, 216}, {shape243, 50, 2, 336}, {shape243, 100, 2, 630},
		{shape243, 500, 2, 1094}, {shape243, 1000, 2, 1506},
		{shape242, 10, 2, 28}, {shape242, 25, 2, 50}, {shape242, 50, 2, 73}, {shape242, 100, 2, 90}, {shape242, 200, 2, 115},
		{shape242, 200, 4, 140}, {shape242, 500, 2, 99}, {shape242, 1000, 2, 89},
	} {
		set := Setting{Batch: c.batch, Concurrency: c.workers}
		records := c.batch * c.workers * 20
		rate := float64(records) / c.shape.deliver(records, func() Setting { return set },
			func(int, int) int { return set.Batch }, func(Sample) {})
		if rate < 0.8*c.rate || rate > 1.25*c.rate {
			t.Errorf("%dx%d: %.0f women/s, a real server did %.0f", c.batch, c.workers, rate, c.rate)
		}
	}
}
