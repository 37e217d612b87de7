package postgres_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/journaltest"
	"github.com/culvert/culvert/rules/diag"
)

// TestCorrectionsPassOfEarlierFormats opens a journal of before corrections passed what waits for its
// parent: the correction comes next.
func TestCorrectionsPassOfEarlierFormats(t *testing.T) {
	t.Parallel()
	server(t)
	p := newPlace(t)
	s := p.Open(t, journal.Options{})
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
	conn, err := pgx.Connect(t.Context(), string(p))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	if _, err := conn.Exec(t.Context(), `UPDATE keys k SET seq = r.seq, rule = r.rule, due = r.next_try, state = r.state
		FROM records r WHERE r.flags & 8 <> 0 AND r.chain = k.chain; UPDATE journal_format SET version = 13`,
		pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}
	s = p.Open(t, journal.Options{})
	got, err = s.Claim(t.Context(), journal.Claim{Owner: "one", Limit: 9, Now: now})
	if err != nil || len(got) != 1 || got[0].Content != correction.Content {
		t.Errorf("claimed %+v: %v", got, err)
	}
}
