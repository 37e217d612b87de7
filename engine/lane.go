package engine

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/delivery"
)

// linger is how long the first of too few records waits for company while other batches are on their way.
const linger = 20 * time.Millisecond

// lane sends to one server: it forms batches as the controller asks, and nothing while the server is away, paused or out of its window.
type lane struct {
	r       *Runner
	name    string
	current atomic.Pointer[Server] // as culvert.yaml says now
	room    *semaphore.Weighted    // bytes of file rows in memory
	wake    chan struct{}
	flying  sync.WaitGroup

	unread  atomic.Int64 // files that have more rows than were read
	reading atomic.Int64 // of them those whose rows come one close after another
	mu      sync.Mutex
	again   []*job // to be sent before all others, in order
	records fifo
	rows    fifo
	turn    bool // whose turn it is when both wait
	since   time.Time
	batches int // on their way
	control *delivery.Controller
	breaker delivery.Breaker
	probing bool
	grown   time.Time // when the last record came
	load    flight
	kept    delivery.Start // as the journal has it
	keptAt  time.Time
	fresh   float64 // share of records that had to be sent, of late: the others equal what was delivered before
	closed  bool
	stats   laneStats
}

func newLane(r *Runner, name string, s Server) *lane {
	s.Batch = batchLimits(s.Batch)
	l := &lane{
		r: r, name: name, wake: make(chan struct{}, 1),
		room:    semaphore.NewWeighted(r.limits.Memory),
		control: delivery.NewController(s.Batch, delivery.Start{}),
		fresh:   1,
		breaker: delivery.Breaker{Away: r.limits.Away, Refusal: r.limits.Refusal},
	}
	l.current.Store(&s)
	return l
}

// server is what the lane sends to, as it is now.
func (l *lane) server() *Server { return l.current.Load() }

// replace has the lane send by new settings from the next batch on. A server that was away or refused us is asked at once: the new settings may fix that.
func (l *lane) replace(s Server) {
	s.Batch = batchLimits(s.Batch)
	l.mu.Lock()
	start, known := l.control.Found()
	if !known {
		start = delivery.Start{}
	}
	l.current.Store(&s)
	l.control = delivery.NewController(s.Batch, start)
	l.breaker = delivery.Breaker{Away: l.r.limits.Away, Refusal: l.r.limits.Refusal}
	l.mu.Unlock()
	l.poke()
}

// push queues a job whose turn it is.
func (l *lane) push(j *job) {
	l.mu.Lock()
	l.grown = l.r.now()
	if l.queued() == 0 {
		l.since = l.grown
	}
	if j.row != nil {
		l.rows.push(j)
	} else {
		l.records.push(j)
	}
	l.mu.Unlock()
	l.poke()
}

func (l *lane) poke() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *lane) queued() int { return len(l.again) + l.records.len() + l.rows.len() }

// run sends until ctx ends, then waits for what is under way.
func (l *lane) run(ctx context.Context) {
	l.recall(ctx)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(l.step())
		select {
		case <-ctx.Done():
			l.mu.Lock()
			l.closed = true
			l.mu.Unlock()
			l.flying.Wait()
			l.keepPace(l.r.work, true)
			return
		case <-l.wake:
		case <-timer.C:
		}
	}
}

// idle is how often a lane looks at the clock when nothing happens: delivery windows open and pauses end without a signal.
const idle = 500 * time.Millisecond

// step sends all that may be sent now and says when to look again.
func (l *lane) step() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.r.now()
	if l.stopped(now) != "" || l.r.silentNow() {
		return idle
	}
	if at, ok := l.breaker.ProbeAt(); ok {
		if wait := at.Sub(now); wait > 0 {
			return min(wait, idle)
		}
		l.probe()
		return idle
	}
	for l.queued() > 0 {
		s := l.control.Setting()
		if l.batches >= s.Concurrency {
			return idle
		}
		if wait := l.company(l.want(s.Batch), now); wait > 0 {
			return wait
		}
		if !l.breaker.Allow() {
			return idle
		}
		l.send(s)
	}
	return idle
}

// stopped says why nothing is sent though the server may be well.
func (l *lane) stopped(now time.Time) string {
	if p := l.r.controls.Load().Servers[l.name]; p != nil {
		return "paused"
	}
	if w := l.server().Window; w != nil && !w.Open(now.In(l.r.zone)) {
		return "outside its delivery window"
	}
	return ""
}

// send takes a batch and delivers it beside.
func (l *lane) send(s delivery.Setting) {
	part := s.Batch
	if waiting := l.queued(); l.unread.Load() == 0 && l.r.backlog.Load() <= int64(waiting) { // no more are to come
		part = l.control.Part(int(float64(waiting)*l.fresh+0.5), s.Concurrency-l.batches)
	}
	most := l.want(part)
	jobs := l.take(most)
	l.batches++
	full := part == s.Batch && len(jobs) == most && l.queued() >= most*(s.Concurrency-l.batches)
	l.since = l.r.now()
	l.flying.Go(func() { l.deliver(jobs, s, full) })
}

// take removes up to n jobs from the queues: what must be sent again first, then records and rows by turns. What got no answer more than once goes in
// ever smaller batches and among itself, until a record that the server cannot bear is alone.
func (l *lane) take(n int) []*job {
	jobs := make([]*job, 0, min(n, l.queued()))
	suspect := len(l.again) > 0 && l.again[0].strikes > 1
	if suspect {
		n = max(n>>min(l.again[0].strikes-1, 16), l.server().Batch.MinBatch)
	}
	for len(jobs) < n && l.queued() > 0 {
		if suspect && (len(l.again) == 0 || l.again[0].strikes < 2) {
			break
		}
		l.turn = !l.turn
		switch {
		case len(l.again) > 0:
			jobs = append(jobs, l.again[0])
			l.again[0] = nil
			l.again = l.again[1:]
		case l.rows.len() == 0 || l.turn && l.records.len() > 0:
			jobs = append(jobs, l.records.pop())
		default:
			jobs = append(jobs, l.rows.pop())
		}
	}
	return jobs
}

// sweep gives back what is queued and must not be sent any more, so that it does not take up memory while the server is away.
func (l *lane) sweep() {
	for {
		l.mu.Lock()
		stale := l.records.remove(l.isStale)
		stale = append(stale, l.rows.remove(l.isStale)...)
		queue := fifo{items: l.again}
		stale = append(stale, queue.remove(l.isStale)...)
		l.again = queue.items[queue.head:]
		l.mu.Unlock()
		if len(stale) == 0 {
			break
		}
		l.r.giveBack(stale) // brings those behind them, which may be stale too
	}
	l.poke()
}

// isStale tells whether a job's rule was changed, paused or found invalid since it was evaluated.
func (l *lane) isStale(j *job) bool {
	return j.claims != l.r.claims.Load() || !l.r.runnable(j.flow) || j.row != nil && j.row.run.isClosed()
}

// landed ends a batch; what the server did not decide on goes back to the front, in order.
func (l *lane) landed(again []*job) {
	l.mu.Lock()
	l.batches--
	if len(again) > 0 {
		l.again = append(again, l.again...)
	}
	l.mu.Unlock()
	l.poke()
}

// probe asks the server for something small, beside.
func (l *lane) probe() {
	if l.probing || l.closed {
		return
	}
	l.probing = true
	l.flying.Go(func() {
		ctx, cancel := context.WithTimeout(l.r.work, probeLimit)
		defer cancel()
		err := l.server().Target.Probe(ctx)
		l.mu.Lock()
		l.probing = false
		refused := errors.Is(err, actions.ErrRefused)
		reason := ""
		if err != nil {
			reason = err.Error()
		}
		news := l.breaker.Probed(l.r.now(), err == nil, refused, reason)
		l.mu.Unlock()
		if news {
			l.announce(refused, reason)
		}
		l.poke()
	})
}

const probeLimit = 30 * time.Second

// announce says once, loudly, that a server does not take records.
func (l *lane) announce(refused bool, reason string) {
	if refused {
		l.r.log.Error("the server refuses our credentials: nothing is sent until they are fixed, nothing fails", "server", l.name, "reason", reason,
			"hint", "set a valid token or password for the server in culvert.yaml or the environment, and grant the user its rights")
		return
	}
	l.r.log.Warn("the server is away: everything for it waits", "server", l.name, "reason", reason)
}

// fifo is a queue that gives its memory back.
type fifo struct {
	items []*job
	head  int
}

func (q *fifo) len() int    { return len(q.items) - q.head }
func (q *fifo) push(j *job) { q.items = append(q.items, j) }

// remove takes out the jobs for which drop holds.
func (q *fifo) remove(drop func(*job) bool) []*job {
	var out, kept []*job
	for _, j := range q.items[q.head:] {
		if drop(j) {
			out = append(out, j)
		} else {
			kept = append(kept, j)
		}
	}
	if len(out) > 0 {
		q.items, q.head = kept, 0
	}
	return out
}

func (q *fifo) pop() *job {
	j := q.items[q.head]
	q.items[q.head] = nil
	q.head++
	if q.head > 1024 && q.head*2 > len(q.items) || q.head == len(q.items) {
		q.items = append(q.items[:0:0], q.items[q.head:]...)
		q.head = 0
	}
	return j
}
