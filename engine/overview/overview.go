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
	At       time.Time        `json:"at"`
	Runners  []engine.Status  `json:"runners"` // those that have reported lately
	Records  Counts           `json:"records"`
	Rules    []Rule           `json:"rules"`
	Files    []journal.File   `json:"-"`
	Open     []File           `json:"files,omitempty"` // being worked on
	Oldest   time.Time        `json:"oldest_pending,omitzero"`
	NextTry  time.Time        `json:"next_try,omitzero"`
	Drain    time.Duration    `json:"time_to_drain,omitempty"` // at the present rate; 0 when nothing waits or nothing moves
	Size     int64            `json:"journal_bytes,omitempty"`
	Concerns []string         `json:"concerns"` // what a person should look at, and what to do; empty: all is well
	Paused   *engine.Controls `json:"paused,omitempty"`
}

// Counts adds up records of all rules, rows of files included.
type Counts struct {
	Pending   int64 `json:"pending"`
	Held      int64 `json:"held"`
	Delivered int64 `json:"delivered"`
	Skipped   int64 `json:"skipped"`
	Failed    int64 `json:"failed"`
	Dismissed int64 `json:"dismissed"`

	Superseded int64 `json:"superseded"` // something newer left nothing to do
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

// Read looks at the journal.
func Read(ctx context.Context, j journal.Journal, now time.Time) (Overview, error) {
	o := Overview{At: now}
	report, err := engine.ReadReport(ctx, j, now)
	if err != nil {
		return o, err
	}
	summary := report.Summary
	o.Runners, o.Drain, o.Paused, o.Concerns = report.Runners, report.Drain, report.Controls, report.Concerns()
	if o.Files, err = j.Files(ctx, ""); err != nil {
		return o, fmt.Errorf("list the files: %w", err)
	}
	o.Oldest, o.NextTry, o.Size = summary.Oldest, summary.NextTry, summary.Size
	o.add(summary)
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
		x.Counts = Counts{Pending: r.Pending, Held: r.Held, Delivered: r.Delivered, Skipped: r.Skipped, Failed: r.Failed, Dismissed: r.Dismissed, Superseded: r.Superseded}
		x.Oldest, x.LastReceived, x.LastDelivered = r.Oldest, r.LastReceived, r.LastDelivered
	}
	for _, f := range o.Files {
		x := rule(f.Rule)
		x.Delivered += f.Delivered + f.Unchanged - f.RecordsDelivered
		x.Skipped += f.Skipped - f.RecordsSkipped
		x.Superseded += f.Superseded - f.RecordsSuperseded
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
		o.Records.Superseded += r.Superseded
	}
}
