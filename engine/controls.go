package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
)

// controlsName is where pauses are kept in the journal, so that every process sees them.
const controlsName = "controls"

// Pause says who paused a rule or a server, when and why.
type Pause struct {
	Since time.Time `json:"since"`
	Who   string    `json:"who,omitempty"`
	Why   string    `json:"why,omitempty"`
}

// Controls are what people have paused.
type Controls struct {
	Rules   map[string]*Pause `json:"rules,omitempty"`
	Servers map[string]*Pause `json:"servers,omitempty"`
}

// pausedRule gives the reason for holding the records of a rule, nil when it is not paused.
func (c *Controls) pausedRule(rule string) *journal.Problem {
	p := c.Rules[rule]
	if p == nil {
		return nil
	}
	cause := fmt.Sprintf("rule %q is paused since %s", rule, p.Since.UTC().Format("2006-01-02 15:04"))
	if p.Who != "" {
		cause += " by " + p.Who
	}
	if p.Why != "" {
		cause += ": " + p.Why
	}
	return &journal.Problem{Class: actions.ClassMetadata, Code: "paused", Cause: cause, Hint: "culvert resume " + rule}
}

// ReadControls gives what is paused.
func ReadControls(ctx context.Context, j journal.Journal) (*Controls, error) {
	text, err := j.Meta(ctx, controlsName)
	if err != nil {
		return nil, fmt.Errorf("read what is paused: %w", err)
	}
	return parseControls(text)
}

func parseControls(text string) (*Controls, error) {
	c := &Controls{}
	if text != "" {
		if err := json.Unmarshal([]byte(text), c); err != nil {
			return nil, fmt.Errorf("read what is paused: %w", err)
		}
	}
	if c.Rules == nil {
		c.Rules = map[string]*Pause{}
	}
	if c.Servers == nil {
		c.Servers = map[string]*Pause{}
	}
	return c, nil
}

// PauseRule stops a rule: its records are held until ResumeRule. Running processes take it up within a second.
func PauseRule(ctx context.Context, j journal.Journal, rule string, p Pause) error {
	return changeControls(ctx, j, "pause", "rule "+rule, p, func(c *Controls) { c.Rules[rule] = &p })
}

// ResumeRule lets a paused rule go on; p says who does it and why.
func ResumeRule(ctx context.Context, j journal.Journal, rule string, p Pause) error {
	return changeControls(ctx, j, "resume", "rule "+rule, p, func(c *Controls) { delete(c.Rules, rule) })
}

// PauseServer stops sending to a server; records for it are accepted and wait.
func PauseServer(ctx context.Context, j journal.Journal, server string, p Pause) error {
	return changeControls(ctx, j, "pause", "server "+server, p, func(c *Controls) { c.Servers[server] = &p })
}

// ResumeServer lets sending to a paused server go on; p says who does it and why.
func ResumeServer(ctx context.Context, j journal.Journal, server string, p Pause) error {
	return changeControls(ctx, j, "resume", "server "+server, p, func(c *Controls) { delete(c.Servers, server) })
}

func changeControls(ctx context.Context, j journal.Journal, did, subject string, p Pause, change func(*Controls)) error {
	entry := journal.AuditEntry{Who: p.Who, Did: did, Why: p.Why, Count: 1, Subject: subject}
	err := j.ChangeMeta(ctx, controlsName, entry, func(text string) (string, error) {
		c, err := parseControls(text)
		if err != nil {
			return "", err
		}
		change(c)
		changed, err := json.Marshal(c)
		return string(changed), err
	})
	if err != nil {
		return fmt.Errorf("keep what is paused: %w", err)
	}
	return nil
}

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
	c, err := ReadControls(ctx, r.journal)
	if err != nil {
		return err
	}
	old := r.controls.Swap(c)
	if maps.EqualFunc(old.Rules, c.Rules, samePause) && maps.EqualFunc(old.Servers, c.Servers, samePause) {
		return nil
	}
	r.log.Info("pauses changed", "paused_rules", len(c.Rules), "paused_servers", len(c.Servers))
	return r.reconcile(ctx)
}

func missingServer(flow *Flow) *journal.Problem {
	return &journal.Problem{
		Class: actions.ClassMetadata, Code: "unknown-server", Cause: fmt.Sprintf("this run knows no server %q", flow.Server),
		Hint: "add the server to culvert.yaml and start culvert again", Place: flow.Rule.Path,
	}
}

func samePause(a, b *Pause) bool { return a.Since.Equal(b.Since) && a.Who == b.Who && a.Why == b.Why }

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
	program, controls := r.program.Load(), r.controls.Load()
	for _, s := range summary.Rules {
		reason := controls.pausedRule(s.Rule)
		if flow := program.flow(s.Rule); flow == nil {
			reason = missingRule(s.Rule)
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
