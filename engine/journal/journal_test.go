package journal_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
)

// TestSubject words filters for the audit trail, which is kept for ever: it must not tell of a person.
func TestSubject(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		f    journal.Filter
		want string
	}{
		{journal.Filter{}, "all"},
		{journal.Filter{Rule: "anc", Code: "E1064", Class: actions.ClassData}, "rule anc, code E1064, class data"},
		{journal.Filter{Seq: 7}, "record 7"},
		{journal.Filter{Key: "case-4711"}, "records of one key or id"},
		{journal.Filter{ID: "form-4711", FileID: "f1", Cause: "no date"}, "cause no date, file f1, records of one key or id"},
		{journal.Filter{Since: day, Until: day.Add(time.Hour)}, "since 2026-03-02 08:00, until 2026-03-02 09:00"},
	} {
		got := c.f.Subject()
		if got != c.want || strings.Contains(got, "4711") {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	cause := errors.New("disk")
	gone := &journal.ErrUnavailable{Reason: "the disk is full", Err: cause}
	if !errors.Is(gone, cause) || gone.Error() != "the journal is not available: the disk is full" {
		t.Error(gone)
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{&journal.ErrNewer{Place: "culvert.db", Found: 3, Known: 2},
			"culvert.db was written by a newer version of culvert (journal format 3, this one knows up to 2)"},
		{&journal.ErrInUse{Place: "culvert.db"}, "another runner is working on culvert.db: stop it first"},
	} {
		if !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%q lacks %q", c.err, c.want)
		}
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	o := journal.Options{}.WithDefaults()
	if o.Logger == nil || o.Now == nil || o.Lease != journal.DefaultLease {
		t.Errorf("defaults are %+v", o)
	}
	if o = (journal.Options{Lease: time.Second}).WithDefaults(); o.Lease != time.Second {
		t.Errorf("a lease of a second became %s", o.Lease)
	}
}
