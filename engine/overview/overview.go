// Package overview says how a project stands: what runs, what waits, what failed, and what a person should do about it. The command line, the console
// and /health all ask here, so that they never disagree.
package overview

import (
	"context"
	"fmt"
	"time"

	"github.com/culvert/culvert/engine"
	"github.com/culvert/culvert/engine/journal"
)

// Overview is the state of a project at one moment.
type Overview struct {
	At       time.Time       `json:"at"`
	Runners  []engine.Status `json:"runners"` // those that have reported lately
	Records  Counts          `json:"records"`
	Rules    []Rule          `json:"rules"`
	Files    []journal.File  `json:"-"`
	Open     []File          `json:"files,omitempty"` // being worked on
	Oldest   time.Time       `json:"oldest_pending,omitzero"`
	NextTry  time.Time       `json:"next_try,omitzero"`
	Drain    time.Duration   `json:"time_to_drain,omitempty"` // at the present rate; 0 when nothing waits or nothing moves
	Size     int64           `json:"journal_bytes,omitempty"`
	Problems []Problem       `json:"problems"` // what a person should look at; empty: all is well
}

// Counts adds up records of all rules, rows of files included.
type Counts struct {
	Pending   int64 `json:"pending"`
	Held      int64 `json:"held"`
	Delivered int64 `json:"delivered"`
	Skipped   int64 `json:"skipped"`
	Failed    int64 `json:"failed"`
	Dismissed int64 `json:"dismissed"`
}

// Rule is how one rule stands.
type Rule struct {
	Name string `json:"rule"`
	Counts
	Oldest        time.Time `json:"oldest_pending,omitzero"`
	LastReceived  time.Time `json:"last_received,omitzero"`
	LastDelivered time.Time `json:"last_delivered,omitzero"`
}

// File is a dropped file that is being worked on.
type File struct {
	Name     string    `json:"name"`
	Rule     string    `json:"rule"`
	Received time.Time `json:"received"`
	Rows     int64     `json:"rows"` // read so far
	Failed   int64     `json:"failed"`
}

// Problem is something that a person should look at.
type Problem struct {
	Words string `json:"words"`
	Mend  string `json:"mend"`
}

// late is how long a record may wait before somebody should look.
const late = 24 * time.Hour

// Read looks at the journal.
func Read(ctx context.Context, j journal.Journal, now time.Time) (Overview, error) {
	o := Overview{At: now, Problems: []Problem{}}
	report, err := engine.ReadReport(ctx, j, now)
	if err != nil {
		return o, err
	}
	summary := report.Summary
	o.Runners, o.Drain = report.Runners, report.Drain
	if o.Files, err = j.Files(ctx, ""); err != nil {
		return o, fmt.Errorf("list the files: %w", err)
	}
	o.Oldest, o.NextTry, o.Size = summary.Oldest, summary.NextTry, summary.Size
	o.add(summary)
	o.judge()
	return o, nil
}

// add counts records, and the rows of files that were settled without a record of their own.
func (o *Overview) add(s journal.Summary) {
	at := map[string]int{}
	rule := func(name string) *Rule {
		i, ok := at[name]
		if !ok {
			i = len(o.Rules)
			at[name] = i
			o.Rules = append(o.Rules, Rule{Name: name})
		}
		return &o.Rules[i]
	}
	for _, r := range s.Rules {
		x := rule(r.Rule)
		x.Counts = Counts{Pending: r.Pending, Held: r.Held, Delivered: r.Delivered, Skipped: r.Skipped, Failed: r.Failed, Dismissed: r.Dismissed}
		x.Oldest, x.LastReceived, x.LastDelivered = r.Oldest, r.LastReceived, r.LastDelivered
	}
	for _, f := range o.Files {
		x := rule(f.Rule)
		x.Delivered += f.Delivered + f.Unchanged
		x.Skipped += f.Skipped
		if x.LastReceived.Before(f.Received) {
			x.LastReceived = f.Received
		}
		if f.State == journal.FileOpen {
			o.Open = append(o.Open, File{Name: f.Name, Rule: f.Rule, Received: f.Received, Rows: f.Rows, Failed: f.Failed})
		}
	}
	for _, r := range o.Rules {
		o.Records.Pending += r.Pending
		o.Records.Held += r.Held
		o.Records.Delivered += r.Delivered
		o.Records.Skipped += r.Skipped
		o.Records.Failed += r.Failed
		o.Records.Dismissed += r.Dismissed
	}
}

// judge finds what a person should look at. A server that is away for a short while is not among it: it heals by itself.
func (o *Overview) judge() {
	problem := func(mend, format string, args ...any) {
		o.Problems = append(o.Problems, Problem{Words: fmt.Sprintf(format, args...), Mend: mend})
	}
	if len(o.Runners) == 0 && (o.Records.Pending > 0 || len(o.Open) > 0) {
		problem("start `culvert run`", "records wait and no runner is at work")
	}
	for _, r := range o.Runners {
		for _, t := range r.Troubles {
			problem("it is tried again and goes on by itself", "%s", t.What)
		}
		for _, s := range r.Servers {
			switch s.State {
			case engine.ServerCredentials:
				problem("renew the token or password; sending goes on by itself", "server %s refuses our credentials since %s: %s", s.Name, clock(s.Since), s.Reason)
			case engine.ServerAway:
				problem("nothing is lost: everything waits and goes on by itself", "server %s is away since %s: %s", s.Name, clock(s.Since), s.Reason)
			case engine.ServerPaused:
				problem("culvert resume --server "+s.Name, "server %s is paused since %s", s.Name, clock(s.Since))
			}
		}
		for _, name := range r.Invalid {
			problem("culvert validate", "rule %s is invalid; its records are held", name)
		}
	}
	if o.Records.Failed > 0 {
		problem("culvert failures", "%s failed and a person must act", records(o.Records.Failed))
	}
	if o.Records.Held > 0 {
		problem("culvert validate, or culvert resume", "%s held because their rule is invalid or paused", records(o.Records.Held))
	}
	if !o.Oldest.IsZero() && o.At.Sub(o.Oldest) > late {
		problem("culvert failures --waiting", "a record has been waiting since %s", clock(o.Oldest))
	}
}

func records(n int64) string {
	if n == 1 {
		return "1 record"
	}
	return fmt.Sprintf("%d records", n)
}

func clock(t time.Time) string { return t.Local().Format("2006-01-02 15:04") }
