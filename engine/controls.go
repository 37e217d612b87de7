package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/controls"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
)

// watchControls takes up pauses and resumes made by any process.
func (r *Runner) watchControls(ctx context.Context) {
	r.every(ctx, controlsPoll, func(ctx context.Context) {
		if err := r.readControls(ctx); err != nil && ctx.Err() == nil {
			r.log.Warn("cannot see what is paused", "error", err)
		}
	})
}

// controlsPoll keeps the promise that a pause is taken up within a second.
const controlsPoll = 500 * time.Millisecond

func (r *Runner) readControls(ctx context.Context) error {
	c, err := controls.Read(ctx, r.journal)
	if err != nil {
		return err
	}
	old := r.controls.Swap(c)
	if old.Equal(c) {
		return nil
	}
	r.log.Info("pauses changed", "paused_rules", len(c.Rules), "paused_servers", len(c.Servers))
	return r.reconcile(ctx)
}

func missingServer(flow *program.Flow) *journal.Problem {
	return &journal.Problem{
		Class: actions.ClassMetadata, Code: "unknown-server", Cause: fmt.Sprintf("this run knows no server %q", flow.Server),
		Hint: "add the server to culvert.yaml and start culvert again", Place: flow.Rule.Path,
	}
}

// reconcile holds the records of rules that cannot run, and lets go those of rules that can again.
func (r *Runner) reconcile(ctx context.Context) error {
	r.reconciling.Lock()
	defer r.reconciling.Unlock()
	for _, l := range r.lanes {
		l.sweep() // so that what waits in memory is held with the rest
	}
	summary, err := r.journal.Summary(ctx)
	if err != nil {
		return fmt.Errorf("look for records to hold: %w", err)
	}
	prog, paused := r.program.Load(), r.controls.Load()
	for _, s := range summary.Rules {
		reason := paused.PausedRule(s.Rule)
		if flow := prog.Flow(s.Rule); flow == nil {
			reason = program.MissingRule(s.Rule)
		} else if flow.Invalid != nil {
			reason = flow.Invalid
		} else if r.lanes[flow.Server] == nil {
			reason = missingServer(flow)
		}
		switch {
		case reason != nil && s.Pending > 0:
			n, err := r.journal.Hold(ctx, s.Rule, reason)
			if err != nil {
				return fmt.Errorf("hold records of rule %s: %w", s.Rule, err)
			}
			r.log.Warn("records are held", "rule", s.Rule, "records", n, "reason", reason.Cause)
		case reason == nil && s.Held > 0:
			n, err := r.journal.Unhold(ctx, s.Rule)
			if err != nil {
				return fmt.Errorf("let held records of rule %s go: %w", s.Rule, err)
			}
			r.log.Info("held records go on", "rule", s.Rule, "records", n)
		}
	}
	r.wakeAll()
	return nil
}
