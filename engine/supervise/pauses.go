package supervise

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/controls"
	"github.com/culvert/culvert/engine/durable"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/status"
	"github.com/culvert/culvert/internal/await"
	"github.com/culvert/culvert/rules/diag"
)

// Holder holds records of rules.
type Holder interface {
	Meta(ctx context.Context, name string) (string, error)
	controls.Changer
	Summary(ctx context.Context) (journal.Summary, error)
	Hold(ctx context.Context, rule string, p *journal.Problem) (int64, error)
	Unhold(ctx context.Context, rule string) (int64, error)
	Select(ctx context.Context, f journal.Filter) ([]*journal.Record, error)
	Identify(ctx context.Context, names []journal.Identification) (int64, error)
}

// Pauses takes up what people pause and resume, and holds the records of rules that cannot run.
type Pauses struct {
	gate       *Gate
	journal    Holder
	evictStale func()             // gives back what waits in memory and must not be sent any more
	notify     func()             // wakes every part
	conditions *status.Conditions // names the rules that are gone and have records waiting
	log        *slog.Logger
	now        func() time.Time

	gone        atomic.Bool // there are such rules
	changed     await.Signal
	reconciling sync.Mutex
	closed      []string // flows whose windows were closed at the last look; of Watch alone
}

// NewPauses makes them.
func NewPauses(g *Gate, j Holder, evictStale, notify func(), conditions *status.Conditions, log *slog.Logger,
	now func() time.Time) *Pauses {
	return &Pauses{gate: g, journal: j, evictStale: evictStale, notify: notify, conditions: conditions, log: log, now: now,
		changed: await.NewSignal()}
}

// pausesPoll keeps the promise that a pause is taken up within a second.
const pausesPoll = 500 * time.Millisecond

// Begin takes up what people have paused and which rules can run.
func (p *Pauses) Begin(ctx context.Context) error {
	if err := p.read(ctx); err != nil {
		return err
	}
	return p.reconcile(ctx)
}

// RulesChanged says that other rules are in place.
func (p *Pauses) RulesChanged() { p.changed.Notify() }

// Watch takes up pauses and resumes made by any process, until ctx ends.
func (p *Pauses) Watch(ctx context.Context) {
	await.Every(ctx, pausesPoll, func(ctx context.Context) {
		if err := p.read(ctx); err != nil && ctx.Err() == nil {
			p.log.Warn("cannot see what is paused", "error", err)
		}
		p.turnWindows()
	})
}

// turnWindows has everybody look again when the window of a rule has opened or closed: what waits in
// memory goes back, so that it takes no room from others.
func (p *Pauses) turnWindows() {
	closed := p.gate.Closed()
	if slices.Equal(closed, p.closed) {
		return
	}
	p.closed = closed
	p.log.Info("windows of rules have opened or closed", "closed", closed)
	p.evictStale()
	p.notify()
}

// Failed hears that a record of a rule is about to be recorded as failed, and pauses the rule where
// it says so, before anything else of it is sent. The error is that the journal cannot be written.
func (p *Pauses) Failed(ctx context.Context, flow *program.Flow, why *journal.Problem) error {
	name := flow.Rule.Name
	if !flow.Rule.Delivery.StopOnFailure || p.gate.Controls().Rules[name] != nil {
		return nil
	}
	pause := controls.Pause{Since: p.now(), Who: "culvert", Itself: true,
		Why: "on_failure: stop, and a record has failed: " + why.Message}
	if err := controls.PauseRule(ctx, p.journal, name, pause); err != nil {
		return err
	}
	c, err := controls.Read(ctx, p.journal)
	if err != nil {
		return err
	}
	p.gate.controls.Store(c)
	p.log.Warn("a record has failed, and its rule is paused as it says", "rule", name, "code", why.Code)
	p.changed.Notify() // its records are held
	return nil
}

// FollowRules holds and frees records as rules become invalid and valid again, until ctx ends.
func (p *Pauses) FollowRules(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.changed:
		}
		for {
			err := p.reconcile(ctx)
			if err == nil || ctx.Err() != nil {
				break
			}
			p.log.Error("cannot hold the records of rules that do not fit", "error", err)
			await.Sleep(ctx, durable.Backoff.Cap)
		}
	}
}

func (p *Pauses) read(ctx context.Context) error {
	c, err := controls.Read(ctx, p.journal)
	if err != nil {
		return err
	}
	if old := p.gate.controls.Swap(c); old.Equal(c) {
		return p.lookForGone(ctx)
	}
	p.log.Info("pauses changed", "paused_rules", len(c.Rules), "paused_servers", len(c.Servers))
	return p.reconcile(ctx)
}

func missingServer(flow *program.Flow) *journal.Problem {
	return &journal.Problem{
		Class: actions.ClassMetadata, Problem: diag.Problem{Code: "unknown-server",
			Message: fmt.Sprintf("this run knows no server %q", flow.Server),
			Hint:    "add the server to culvert.yaml and start culvert again", Place: diag.Place{File: flow.Rule.Path}},
	}
}

// reconcile holds the records of rules that cannot run, and lets go those of rules that can again.
func (p *Pauses) reconcile(ctx context.Context) error {
	p.reconciling.Lock()
	defer p.reconciling.Unlock()
	unsettled := p.gate.Unsettled()
	p.evictStale() // so that what waits in memory is held with the rest
	summary, err := p.journal.Summary(ctx)
	if err != nil {
		return fmt.Errorf("look for records to hold: %w", err)
	}
	for _, s := range summary.Rules {
		reason := p.reason(s.Rule)
		switch {
		case reason != nil && s.Pending > 0:
			n, err := p.journal.Hold(ctx, s.Rule, reason)
			if err != nil {
				return fmt.Errorf("hold records of rule %s: %w", s.Rule, err)
			}
			p.log.Warn("records are held", "rule", s.Rule, "records", n, "reason", reason.Message)
		case reason == nil && s.Held > 0:
			if err := p.identify(ctx, s.Rule); err != nil {
				return fmt.Errorf("give held records of rule %s their ids: %w", s.Rule, err)
			}
			n, err := p.journal.Unhold(ctx, s.Rule)
			if err != nil {
				return fmt.Errorf("let held records of rule %s go: %w", s.Rule, err)
			}
			p.log.Info("held records go on", "rule", s.Rule, "records", n)
		}
	}
	p.gate.Settled(unsettled)
	p.sayGone(summary)
	p.notify()
	return nil
}

// lookForGone sees whether somebody has settled what waits of rules that are gone.
func (p *Pauses) lookForGone(ctx context.Context) error {
	if !p.gone.Load() {
		return nil
	}
	p.reconciling.Lock()
	defer p.reconciling.Unlock()
	summary, err := p.journal.Summary(ctx)
	if err != nil {
		return fmt.Errorf("look for records of rules that are gone: %w", err)
	}
	p.sayGone(summary)
	return nil
}

// sayGone has status, health and console name the rules that are gone and have records waiting.
func (p *Pauses) sayGone(summary journal.Summary) {
	gone := false
	for _, s := range summary.Rules {
		what := ""
		if s.Held+s.Pending > 0 && p.gate.Program().Flow(s.Rule) == nil {
			gone = true
			what = fmt.Sprintf("there is no rule %q any more, and records of it wait: bring the rule file back, or settle "+
				"them with `culvert dismiss --code rule-missing`", s.Rule)
		}
		p.conditions.Put("gone rule "+s.Rule, what, p.now())
	}
	p.gone.Store(gone)
}

// reason says why the records of a rule must be held; nil when they need not.
func (p *Pauses) reason(rule string) *journal.Problem {
	switch flow := p.gate.Program().Flow(rule); {
	case flow == nil:
		return program.MissingRule(rule)
	case flow.Invalid != nil:
		return flow.Invalid
	case flow.Rule.Delivery.Disabled:
		return program.DisabledRule(flow.Rule.Name)
	case !p.gate.Knows(flow.Server):
		return missingServer(flow)
	}
	return p.gate.Controls().PausedRule(rule)
}
