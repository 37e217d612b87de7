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

	"github.com/culvert/culvert/engine/controls"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/status"
)

// Runner runs a project. Make it with New.
type Runner struct {
	journal   journal.Journal
	owner     string
	limits    Limits
	log       *slog.Logger
	now       func() time.Time
	zone      *time.Location
	retention journal.Retention
	intakes   []program.Intake
	filePlan  FilePlanner

	program  atomic.Pointer[program.Program]
	controls atomic.Pointer[controls.Controls]
	lanes    map[string]*lane
	sched    *scheduler
	feed     *feeder
	files    *fileManager
	closing  *closer
	retry    retryPolicy
	metrics  *status.Metrics
	trouble  status.Conditions
	// conditions are what is wrong outside of the engine, which does its work all the same.
	conditions status.Conditions
	leading    atomic.Bool
	claiming   sync.Mutex // held while records are claimed
	lastBeat   atomic.Pointer[time.Time]
	claims     atomic.Int64 // generation of what is held: goes up when claims may have been lost

	accepting   chan struct{}
	backlog     atomic.Int64
	reconciling sync.Mutex
	swapped     chan struct{} // wakes what follows the program
	started     time.Time
	intakeState intakeStates
	running     atomic.Bool
	landed      chan struct{} // closed when the lanes have ended

	work context.Context // of deliveries and their records: outlives the runner's context by the drain
	stop context.CancelFunc
}

// New makes a runner. It does nothing until Run.
func New(c Config) (*Runner, error) {
	if err := c.prepare(); err != nil {
		return nil, err
	}
	r := &Runner{
		journal: c.Journal, owner: c.Owner, limits: c.Limits, log: c.Log, now: c.Now, zone: c.Zone, retention: c.Retention,
		intakes: c.Intakes, filePlan: c.Files, lanes: map[string]*lane{}, accepting: make(chan struct{}, c.Limits.Accepting),
		swapped: make(chan struct{}, 1), landed: make(chan struct{}), started: c.Now(),
	}
	r.program.Store(c.Program)
	r.controls.Store(&controls.Controls{})
	r.work, r.stop = context.WithCancel(context.Background())
	r.retry = retryPolicy{limits: &r.limits}
	r.sched = newScheduler(func(j *job) *lane { return r.lanes[j.flow.Server] })
	r.feed = newFeeder(r)
	r.files = newFileManager(r)
	r.closing = newCloser(r)
	for name, s := range c.Servers {
		r.lanes[name] = newLane(r, name, s)
	}
	var err error
	if r.metrics, err = status.NewMetrics(c.Metrics, breakerStates, r.Status, r.backlog.Load); err != nil {
		return nil, err
	}
	return r, nil
}

// Swap puts a new set of rules in place. Records accepted or delivered from now on go by it.
func (r *Runner) Swap(p *program.Program) {
	if p == nil {
		p = &program.Program{}
	}
	r.program.Store(p)
	select {
	case r.swapped <- struct{}{}:
	default:
	}
	r.wakeAll()
}

// Reconfigure has servers worked by new settings. It gives the names of those that this run does not know: they need a new start.
func (r *Runner) Reconfigure(servers map[string]Server) (unknown []string) {
	for _, name := range slices.Sorted(maps.Keys(servers)) {
		if l := r.lanes[name]; l != nil {
			l.replace(servers[name])
		} else {
			unknown = append(unknown, name)
		}
	}
	return unknown
}

// Run runs until ctx ends, then finishes what is under way, for as long as the limits say, and gives back what it holds. A Runner runs once.
func (r *Runner) Run(ctx context.Context) error {
	if !r.running.CompareAndSwap(false, true) {
		return errors.New("the runner has run before")
	}
	defer r.stop()
	if err := r.begin(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // told to stop before it had begun
		}
		return err
	}
	var intake, upkeep sync.WaitGroup
	upkeepCtx, endUpkeep := context.WithCancel(context.WithoutCancel(ctx))
	defer endUpkeep()
	upkeep.Go(func() { r.heartbeat(upkeepCtx) })
	upkeep.Go(func() { r.reporter().Run(upkeepCtx) })
	intake.Go(func() { r.every(ctx, renewEvery, r.renewResults) })
	intake.Go(func() { r.watchControls(ctx) })
	intake.Go(func() { r.followProgram(ctx) })
	intake.Go(func() { r.expire(ctx) })
	intake.Go(func() { r.feed.run(ctx) })
	intake.Go(func() { r.files.run(ctx) })
	intake.Go(func() { r.closing.run(ctx) })
	intake.Go(func() { r.runIntakes(ctx) })
	var lanes sync.WaitGroup
	for _, l := range r.lanes {
		lanes.Go(func() { l.run(ctx) })
	}
	intake.Go(func() {
		lanes.Wait()
		close(r.landed)
	})
	r.log.Info("running", "rules", len(r.program.Load().Rules), "servers", len(r.lanes), "owner", r.owner)
	<-ctx.Done()
	drained := r.drain(&intake)
	if drained {
		r.renewResults(upkeepCtx) // of what was settled last
	}
	endUpkeep()
	upkeep.Wait()
	r.release()
	r.log.Info("stopped", "drained", drained)
	return nil
}

// reporter says in the journal how this runner stands.
func (r *Runner) reporter() *status.Reporter {
	return &status.Reporter{Store: r.journal, Count: r.journal.Summary, Status: r.Status, Backlog: &r.backlog, Now: r.now, Log: r.log}
}

// begin takes up what people have paused and which rules can run.
func (r *Runner) begin(ctx context.Context) error {
	if err := r.readControls(ctx); err != nil {
		return err
	}
	return r.reconcile(ctx)
}

// drain waits for what is under way, then cuts it off. It tells whether all came to its end.
func (r *Runner) drain(under *sync.WaitGroup) bool {
	done := make(chan struct{})
	go func() {
		under.Wait()
		close(done)
	}()
	timer := time.NewTimer(r.limits.Drain)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		r.log.Warn("stopping without waiting longer for the servers; what was under way is sent again at the next start", "waited", r.limits.Drain)
		r.stop()
	}
	hard := time.NewTimer(r.limits.Abandon)
	defer hard.Stop()
	select {
	case <-done:
	case <-hard.C:
		r.log.Error("something does not end; it is left behind, and what it held is sent again at the next start", "waited", r.limits.Abandon)
	}
	return false
}

// release gives back claims and keys, so that another runner need not wait for the lease to end.
func (r *Runner) release() {
	ctx, cancel := context.WithTimeout(context.Background(), releaseLimit)
	defer cancel()
	if seqs := r.feed.all(); len(seqs) > 0 {
		if err := r.journal.Release(ctx, r.owner, seqs); err != nil {
			r.log.Warn("cannot give back claimed records; they are free when the lease ends", "records", len(seqs), "error", err)
		}
	}
	if keys := r.files.allClaimed(); len(keys) > 0 {
		if err := r.journal.ReleaseKeys(ctx, r.owner, keys); err != nil {
			r.log.Warn("cannot give back claimed keys; they are free when the lease ends", "keys", len(keys), "error", err)
		}
	}
}

const releaseLimit = 10 * time.Second

// runnable tells whether jobs of a flow may be sent: it is still the rule's current one, valid and not paused.
func (r *Runner) runnable(f *program.Flow) bool {
	return f != nil && f.Invalid == nil && r.lanes[f.Server] != nil && r.program.Load().Flow(f.Rule.Name) == f && r.controls.Load().Rules[f.Rule.Name] == nil
}

// giveBack returns jobs that must not be sent as they were planned.
func (r *Runner) giveBack(jobs []*job) {
	var seqs []int64
	var keys []string
	for _, j := range jobs {
		switch {
		case j.rec != nil:
			seqs = append(seqs, j.rec.Seq)
		case j.claimed:
			keys = append(keys, j.key())
			fallthrough
		default:
			j.row.run.abandon()
		}
	}
	r.files.release(keys)
	if len(seqs) > 0 {
		if r.returnClaims(seqs) != nil {
			return
		}
	}
	r.feed.drop(jobs)
	r.sched.finish(jobs)
}

// returnClaims gives records back to the journal. The error is only that the runner ends.
func (r *Runner) returnClaims(seqs []int64) error {
	return r.persist(r.work, "give back claimed records", func(ctx context.Context) error { return r.journal.Release(ctx, r.owner, seqs) })
}

// recorded keeps the rough number of waiting records.
func (r *Runner) recorded(settlements []journal.Settlement) {
	for _, s := range settlements {
		if s.State != journal.Pending {
			r.backlog.Add(-1)
		}
	}
}

// Leads tells whether this runner is the one that watches folders, polls, schedules and syncs.
func (r *Runner) Leads(ctx context.Context) (bool, error) { return r.journal.Lead(ctx, r.owner) }

// settled ends the turn of jobs whose outcome is recorded.
func (r *Runner) settled(jobs []*job) {
	r.closing.touched(jobs)
	r.feed.drop(jobs)
	r.sched.finish(jobs)
}

// commit records a batch, for as long as it takes: the outcome is known and must not be lost. The error is only that the runner ends.
func (r *Runner) commit(b *journal.Batch) error {
	if len(b.Settlements)+len(b.New)+len(b.Files)+len(b.Keys)+len(b.Digests)+len(b.Identities) == 0 {
		return nil
	}
	return r.persist(r.work, "record outcomes", func(ctx context.Context) error { return r.journal.Commit(ctx, b) })
}

// persist calls the journal until it succeeds or ctx ends. What another runner has taken over is not tried again.
func (r *Runner) persist(ctx context.Context, what string, do func(context.Context) error) error {
	for tries := 1; ; tries++ {
		err := do(ctx)
		if err == nil {
			if tries > 1 {
				r.trouble.Clear("journal")
				r.log.Info("the journal works again", "doing", what)
			}
			return nil
		}
		if errors.Is(err, journal.ErrNotOwner) || ctx.Err() != nil {
			return err
		}
		r.trouble.Set("journal", "cannot "+what+": "+err.Error(), r.now())
		r.log.Error("the journal refuses; trying again", "doing", what, "tries", tries, "error", err)
		wait := persistBackoff.Wait(tries, nil)
		var away *journal.ErrUnavailable
		if errors.As(err, &away) {
			wait = max(wait, min(away.RetryAfter, persistBackoff.Cap))
		}
		if !sleep(ctx, wait) {
			return err
		}
	}
}

// wakeAll makes every part look again.
func (r *Runner) wakeAll() {
	r.feed.poke()
	r.files.poke()
	for _, l := range r.lanes {
		l.sweep()
	}
}
