package kobo

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
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
	// overlap is read again on each pull, by the time of submission: the server gives an id before the
	// submission is stored, so that a higher one may be seen first.
	overlap = time.Hour
	// fetched is how many changed submissions are asked for at once, by their ids.
	fetched  = 100
	maxPages = 1_000_000
)

// Run pulls until ctx ends. Rules that share a connection are not pulled at once.
func (s *Source) Run(ctx context.Context, sink sources.Sink) error {
	var turns poll.Turns
	var wg sync.WaitGroup
	for i := range s.c.Rules {
		r := &s.c.Rules[i]
		p := &pull{source: s, rule: r, sink: sink, log: s.c.Log.With("rule", r.Rule, "connection", r.Connection)}
		wg.Go(func() {
			subject := poll.Subject{Sink: sink, Name: p.name(), Bell: s.Hang(r.Rule)}
			poll.Loop(ctx, min(r.Every, r.Reconcile), subject, p.log, turns.At(r.Connection, p.once))
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

func (p *pull) name() string { return "pull from KoboToolbox for rule " + p.rule.Rule }

// state is what is kept of a pull.
type state struct {
	Since   string    `json:"since,omitempty"` // of the rule when pulling began
	Settled uint64    `json:"settled"`         // the next pull begins behind this id
	Compare time.Time `json:"compare"`         // when the whole project was compared last
}

func (p *pull) state(ctx context.Context) (state, error) {
	s := state{}
	if !p.rule.Since.IsZero() {
		s.Since = p.rule.Since.Format(time.RFC3339)
	}
	kept, ok, err := poll.Restore[state](ctx, p.sink, p.rule.cursor())
	if err != nil || !ok {
		return s, err
	}
	if kept.Since != s.Since {
		p.log.Warn("since changed; all from there is pulled again, and what was seen before is recognised")
		return s, nil
	}
	return kept, nil
}

// once pulls what is new, and compares the whole project when it is time.
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
	k, err := loadKnown(ctx, p.rule, p.sink)
	if err != nil {
		return err
	}
	if err := p.fresh(ctx, c, k, &s); err != nil {
		return err
	}
	if err := k.save(ctx); err != nil {
		return err
	}
	now := p.source.c.Now()
	if now.Sub(s.Compare) < p.rule.Reconcile {
		return nil
	}
	if err := p.compare(ctx, c, k); err != nil {
		return err
	}
	if err := k.save(ctx); err != nil {
		return err
	}
	s.Compare = now
	return p.handOver(ctx, nil, &s)
}

// fresh pulls the submissions behind the last id.
func (p *pull) fresh(ctx context.Context, c *client, k *known, s *state) error {
	settled := p.source.c.Now().Add(-overlap).UTC().Format(timeForm)
	after, kept := s.Settled, 0
	for range maxPages {
		query, err := p.rule.query(map[string]any{"_id": map[string]any{"$gt": after}})
		if err != nil {
			return err
		}
		got, err := c.submissions(ctx, p.rule.Asset, query, p.rule.Batch)
		if err != nil {
			return err
		}
		var records []sources.Record
		if err := behind(got.items, after); err != nil {
			return err
		}
		for _, item := range got.items {
			after = item.id
			if item.time != "" && item.time < settled {
				s.Settled = item.id
			}
			if k.byID[item.id].version != versionOf(item) && p.rule.wanted(item.status) {
				records = append(records, p.record(k.returned(item), false))
				kept++
			}
		}
		if err := p.handOver(ctx, records, s); err != nil {
			return err
		}
		for _, item := range got.items {
			k.put(item)
		}
		// A server may give fewer than were asked for: only an empty page is the end.
		if len(got.items) == 0 {
			if kept > 0 {
				p.log.Info("submissions were pulled", "new", kept)
			}
			return nil
		}
	}
	return errEndless
}

var errEndless = &httpget.Error{Problem: diag.Problem{Message: "the list of submissions has no end",
	Hint: "report this to the server's administrators"}}

// behind refuses a page that does not lie behind the last id that was asked for: it would be asked for without end.
func behind(items []submission, after uint64) error {
	for _, item := range items {
		if item.id <= after {
			return &httpget.Error{Problem: diag.Problem{
				Message: fmt.Sprintf("the list of submissions behind %d begins at %d: the server does not "+
					"take the query", after, item.id), Hint: "report this to the server's administrators"}}
		}
	}
	return nil
}

// compare lists the whole project and pulls what is not as it was seen; what is gone was deleted.
func (p *pull) compare(ctx context.Context, c *client, k *known) error {
	var changed []uint64
	there := map[uint64]bool{}
	whole, complete := 0, false
	for after, n := uint64(0), 0; n < maxPages && !complete; n++ {
		query, err := p.rule.query(map[string]any{"_id": map[string]any{"$gt": after}})
		if err != nil {
			return err
		}
		got, err := c.submissions(ctx, p.rule.Asset, query, 1000, "_id", "_uuid", "_validation_status", "_submission_time")
		if err != nil {
			return err
		}
		if n == 0 {
			whole = got.count
		}
		if err := behind(got.items, after); err != nil {
			return err
		}
		for _, item := range got.items {
			after = item.id
			there[item.id] = true
			if k.byID[item.id].version != versionOf(item) {
				changed = append(changed, item.id)
			}
		}
		complete = len(got.items) == 0
	}
	if !complete {
		return errEndless
	}
	if err := p.changed(ctx, c, k, changed); err != nil {
		return err
	}
	return p.gone(ctx, k, there, whole)
}

// changed pulls submissions by their ids.
func (p *pull) changed(ctx context.Context, c *client, k *known, ids []uint64) error {
	for part := range slices.Chunk(ids, fetched) {
		query, err := json.Marshal(map[string]any{"_id": map[string]any{"$in": part}})
		if err != nil {
			return fmt.Errorf("name the submissions that changed: %w", err)
		}
		got, err := c.submissions(ctx, p.rule.Asset, string(query), fetched)
		if err != nil {
			return err
		}
		var records []sources.Record
		for _, item := range got.items {
			if p.rule.wanted(item.status) {
				records = append(records, p.record(k.returned(item), false))
			}
		}
		if err := p.handOver(ctx, records, nil); err != nil {
			return err
		}
		for _, item := range got.items {
			k.put(item)
		}
	}
	if len(ids) > 0 {
		p.log.Info("submissions that changed were pulled", "changed", len(ids))
	}
	return nil
}

// fewDeletions may be more than half of what is known: projects begin small.
const fewDeletions = 10

// gone takes what is no longer listed for deleted, unless that is more than can be believed.
func (p *pull) gone(ctx context.Context, k *known, there map[uint64]bool, whole int) error {
	subject := "deletions in KoboToolbox of rule " + p.rule.Rule
	say := func(what string) {
		if c, ok := p.sink.(sources.Conditions); ok {
			c.SetCondition(subject, what)
		}
	}
	var ids []uint64
	since := ""
	if !p.rule.Since.IsZero() {
		since = p.rule.Since.UTC().Format(timeForm)
	}
	asked := 0
	for id, was := range k.byID {
		if was.version == deleted || was.time < since { // told before, or not asked for
			continue
		}
		asked++
		if !there[id] {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	if whole > len(there) {
		p.log.Warn("the list of submissions changed while it was read; deletions are looked for at the next comparison")
		return nil
	}
	if len(ids) > p.rule.MaxDeletions {
		say(fmt.Sprintf("%d submissions of rule %s are no longer listed by KoboToolbox: if they were deleted on purpose, "+
			"raise max_deletions: of its trigger; else give the user the right to see them all", len(ids), p.rule.Rule))
		return nil
	}
	if len(ids) > 1 && (len(ids) == asked || len(ids) > fewDeletions && len(ids) > asked/2) {
		say(fmt.Sprintf("%d of %d submissions of rule %s are no longer listed by KoboToolbox, which is taken for a lost "+
			"right or a fault, not for deletions: give the user the right to see them; what was deleted on purpose is "+
			"deleted in DHIS2 by hand", len(ids), asked, p.rule.Rule))
		return nil
	}
	say("")
	for part := range slices.Chunk(ids, fetched) {
		var records []sources.Record
		for _, id := range part {
			if was := k.byID[id]; p.rule.Deletions {
				records = append(records, p.record(map[string]any{
					"_id": float64(id), "meta/rootUuid": was.root, "_xform_id_string": p.rule.Asset, "_submission_time": was.time,
					"_deleted": true, "_returned": float64(was.turns),
				}, true))
			}
		}
		if err := p.handOver(ctx, records, nil); err != nil {
			return err
		}
		for _, id := range part {
			k.remove(id)
		}
	}
	if len(ids) > 0 {
		p.log.Info("submissions were deleted in KoboToolbox", "deleted", len(ids))
	}
	return nil
}

// returned is the body of a submission; one that was said to be gone says how often it came back, which makes
// it the newest version.
func (k *known) returned(s submission) map[string]any {
	n := k.turnsOf(s.id)
	if n == 0 {
		return s.body
	}
	body := maps.Clone(s.body)
	body["_returned"] = float64(n)
	return body
}

func (p *pull) record(body map[string]any, deleted bool) sources.Record {
	return sources.Record{
		Rule: p.rule.Rule, Received: p.source.c.Now(), Body: body,
		Origin: sources.Origin{Trigger: Kind{}.Name(), Query: p.rule.Connection, Deleted: deleted},
	}
}

// handOver gives records to the sink, together with the state behind them; without a state the one that is kept stays.
func (p *pull) handOver(ctx context.Context, records []sources.Record, s *state) error {
	b := sources.Batch{Records: records}
	if s != nil {
		text, err := json.Marshal(s)
		if err != nil {
			return fmt.Errorf("save the cursor: %w", err)
		}
		b.Cursor = &sources.Cursor{Name: p.rule.cursor(), Value: string(text)}
	} else if len(records) == 0 {
		return nil
	}
	if _, err := poll.Accept(ctx, p.sink, b, p.log); err != nil {
		return fmt.Errorf("hand over records: %w", err)
	}
	return nil
}
