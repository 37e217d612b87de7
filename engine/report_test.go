package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/sources"
)

func TestConcerns(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	server := func(s ServerState) []Status {
		return []Status{{Owner: "a", Servers: []ServerStatus{{Name: "national", State: s, Since: now.Add(-time.Hour), Reason: "connection refused"}}}}
	}
	tests := map[string]struct {
		report Report
		want   []string // a part of each concern
	}{
		"all well":            {Report{Runners: server(ServerOpen)}, nil},
		"paused on purpose":   {Report{Runners: server(ServerPaused)}, nil},
		"outside its window":  {Report{Runners: server(ServerClosed)}, nil},
		"nothing runs":        {Report{}, []string{"no runner is running"}},
		"away":                {Report{Runners: server(ServerAway)}, []string{"server national is away since 2026-03-01 11:00 UTC, everything for it waits: connection refused"}},
		"refused credentials": {Report{Runners: server(ServerCredentials)}, []string{"server national refuses our credentials"}},
		"failed records": {
			Report{Runners: server(ServerOpen), Summary: journal.Summary{Rules: []journal.RuleSummary{{Rule: "visits", Failed: 3}}}},
			[]string{"3 records of rule visits have failed"},
		},
		"late": {
			Report{Runners: server(ServerOpen), Summary: journal.Summary{Oldest: now.Add(-3 * time.Hour)}}, []string{"the oldest pending record has waited for 3h0m0s"},
		},
		"invalid rule and a trouble": {
			Report{Runners: []Status{{Invalid: []string{"visits"}, Troubles: []Trouble{{What: "source files does not run: no folder"}}}}},
			[]string{"rule visits cannot run", "source files does not run"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.report.At = now
			got := tt.report.Concerns()
			if len(got) != len(tt.want) {
				t.Fatalf("concerns: %q", got)
			}
			for i := range got {
				if !strings.Contains(got[i], tt.want[i]) {
					t.Errorf("concern %q, want %q", got[i], tt.want[i])
				}
			}
		})
	}
}

func TestReportTellsTheTimeToDrain(t *testing.T) {
	w := newWorld(t, testProgram(t, "visits"))
	w.make()
	for n := range 120 {
		w.accept(item("visits", fmt.Sprint("v", n), fmt.Sprint("p", n), n))
	}
	ctx := context.Background()
	s := Status{Owner: "test", At: time.Now(), Servers: []ServerStatus{
		{Name: "district", State: ServerOpen}, {Name: "national", State: ServerOpen, Rate: 2, Rules: []string{"other", "visits"}},
	}}
	if err := w.runner.saveStatus(ctx, s); err != nil {
		t.Fatal(err)
	}
	rep, err := ReadReport(ctx, w.journal, time.Now())
	if err != nil || len(rep.Runners) != 0 || rep.Last == nil {
		t.Fatalf("a runner that is dead but of which a word is left: %+v, %v", rep, err)
	}
	if leads, err := w.journal.Lead(ctx, "test"); err != nil || !leads {
		t.Fatal(leads, err)
	}
	if rep, err = ReadReport(ctx, w.journal, time.Now()); err != nil {
		t.Fatal(err)
	}
	if rep.Pending != 120 || rep.Drain != time.Minute || len(rep.Runners) != 1 {
		t.Errorf("report: %d pending, %v to drain, %d runners", rep.Pending, rep.Drain, len(rep.Runners))
	}
	if lag := rep.Runners[0].Servers; lag[0].Waiting != 0 || lag[1].Waiting != 120 || !lag[1].Oldest.Equal(rep.Summary.Oldest) || lag[1].Oldest.IsZero() {
		t.Errorf("servers: %+v", lag)
	}
	s.Servers[1].State = ServerAway
	if err := w.runner.saveStatus(ctx, s); err != nil {
		t.Fatal(err)
	}
	if rep, err = ReadReport(ctx, w.journal, time.Now()); err != nil || rep.Pending != 120 || rep.Drain != 0 {
		t.Errorf("while the server is away: %+v, %v", rep, err)
	}
	s.Stopped = true
	if err := w.runner.saveStatus(ctx, s); err != nil {
		t.Fatal(err)
	}
	if rep, err = ReadReport(ctx, w.journal, time.Now()); err != nil || len(rep.Runners) != 0 || rep.Last == nil {
		t.Errorf("after the stop: %+v, %v", rep, err)
	}
}

// brokenJournal cannot be written while it is broken, as when the disk is full.
type brokenJournal struct {
	journal.Journal
	broken  atomic.Bool
	refused atomic.Int64
}

func (b *brokenJournal) fail() error {
	if !b.broken.Load() {
		return nil
	}
	b.refused.Add(1)
	return &journal.ErrUnavailable{Reason: "the disk is full", RetryAfter: 1100 * time.Millisecond, Err: os.ErrPermission}
}

func (b *brokenJournal) Append(ctx context.Context, r []*journal.Record, c *sources.Cursor) ([]bool, error) {
	if err := b.fail(); err != nil {
		return nil, err
	}
	return b.Journal.Append(ctx, r, c)
}

func (b *brokenJournal) Commit(ctx context.Context, batch *journal.Batch) error {
	if err := b.fail(); err != nil {
		return err
	}
	return b.Journal.Commit(ctx, batch)
}

// TestFullDisk breaks the journal after records were delivered and before that is recorded: intake is told to wait, nothing is sent twice, and all
// goes on by itself.
func TestFullDisk(t *testing.T) {
	w := newWorld(t, testProgram(t, "visits"))
	broken := &brokenJournal{Journal: w.journal}
	w.config.Journal = broken
	w.target.answer = func(_ actions.Plan, v visit) actions.Outcome {
		if v.ID == "a" {
			broken.broken.Store(true)
		}
		return actions.Outcome{}
	}
	w.run()
	w.accept(item("visits", "a", "p", 1))
	w.until("the outcome cannot be recorded", func() bool { return broken.refused.Load() > 0 })
	_, err := w.runner.Accept(context.Background(), sources.Batch{Records: []sources.Record{item("visits", "b", "p", 2)}})
	busy, ok := errors.AsType[*sources.ErrBusy](err)
	if !ok || busy.RetryAfter != 1100*time.Millisecond || busy.Reason != "the disk is full" {
		t.Errorf("error %v", err)
	}
	if err := w.runner.Health(); err == nil || !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("health: %v", err)
	}
	broken.broken.Store(false)
	w.until("the outcome is recorded", func() bool { return w.states()[journal.Delivered] == 1 })
	w.accept(item("visits", "b", "p", 2))
	w.until("it goes on", func() bool { return w.states()[journal.Delivered] == 2 })
	if got := w.target.delivered("p"); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("delivered %v", got)
	}
	w.until("it is healthy again", func() bool { return w.runner.Health() == nil })
}

// brokenSource gives up at once.
type brokenSource struct{}

func (*brokenSource) Run(context.Context, sources.Sink) error {
	return errors.New("the folder is not there")
}

func TestSourceThatGivesUpIsSaidSo(t *testing.T) {
	w := newWorld(t, testProgram(t, "visits"))
	w.config.Intakes = []Intake{{Name: "files", Source: &brokenSource{}}}
	w.run()
	w.until("it is said", func() bool {
		s := w.runner.Status()
		return len(s.Troubles) == 1 && strings.Contains(s.Troubles[0].What, "source files does not run: the folder is not there")
	})
}
