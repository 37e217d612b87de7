package odk

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
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
	what := Kind{}.Name()
	if p.rule.entities() {
		what += ".entities"
	}
	return fmt.Sprintf("%s/%s/%s/%s", what, p.rule.Rule, strconv.Itoa(p.rule.Project), p.rule.Form+p.rule.EntityList)
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
func (p *pull) list(ctx context.Context, c *client, since time.Time) ([]item, error) {
	first := c.first(p.rule, since)
	list, count, err := p.pages(ctx, c, first)
	if err != nil {
		return nil, err
	}
	// A page goes on behind the last id of the one before, while the order is that of times: what two
	// devices sent at the same moment can fall between two pages.
	if len(list) < count {
		p.log.Info("the pages held less than the server counts; the list is read again in another order",
			"read", len(list), "counted", count)
		again, err := p.skipped(ctx, c, first)
		if err != nil {
			return nil, err
		}
		list = unite(list, again)
	}
	slices.Reverse(list) // the newest come first, and those of one time stay in their order
	slices.SortStableFunc(list, func(a, b item) int { return a.changed.Compare(b.changed) })
	return list, nil
}

// unite adds to a list what it has not.
func unite(list, more []item) []item {
	type version struct {
		id string
		at time.Time
	}
	has := map[version]bool{}
	for _, it := range list {
		has[version{it.id, it.changed}] = true
	}
	return append(list, slices.DeleteFunc(more, func(it item) bool { return has[version{it.id, it.changed}] })...)
}

// pages follows the links from page to page. count is what the server counted when the first was read, -1 when it
// did not say.
func (p *pull) pages(ctx context.Context, c *client, first *url.URL) (list []item, count int, err error) {
	seen := map[string]bool{}
	for at, n := first, 1; ; n++ {
		got, err := c.page(ctx, at)
		if err != nil {
			return nil, 0, fmt.Errorf("page %d: %w", n, err)
		}
		if n == 1 {
			count = got.count
		}
		list = append(list, got.items...)
		if len(list) > mostAtOnce {
			return nil, 0, tooMany(list)
		}
		if got.next == "" {
			return list, count, nil
		}
		if seen[got.next] {
			return nil, 0, endless()
		}
		seen[got.next] = true
		if at, err = httpget.Follow(at, got.next); err != nil {
			return nil, 0, fmt.Errorf("page %d: %w", n, err)
		}
	}
}

// skipped reads the same by counting, the oldest first, and gives it with the newest first.
func (p *pull) skipped(ctx context.Context, c *client, first *url.URL) ([]item, error) {
	var list []item
	for n := 1; ; n++ {
		got, err := c.page(ctx, skipping(first, p.rule, len(list)))
		switch {
		case err != nil:
			return nil, fmt.Errorf("page %d, counted: %w", n, err)
		case len(got.items) == 0:
			slices.Reverse(list)
			return list, nil
		}
		if list = append(list, got.items...); len(list) > mostAtOnce {
			return nil, endless() // the pages before had an end
		}
	}
}

func endless() error {
	return &httpget.Error{Problem: diag.Problem{Message: "the list of submissions or entities has no end",
		Hint: "report this to the server's administrators"}}
}

// tooMany says from which day on a pull can hold what came, for the list goes back from the newest.
func tooMany(list []item) error {
	oldest := slices.MinFunc(list, func(a, b item) int { return a.changed.Compare(b.changed) }).changed
	return &httpget.Error{Problem: diag.Problem{
		Message: fmt.Sprintf("more than %d submissions or entities came or changed since then", mostAtOnce),
		Hint: fmt.Sprintf("write since: %s or a later day, and drop what is older as a CSV file that Central exports, with "+
			"a rule for it", oldest.UTC().AddDate(0, 0, 1).Format(time.DateOnly))}}
}

// handOver gives what is wanted to the sink, with the place behind it.
func (p *pull) handOver(ctx context.Context, list []item, s state) error {
	p.tellOfEncrypted(list)
	kept := 0
	for part := range slices.Chunk(list, handed) {
		var records []sources.Record
		for _, it := range part {
			if p.wanted(it) {
				records = append(records, sources.Record{
					Rule: p.rule.Rule, Received: p.source.c.Now(), Body: it.body,
					Origin: sources.Origin{Trigger: Kind{}.Name(), Query: p.rule.Connection, Deleted: it.deleted},
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
		p.log.Info(p.rule.items()+" were pulled", "listed", len(list), "new", kept)
	}
	return nil
}

func (p *pull) wanted(s item) bool {
	switch {
	case s.encrypted:
		return false
	case s.deleted:
		return p.rule.Deletions
	}
	return len(p.rule.Review) == 0 || slices.Contains(p.rule.Review, s.review)
}

// tellOfEncrypted says that submissions cannot be read, until a pull in which none came.
func (p *pull) tellOfEncrypted(list []item) {
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
