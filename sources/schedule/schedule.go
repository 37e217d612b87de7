// Package schedule reads at fixed times: a query, a web API page by page, a
// table on the web, a list of DHIS2 itself, or a folder.
package schedule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/database"
	"github.com/culvert/culvert/sources/poll"
)

// Lists reads lists of a DHIS2 server.
type Lists interface {
	// Get reads one resource; the path is below /api/.
	Get(ctx context.Context, server, path string, query url.Values) (json.RawMessage, error)
}

// Config is what a Source needs.
type Config struct {
	Rules   []Rule
	Connect func(name string) (database.Connection, error)
	Resolve func(text string) (string, error) // gives the value of a text that may name secrets as ${NAME}
	Lists   Lists
	Dir     string // of the project, that folders count from
	Inbox   string // where taken files are kept
	Log     *slog.Logger
	Now     func() time.Time // nil: time.Now
}

// Source runs the schedules of all rules.
type Source struct {
	poll.Bells
	c         Config
	databases *database.Pool
}

// New makes a source. It does nothing until Run.
func New(c Config) *Source {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Source{c: c, databases: database.NewPool(c.Connect)}
}

// batch is how many items are handed over at once.
const batch = 500

// Run runs schedules until ctx ends.
func (s *Source) Run(ctx context.Context, sink sources.Sink) error {
	defer s.databases.Close()
	s.discardHalves()
	var wg sync.WaitGroup
	for _, r := range s.c.Rules {
		run := &run{Source: s, rule: r, sink: sink, log: s.c.Log.With("rule", r.Rule)}
		wg.Go(func() { run.loop(ctx) })
	}
	wg.Wait()
	return nil
}

// run is the schedule of one rule under way.
type run struct {
	*Source
	rule Rule
	sink sources.Sink
	log  *slog.Logger
}

// state is what is kept of a schedule.
type state struct {
	Last time.Time `json:"last"` // when the last run was due
}

func (r *run) cursor() string { return "schedule/" + r.rule.Rule }

// longestSleep is after how long the clock is looked at again: it may have been set, or the machine may have slept.
const longestSleep = time.Minute

func (r *run) loop(ctx context.Context) {
	var began, tried time.Time // when this process began, and the run that was last tried
	var asked time.Time        // when somebody did not want to wait; zero: nobody does
	failures := 0
	subject := poll.Subject{Sink: r.sink, Name: "schedule of rule " + r.rule.Rule, Bell: r.Hang(r.rule.Rule)}
	defer subject.Fails(nil)
	defer subject.Bell.Take()
	for ctx.Err() == nil {
		now := r.c.Now()
		if began.IsZero() {
			began = now
		}
		last, err := r.last(ctx)
		wait := longestSleep
		due := r.due(last, began, now)
		if !asked.IsZero() && due.After(now) { // a run that is due anyhow is the one that was asked for
			due = asked
		}
		switch {
		case err != nil:
			failures++
			wait = poll.Backoff(failures)
			subject.Fails(err)
			r.log.Error("the time of the last run cannot be read", "error", err)
		case due.After(now):
			failures, wait = 0, min(due.Sub(now), longestSleep)
		default:
			if !due.Equal(tried) {
				failures, tried = 0, due
			}
			if err = r.once(ctx, last, due); err == nil {
				subject.Fails(nil)
				failures, wait, asked = 0, 0, time.Time{}
				break
			}
			if ctx.Err() != nil {
				return
			}
			failures++
			wait = poll.Backoff(failures)
			var after poll.After
			if errors.As(err, &after) {
				wait = max(wait, after.After())
			}
			subject.Fails(err)
			r.log.Error("the scheduled run failed; it is tried again", "due", due, "failures", failures, "wait",
				wait.Round(time.Millisecond), "error", err)
		}
		if wait > 0 {
			rung, ok := poll.SleepOr(ctx, wait, subject.Bell)
			if !ok {
				return
			}
			if rung {
				asked = r.c.Now()
			}
		}
	}
}

// due gives the run that comes next. Of runs that were missed only the newest is made up for, and
// none where the rule says skip. Without a run before, an interval begins at once and a cron
// expression with its next time.
func (r *run) due(last, began, now time.Time) time.Time {
	if last.IsZero() {
		if _, ok := r.rule.Times.(interval); ok {
			return began
		}
		return r.newest(r.rule.Times.Next(began), now)
	}
	next := r.rule.Times.Next(last)
	if !r.rule.Missed && next.Before(began) {
		if i, ok := r.rule.Times.(interval); ok {
			return r.newest(next.Add((began.Sub(next)/time.Duration(i)+1)*time.Duration(i)), now)
		}
		next = r.rule.Times.Next(began)
	}
	return r.newest(next, now)
}

// maxMissed bounds how many missed runs are counted.
const maxMissed = 100_000

// newest gives the last due time that is not after now, or the given one when that lies ahead.
func (r *run) newest(due, now time.Time) time.Time {
	if i, ok := r.rule.Times.(interval); ok {
		if due.After(now) {
			return due
		}
		return due.Add(now.Sub(due) / time.Duration(i) * time.Duration(i))
	}
	for range maxMissed {
		next := r.rule.Times.Next(due)
		if next.IsZero() || next.After(now) {
			return due
		}
		due = next
	}
	return due
}

func (r *run) last(ctx context.Context) (time.Time, error) {
	text, err := r.sink.Cursor(ctx, r.cursor())
	if err != nil || text == "" {
		return time.Time{}, err
	}
	var s state
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return time.Time{}, errors.New("the saved time of the last run cannot be read")
	}
	return s.Last, nil
}

// once makes one run and saves that it was made.
func (r *run) once(ctx context.Context, last, due time.Time) error {
	began := time.Now()
	r.log.Info("scheduled run begins", "due", due)
	n, err := r.read(ctx, last, due)
	if err != nil {
		return err
	}
	text, err := json.Marshal(state{Last: due})
	if err != nil {
		return fmt.Errorf("save the time of the run: %w", err)
	}
	done := sources.Batch{Cursor: &sources.Cursor{Name: r.cursor(), Value: string(text)}}
	if _, err := poll.Accept(ctx, r.sink, done, r.log); err != nil {
		return fmt.Errorf("save the time of the run: %w", err)
	}
	r.log.Info("scheduled run done", "due", due, "items", n, "took", time.Since(began).Round(time.Millisecond))
	return nil
}

func (r *run) read(ctx context.Context, last, due time.Time) (int, error) {
	switch {
	case r.rule.Query != nil:
		return r.query(ctx)
	case r.rule.HTTP != nil:
		return r.http(ctx, last, due)
	case r.rule.File != nil:
		return r.file(ctx, last, due)
	case r.rule.DHIS2 != nil:
		return r.dhis2(ctx, last, due)
	case r.rule.Folder != nil:
		return r.folder(ctx)
	}
	return 0, nil
}

// query reads a query: from its cursor where it has one, else all of it.
func (r *run) query(ctx context.Context) (int, error) {
	d, err := r.databases.Get(r.rule.Connection)
	if err != nil {
		return 0, err
	}
	counted := &counter{Sink: r.sink}
	to := database.Delivery{Rule: r.rule.Rule, Trigger: Kind{}.Name(), Cursor: "schedule.query/" + r.rule.Rule,
		Sink: counted, Log: r.log, Now: r.c.Now}
	if len(r.rule.Query.Cursor) > 0 {
		err = d.Poll(ctx, *r.rule.Query, to)
	} else {
		err = d.All(ctx, *r.rule.Query, to)
	}
	return counted.records, err
}

// counter counts what goes to a sink.
type counter struct {
	sources.Sink
	records int
}

// Accept hands the batch on and counts it.
func (c *counter) Accept(ctx context.Context, b sources.Batch) ([]sources.Receipt, error) {
	receipts, err := c.Sink.Accept(ctx, b)
	if err == nil {
		c.records += len(b.Records)
	}
	return receipts, err
}

// handOver gives items to the sink as records, in batches.
func (r *run) handOver(ctx context.Context, remote string, items []any) error {
	for len(items) > 0 {
		n := min(len(items), batch)
		b := sources.Batch{Records: make([]sources.Record, n)}
		now := r.c.Now()
		for i, item := range items[:n] {
			b.Records[i] = sources.Record{Rule: r.rule.Rule, Received: now,
				Origin: sources.Origin{Trigger: Kind{}.Name(), Remote: remote}, Body: item}
		}
		if _, err := poll.Accept(ctx, r.sink, b, r.log); err != nil {
			return fmt.Errorf("hand over items: %w", err)
		}
		items = items[n:]
	}
	return nil
}
