package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/controls"
	"github.com/culvert/culvert/engine/status"
	"github.com/culvert/culvert/engine/tracing"
	"github.com/culvert/culvert/engine/work"
	"github.com/culvert/culvert/internal/await"
)

// Window says when a server may be sent to.
type Window interface {
	// Open tells whether t lies in the window, in t's own zone.
	Open(t time.Time) bool
}

// Server is one target with its limits.
type Server struct {
	Target      actions.Target
	Batch       Limits // zero fields get defaults
	Window      Window // nil: always
	Description string // where it is, for messages: its URL without credentials
	// Unusable says why nothing can be sent to it until its settings are replaced, such as a secret
	// that is missing; there is no Target then.
	Unusable string
}

// Queue is where works come from, and what hears what became of them.
type Queue interface {
	// Claim gives those of the works that may be sent now; the others are settled otherwise.
	Claim(works []work.Work) ([]work.Work, error)
	// Settle records outcomes and lets the next of each key go. The error is only that the runner ends.
	Settle(b work.Batch) error
	// Release gives back what must not be sent as it was planned.
	Release(works []work.Work)
}

// Gate says what may be sent.
type Gate interface {
	// its rule was changed, paused or found invalid since it was evaluated, or it may be another runner's by now
	Stale(w work.Work) bool
	LeaseLost() bool // what we hold may be another runner's by now
	PausedServer(name string) *controls.Pause
}

// Meta keeps what is found out about a server.
type Meta interface {
	Meta(ctx context.Context, name string) (string, error)
	SetMeta(ctx context.Context, name, value string) error
}

// Config is what dispatchers have in common.
type Config struct {
	Queue Queue
	Gate  Gate
	Meta  Meta
	// Versions finds what was delivered of a record that cannot be used.
	Versions work.Versions
	// Outside is asked what lookups find in other systems; nil: nobody is.
	Outside actions.Outside
	Retry   Retry
	// Target gives what delivers to another server, for lookups of rules that ask there; nil: none.
	Target  func(server string) actions.Target
	Away    await.Backoff // between probes of a server that is away
	Refusal await.Backoff // between probes of a server that refuses our credentials
	Window  int           // records in memory
	Backlog func() int64  // roughly how many accepted records wait
	Metrics *status.Metrics
	Trace   *tracing.Tracer
	Log     *slog.Logger
	Now     func() time.Time
	Zone    *time.Location // of delivery windows
	// End ends deliveries. It outlives the context of Run by the drain.
	End context.Context
}

// batchDelay is how long the first of too few records waits for others while other batches are in flight.
const batchDelay = 20 * time.Millisecond

// Dispatcher sends to one server. Make it with New.
type Dispatcher struct {
	Config
	name    string
	current atomic.Pointer[Server] // as culvert.yaml says now
	wake    await.Signal
	running sync.WaitGroup // batches and probes

	unread  atomic.Int64 // files that have more rows than were read
	reading atomic.Int64 // of them those whose rows come one close after another

	mu       sync.Mutex // of all that follows; the queue is not called while it is held
	retry    []*item    // to be sent before all others, in order
	records  fifo
	rows     fifo
	turn     bool // whose turn it is when both wait
	since    time.Time
	inFlight int // batches
	control  *Controller
	breaker  Breaker
	probing  bool
	grown    time.Time // when the last work came
	load     load
	kept     Start // as the journal has it
	keptAt   time.Time
	fresh    float64 // share of records that had to be sent, of late: the others equal what was delivered before
	closed   bool
	stats    stats
}

// item is a work with what the dispatcher knows of it.
type item struct {
	work.Work
	unanswered int // how many batches that held it got no answer from the server
}

// New makes the dispatcher of a server, by the name it has in culvert.yaml.
func New(name string, s Server, c Config) *Dispatcher {
	s.Batch = s.Batch.withDefaults()
	d := &Dispatcher{Config: c, name: name, wake: await.NewSignal(), control: NewController(s.Batch, Start{}), fresh: 1,
		breaker: c.breaker()}
	d.current.Store(&s)
	return d
}

func (c *Config) breaker() Breaker { return Breaker{Away: c.Away, Refusal: c.Refusal} }

// CurrentTarget delivers to the server as it is now; nil where it cannot be used.
func (d *Dispatcher) CurrentTarget() actions.Target { return d.server().Target }

// server is what is sent to, as it is now.
func (d *Dispatcher) server() *Server { return d.current.Load() }

// Replace has the server worked by new settings from the next batch on. One that was away or
// refused us is asked at once: the new settings may fix that.
func (d *Dispatcher) Replace(s Server) {
	s.Batch = s.Batch.withDefaults()
	d.mu.Lock()
	start, known := d.control.Found()
	if !known {
		start = Start{}
	}
	d.current.Store(&s)
	d.control = NewController(s.Batch, start)
	d.breaker = d.Config.breaker()
	d.mu.Unlock()
	d.wake.Notify()
}

// Push takes a work whose turn it is.
func (d *Dispatcher) Push(w work.Work) {
	d.mu.Lock()
	d.grown = d.Now()
	if d.queued() == 0 {
		d.since = d.grown
	}
	if w.OfFile() {
		d.rows.push(&item{Work: w})
	} else {
		d.records.push(&item{Work: w})
	}
	d.mu.Unlock()
	d.wake.Notify()
}

// RowsUnread and RowsReading count files that have more rows than were read, and those of them
// whose rows come one close after another: a batch may wait for them.
func (d *Dispatcher) RowsUnread(n int)  { d.unread.Add(int64(n)) }
func (d *Dispatcher) RowsReading(n int) { d.reading.Add(int64(n)) }

func (d *Dispatcher) queued() int { return len(d.retry) + d.records.len() + d.rows.len() }

// Run sends until ctx ends, then waits for what is in flight.
func (d *Dispatcher) Run(ctx context.Context) {
	d.recall(ctx)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(d.step())
		select {
		case <-ctx.Done():
			d.mu.Lock()
			d.closed = true
			d.mu.Unlock()
			d.running.Wait()
			d.keepPace(true)
			return
		case <-d.wake:
		case <-timer.C:
		}
	}
}

// idle is how often a dispatcher looks at the clock when nothing happens: delivery windows open and
// pauses end without a signal.
const idle = 500 * time.Millisecond

// step sends all that may be sent now and says when to look again.
func (d *Dispatcher) step() time.Duration {
	now := d.Now()
	if d.stopped(now) != "" || d.Gate.LeaseLost() {
		return idle
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if at, ok := d.breaker.ProbeAt(); ok {
		if wait := at.Sub(now); wait > 0 {
			return min(wait, idle)
		}
		d.probe()
		return idle
	}
	for d.queued() > 0 {
		s := d.control.Setting()
		if d.inFlight >= s.Concurrency {
			return idle
		}
		if wait := d.batchDelay(d.want(s.Batch), now); wait > 0 {
			return wait
		}
		if !d.breaker.Allow() {
			return idle
		}
		d.send(s)
	}
	return idle
}

// stopped says why nothing is sent though the server may be well.
func (d *Dispatcher) stopped(now time.Time) string {
	if why := d.server().Unusable; why != "" {
		return why
	}
	if d.Gate.PausedServer(d.name) != nil {
		return "paused"
	}
	if w := d.server().Window; w != nil && !w.Open(now.In(d.Zone)) {
		return "outside its delivery window"
	}
	return ""
}

// send takes a batch and delivers it beside.
func (d *Dispatcher) send(s Setting) {
	part := s.Batch
	if waiting := d.queued(); d.unread.Load() == 0 && d.Backlog() <= int64(waiting) { // no more are to come
		part = d.control.Part(int(float64(waiting)*d.fresh+0.5), s.Concurrency-d.inFlight)
	}
	most := d.want(part)
	items := d.take(most)
	d.inFlight++
	full := part == s.Batch && len(items) == most && d.queued() >= most*(s.Concurrency-d.inFlight)
	d.since = d.Now()
	d.running.Go(func() { d.deliver(items, s, full) })
}

// take removes up to n works: what must be sent again first, then records and rows by turns. What
// got no answer more than once goes in ever smaller batches and among itself, until a record that
// the server cannot bear is alone.
func (d *Dispatcher) take(n int) []*item {
	items := make([]*item, 0, min(n, d.queued()))
	suspect := len(d.retry) > 0 && d.retry[0].unanswered > 1
	if suspect {
		n = max(n>>min(d.retry[0].unanswered-1, 16), d.server().Batch.MinBatch)
	}
	for len(items) < n && d.queued() > 0 {
		if suspect && (len(d.retry) == 0 || d.retry[0].unanswered < 2) {
			break
		}
		d.turn = !d.turn
		switch {
		case len(d.retry) > 0:
			items = append(items, d.retry[0])
			d.retry[0] = nil
			d.retry = d.retry[1:]
		case d.rows.len() == 0 || d.turn && d.records.len() > 0:
			items = append(items, d.records.pop())
		default:
			items = append(items, d.rows.pop())
		}
	}
	return items
}

// EvictStale gives back what waits here and must not be sent any more, so that it does not take up
// memory while the server is away.
func (d *Dispatcher) EvictStale() {
	stale := func(it *item) bool { return d.Gate.Stale(it.Work) }
	for {
		d.mu.Lock()
		gone := d.records.remove(stale)
		gone = append(gone, d.rows.remove(stale)...)
		retry := fifo{items: d.retry}
		gone = append(gone, retry.remove(stale)...)
		d.retry = retry.items[retry.head:]
		d.mu.Unlock()
		if len(gone) == 0 {
			break
		}
		d.Queue.Release(works(gone)) // brings those behind them, which may be stale too
	}
	d.wake.Notify()
}

// batchDone ends a batch; what the server did not decide on goes back to the front, in order.
func (d *Dispatcher) batchDone(retry []*item) {
	d.mu.Lock()
	d.inFlight--
	if len(retry) > 0 {
		d.retry = append(retry, d.retry...)
	}
	d.mu.Unlock()
	d.wake.Notify()
}

// probe asks the server for something small, beside.
func (d *Dispatcher) probe() {
	if d.probing || d.closed {
		return
	}
	d.probing = true
	d.running.Go(func() {
		ctx, cancel := context.WithTimeout(d.End, probeLimit)
		defer cancel()
		err := d.server().Target.Probe(ctx)
		d.mu.Lock()
		d.probing = false
		refused := errors.Is(err, actions.ErrRefused)
		reason := ""
		if err != nil {
			reason = err.Error()
		}
		news := d.breaker.Probed(d.Now(), err == nil, refused, reason)
		d.mu.Unlock()
		if news {
			d.announce(refused, reason)
		}
		d.wake.Notify()
	})
}

const probeLimit = 30 * time.Second

// announce says once, loudly, that a server does not take records.
func (d *Dispatcher) announce(refused bool, reason string) {
	if refused {
		d.Log.Error("the server refuses our credentials: nothing is sent until they are fixed, nothing fails", "server",
			d.name, "reason", reason,
			"hint", "set a valid token or password for the server in culvert.yaml or the environment, and grant the user its "+
				"rights")
		return
	}
	d.Log.Warn("the server is away: everything for it waits", "server", d.name, "reason", reason)
}

// works gives what the items are about.
func works(items []*item) []work.Work {
	out := make([]work.Work, len(items))
	for i, it := range items {
		out[i] = it.Work
	}
	return out
}
