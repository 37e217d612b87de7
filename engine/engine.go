package engine

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/dispatch"
	"github.com/culvert/culvert/engine/durable"
	"github.com/culvert/culvert/engine/fileimport"
	"github.com/culvert/culvert/engine/intake"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/queue"
	"github.com/culvert/culvert/engine/status"
	"github.com/culvert/culvert/engine/supervise"
)

// Runner runs a project. Make it with New.
type Runner struct {
	*intake.Intake // what sources hand over

	journal journal.Journal
	owner   string
	limits  Limits
	log     *slog.Logger
	now     func() time.Time
	started time.Time
	backlog atomic.Int64 // roughly how many accepted records wait

	gate        *supervise.Gate
	queue       *queue.Queue
	dispatchers map[string]*dispatch.Dispatcher
	files       *fileimport.Importer
	pauses      *supervise.Pauses
	sources     *supervise.Sources
	lease       *supervise.Lease
	retention   *supervise.Retention

	conditions status.Conditions // what keeps the engine from its work
	outside    status.Conditions // what is wrong while it does its work all the same
	metrics    *status.Metrics
	dispatched chan struct{} // closed when the dispatchers have ended
	running    atomic.Bool
	stop       context.CancelFunc // of deliveries and their records
}

// New makes a runner. It does nothing until Run.
func New(c Config) (*Runner, error) {
	if err := c.prepare(); err != nil {
		return nil, err
	}
	r := &Runner{
		journal: c.Journal, owner: c.Owner, limits: c.Limits, log: c.Log, now: c.Now, started: c.Now(),
		dispatchers: map[string]*dispatch.Dispatcher{}, dispatched: make(chan struct{}),
	}
	var err error
	if r.metrics, err = status.NewMetrics(c.Metrics, dispatch.BreakerStates, r.Status, r.backlog.Load); err != nil {
		return nil, err
	}
	end, stop := context.WithCancel(context.Background()) // outlives the runner's context by the drain
	r.stop = stop
	servers := slices.Sorted(maps.Keys(c.Servers))
	r.gate = supervise.NewGate(c.Program, servers, c.Limits.Lease, c.Now)
	writer := &durable.Writer{Journal: c.Journal, Conditions: &r.conditions, Log: c.Log, Now: c.Now, End: end}
	failed := func(flow *program.Flow, why *journal.Problem) error {
		return writer.Retry("pause a rule", func(ctx context.Context) error { return r.pauses.Failed(ctx, flow, why) })
	}
	r.queue = queue.New(queue.Config{
		Journal: c.Journal, Writer: writer, Owner: c.Owner, Gate: r.gate, Window: c.Limits.Window, Memory: c.Limits.Memory,
		Poll:       c.Limits.Poll,
		Dispatcher: func(server string) queue.Dispatcher { return r.dispatchers[server] },
		Settled:    r.settled, Failed: failed,
		Added:      func(n int) { r.backlog.Add(int64(n)) },
		Conditions: &r.conditions, Metrics: r.metrics, Trace: c.Trace, Log: c.Log, Now: c.Now,
	})
	for name, s := range c.Servers {
		r.dispatchers[name] = dispatch.New(name, s, dispatch.Config{
			Queue: r.queue, Gate: r.gate, Meta: c.Journal, Versions: c.Journal, Outside: c.Outside,
			Retry: c.Limits.retry(),
			Away:  c.Limits.Away, Refusal: c.Limits.Refusal, Window: c.Limits.Window,
			Backlog: r.backlog.Load, Metrics: r.metrics, Trace: c.Trace, Log: c.Log, Now: c.Now, Zone: c.Zone, End: end,
			Target: r.target,
		})
	}
	r.files = fileimport.New(fileimport.Config{
		Journal: c.Journal, Writer: writer, Queue: r.queue, Gate: r.gate, Servers: servers, Plan: c.Files, Owner: c.Owner,
		Dispatcher: func(server string) fileimport.Dispatcher { return r.dispatchers[server] },
		Window:     c.Limits.Window, Memory: c.Limits.Memory, Poll: c.Limits.Poll, Gather: c.Limits.FileCommit,
		Away: c.Limits.Away, Stopped: r.dispatched, Failed: failed,
		Conditions: &r.conditions, Outside: &r.outside, Metrics: r.metrics, Trace: c.Trace, Log: c.Log, Now: c.Now,
		Say: c.Say,
	})
	r.Intake = intake.New(intake.Config{
		Journal: c.Journal, Gate: r.gate, Queue: r.queue, Files: r.files, Owner: c.Owner, Accepting: c.Limits.Accepting,
		MaxBacklog: c.Limits.Backlog,
		Failed: func(ctx context.Context, flow *program.Flow, why *journal.Problem) error {
			return r.pauses.Failed(ctx, flow, why)
		},
		Backlog: &r.backlog, Conditions: &r.conditions, Outside: &r.outside, Metrics: r.metrics, Trace: c.Trace,
		Log: c.Log, Now: c.Now,
	})
	r.supervisors(&c)
	return r, nil
}

// supervisors makes what keeps the runner in order.
func (r *Runner) supervisors(c *Config) {
	r.pauses = supervise.NewPauses(r.gate, c.Journal, r.evictStale, r.notifyAll, &r.outside, c.Log, c.Now)
	r.sources = supervise.NewSources(supervise.Sources{
		Gate: r.gate, Runner: c.Intakes, Sink: r.Intake, Conditions: &r.conditions, Log: c.Log, Now: c.Now,
	})
	r.lease = &supervise.Lease{
		Gate: r.gate, Journal: c.Journal, Owner: c.Owner, Every: c.Limits.Heartbeat, Expired: r.leaseExpired,
		Led:        r.sources.Notify,
		Conditions: &r.conditions, Log: c.Log, Now: c.Now,
	}
	r.retention = &supervise.Retention{Gate: r.gate, Journal: c.Journal, Keep: c.Retention, Every: c.Limits.Expire,
		Log: c.Log, Now: c.Now}
}

// target gives what delivers to a server; nil when there is none.
func (r *Runner) target(server string) actions.Target {
	if d := r.dispatchers[server]; d != nil {
		return d.CurrentTarget()
	}
	return nil
}

// Program gives the rules that run now.
func (r *Runner) Program() *program.Program { return r.gate.Program() }

// Swap puts a new set of rules in place. Records accepted or delivered from now on go by it.
func (r *Runner) Swap(p *program.Program) {
	if p == nil {
		p = &program.Program{}
	}
	r.gate.Swap(p)
	r.pauses.RulesChanged()
	r.sources.Notify()
	r.evictStale()
	r.notifyAll()
}

// Reconfigure has servers worked by new settings. It gives the names of those that this run does
// not know: they need a new start.
func (r *Runner) Reconfigure(servers map[string]dispatch.Server) (unknown []string) {
	for _, name := range slices.Sorted(maps.Keys(servers)) {
		if d := r.dispatchers[name]; d != nil {
			d.Replace(servers[name])
		} else {
			unknown = append(unknown, name)
		}
	}
	return unknown
}

// Leads tells whether this runner is the one that watches folders, polls, schedules and syncs.
func (r *Runner) Leads(ctx context.Context) (bool, error) { return r.journal.Lead(ctx, r.owner) }

// Run runs until ctx ends, then finishes what is in flight, for as long as the limits say, and
// gives back what it holds. It ends in bounded time, whatever hangs. A Runner runs once.
func (r *Runner) Run(ctx context.Context) error {
	if !r.running.CompareAndSwap(false, true) {
		return errors.New("the runner has run before")
	}
	defer r.stop()
	if err := r.pauses.Begin(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // told to stop before it had begun
		}
		return err
	}
	var upkeep, parts, dispatchers sync.WaitGroup
	upkeepCtx, endUpkeep := context.WithCancel(context.WithoutCancel(ctx))
	defer endUpkeep()
	reporter := &status.Reporter{Store: r.journal, Count: r.journal.Summary, Status: r.Status, Backlog: &r.backlog,
		Now: r.now, Log: r.log}
	for _, run := range []func(context.Context){r.lease.Run, reporter.Run} {
		upkeep.Go(func() { run(upkeepCtx) })
	}
	for _, run := range []func(context.Context){r.pauses.Watch, r.pauses.FollowRules, r.retention.Run, r.queue.Run,
		r.files.Run, r.sources.Run} {
		parts.Go(func() { run(ctx) })
	}
	for _, d := range r.dispatchers {
		dispatchers.Go(func() { d.Run(ctx) })
	}
	parts.Go(func() {
		dispatchers.Wait()
		close(r.dispatched)
	})
	r.log.Info("running", "rules", r.gate.Program().Count(), "servers", len(r.dispatchers), "owner", r.owner)
	<-ctx.Done()
	drained := r.drain(&parts)
	r.bounded("the end", func() {
		if drained {
			_ = r.files.RenewResults(upkeepCtx) // of what was settled last
		}
		endUpkeep()
		upkeep.Wait()
		release, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseLimit)
		defer cancel()
		r.queue.ReleaseAll(release)
	})
	r.log.Info("stopped", "drained", drained)
	return nil
}

const releaseLimit = 10 * time.Second

// drain waits for what is in flight, then cuts it off. It tells whether all came to its end.
func (r *Runner) drain(parts *sync.WaitGroup) bool {
	done := make(chan struct{})
	go func() {
		parts.Wait()
		close(done)
	}()
	timer := time.NewTimer(r.limits.Drain)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		r.log.Warn("stopping without waiting longer for the servers; what was in flight is sent again at the next start",
			"waited", r.limits.Drain)
		r.stop()
	}
	r.bounded("what was told to stop", func() { <-done })
	return false
}

// bounded does something that must not keep the runner from ending.
func (r *Runner) bounded(what string, do func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	timer := time.NewTimer(r.limits.Abandon)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		r.log.Error("something does not end; it is left behind, and what it held is sent again at the next start", "what",
			what, "waited", r.limits.Abandon)
	}
}

// settled hears of records that have an outcome.
func (r *Runner) settled(records []*journal.Record, settlements []journal.Settlement) {
	for _, s := range settlements {
		if s.State != journal.Pending {
			r.backlog.Add(-1)
		}
	}
	r.files.Settled(records)
	r.Settled(settlements)
}

// leaseExpired gives back everything in memory before anything else is sent.
func (r *Runner) leaseExpired(next func()) {
	r.queue.LeaseLost(func() {
		next()
		r.evictStale()
	})
	r.notifyAll()
}

func (r *Runner) evictStale() {
	for _, d := range r.dispatchers {
		d.EvictStale()
	}
}

// notifyAll makes every part look again.
func (r *Runner) notifyAll() {
	r.queue.Notify()
	r.files.Notify()
}
