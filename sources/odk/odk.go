package odk

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/httpget"
	"github.com/culvert/culvert/sources/poll"
)

// Config is what a Source needs.
type Config struct {
	Rules   []Rule
	Connect func(name string) (sources.Connection, error)
	Log     *slog.Logger
	Now     func() time.Time // nil: time.Now
}

// Source pulls for all rules that use the trigger.
type Source struct {
	poll.Bells
	c Config
}

// New makes a source. It asks nothing until Run.
func New(c Config) *Source {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Source{c: c}
}

const (
	// overlap is read again on each pull: Central's times are those of transactions, which may become
	// visible later than others of a later time.
	overlap = 5 * time.Minute
	// mostAtOnce bounds what one pull holds in memory before it hands over in the order of changes.
	mostAtOnce = 200_000
	// handed is how many records are handed over at once.
	handed = 500
)

// Run pulls until ctx ends. Rules that share a connection are not pulled at once.
func (s *Source) Run(ctx context.Context, sink sources.Sink) error {
	var turns poll.Turns
	var wg sync.WaitGroup
	for i := range s.c.Rules {
		r := &s.c.Rules[i]
		p := &pull{source: s, rule: r, sink: sink, log: s.c.Log.With("rule", r.Rule, "connection", r.Connection)}
		wg.Go(func() {
			subject := poll.Subject{Sink: sink, Name: "pull from ODK Central for rule " + r.Rule, Bell: s.Hang(r.Rule)}
			poll.Loop(ctx, r.Every, subject, p.log, turns.At(r.Connection, p.once))
		})
	}
	wg.Wait()
	return nil
}

// pull is the work for one rule.
type pull struct {
	source *Source
	rule   *Rule
	sink   sources.Sink
	log    *slog.Logger
}

// state is what is kept of a pull.
type state struct {
	Since string    `json:"since,omitempty"` // of the rule when pulling began
	At    time.Time `json:"at"`              // the last change that was handed over
}

func (p *pull) cursor() string {
	return fmt.Sprintf("%s/%s/%s/%s", Kind{}.Name(), p.rule.Rule, strconv.Itoa(p.rule.Project), p.rule.Form)
}

func (p *pull) state(ctx context.Context) (state, error) {
	s := state{}
	if !p.rule.Since.IsZero() {
		s.Since = p.rule.Since.Format(time.RFC3339)
	}
	kept, ok, err := poll.Restore[state](ctx, p.sink, p.cursor())
	if err != nil || !ok {
		return s, err
	}
	if kept.Since != s.Since {
		p.log.Warn("since changed; all from there is pulled again, and what was seen before is recognised")
		return s, nil
	}
	return kept, nil
}

// once pulls everything that came or changed since the last pull.
func (p *pull) once(ctx context.Context) error {
	s, err := p.state(ctx)
	if err != nil {
		return err
	}
	connection, err := p.source.c.Connect(p.rule.Connection)
	if err != nil {
		return fmt.Errorf("connection %s: %w", p.rule.Connection, err)
	}
	c, err := newClient(connection, p.log)
	if err != nil {
		return err
	}
	since := p.rule.Since
	if !s.At.IsZero() && s.At.Add(-overlap).After(since) {
		since = s.At.Add(-overlap)
	}
	list, err := p.list(ctx, c, since)
	if err != nil {
		return err
	}
	return p.handOver(ctx, list, s)
}

// list gives what came or changed since a time, the oldest change first.
func (p *pull) list(ctx context.Context, c *client, since time.Time) ([]submission, error) {
	var list []submission
	seen := map[string]bool{}
	for at, n := c.first(p.rule, since), 1; ; n++ {
		got, err := c.page(ctx, at)
		if err != nil {
			return nil, fmt.Errorf("page %d: %w", n, err)
		}
		list = append(list, got.items...)
		if len(list) > mostAtOnce {
			return nil, tooMany(list)
		}
		if got.next == "" {
			break
		}
		if seen[got.next] {
			return nil, &httpget.Error{Problem: diag.Problem{Message: "the list of submissions has no end",
				Hint: "report this to the server's administrators"}}
		}
		seen[got.next] = true
		if at, err = httpget.Follow(at, got.next); err != nil {
			return nil, fmt.Errorf("page %d: %w", n, err)
		}
	}
	slices.Reverse(list) // the newest come first, and those of one time stay in their order
	slices.SortStableFunc(list, func(a, b submission) int { return a.changed.Compare(b.changed) })
	return list, nil
}

// tooMany says from which day on a pull can hold what came, for the list goes back from the newest.
func tooMany(list []submission) error {
	oldest := slices.MinFunc(list, func(a, b submission) int { return a.changed.Compare(b.changed) }).changed
	return &httpget.Error{Problem: diag.Problem{
		Message: fmt.Sprintf("more than %d submissions came or changed since then", mostAtOnce),
		Hint: fmt.Sprintf("write since: %s or a later day, and drop what is older as a CSV file that Central exports, with "+
			"a rule for it", oldest.UTC().AddDate(0, 0, 1).Format(time.DateOnly))}}
}

// handOver gives what is wanted to the sink, with the place behind it.
func (p *pull) handOver(ctx context.Context, list []submission, s state) error {
	p.tellOfEncrypted(list)
	kept := 0
	for part := range slices.Chunk(list, handed) {
		var records []sources.Record
		for _, item := range part {
			if p.wanted(item) {
				records = append(records, sources.Record{
					Rule: p.rule.Rule, Received: p.source.c.Now(), Body: item.body,
					Origin: sources.Origin{Trigger: Kind{}.Name(), Query: p.rule.Connection, Deleted: item.deleted},
				})
			}
		}
		// What was listed is complete up to here: the list is in the order of changes.
		if last := part[len(part)-1].changed; last.After(s.At) {
			s.At = last
		}
		text, err := json.Marshal(s)
		if err != nil {
			return fmt.Errorf("save the cursor: %w", err)
		}
		receipts, err := poll.Accept(ctx, p.sink, sources.Batch{Records: records,
			Cursor: &sources.Cursor{Name: p.cursor(), Value: string(text)}}, p.log)
		if err != nil {
			return fmt.Errorf("hand over records: %w", err)
		}
		kept += poll.New(receipts)
	}
	if kept > 0 {
		p.log.Info("submissions were pulled", "listed", len(list), "new", kept)
	}
	return nil
}

func (p *pull) wanted(s submission) bool {
	switch {
	case s.encrypted:
		return false
	case s.deleted:
		return p.rule.Deletions
	}
	return len(p.rule.Review) == 0 || slices.Contains(p.rule.Review, s.review)
}

// tellOfEncrypted says that submissions cannot be read, until a pull in which none came.
func (p *pull) tellOfEncrypted(list []submission) {
	n := 0
	for _, s := range list {
		if s.encrypted && !s.deleted {
			n++
		}
	}
	what := ""
	if n > 0 {
		p.log.Warn("encrypted submissions were left out", "submissions", n)
		what = fmt.Sprintf("%d submissions that ODK Central listed for rule %s are encrypted and were left out: decrypt "+
			"them by an export of Central, and drop that", n, p.rule.Rule)
	}
	if c, ok := p.sink.(sources.Conditions); ok {
		c.SetCondition("encrypted submissions of rule "+p.rule.Rule, what)
	}
}
