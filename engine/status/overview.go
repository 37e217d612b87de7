package status

import (
	"context"
	"fmt"
	"time"

	"github.com/culvert/culvert/engine/controls"
	"github.com/culvert/culvert/engine/journal"
)

// Overview is the state of a project at one moment. Any process that can open the journal can read it.
type Overview struct {
	At      time.Time      `json:"at"`
	Runners []Runner       `json:"runners"` // those that are alive
	Last    *Runner        `json:"-"`       // what the runner that stopped last had to say; nil when none did
	Records Counts         `json:"records"`
	Rules   []Rule         `json:"rules"`
	Files   []journal.File `json:"-"`
	Open    []File         `json:"files,omitempty"` // being worked on
	Oldest  time.Time      `json:"oldest_pending,omitzero"`
	NextTry time.Time      `json:"next_try,omitzero"`
	Rate    float64        `json:"-"` // records a second over the last minute, of all runners
	// at the present rate; 0 when nothing waits or nothing moves
	Drain time.Duration `json:"time_to_drain,omitempty"`
	Size  int64         `json:"journal_bytes,omitempty"`
	// of the servers for which that is asked for
	Analytics []Analytics   `json:"analytics,omitempty"`
	Alike     []FailedAlike `json:"failed_alike,omitempty"` // files of which every row failed for one reason
	// what a person should look at, and what to do; empty: all is well
	Concerns []Concern          `json:"concerns"`
	Paused   *controls.Controls `json:"paused,omitempty"`
	Pauses   []Paused           `json:"-"` // the same as a list, with what waits
	// what of the journal is encrypted
	Encryption journal.Encryption `json:"encryption"`
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
func Read(ctx context.Context, j Reader, now time.Time) (Overview, error) {
	o := Overview{At: now}
	summary, err := j.Summary(ctx)
	if err != nil {
		return o, fmt.Errorf("count records: %w", err)
	}
	if o.Paused, err = controls.Read(ctx, j); err != nil {
		return o, err
	}
	if o.Runners, o.Last, err = Runners(ctx, j, now); err != nil {
		return o, err
	}
	if o.Encryption, err = j.Encryption(ctx); err != nil {
		return o, fmt.Errorf("read what is encrypted: %w", err)
	}
	if o.Files, err = j.Files(ctx, ""); err != nil {
		return o, fmt.Errorf("list the files: %w", err)
	}
	o.Oldest, o.NextTry, o.Size = summary.Oldest, summary.NextTry, summary.Size
	o.addWaiting(summary)
	if o.Alike, err = failedAlike(ctx, j, o.Files); err != nil {
		return o, err
	}
	if err := o.addAnalytics(ctx, j); err != nil {
		return o, err
	}
	o.addPauses(summary)
	o.Concerns = o.concerns(summary)
	o.add(summary)
	return o, nil
}

// addWaiting says of each server what waits for it, and of all how long that takes.
func (o *Overview) addWaiting(summary journal.Summary) {
	var pending int64
	rules := map[string]journal.RuleSummary{}
	for _, s := range summary.Rules {
		pending += s.Pending
		rules[s.Rule] = s
	}
	stopped := false // records wait for a server that takes none: when they go cannot be told from the rate of before
	for _, r := range o.Runners {
		for i := range r.Servers {
			s := &r.Servers[i]
			o.Rate += s.Rate
			s.addWaiting(rules)
			stopped = stopped || s.State != ServerReachable && s.Waiting > 0
		}
	}
	if o.Rate > 0 && pending > 0 && !stopped {
		o.Drain = time.Duration(float64(pending) / o.Rate * float64(time.Second)).Round(time.Second)
	}
}

// addWaiting says what waits for the server, of all its rules.
func (s *Server) addWaiting(rules map[string]journal.RuleSummary) {
	for _, name := range s.Rules {
		r := rules[name]
		s.Waiting += r.Pending
		if !r.Oldest.IsZero() && (s.Oldest.IsZero() || r.Oldest.Before(s.Oldest)) {
			s.Oldest = r.Oldest
		}
	}
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
		x.Counts = Counts{
			Pending: r.Pending, Held: r.Held, Delivered: r.Delivered, Skipped: r.Skipped, Failed: r.Failed,
			Dismissed: r.Dismissed, Superseded: r.Superseded,
		}
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
