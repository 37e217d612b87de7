package dispatch

import (
	"context"
	"encoding/json"
	"time"

	"github.com/culvert/culvert/actions"
)

// pace is what a run found out about how a server is best worked, as the journal keeps it for the next start.
type pace struct {
	Batch       int           `json:"batch"`
	Concurrency int           `json:"concurrency"`
	Fixed       time.Duration `json:"fixed"` // nanoseconds, what a request costs
	Each        time.Duration `json:"each"`  // nanoseconds, what a record in it costs
}

func paceName(server string) string { return "pace/" + server }

const (
	estimateLimit = 10 * time.Second // for the server to say which kind it is
	paceEvery     = 30 * time.Second // between two notes in the journal
)

// recall sets the controller to what the last run found out, or else to what servers of this kind
// are like. Before it nothing is sent.
func (d *Dispatcher) recall(ctx context.Context) {
	start, ok := d.remembered(ctx)
	if !ok {
		start = d.estimated(ctx)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.control = NewController(d.server().Batch, start)
	d.kept = start
}

func (d *Dispatcher) remembered(ctx context.Context) (Start, bool) {
	text, err := d.Meta.Meta(ctx, paceName(d.name))
	var p pace
	if err != nil || text == "" || json.Unmarshal([]byte(text), &p) != nil || p.Batch < 1 || p.Concurrency < 1 {
		return Start{}, false
	}
	return Start(p), true
}

func (d *Dispatcher) estimated(ctx context.Context) Start {
	e, ok := d.server().Target.(actions.Estimator)
	if !ok {
		return Start{}
	}
	ctx, cancel := context.WithTimeout(ctx, estimateLimit)
	defer cancel()
	estimate, ok := e.Estimate(ctx)
	if !ok {
		return Start{}
	}
	return Start(estimate)
}

// keepPace notes what is found out about the server, now and then and at the end. That it cannot be
// kept costs the next run a few seconds.
func (d *Dispatcher) keepPace(last bool) {
	d.mu.Lock()
	found, ok := d.control.Found()
	now := d.Now()
	if !ok || similar(found, d.kept) || !last && now.Sub(d.keptAt) < paceEvery {
		d.mu.Unlock()
		return
	}
	d.kept, d.keptAt = found, now
	d.mu.Unlock()
	text, err := json.Marshal(pace(found))
	if err == nil {
		err = d.Meta.SetMeta(d.End, paceName(d.name), string(text))
	}
	if err != nil {
		d.Log.Debug("cannot note how the server is best worked", "server", d.name, "error", err)
	}
}

// similar tells whether a note is not worth another.
func similar(a, b Start) bool {
	return a.Concurrency == b.Concurrency && near(float64(a.Batch), float64(b.Batch)) &&
		near(float64(a.Fixed), float64(b.Fixed)) && near(float64(a.Each), float64(b.Each))
}

func near(a, b float64) bool { return a <= 1.2*b && b <= 1.2*a }

// gather is how long records that come one close after another are waited for while nothing is in
// flight, and no longer than gatherMost in all: a backlog that is being claimed. The rows of a file
// that is being read are waited for as long as that, which is about what another request would cost
// the server. A record that comes alone is not kept waiting.
const (
	gather     = 15 * time.Millisecond
	gatherMost = 250 * time.Millisecond
)

// want is how many records a full batch takes from the queue. What equals what was delivered before
// is not sent, so that of such there can be more: the target keeps to the limit of a request.
func (d *Dispatcher) want(part int) int {
	return min(int(float64(part)/d.fresh+0.5), max(d.server().Batch.MaxBatch, d.Window))
}

// batchDelay is how long to wait for more records before a batch is sent; zero or less: not at all.
func (d *Dispatcher) batchDelay(want int, now time.Time) time.Duration {
	switch waiting := d.queued(); {
	case waiting >= want:
		return 0
	case d.reading.Load() > 0:
		return d.since.Add(gatherMost).Sub(now)
	case d.inFlight > 0: // the next answer brings more
		return d.since.Add(batchDelay).Sub(now)
	case waiting > 1:
		return min(d.grown.Add(gather).Sub(now), d.since.Add(gatherMost).Sub(now))
	}
	return 0
}

// load measures how many records are with the server on the average while one batch is in flight.
type load struct {
	records float64 // with the server now
	area    float64 // record-seconds so far
	at      time.Time
}

// change counts records that go or come back, and gives the record-seconds until now.
func (f *load) change(n int, now time.Time) float64 {
	if !f.at.IsZero() {
		f.area += f.records * now.Sub(f.at).Seconds()
	}
	f.at = now
	f.records += float64(n)
	return f.area
}

// loaded counts records that go to the server or come back; see load.
func (d *Dispatcher) loaded(n int, at time.Time) float64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.load.change(n, at)
}

// learn tells the controller and the breaker how a batch went.
func (d *Dispatcher) learn(sample Sample, worst *verdict, fresh float64) {
	d.mu.Lock()
	d.fresh = max(0.5*d.fresh+0.5*fresh, 0.001)
	d.control.Observe(sample)
	news, closed, refused := false, false, false
	now := d.Now()
	if worst == nil {
		closed = d.breaker.Worked(now)
	} else {
		refused = worst.problem.Class == actions.ClassCredentials
		news = d.breaker.Trip(now, refused, worst.wait, worst.problem.Message)
	}
	d.mu.Unlock()
	if news {
		d.announce(refused, worst.problem.Message)
	}
	if closed {
		d.Log.Info("the server takes records again", "server", d.name)
	}
}

// countSent counts the records of which something had to be sent.
func countSent(results []actions.Result) (n int) {
	for _, r := range results {
		for _, o := range r.Outcomes {
			if o.Status != actions.Unchanged && o.Status != actions.Superseded {
				n++
				break
			}
		}
	}
	return n
}

// cancelProbe gives back the right to try a half-open server when nothing was sent after all.
func (d *Dispatcher) cancelProbe() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.breaker.CancelProbe()
}
