package service_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox"
	"github.com/culvert/culvert/engine"
	"github.com/culvert/culvert/engine/notify"
	"github.com/culvert/culvert/engine/service"
	"github.com/culvert/culvert/internal/await"
)

// TestPeopleAreTold refuses the credentials of a running project, and lets them in again.
func TestPeopleAreTold(t *testing.T) {
	dir := registrationProject(t, 100)
	box, err := sandbox.New(sandbox.Options{Metadata: filepath.Join(dir, "input", "tamala.json")})
	if err != nil {
		t.Fatal(err)
	}
	var locked atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if locked.Load() {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(
				`{"httpStatus":"Unauthorized","httpStatusCode":401,"status":"ERROR","message":"Unauthorized"}`))
			return
		}
		box.ServeHTTP(w, r)
	}))
	messages := make(chan notify.Message, 100)
	phone := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var m notify.Message
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			t.Errorf("what arrives is no message: %v", err)
		}
		messages <- m
	}))
	t.Cleanup(func() {
		phone.Close()
		server.Close()
		if err := box.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Setenv("DHIS2_URL", server.URL)
	t.Setenv("TEAM_URL", phone.URL)
	syncProject(t, dir)
	path := filepath.Join(dir, "culvert.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, string(text)+"notify:\n  to:\n    team: {webhook: {url: \"${TEAM_URL}\"}}\n")
	locked.Store(true)
	quick := await.Backoff{Base: 20 * time.Millisecond, Cap: 200 * time.Millisecond}
	_, _, stop := startWith(t, service.Options{Dir: dir, NotifyEvery: 50 * time.Millisecond,
		Limits: engine.Limits{Retry: quick, Parent: quick, Away: quick, Poll: 50 * time.Millisecond}})
	defer stop()
	if err := os.Rename(registrations(t, dir, 10), filepath.Join(dir, "drop", "anc-registrations-1.csv")); err != nil {
		t.Fatal(err)
	}
	wait := func(what string, holds func(notify.Message) bool) {
		t.Helper()
		deadline := time.After(time.Minute)
		for {
			select {
			case m := <-messages:
				if strings.Contains(m.Text(), "Wanjiru") {
					t.Errorf("a message holds a person: %s", m.Text())
				}
				if holds(m) {
					return
				}
			case <-deadline:
				t.Fatalf("nobody was told that %s", what)
			}
		}
	}
	is := func(list []notify.Condition, kind string) bool {
		for _, c := range list {
			if c.Kind == kind && c.Subject == "national" {
				return true
			}
		}
		return false
	}
	wait("the server refuses the credentials", func(m notify.Message) bool { return is(m.New, "credentials") })
	locked.Store(false)
	wait("it is over", func(m notify.Message) bool { return is(m.Resolved, "credentials") })
}
