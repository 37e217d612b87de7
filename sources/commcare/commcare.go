// Package commcare pulls forms and cases from the API of CommCare HQ, in the order of their
// indexing, from where the last pull ended.
package commcare

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
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
	Connect func(name string) (Connection, error)
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
	// overlap is read again on each pull: several processes index at once, so that what was indexed
	// earlier may be seen later.
	overlap = 5 * time.Minute
	// progressEvery is how often a long pull says how far it is.
	progressEvery = 15 * time.Second
	maxPages      = 1_000_000
)

// Run pulls until ctx ends. Rules that share a connection are not pulled at once: CommCare HQ
// limits the rate of a project space.
func (s *Source) Run(ctx context.Context, sink sources.Sink) error {
	var turns poll.Turns
	var wg sync.WaitGroup
	for _, r := range s.c.Rules {
		for _, only := range streamsOf(r) {
			p := &pull{Source: s, stream: stream{rule: r, only: only}, sink: sink,
				log: s.c.Log.With("rule", r.Rule, "connection", r.Connection)}
			if only != "" {
				p.log = p.log.With("only", only)
			}
			wg.Go(func() { p.loop(ctx, turns.At(r.Connection, p.once)) })
		}
	}
	wg.Wait()
	return nil
}

func streamsOf(r Rule) []string {
	if len(r.Only) == 0 {
		return []string{""}
	}
	return r.Only
}

// pull is one stream under way.
type pull struct {
	*Source
	stream stream
	sink   sources.Sink
	log    *slog.Logger
}

// state is what is kept of a stream.
type state struct {
	Since string    `json:"since,omitempty"` // as the rule wrote it when pulling began
	At    time.Time `json:"at"`              // the last time of indexing that was handed over
	Done  bool      `json:"done,omitempty"`  // all until the rule's end was pulled
}

var errDone = errors.New("all until the rule's end was pulled")

// loop pulls until ctx ends, or until all until the rule's end was pulled.
func (p *pull) loop(ctx context.Context, once func(context.Context) error) {
	ctx, done := context.WithCancelCause(ctx)
	defer done(nil)
	subject := poll.Subject{Sink: p.sink, Name: "pull from CommCare for rule " + p.stream.rule.Rule,
		Bell: p.Hang(p.stream.rule.Rule)}
	poll.Loop(ctx, p.stream.rule.Every, subject, p.log, func(ctx context.Context) error {
		err := once(ctx)
		if errors.Is(err, errDone) {
			p.log.Info("all until the rule's end was pulled; nothing more is asked for", "until", p.stream.rule.Until)
			done(errDone)
			return nil
		}
		return err
	})
}

func (p *pull) cursor() string { return "commcare/" + p.stream.name() }

func (p *pull) state(ctx context.Context) (state, error) {
	text, err := p.sink.Cursor(ctx, p.cursor())
	if err != nil {
		return state{}, fmt.Errorf("read the saved cursor: %w", err)
	}
	s, err := decodeState(text, p.stream.rule.Since)
	if err != nil {
		return state{}, err
	}
	if text != "" && s.At.IsZero() && !s.Done {
		p.log.Warn("since changed; all from there is pulled again, and what was seen before is recognised")
	}
	return s, nil
}

// decodeState reads what was kept of a stream; nothing when that was for another beginning.
func decodeState(text, since string) (state, error) {
	s := state{Since: since}
	if text == "" {
		return s, nil
	}
	var kept state
	if err := json.Unmarshal([]byte(text), &kept); err != nil {
		return s, errors.New("the saved cursor cannot be read")
	}
	if kept.Since != since {
		return s, nil
	}
	return kept, nil
}

// once pulls everything that was indexed since the last pull.
func (p *pull) once(ctx context.Context) error {
	rule := p.stream.rule
	s, err := p.state(ctx)
	if err != nil {
		return err
	}
	began := p.c.Now()
	over := !rule.Until.IsZero() && began.After(rule.Until.Add(overlap))
	if s.Done && over {
		return errDone
	}
	connection, err := p.c.Connect(rule.Connection)
	if err != nil {
		return fmt.Errorf("connection %s: %w", rule.Connection, err)
	}
	c, err := newClient(connection, p.log)
	if err != nil {
		return err
	}
	if err := p.pages(ctx, c, &s); err != nil {
		return err
	}
	if over {
		s.Done = true
		if err := p.save(ctx, s); err != nil {
			return err
		}
		return errDone
	}
	return nil
}

// begin gives where a pull begins.
func (p *pull) begin(s state) place {
	if s.At.IsZero() {
		return place{from: p.stream.rule.since}
	}
	from := s.At.Add(-overlap)
	if from.Before(p.stream.rule.since) {
		from = p.stream.rule.since
	}
	return place{from: from}
}

func (p *pull) pages(ctx context.Context, c *client, s *state) error {
	at, seen, progress := p.begin(*s), map[string]bool{}, newProgress(p)
	for n := 0; n < maxPages; n++ {
		got, err := c.page(ctx, p.stream, c.address(p.stream, at))
		if err != nil {
			return fmt.Errorf("page %d: %w", n+1, err)
		}
		if err := got.check(at.from); err != nil {
			return fmt.Errorf("page %d: %w", n+1, err)
		}
		progress.begin(got.total)
		fresh := make([]item, 0, len(got.items))
		for _, it := range got.items {
			if !seen[it.id] {
				fresh = append(fresh, it)
			}
			if it.indexed.After(s.At) {
				s.At = it.indexed
			}
		}
		kept, err := p.handOver(ctx, c, fresh, *s)
		if err != nil {
			return err
		}
		progress.add(len(fresh), kept)
		next, more, err := c.after(p.stream, at, got)
		if err != nil {
			return err
		}
		if !more {
			progress.end()
			return nil
		}
		// Only what has the time with which the next page begins can come again.
		if !next.from.Equal(at.from) {
			clear(seen)
		}
		for _, it := range got.items {
			if it.indexed.Equal(next.from) {
				seen[it.id] = true
			}
		}
		at = next
	}
	return &httpget.Error{Problem: diag.Problem{Message: "the list of CommCare HQ has no end",
		Hint: "report this to its administrators"}}
}

// handOver gives items to the sink as records, together with the cursor behind them. It tells how many were new.
func (p *pull) handOver(ctx context.Context, c *client, items []item, s state) (int, error) {
	records := make([]sources.Record, len(items))
	now := p.c.Now()
	for i, it := range items {
		records[i] = sources.Record{
			Rule: p.stream.rule.Rule, Received: now, Body: it.body,
			Origin: sources.Origin{Trigger: Kind{}.Name(), Query: p.stream.rule.Connection, Remote: c.domain,
				Deleted: !p.stream.rule.Cases && it.body["archived"] == true},
		}
	}
	text, err := json.Marshal(s)
	if err != nil {
		return 0, fmt.Errorf("save the cursor: %w", err)
	}
	receipts, err := poll.Accept(ctx, p.sink, sources.Batch{Records: records,
		Cursor: &sources.Cursor{Name: p.cursor(), Value: string(text)}}, p.log)
	if err != nil {
		return 0, fmt.Errorf("hand over records: %w", err)
	}
	return poll.New(receipts), nil
}

func (p *pull) save(ctx context.Context, s state) error {
	_, err := p.handOver(ctx, &client{}, nil, s)
	return err
}

// progress says in the log how far a long pull is.
type progress struct {
	log          *slog.Logger
	total        int
	done, kept   int
	begun, spoke time.Time
}

func newProgress(p *pull) *progress { return &progress{log: p.log} }

func (g *progress) begin(total int) {
	if !g.begun.IsZero() {
		return
	}
	g.begun, g.spoke, g.total = time.Now(), time.Now(), total
	if total > 0 {
		g.log.Info("pull begins", "matching", total)
	}
}

func (g *progress) add(done, kept int) {
	g.done, g.kept = g.done+done, g.kept+kept
	if time.Since(g.spoke) >= progressEvery {
		g.spoke = time.Now()
		g.log.Info("pulling", "read", g.done, "new", g.kept, "matching", g.total)
	}
}

func (g *progress) end() {
	if g.kept > 0 {
		g.log.Info("pull done", "read", g.done, "new", g.kept, "took", time.Since(g.begun).Round(time.Millisecond))
	}
}
