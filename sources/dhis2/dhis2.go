package dhis2

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
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
	Lists   sources.Lists
	Catalog func(server string) sources.Catalog
	Log     *slog.Logger
	Now     func() time.Time // nil: time.Now
}

// Source reads for all rules that use the trigger.
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
	// overlap is read again on each pull: transactions become visible later than the times that they carry, and
	// where clocks are put back an hour comes twice.
	overlap = 65 * time.Minute
	// dayOverlap is the same of data values, which are asked for without a zone and answered in one.
	dayOverlap = 26 * time.Hour
	// handed is how many records are handed over at once.
	handed = 500
	// mostOfOneTime bounds a page, which grows where all objects of one were changed at one time.
	mostOfOneTime = 20_000
)

// Run reads until ctx ends. Rules that read one server do not do so at once.
func (s *Source) Run(ctx context.Context, sink sources.Sink) error {
	var turns poll.Turns
	var wg sync.WaitGroup
	for i := range s.c.Rules {
		r := &s.c.Rules[i]
		p := &pull{source: s, rule: r, sink: sink, log: s.c.Log.With("rule", r.Rule, "server", r.Server)}
		wg.Go(func() {
			subject := poll.Subject{Sink: sink, Name: "pull from DHIS2 for rule " + r.Rule, Bell: s.Hang(r.Rule)}
			poll.Loop(ctx, r.Every, subject, p.log, turns.At(r.Server, p.once))
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
	kept   int // records that were new
}

// state is what is kept of a pull.
type state struct {
	What string `json:"what"`         // is read, and since when: as the rule said
	At   string `json:"at,omitempty"` // the last change that was handed over, as the server writes it
}

func (p *pull) cursor() string { return Kind{}.Name() + "/" + p.rule.Rule }

// what tells what a rule reads: where that changes, all is read again, and what was seen is recognised.
func (r *Rule) what(n *named) string {
	text := strings.Join([]string{r.Server, r.Read, n.program, n.stage, n.dataSet, n.orgUnit, strconv.FormatBool(r.Here),
		strconv.FormatBool(r.Deletions), stampOf(r.Since), stampOf(r.From), strings.Join(n.data, ";"),
		strings.Join(r.Periods, ";"), strconv.Itoa(r.Level)}, " ")
	if r.Combos || r.Partners {
		text += fmt.Sprintf(" %t %t", r.Combos, r.Partners)
	}
	return text
}

func stampOf(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

// named are the uids of what a rule names.
type named struct {
	program, stage, dataSet, orgUnit string
	data                             []string
}

// once reads everything that changed since the last pull.
func (p *pull) once(ctx context.Context) error {
	catalog := p.source.c.Catalog(p.rule.Server)
	if catalog == nil {
		return &httpget.Error{Problem: diag.Problem{
			Message: fmt.Sprintf("there is no metadata of the server %s yet", p.rule.Server), Hint: "run `culvert sync`"}}
	}
	n, err := p.names(catalog)
	if err != nil {
		return err
	}
	info, err := p.info(ctx)
	if err != nil {
		return err
	}
	m := &maker{server: p.rule.Server, catalog: catalog}
	s := state{What: p.rule.what(n)}
	kept, ok, err := poll.Restore[state](ctx, p.sink, p.cursor())
	switch {
	case err != nil:
		return err
	case ok && kept.What == s.What:
		s = kept
	case ok:
		p.log.Warn("what is read changed; all of it is read again, and what was seen before is recognised")
	}
	p.kept = 0
	switch p.rule.Read {
	case readEvents, readPeople:
		err = p.tracker(ctx, m, n, info, s)
	case readValues:
		err = p.dataValues(ctx, m, n, info, s)
	case readAnalytics:
		err = p.analytics(ctx, m, n, info, s)
	}
	if p.kept > 0 {
		p.log.Info("records were read from DHIS2", "read", p.rule.Read, "new", p.kept)
	}
	return err
}

// names finds the uids of what the rule names, which may have changed since it was checked.
func (p *pull) names(c sources.Catalog) (*named, error) {
	n := &named{}
	for _, x := range []struct {
		collection, ref string
		to              *string
	}{{sources.Programs, p.rule.Program, &n.program}, {sources.Stages, p.rule.Stage, &n.stage},
		{sources.DataSets, p.rule.DataSet, &n.dataSet}, {sources.OrgUnits, p.rule.OrgUnit, &n.orgUnit}} {
		if x.ref == "" {
			continue
		}
		t, _ := c.Find(x.collection, x.ref, n.program)
		if t == nil {
			return nil, &httpget.Error{Problem: diag.Problem{
				Message: fmt.Sprintf("the server %s has no %s %q any more", p.rule.Server, kinds[x.collection], x.ref),
				Hint:    "run `culvert validate`"}}
		}
		*x.to = t.ID
	}
	for _, ref := range p.rule.Data {
		if t, _ := c.Find(sources.DataElements, ref, ""); t != nil {
			ref = t.ID
		}
		n.data = append(n.data, ref)
	}
	return n, nil
}

// info is what a server says of itself.
type info struct {
	minor     int    // 42 of 2.42.4.1
	analytics string // when its analytics tables were made
	now       string // its clock, in its own zone; empty where it does not say
}

// local gives a time as the server's clock shows it, whose zone is not told: what it is ahead of ours, in quarters of
// an hour. now is our clock. Where the server does not say its own, it is taken to be in UTC.
func (a info) local(at, now time.Time) time.Time {
	theirs, err := time.Parse(stamp, a.now)
	if err != nil {
		return at.UTC()
	}
	return at.UTC().Add(theirs.Sub(now).Round(15 * time.Minute))
}

func (p *pull) info(ctx context.Context) (info, error) {
	text, err := p.source.c.Lists.Get(ctx, p.rule.Server, "system/info", nil)
	if err != nil {
		return info{}, fmt.Errorf("ask for the server's version: %w", err)
	}
	var reply struct{ Version, LastAnalyticsTableSuccess, ServerDate string }
	if err := json.Unmarshal(text, &reply); err != nil {
		return info{}, strange("version")
	}
	parts := strings.Split(strings.TrimSuffix(reply.Version, "-SNAPSHOT"), ".")
	if len(parts) < 2 {
		return info{}, strange("version")
	}
	minor, err := strconv.Atoi(parts[1])
	if err != nil {
		return info{}, strange("version")
	}
	about := info{minor: minor, analytics: reply.LastAnalyticsTableSuccess}
	if at, err := time.Parse(stamp[:19], reply.ServerDate); err == nil {
		about.now = at.Format(stamp)
	}
	return about, nil
}

func strange(what string) error {
	return &httpget.Error{Problem: diag.Problem{Message: "the answer is no " + what + " of DHIS2",
		Hint: "check the address of the server"}}
}

// handOver gives items to the sink, with the place behind each part of them where behind tells it.
func (p *pull) handOver(ctx context.Context, items []item, s state, behind func(changed string) string) error {
	for len(items) > 0 {
		part := items[:min(handed, len(items))]
		items = items[len(part):]
		var batch sources.Batch
		for _, it := range part {
			batch.Records = append(batch.Records, sources.Record{Rule: p.rule.Rule, Received: p.source.c.Now(), Body: it.body,
				Origin: sources.Origin{Trigger: Kind{}.Name(), Query: p.rule.Server, Deleted: it.deleted}})
		}
		if behind != nil {
			s.At = behind(part[len(part)-1].changed)
			text, err := json.Marshal(s)
			if err != nil {
				return fmt.Errorf("save the cursor: %w", err)
			}
			batch.Cursor = &sources.Cursor{Name: p.cursor(), Value: string(text)}
		}
		receipts, err := poll.Accept(ctx, p.sink, batch, p.log)
		if err != nil {
			return fmt.Errorf("hand over records: %w", err)
		}
		p.kept += poll.New(receipts)
	}
	return nil
}
