package console

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/culvert/culvert/engine/journal"
)

// away is a journal that cannot be read, and answers when it is let.
type away struct {
	journal.Journal
	asked  atomic.Int32
	answer chan struct{}
}

var errAway = errors.New("the database is away")

func (j *away) Summary(ctx context.Context) (journal.Summary, error) {
	j.asked.Add(1)
	<-j.answer
	return journal.Summary{}, errors.Join(errAway, ctx.Err())
}

// TestOneLookForAll has many watch a journal that fails: it is asked once, and the one who asked
// first may go.
func TestOneLookForAll(t *testing.T) {
	_, real := fixture(t, Config{})
	j := &away{Journal: real, answer: make(chan struct{})}
	s := &Console{c: Config{Journal: j, Running: newProject(), Now: time.Now}}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 {
		if _, err := s.stamp(gone); !errors.Is(err, context.Canceled) {
			t.Errorf("who has gone: %v", err)
		}
	}
	x := &s.watching
	x.mu.Lock()
	ended := x.looking
	x.mu.Unlock()
	close(j.answer)
	<-ended
	x.mu.Lock()
	x.at = time.Now().Add(time.Hour) // however long this test is held up
	x.mu.Unlock()
	if _, err := s.stamp(t.Context()); !errors.Is(err, errAway) || errors.Is(err, context.Canceled) {
		t.Errorf("a watcher hears %v", err)
	}
	if n := j.asked.Load(); n != 1 {
		t.Errorf("the journal was asked %d times", n)
	}
}

// patient is an answer that notes until when it may be written.
type patient struct {
	*httptest.ResponseRecorder
	until time.Time
}

func (w *patient) SetWriteDeadline(t time.Time) error { w.until = t; return nil }

// TestLongRequests gives what takes long more time than the server's two minutes.
func TestLongRequests(t *testing.T) {
	for name, c := range map[string]struct{ method, path, form string }{
		"a sync":               {http.MethodPost, "/console/sync", "server=national"},
		"a file":               {http.MethodGet, "/console/files/1/results", ""},
		"what failed":          {http.MethodGet, "/console/failures/download?rule=anc", ""},
		"an upload that fails": {http.MethodPost, "/console/upload", ""},
	} {
		t.Run(name, func(t *testing.T) {
			srv, _ := fixture(t, Config{})
			r := httptest.NewRequestWithContext(t.Context(), c.method, c.path, strings.NewReader(c.form))
			r.SetBasicAuth("otto", "of-the-operator")
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			w := &patient{ResponseRecorder: httptest.NewRecorder()}
			srv.Config.Handler.ServeHTTP(w, r)
			if time.Until(w.until) < 10*time.Minute {
				t.Errorf("answered until %v", w.until)
			}
		})
	}
}

// TestSyncGoesOn syncs though the visitor has gone, and ends when the process stops.
func TestSyncGoesOn(t *testing.T) {
	done := make(chan struct{})
	s := &Console{c: Config{Done: done}}
	gone, leave := context.WithCancel(t.Context())
	ctx, cancel := s.detached(gone, time.Hour)
	defer cancel()
	if leave(); ctx.Err() != nil {
		t.Error("it ends with the visit")
	}
	close(done)
	<-ctx.Done()
}
