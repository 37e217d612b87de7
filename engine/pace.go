package engine

import (
	"context"
	"encoding/json"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/delivery"
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

// recall sets the controller to what the last run found out, or else to what servers of this kind are like. Before it nothing is sent.
func (l *lane) recall(ctx context.Context) {
	start, ok := l.remembered(ctx)
	if !ok {
		start = l.estimated(ctx)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.control = delivery.NewController(l.server().Batch, start)
	l.kept = start
}

func (l *lane) remembered(ctx context.Context) (delivery.Start, bool) {
	text, err := l.r.journal.Meta(ctx, paceName(l.name))
	var p pace
	if err != nil || text == "" || json.Unmarshal([]byte(text), &p) != nil || p.Batch < 1 || p.Concurrency < 1 {
		return delivery.Start{}, false
	}
	return delivery.Start(p), true
}

func (l *lane) estimated(ctx context.Context) delivery.Start {
	e, ok := l.server().Target.(actions.Estimator)
	if !ok {
		return delivery.Start{}
	}
	ctx, cancel := context.WithTimeout(ctx, estimateLimit)
	defer cancel()
	estimate, ok := e.Estimate(ctx)
	if !ok {
		return delivery.Start{}
	}
	return delivery.Start(estimate)
}

// keepPace notes what is found out about the server, now and then and at the end. That it cannot be kept costs the next run a few seconds.
func (l *lane) keepPace(ctx context.Context, last bool) {
	l.mu.Lock()
	found, ok := l.control.Found()
	now := l.r.now()
	if !ok || similar(found, l.kept) || !last && now.Sub(l.keptAt) < paceEvery {
		l.mu.Unlock()
		return
	}
	l.kept, l.keptAt = found, now
	l.mu.Unlock()
	text, err := json.Marshal(pace(found))
	if err == nil {
		err = l.r.journal.SetMeta(ctx, paceName(l.name), string(text))
	}
	if err != nil {
		l.r.log.Debug("cannot note how the server is best worked", "server", l.name, "error", err)
	}
}

// similar tells whether a note is not worth another.
func similar(a, b delivery.Start) bool {
	return a.Concurrency == b.Concurrency && near(float64(a.Batch), float64(b.Batch)) && near(float64(a.Fixed), float64(b.Fixed)) && near(float64(a.Each), float64(b.Each))
}

func near(a, b float64) bool { return a <= 1.2*b && b <= 1.2*a }

// gather is how long records that come one close after another are waited for while nothing is on its way, and no longer than gatherMost in all: a backlog
// that is being claimed. The rows of a file that is being read are waited for as long as that, which is about what another request would cost the server. A
// record that comes alone is not kept waiting.
const (
	gather     = 15 * time.Millisecond
	gatherMost = 250 * time.Millisecond
)

// want is how many records a full batch takes from the queue. What equals what was delivered before is not sent, so that of such there can be more: the
// target keeps to the limit of a request.
func (l *lane) want(part int) int {
	return min(int(float64(part)/l.fresh+0.5), max(l.server().Batch.MaxBatch, l.r.limits.Window))
}

// company is how long to wait for more records before a batch is sent; zero or less: not at all.
func (l *lane) company(want int, now time.Time) time.Duration {
	switch waiting := l.queued(); {
	case waiting >= want:
		return 0
	case l.reading.Load() > 0:
		return l.since.Add(gatherMost).Sub(now)
	case l.batches > 0: // the next answer brings more
		return l.since.Add(linger).Sub(now)
	case waiting > 1:
		return min(l.grown.Add(gather).Sub(now), l.since.Add(gatherMost).Sub(now))
	}
	return 0
}

// flight measures how many records are with the server on the average while one batch is.
type flight struct {
	records float64 // with the server now
	area    float64 // record-seconds so far
	at      time.Time
}

// change counts records that go or come back, and gives the record-seconds until now.
func (f *flight) change(n int, now time.Time) float64 {
	if !f.at.IsZero() {
		f.area += f.records * now.Sub(f.at).Seconds()
	}
	f.at = now
	f.records += float64(n)
	return f.area
}
