package status

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/culvert/culvert/engine/journal"
)

// ConcernKind says what sort of thing is not well, for those who offer something to do about it.
type ConcernKind string

// The kinds of concerns.
const (
	NoRunner      ConcernKind = "no-runner"
	RuleInvalid   ConcernKind = "rule-invalid"
	ServerStopped ConcernKind = "server"    // it is away, or refuses our credentials
	RunnerSays    ConcernKind = "condition" // what a runner says of itself
	FailedRecords ConcernKind = "failed"
	FailedAlikes  ConcernKind = "failed-alike" // every row of a file failed for one reason
	LateRecords   ConcernKind = "late"
	StillPaused   ConcernKind = "paused" // a rule paused itself, or a pause seems forgotten
)

// Concern is one thing that a person should look at.
type Concern struct {
	Kind         ConcernKind
	What         string // a sentence without its first capital and its full stop
	Hint         string // what to do at a command line; empty where What says it
	Rule, Server string // that it is about
}

// String gives the concern with its hint, as the command line prints it.
func (c Concern) String() string {
	if c.Hint == "" {
		return c.What
	}
	return c.What + ": " + c.Hint
}

// MarshalText has JSON hold the sentence.
func (c Concern) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads a sentence back; what it is about is not known then.
func (c *Concern) UnmarshalText(text []byte) error {
	*c = Concern{What: string(text)}
	return nil
}

// lateAfter is how long a record may wait before an overview calls it late though its server takes records.
const lateAfter = time.Hour

// concerns says what is not well; none when all is well. Failed records are a concern, for a person must act.
func (o *Overview) concerns(summary journal.Summary) []Concern {
	var out []Concern
	if len(o.Runners) == 0 {
		out = append(out, Concern{Kind: NoRunner, What: "no runner is running", Hint: "start one with `culvert run`"})
	}
	for _, r := range o.Runners {
		for _, name := range r.Invalid {
			c := Concern{Kind: RuleInvalid, Rule: name, What: fmt.Sprintf("rule %s cannot run; its records are held", name)}
			if !r.says(NamespaceOf(name)) {
				c.Hint = "see `culvert validate`"
			}
			out = append(out, c)
		}
		for _, s := range r.Servers {
			if c := s.Concern(); c != "" {
				out = append(out, Concern{Kind: ServerStopped, Server: s.Name, What: c})
			}
		}
		for _, c := range r.Conditions {
			out = append(out, Concern{Kind: RunnerSays, What: c.What})
		}
	}
	for _, s := range summary.Rules {
		if s.Failed > 0 {
			out = append(out, Concern{Kind: FailedRecords, Rule: s.Rule, What: failedOf(s), Hint: "see `culvert failures`"})
		}
	}
	for _, a := range o.Alike {
		out = append(out, Concern{
			Kind: FailedAlikes, Rule: a.Rule, What: fmt.Sprintf("all %d rows of file %s of rule %s failed alike: %s", a.Rows,
				a.File, a.Rule, a.Cause), Hint: a.Hint,
		})
	}
	for _, p := range o.Pauses {
		if p.Concern {
			out = append(out, Concern{Kind: StillPaused, Rule: p.Rule, Server: p.Server, What: p.What(), Hint: p.Hint()})
		}
	}
	if oldest := o.oldestDue(summary); !oldest.IsZero() && o.At.Sub(oldest) > lateAfter {
		out = append(out, Concern{Kind: LateRecords, What: fmt.Sprintf("the oldest pending record has waited for %s",
			o.At.Sub(oldest).Round(time.Minute))})
	}
	slices.SortFunc(out, func(a, b Concern) int { return cmp.Compare(a.String(), b.String()) })
	return slices.Compact(out)
}

// oldestDue gives since when the oldest record waits of rules that do not rest by their own files; zero
// when there is none.
func (o *Overview) oldestDue(summary journal.Summary) (oldest time.Time) {
	for _, s := range summary.Rules {
		rests := slices.ContainsFunc(o.Runners, func(r Runner) bool { return r.rests(s.Rule) })
		if !rests && !s.Oldest.IsZero() && (oldest.IsZero() || s.Oldest.Before(oldest)) {
			oldest = s.Oldest
		}
	}
	return oldest
}

func failedOf(s journal.RuleSummary) string {
	if s.Failed == 1 {
		return fmt.Sprintf("1 record of rule %s has failed", s.Rule)
	}
	return fmt.Sprintf("%d records of rule %s have failed", s.Failed, s.Rule)
}
