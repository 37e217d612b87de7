// Package controls keeps what people have paused: rules, whose records are held, and servers, for
// which everything waits. It lies in the journal, so that every process sees it.
package controls

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/rules/diag"
)

// name is under which name the journal keeps what is paused.
const name = "controls"

// Pause says who paused a rule or a server, when and why.
type Pause struct {
	Since time.Time `json:"since"`
	Who   string    `json:"who,omitempty"`
	Why   string    `json:"why,omitempty"`
	// Itself: nobody did; the rule says that it stops at a failed record
	Itself bool `json:"itself,omitempty"`
}

// Controls are what people have paused.
type Controls struct {
	Rules   map[string]*Pause `json:"rules,omitempty"`
	Servers map[string]*Pause `json:"servers,omitempty"`
}

// Reader is where pauses are read from.
type Reader interface {
	Meta(ctx context.Context, name string) (string, error)
}

// Changer is where pauses are kept.
type Changer interface {
	ChangeMeta(ctx context.Context, name string, entry journal.AuditEntry, change func(value string) (string, error)) error
}

// PausedRule gives the reason for holding the records of a rule, nil when it is not paused.
func (c *Controls) PausedRule(rule string) *journal.Problem {
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
	return &journal.Problem{Class: actions.ClassMetadata, Problem: diag.Problem{Code: "paused", Message: cause,
		Hint: "`culvert resume --rule " + rule + "`"}}
}

// Equal tells whether the same is paused, by the same people, for the same reasons.
func (c *Controls) Equal(other *Controls) bool {
	same := func(a, b *Pause) bool { return a.Since.Equal(b.Since) && a.Who == b.Who && a.Why == b.Why }
	return maps.EqualFunc(c.Rules, other.Rules, same) && maps.EqualFunc(c.Servers, other.Servers, same)
}

// Read gives what is paused.
func Read(ctx context.Context, j Reader) (*Controls, error) {
	text, err := j.Meta(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("read what is paused: %w", err)
	}
	return parse(text)
}

func parse(text string) (*Controls, error) {
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
func PauseRule(ctx context.Context, j Changer, rule string, p Pause) error {
	return change(ctx, j, "pause", "rule "+rule, p, func(c *Controls) { c.Rules[rule] = &p })
}

// ResumeRule lets a paused rule go on; p says who does it and why.
func ResumeRule(ctx context.Context, j Changer, rule string, p Pause) error {
	return change(ctx, j, "resume", "rule "+rule, p, func(c *Controls) { delete(c.Rules, rule) })
}

// PauseServer stops sending to a server; records for it are accepted and wait.
func PauseServer(ctx context.Context, j Changer, server string, p Pause) error {
	return change(ctx, j, "pause", "server "+server, p, func(c *Controls) { c.Servers[server] = &p })
}

// ResumeServer lets sending to a paused server go on; p says who does it and why.
func ResumeServer(ctx context.Context, j Changer, server string, p Pause) error {
	return change(ctx, j, "resume", "server "+server, p, func(c *Controls) { delete(c.Servers, server) })
}

func change(ctx context.Context, j Changer, did, subject string, p Pause, do func(*Controls)) error {
	entry := journal.AuditEntry{Who: p.Who, Did: did, Why: p.Why, Count: 1, Subject: subject}
	err := j.ChangeMeta(ctx, name, entry, func(text string) (string, error) {
		c, err := parse(text)
		if err != nil {
			return "", err
		}
		do(c)
		changed, err := json.Marshal(c)
		return string(changed), err
	})
	if err != nil {
		return fmt.Errorf("keep what is paused: %w", err)
	}
	return nil
}
