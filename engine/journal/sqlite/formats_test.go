package sqlite_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/journaltest"
	"github.com/culvert/culvert/engine/journal/sqlite"
	"github.com/culvert/culvert/rules/diag"
)

var update = flag.Bool("update", false, "write the fixture of the current format anew")

// TestEarlierFormats brings a journal of every format that ever was up to date. A new format adds
// its fixture with -update.
func TestEarlierFormats(t *testing.T) {
	t.Parallel()
	if *update {
		writeFixture(t)
	}
	fixtures, err := filepath.Glob("testdata/format-*.db")
	if err != nil || len(fixtures) != sqlite.Formats(t) {
		t.Fatalf("there are %d fixtures of %d formats: run with -update: %v", len(fixtures), sqlite.Formats(t), err)
	}
	for _, fixture := range fixtures {
		t.Run(filepath.Base(fixture), func(t *testing.T) {
			t.Parallel()
			content, err := os.ReadFile(fixture)
			if err != nil {
				t.Fatal(err)
			}
			p := place(filepath.Join(t.TempDir(), "culvert.db"))
			if err := os.WriteFile(string(p), content, 0o600); err != nil {
				t.Fatal(err)
			}
			s := p.open(t, journal.Options{})
			if err := s.Check(t.Context()); err != nil {
				t.Error(err)
			}
			sum, err := s.Summary(t.Context())
			if err != nil || len(sum.Rules) != 1 || sum.Rules[0].Pending != 3 || sum.Rules[0].Delivered != 1 ||
				sum.Rules[0].Failed != 1 {
				t.Errorf("it holds %+v: %v", sum.Rules, err)
			}
			d, err := s.Append(t.Context(), []*journal.Record{journaltest.Form(2)}, nil)
			if err != nil || !d[0] {
				t.Errorf("its records are not known: %v %v", d, err)
			}
			got, err := s.Claim(t.Context(), journal.Claim{Owner: "one", Limit: 9, Now: time.Now()})
			if err != nil || len(got) != 3 || string(got[0].Body) != string(journaltest.Form(2).Body) {
				t.Errorf("claimed %d of its records: %v", len(got), err)
			}
			failed, err := s.Select(t.Context(), journal.Filter{States: []journal.State{journal.Failed}})
			if err != nil || len(failed) != 1 || failed[0].Problem.Code != "E1064" {
				t.Errorf("its failures are %+v: %v", failed, err)
			}
		})
	}
}

func writeFixture(t *testing.T) {
	t.Helper()
	p := newPlace(t)
	s := p.open(t, journal.Options{Now: func() time.Time { return time.Unix(1_772_438_400, 0) }})
	appendForms(t, s, 0, 5)
	got, err := s.Claim(t.Context(), journal.Claim{Owner: "one", Limit: 2, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Commit(t.Context(), &journal.Batch{Owner: "one", Settlements: []journal.Settlement{
		{Seq: got[0].Seq, State: journal.Delivered, Attempts: 1, Objects: []string{"event abcdefghijk"}},
		{Seq: got[1].Seq, State: journal.Failed, Attempts: 1,
			Problem: &journal.Problem{Problem: diag.Problem{Code: "E1064", Message: "no date"}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(string(p))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll("testdata", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(sqlite.FixtureName(t), content, 0o644); err != nil {
		t.Fatal(err)
	}
}
