package status

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/sqlite"
)

func TestConcerns(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	server := func(s ServerState) []Runner {
		return []Runner{{Owner: "a", Servers: []Server{{Name: "national", State: s, Since: now.Add(-time.Hour),
			Reason: "connection refused"}}}}
	}
	tests := map[string]struct {
		report  Overview
		summary journal.Summary
		want    []string // a part of each concern
	}{
		"all well":           {Overview{Runners: server(ServerReachable)}, journal.Summary{}, nil},
		"paused on purpose":  {Overview{Runners: server(ServerPaused)}, journal.Summary{}, nil},
		"outside its window": {Overview{Runners: server(ServerClosed)}, journal.Summary{}, nil},
		"nothing runs":       {Overview{}, journal.Summary{}, []string{"no runner is running"}},
		"away": {Overview{Runners: server(ServerAway)}, journal.Summary{},
			[]string{"server national is away since 2026-03-01 11:00 UTC, everything for it waits: connection refused"}},
		"refused credentials": {Overview{Runners: server(ServerCredentials)}, journal.Summary{},
			[]string{"server national refuses our credentials"}},
		"failed records": {
			Overview{
				Runners: server(ServerReachable),
			}, journal.Summary{Rules: []journal.RuleSummary{{Rule: "visits", Failed: 3}}},
			[]string{"3 records of rule visits have failed"},
		},
		"late": {
			Overview{Runners: server(ServerReachable)},
			journal.Summary{Rules: []journal.RuleSummary{{Rule: "visits", Oldest: now.Add(-3 * time.Hour)}}},
			[]string{"the oldest pending record has waited for 3h0m0s"},
		},
		"resting by their own files": {
			Overview{Runners: []Runner{{Closed: []Closed{{Rule: "visits"}}, Disabled: []string{"births"}}}},
			journal.Summary{Rules: []journal.RuleSummary{{Rule: "visits", Oldest: now.Add(-3 * time.Hour)},
				{Rule: "births@lab", Oldest: now.Add(-4 * time.Hour)}}}, nil,
		},
		"invalid rule and a condition": {
			Overview{Runners: []Runner{{Invalid: []string{"visits"},
				Conditions: []Condition{{What: "source files does not run: no folder"}}}}}, journal.Summary{},
			[]string{"rule visits cannot run", "source files does not run"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.report.At = now
			got := tt.report.concerns(tt.summary)
			if len(got) != len(tt.want) {
				t.Fatalf("concerns: %q", got)
			}
			for i := range got {
				if !strings.Contains(got[i].String(), tt.want[i]) {
					t.Errorf("concern %q, want %q", got[i], tt.want[i])
				}
			}
		})
	}
}

func TestOverviewTellsTheTimeToDrain(t *testing.T) {
	t.Parallel()
	j, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "culvert.db"), journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	for n := range 120 {
		id := fmt.Sprint("v", n)
		rec := &journal.Record{Rule: "visits", ID: id, Key: id, Body: []byte("{}"), State: journal.Pending,
			Received: time.Now()}
		if _, err := j.Append(t.Context(), []*journal.Record{rec}, nil); err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	s := Runner{Owner: "test", At: time.Now(), Servers: []Server{
		{Name: "district", State: ServerReachable}, {Name: "national", State: ServerReachable, Rate: 2,
			Rules: []string{"other", "visits"}},
	}}
	if err := Save(ctx, j, s); err != nil {
		t.Fatal(err)
	}
	rep, err := Read(ctx, j, time.Now())
	if err != nil || len(rep.Runners) != 0 || rep.Last == nil {
		t.Fatalf("a runner that is dead but of which a word is left: %+v, %v", rep, err)
	}
	if leads, err := j.Lead(ctx, "test"); err != nil || !leads {
		t.Fatal(leads, err)
	}
	if rep, err = Read(ctx, j, time.Now()); err != nil {
		t.Fatal(err)
	}
	if rep.Records.Pending != 120 || rep.Drain != time.Minute || len(rep.Runners) != 1 {
		t.Errorf("report: %d pending, %v to drain, %d runners", rep.Records.Pending, rep.Drain, len(rep.Runners))
	}
	if lag := rep.Runners[0].Servers; lag[0].Waiting != 0 || lag[1].Waiting != 120 || !lag[1].Oldest.Equal(rep.Oldest) ||
		lag[1].Oldest.IsZero() {
		t.Errorf("servers: %+v", lag)
	}
	s.Servers[1].State = ServerAway
	if err := Save(ctx, j, s); err != nil {
		t.Fatal(err)
	}
	if rep, err = Read(ctx, j, time.Now()); err != nil || rep.Records.Pending != 120 || rep.Drain != 0 {
		t.Errorf("while the server is away: %+v, %v", rep, err)
	}
	s.Stopped = true
	if err := Save(ctx, j, s); err != nil {
		t.Fatal(err)
	}
	if rep, err = Read(ctx, j, time.Now()); err != nil || len(rep.Runners) != 0 || rep.Last == nil {
		t.Errorf("after the stop: %+v, %v", rep, err)
	}
}

// leasedJournal knows whose lease has not ended.
type leasedJournal struct {
	metas  map[string]string
	leased []string
}

func (j *leasedJournal) Meta(_ context.Context, name string) (string, error) {
	return j.metas[name], nil
}

func (j *leasedJournal) SetMeta(_ context.Context, name, value string) error {
	j.metas[name] = value
	return nil
}

func (j *leasedJournal) LiveOwners(context.Context) ([]string, error) { return j.leased, nil }

// TestKilledRunnerIsGoneWithItsLease has one of two runners say nothing more: it is gone when its
// lease is over, though its last word is young.
func TestKilledRunnerIsGoneWithItsLease(t *testing.T) {
	t.Parallel()
	j := &leasedJournal{metas: map[string]string{}, leased: []string{"alive", "killed"}}
	now := time.Now()
	for _, owner := range []string{"alive", "killed", "new"} {
		r := Runner{Owner: owner, At: now, Started: now.Add(-time.Hour)}
		if owner == "new" {
			r.Started = now // it speaks before its lease has begun
		}
		if err := Save(t.Context(), j, r); err != nil {
			t.Fatal(err)
		}
	}
	if runners, _, err := Runners(t.Context(), j, now); err != nil || len(runners) != 3 {
		t.Fatalf("runners %v, %v", runners, err)
	}
	j.leased = []string{"alive"}
	runners, last, err := Runners(t.Context(), j, now)
	if err != nil || len(runners) != 2 || runners[0].Owner != "alive" || runners[1].Owner != "new" || last == nil ||
		last.Owner != "killed" {
		t.Errorf("runners %v, last %v, %v", runners, last, err)
	}
}
