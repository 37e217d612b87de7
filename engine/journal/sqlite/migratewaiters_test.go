package sqlite_test

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/journaltest"
	"github.com/culvert/culvert/rules/diag"
)

// TestCorrectionsPassOfEarlierFormats opens a journal of before corrections passed what waits for its
// parent: the correction comes next, and nothing counts as damaged.
func TestCorrectionsPassOfEarlierFormats(t *testing.T) {
	t.Parallel()
	p := place(filepath.Join(t.TempDir(), "culvert.db"))
	s := p.open(t, journal.Options{})
	mistake, correction := journaltest.Form(1), journaltest.Form(1)
	correction.Content++
	now := time.Now()
	accept := func(r *journal.Record) {
		t.Helper()
		if _, err := s.Append(t.Context(), []*journal.Record{r}, nil); err != nil {
			t.Fatal(err)
		}
	}
	accept(mistake)
	got, err := s.Claim(t.Context(), journal.Claim{Owner: "one", Limit: 1, Now: now})
	if err != nil || len(got) != 1 {
		t.Fatalf("claimed %d: %v", len(got), err)
	}
	waits := journal.Settlement{Seq: got[0].Seq, State: journal.Pending, NextTry: now.Add(time.Hour), Attempts: 1,
		Problem: &journal.Problem{Class: actions.ClassParent, Problem: diag.Problem{Message: "not there yet"}}}
	err = s.Commit(t.Context(), &journal.Batch{Owner: "one", Server: "national", Settlements: []journal.Settlement{waits}})
	if err != nil {
		t.Fatal(err)
	}
	accept(correction)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+string(p))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`UPDATE records SET head = 0; UPDATE records SET head = 1 WHERE flags & 8;
		PRAGMA user_version = 12`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s = p.open(t, journal.Options{})
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
	got, err = s.Claim(t.Context(), journal.Claim{Owner: "one", Limit: 9, Now: now})
	if err != nil || len(got) != 1 || got[0].Content != correction.Content {
		t.Errorf("claimed %+v: %v", got, err)
	}
}
