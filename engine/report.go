package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/culvert/culvert/engine/journal"
)

// Report is how a project stands: its journal, its runners, and what is paused. Any process that can open the journal can make it.
type Report struct {
	At       time.Time       `json:"at"`
	Summary  journal.Summary `json:"summary"`
	Runners  []Status        `json:"runners"`            // those that are alive; empty when nothing runs
	Last     *Status         `json:"last,omitempty"`     // what the runner that stopped last had to say, when nothing runs
	Pending  int64           `json:"pending"`            // records that wait
	Rate     float64         `json:"rate"`               // records a second over the last minute, of all runners
	Drain    time.Duration   `json:"drain,omitempty"`    // how long the pending records take at this rate; 0 when that cannot be told
	Controls *Controls       `json:"controls,omitempty"` // what is paused
}

// ReadReport makes a report from the journal.
func ReadReport(ctx context.Context, j journal.Journal, now time.Time) (*Report, error) {
	rep := &Report{At: now}
	var err error
	if rep.Summary, err = j.Summary(ctx); err != nil {
		return nil, fmt.Errorf("count records: %w", err)
	}
	if rep.Controls, err = ReadControls(ctx, j); err != nil {
		return nil, err
	}
	owners, err := readRunners(ctx, j)
	if err != nil {
		return nil, err
	}
	for _, owner := range slices.Sorted(maps.Keys(owners)) {
		if err := rep.addRunner(ctx, j, owner); err != nil {
			return nil, err
		}
	}
	rep.bury(ctx, j)
	rules := map[string]journal.RuleSummary{}
	for _, s := range rep.Summary.Rules {
		rep.Pending += s.Pending
		rules[s.Rule] = s
	}
	stopped := false // records wait for a server that takes none: when they go cannot be told from the rate of before
	for _, r := range rep.Runners {
		for i := range r.Servers {
			rep.Rate += r.Servers[i].Rate
			r.Servers[i].addWaiting(rules)
			stopped = stopped || r.Servers[i].State != ServerOpen && r.Servers[i].Waiting > 0
		}
	}
	if rep.Rate > 0 && rep.Pending > 0 && !stopped {
		rep.Drain = time.Duration(float64(rep.Pending) / rep.Rate * float64(time.Second)).Round(time.Second)
	}
	return rep, nil
}

// vacancy is a journal that can tell at once that nobody runs on it.
type vacancy interface {
	Vacant(ctx context.Context) bool
}

// bury takes runners off the report that were alive a moment ago and are not any more, where the journal knows that.
func (rep *Report) bury(ctx context.Context, j journal.Journal) {
	v, ok := j.(vacancy)
	if !ok || len(rep.Runners) == 0 || !v.Vacant(ctx) {
		return
	}
	for _, s := range rep.Runners {
		if rep.Last == nil || s.At.After(rep.Last.At) {
			rep.Last = &s
		}
	}
	rep.Runners = nil
}

// addWaiting tells what waits for the server, of all its rules.
func (s *ServerStatus) addWaiting(rules map[string]journal.RuleSummary) {
	for _, name := range s.Rules {
		r := rules[name]
		s.Waiting += r.Pending
		if !r.Oldest.IsZero() && (s.Oldest.IsZero() || r.Oldest.Before(s.Oldest)) {
			s.Oldest = r.Oldest
		}
	}
}

func (rep *Report) addRunner(ctx context.Context, j journal.Journal, owner string) error {
	text, err := j.Meta(ctx, statusName+owner)
	if err != nil {
		return fmt.Errorf("read the status of runner %s: %w", owner, err)
	}
	var s Status
	if text == "" || json.Unmarshal([]byte(text), &s) != nil {
		return nil // it has not said anything that we understand
	}
	for i := range s.Servers { // a pause holds as soon as it is in the journal, though the runner says so only with its next word
		if p := rep.Controls.Servers[s.Servers[i].Name]; p != nil {
			s.Servers[i].State, s.Servers[i].Since, s.Servers[i].Reason = ServerPaused, p.Since, p.Why
		}
	}
	if !s.Stopped && rep.At.Sub(s.At) < silent {
		rep.Runners = append(rep.Runners, s)
	} else if rep.Last == nil || s.At.After(rep.Last.At) {
		rep.Last = &s
	}
	return nil
}

// lateAfter is how long a record may wait before a report calls it late though its server takes records.
const lateAfter = time.Hour

// Concerns says what is not well, in sentences; none when all is well. Failed records are a concern, for a person must act.
func (rep *Report) Concerns() []string {
	var out []string
	if len(rep.Runners) == 0 {
		out = append(out, "no runner is running: start one with `culvert run`")
	}
	for _, r := range rep.Runners {
		for _, name := range r.Invalid {
			out = append(out, fmt.Sprintf("rule %s cannot run; its records are held: see `culvert validate`", name))
		}
		for _, s := range r.Servers {
			if c := s.concern(); c != "" {
				out = append(out, c)
			}
		}
		for _, t := range r.Troubles {
			out = append(out, t.What)
		}
	}
	for _, s := range rep.Summary.Rules {
		if s.Failed > 0 {
			out = append(out, failedOf(s))
		}
	}
	if o := rep.Summary.Oldest; !o.IsZero() && rep.At.Sub(o) > lateAfter {
		out = append(out, fmt.Sprintf("the oldest pending record has waited for %s", rep.At.Sub(o).Round(time.Minute)))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func failedOf(s journal.RuleSummary) string {
	if s.Failed == 1 {
		return fmt.Sprintf("1 record of rule %s has failed: see `culvert failures`", s.Rule)
	}
	return fmt.Sprintf("%d records of rule %s have failed: see `culvert failures`", s.Failed, s.Rule)
}

// concern says in a sentence why a server does not take records; empty when it does, or when that is as people want it.
func (s *ServerStatus) concern() string {
	since := s.Since.UTC().Format("2006-01-02 15:04 MST")
	switch s.State {
	case ServerAway, ServerTrying:
		return fmt.Sprintf("server %s is away since %s, everything for it waits: %s", s.Name, since, s.Reason)
	case ServerCredentials:
		return fmt.Sprintf("server %s refuses our credentials since %s, everything for it waits: fix its token or password in culvert.yaml or the environment (%s)",
			s.Name, since, s.Reason)
	default:
		return ""
	}
}

// Health says whether this runner does its work; err names the first thing that stops it. Failed records do not: they are for people.
func (r *Runner) Health() error {
	for _, l := range r.lanes {
		s := l.status()
		if c := s.concern(); c != "" {
			return fmt.Errorf("%s", c)
		}
	}
	for _, t := range r.trouble.all() {
		return fmt.Errorf("%s", t.What)
	}
	return nil
}

// SetCondition has status, health and console say what is wrong outside of the engine while the runner does its work; an empty text takes it back.
func (r *Runner) SetCondition(subject, what string) {
	if what == "" {
		r.conditions.clear(subject)
		return
	}
	r.conditions.set(subject, what, r.now())
}

// Conditions lists what SetCondition has said, by subject.
func (r *Runner) Conditions() (list []string) {
	all := r.conditions.all()
	for _, subject := range slices.Sorted(maps.Keys(all)) {
		list = append(list, all[subject].What)
	}
	return list
}
