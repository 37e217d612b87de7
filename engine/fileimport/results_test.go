package fileimport

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/sources"
)

// TestRenewBesideBroken has results that cannot be written keep nothing from those of other files.
func TestRenewBesideBroken(t *testing.T) {
	t.Parallel()
	m, j := newImporter(t)
	dir := t.TempDir()
	good := filepath.Join(dir, "good.results.csv")
	if err := os.WriteFile(good, []byte("row,sheet,record,outcome,dhis2 ids,cause,fix,column,value\n2,,1,failed,,x,,,\n"),
		0o600); err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(dir, "broken.results.csv")
	if err := os.Mkdir(broken, 0o700); err != nil {
		t.Fatal(err)
	}
	var changed []*journal.Record
	for i := range 40 {
		f := journal.File{File: sources.File{ID: fmt.Sprint("f", i), Rule: "visits", Name: "x.csv", SHA256: fmt.Sprint(i)},
			State: journal.FileFinished, Results: broken}
		if i == 20 {
			f.Results = good
		}
		if _, err := j.AddFile(t.Context(), &f); err != nil {
			t.Fatal(err)
		}
		changed = append(changed, &journal.Record{Seq: int64(i + 1), State: journal.Delivered,
			Origin: sources.Origin{FileID: f.ID, Row: 2, DataRow: 1}, Settled: time.Now()})
	}
	if _, err := m.renew(t.Context(), changed); err == nil {
		t.Error("results that cannot be written are no error")
	}
	if text, err := os.ReadFile(good); err != nil || !strings.Contains(string(text), "delivered") {
		t.Errorf("the results beside broken ones are %q: %v", text, err)
	}
}

// countedSelects counts how often records are looked up.
type countedSelects struct {
	journal.Journal
	n int
}

func (c *countedSelects) Select(ctx context.Context, f journal.Filter) ([]*journal.Record, error) {
	c.n++
	return c.Journal.Select(ctx, f)
}

// TestRenewLooksNothingUpForResultsElsewhere has rows change whose results lie on another disk:
// nothing is looked up for them, and nothing is lost.
func TestRenewLooksNothingUpForResultsElsewhere(t *testing.T) {
	t.Parallel()
	m, j := newImporter(t)
	counted := &countedSelects{Journal: j}
	m.Journal = counted
	f := journal.File{File: sources.File{ID: "f", Rule: "visits", Name: "x.csv", SHA256: "f"},
		State: journal.FileFinished, Results: filepath.Join(t.TempDir(), "none.csv")}
	if _, err := j.AddFile(t.Context(), &f); err != nil {
		t.Fatal(err)
	}
	origin := sources.Origin{FileID: "f", Row: 2, DataRow: 1}
	changed := []*journal.Record{{Seq: 1, State: journal.Superseded, SupersededBy: 9, Rank: 3, Origin: origin,
		Settled: time.Now()}}
	elsewhere, err := m.renew(t.Context(), changed)
	if err != nil || !elsewhere || counted.n != 0 {
		t.Errorf("elsewhere %v, %d look-ups: %v", elsewhere, counted.n, err)
	}
}
