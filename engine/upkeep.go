package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/internal/await"
)

var persistBackoff = await.Backoff{Base: 100 * time.Millisecond, Cap: 10 * time.Second}

// sleep waits; false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	return wait(ctx, nil, d)
}

// wait waits for a signal or for a time to pass; false when ctx ended first.
func wait(ctx context.Context, signal <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-signal:
		return true
	case <-timer.C:
		return true
	}
}

// every calls do at intervals until ctx ends.
func (r *Runner) every(ctx context.Context, interval time.Duration, do func(context.Context)) {
	for sleep(ctx, interval) {
		do(ctx)
	}
}

// heartbeat keeps our claims and asks whether we are the one that runs what only one may run.
func (r *Runner) heartbeat(ctx context.Context) {
	for {
		beat, cancel := context.WithTimeout(ctx, r.limits.Heartbeat)
		began := time.Now()
		pause := r.limits.Heartbeat
		if err := r.journal.Heartbeat(beat, r.owner); err == nil {
			r.beaten(began)
			r.trouble.Clear("heartbeat")
		} else if ctx.Err() == nil {
			r.log.Warn("cannot say that this runner is alive", "error", err)
			r.trouble.Set("heartbeat", "the journal cannot be written: "+err.Error(), r.now())
			pause /= 4
		}
		lead, err := r.journal.Lead(beat, r.owner)
		cancel()
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			r.log.Warn("cannot ask which runner leads", "error", err)
			lead = false
		}
		if r.leading.Swap(lead) != lead {
			r.log.Info("leadership changed", "leading", lead)
			r.intakeState.poke()
		}
		if !sleep(ctx, pause) {
			return
		}
	}
}

// beaten notes a sign of life that the journal took. After too long a silence our claims may be with another runner: everything in memory is
// given back before anything else is sent.
func (r *Runner) beaten(at time.Time) {
	if last := r.lastBeat.Swap(&at); last != nil && at.Sub(*last) > r.limits.silence() {
		r.log.Warn("this runner was silent for too long; it gives back what it held", "silent", at.Sub(*last).Round(time.Millisecond))
		r.claiming.Lock() // nothing is claimed anew before the old claims are given back
		defer r.claiming.Unlock()
		r.claims.Add(1)
		r.wakeAll()
	}
}

// silentNow tells whether our last sign of life is so long ago that claims may be with another runner. It goes by the clock that runs on while a
// process is stopped.
func (r *Runner) silentNow() bool {
	last := r.lastBeat.Load()
	return last != nil && time.Since(*last) > r.limits.silence()
}

// expire applies the retention, by the runner that leads.
func (r *Runner) expire(ctx context.Context) {
	for sleep(ctx, r.limits.Expire/10) {
		if !r.leading.Load() {
			continue
		}
		gone, err := r.journal.Expire(ctx, r.retention, r.now())
		switch {
		case err != nil && ctx.Err() == nil:
			r.log.Error("cannot apply the retention", "error", err)
		case gone.Payloads+gone.Records+gone.Files > 0:
			r.log.Info("retention applied", "payloads", gone.Payloads, "records", gone.Records, "files", gone.Files)
		}
		if !sleep(ctx, r.limits.Expire) {
			return
		}
	}
}

// followProgram holds and frees records as rules become invalid and valid again.
func (r *Runner) followProgram(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.swapped:
		}
		r.intakeState.poke()
		for {
			err := r.reconcile(ctx)
			if err == nil || ctx.Err() != nil {
				break
			}
			r.log.Error("cannot hold the records of rules that do not fit", "error", err)
			sleep(ctx, persistBackoff.Cap)
		}
	}
}

// intakeStates is what runs of the sources.
type intakeStates struct {
	once sync.Once
	wake chan struct{}
}

func (s *intakeStates) signal() chan struct{} {
	s.once.Do(func() { s.wake = make(chan struct{}, 1) })
	return s.wake
}

func (s *intakeStates) poke() {
	select {
	case s.signal() <- struct{}{}:
	default:
	}
}

// runningIntake is one source under way.
type runningIntake struct {
	intake  program.Intake
	program *program.Program // that brought it, nil for those of the runner
	cancel  context.CancelFunc
	done    chan struct{}
}

// runIntakes runs the sources: those of the runner throughout, those of the program until the next one, and those that must run once only while we lead.
func (r *Runner) runIntakes(ctx context.Context) {
	var under []*runningIntake
	for {
		prog, leading := r.program.Load(), r.leading.Load()
		kept := under[:0]
		for _, u := range under {
			if u.program != nil && u.program != prog || u.intake.Once && !leading {
				u.cancel()
				<-u.done
				continue
			}
			kept = append(kept, u)
		}
		under = kept
		under = r.startIntakes(ctx, under, nil, r.intakes, leading)
		under = r.startIntakes(ctx, under, prog, prog.Intakes, leading)
		select {
		case <-ctx.Done():
			for _, u := range under {
				u.cancel()
				<-u.done
			}
			return
		case <-r.intakeState.signal():
		}
	}
}

// startIntakes starts those that do not run yet.
func (r *Runner) startIntakes(ctx context.Context, under []*runningIntake, prog *program.Program, intakes []program.Intake, leading bool) []*runningIntake {
next:
	for _, in := range intakes {
		if in.Once && !leading {
			continue
		}
		for _, u := range under {
			if u.intake.Source == in.Source && u.program == prog {
				continue next
			}
		}
		ctx, cancel := context.WithCancel(ctx)
		u := &runningIntake{intake: in, program: prog, cancel: cancel, done: make(chan struct{})}
		under = append(under, u)
		go func() {
			defer close(u.done)
			defer cancel()
			r.runIntake(ctx, in)
		}()
	}
	return under
}

// intakeBackoff is for sources that end with an error: a person must act, but may do so without telling us.
var intakeBackoff = await.Backoff{Base: 2 * time.Second, Cap: 2 * time.Minute}

// runIntake runs one source until ctx ends. A source that gives up is said so, and started again now and then.
func (r *Runner) runIntake(ctx context.Context, in program.Intake) {
	for tries := 1; ; tries++ {
		err := in.Source.Run(ctx, r)
		if ctx.Err() != nil {
			if err != nil && !errors.Is(err, context.Canceled) {
				r.log.Warn("a source did not end cleanly", "source", in.Name, "error", err)
			}
			return
		}
		if err == nil {
			return // it has delivered all that it ever will
		}
		r.trouble.Set("source "+in.Name, fmt.Sprintf("source %s does not run: %v", in.Name, err), r.now())
		r.log.Error("a source does not run", "source", in.Name, "error", err)
		if !sleep(ctx, intakeBackoff.Wait(tries, nil)) {
			return
		}
		r.trouble.Clear("source " + in.Name)
	}
}
