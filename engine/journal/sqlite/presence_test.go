package sqlite

import (
	"bytes"
	"database/sql"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/engine/journal"
)

// What the index has is never denied, however it grows and whoever adds to it, and most of what it lacks is.
func TestPresence(t *testing.T) {
	path := filepath.Join(t.TempDir(), "culvert.db")
	small := sizes{generation: 50, slice: 20, questions: 10, presence: 64, log: 3, pages: 1, terms: 4, termSlice: 2}
	s, err := open(t.Context(), path, journal.Options{}, small)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	readings := 0
	var last *presence
	grow := func(to int) {
		for i := range to {
			keepForm(t, s, fmt.Sprintf("form-%d", i))
			inspect(t, s, func(x *tx) error {
				if p := x.w.finder.table.now; p != nil && p != last {
					last = p
					readings++
				}
				return nil
			})
		}
	}
	grow(600)
	if readings < 3 {
		t.Errorf("it was read %d times while the index grew", readings)
	}
	checkPresence(t, s)

	other, err := open(t.Context(), path, journal.Options{}, small)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		keepForm(t, other, fmt.Sprintf("other-%d", i))
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	inspect(t, s, func(x *tx) error {
		if x.w.finder.table.now != nil {
			t.Error("it is trusted though another process has written")
		}
		return nil
	})
	grow(700)
	checkPresence(t, s)
}

func keepForm(t *testing.T, s *Store, id string) {
	t.Helper()
	now := time.Now()
	form := &journal.Record{Rule: "cases", ID: id, Key: id, Content: 1, Received: now, State: journal.Pending,
		Body: []byte(`{}`)}
	if _, err := s.Append(t.Context(), []*journal.Record{form}, nil); err != nil {
		t.Fatal(err)
	}
}

func inspect(t *testing.T, s *Store, look func(*tx) error) {
	t.Helper()
	if err := s.writer.change(t.Context(), 1, look); err != nil {
		t.Fatal(err)
	}
}

// checkPresence waits for a reading and compares it with the table.
func checkPresence(t *testing.T, s *Store) {
	t.Helper()
	for {
		done := false
		inspect(t, s, func(x *tx) error {
			table := &x.w.finder.table
			if table.now == nil || table.next != nil {
				return nil
			}
			done = true
			entries := 0
			rows, err := x.query("SELECT hash FROM finder")
			err = scan(rows, err, func(r *sql.Rows) error {
				var hash int64
				err := r.Scan(&hash)
				if entries++; !table.mayHave(hash) {
					t.Errorf("%d is denied", hash)
				}
				return err
			})
			believed := 0
			for range 1000 {
				if table.mayHave(int64(rand.Uint64())) {
					believed++
				}
			}
			if entries < 500 || believed > 250 {
				t.Errorf("with %d entries, %d of 1000 others are thought to be in the table", entries, believed)
			}
			return err
		})
		if done {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// An index that cannot be read in the background is asked for every record, and nothing is taken twice.
func TestPresenceUnreadable(t *testing.T) {
	var said bytes.Buffer
	s, err := open(t.Context(), filepath.Join(t.TempDir(), "culvert.db"),
		journal.Options{Logger: slog.New(slog.NewTextHandler(&said, nil))},
		sizes{generation: 5, slice: 2, questions: 3, presence: 64, log: 3, pages: 1, terms: 4, termSlice: 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.read.close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for i := range 60 {
			keepForm(t, s, fmt.Sprintf("form-%d", i))
		}
	}
	inspect(t, s, func(x *tx) error {
		var records int
		err := x.queryRow("SELECT count(*) FROM records").Scan(&records)
		if records != 60 || x.w.finder.table.now != nil {
			t.Errorf("%d records of 60 forms sent twice; the index is trusted: %v", records, x.w.finder.table.now != nil)
		}
		return err
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(said.String(), "read which records are indexed") {
		t.Errorf("the log does not say that the index cannot be read: %s", said.String())
	}
}
