package postgres_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/journaltest"
	"github.com/culvert/culvert/engine/journal/postgres"
)

// writes tries what a runner writes.
func writes(t *testing.T, j journal.Journal, n int64) map[string]error {
	t.Helper()
	_, appending := j.Append(t.Context(), []*journal.Record{journaltest.Form(n)}, nil)
	_, claiming := j.Claim(t.Context(), journal.Claim{Owner: "late", Limit: 1, Now: time.Now()})
	_, taking := j.TakeFile(t.Context(), "late", "f1")
	_, expiring := j.Expire(t.Context(), journal.Retention{Delivered: time.Hour}, time.Now())
	return map[string]error{
		"take a file": taking, "expire": expiring, "settle": j.Memory("national").(actions.Contributions).Settle(t.Context(), []string{"a"}),
		"append": appending, "claim": claiming, "sign of life": j.Heartbeat(t.Context(), "late"),
		"commit": j.Commit(t.Context(), &journal.Batch{Owner: "late", Server: "national"}),
		"note":   j.SetMeta(t.Context(), "project", "anc"),
	}
}

func unavailable(t *testing.T, errs map[string]error) {
	t.Helper()
	for what, err := range errs {
		var away *journal.ErrUnavailable
		if !errors.As(err, &away) {
			t.Errorf("%s: %v, want that the journal is not available", what, err)
		}
	}
}

// TestMoveShutsOpenStores moves a journal that somebody has open who gave no sign of life: from the
// copy on it takes nothing that the new store would not have, and goes on when the move is given up.
func TestMoveShutsOpenStores(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	j := p.Open(t, journal.Options{})
	for _, moved := range []bool{false, true} {
		x, err := postgres.OpenSource(t.Context(), string(p), journal.Options{})
		if err != nil {
			t.Fatal(err)
		}
		unavailable(t, writes(t, j, 1))
		if moved {
			if err := x.Moved(t.Context(), "sqlite:culvert.db"); err != nil {
				t.Fatal(err)
			}
		}
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
		if moved {
			continue
		}
		if _, err := j.Append(t.Context(), []*journal.Record{journaltest.Form(2)}, nil); err != nil {
			t.Errorf("after a move that was given up: %v", err)
		}
	}
	errs := writes(t, j, 3)
	unavailable(t, errs)
	for what, err := range errs {
		var moved *journal.ErrMoved
		if !errors.As(err, &moved) {
			t.Errorf("%s: %v, want where the journal lies", what, err)
		}
	}
	if found, err := j.Select(t.Context(), journal.Filter{}); err != nil || len(found) != 1 {
		t.Errorf("%d records, want the one accepted before: %v", len(found), err)
	}
}

// TestRekeyShutsOldKey encrypts a journal anew that somebody has open with the old key: what they
// would seal nobody could read any more.
func TestRekeyShutsOldKey(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	before, after := []byte(strings.Repeat("a", 32)), []byte(strings.Repeat("b", 32))
	old := p.Open(t, journal.Options{Key: before})
	fresh := p.Open(t, journal.Options{Key: after, OldKeys: [][]byte{before}})
	if _, err := old.Append(t.Context(), []*journal.Record{journaltest.Form(1)}, nil); err != nil {
		t.Fatalf("while keys change: %v", err)
	}
	if _, err := fresh.Rekey(t.Context()); err != nil {
		t.Fatal(err)
	}
	errs := writes(t, old, 2)
	unavailable(t, errs)
	if !errors.Is(errs["append"], journal.ErrKeyWrong) {
		t.Errorf("%v, want that the key does not fit", errs["append"])
	}
	if _, err := fresh.Append(t.Context(), []*journal.Record{journaltest.Form(3)}, nil); err != nil {
		t.Error(err)
	}
	if found, err := fresh.Select(t.Context(), journal.Filter{WithBody: true}); err != nil || len(found) != 2 {
		t.Errorf("%d records, want 2: %v", len(found), err)
	}
}
