package access

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func guard(t *testing.T, users []User) (*Guard, *clock, *bytes.Buffer) {
	t.Helper()
	c := &clock{time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)}
	var log bytes.Buffer
	return New(func() []User { return users }, slog.New(slog.NewTextHandler(&log, nil)), c.now), c, &log
}

func TestUsersInAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "users.json")
	if users, err := Read(path); err != nil || len(users) > 0 {
		t.Fatalf("without a file: %v, %v", users, err)
	}
	made, err := Set(path, "aminata", Operator, "")
	if err != nil || len(made) < 20 {
		t.Fatalf("made the password %q: %v", made, err)
	}
	again, err := Set(path, "aminata", Viewer, "")
	if err != nil || again == made {
		t.Fatalf("made the password %q: %v", again, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v: %v", info.Mode(), err)
	}
	text, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(text), again) {
		t.Errorf("the file tells the password: %v", err)
	}
	users, err := Read(path)
	if err != nil || len(users) != 1 || users[0].Role != Viewer {
		t.Fatalf("users: %+v, %v", users, err)
	}
	g, _, _ := guard(t, users)
	for password, want := range map[string]bool{again: true, made: false, "": false} {
		if u, err := g.Check("aminata", password, "192.0.2.1"); err != nil || (u != nil) != want {
			t.Errorf("let in %v, want %v: %v", u != nil, want, err)
		}
	}
	if u, _ := g.Check("aminata", again, "192.0.2.1"); u == nil {
		t.Error("not let in the second time")
	}
	if there, err := Remove(path, "aminata"); err != nil || !there {
		t.Errorf("remove: %v, %v", there, err)
	}
	if there, err := Remove(path, "aminata"); err != nil || there {
		t.Errorf("remove again: %v, %v", there, err)
	}
	for _, bad := range []string{"", "a b", "../x", strings.Repeat("a", 65), "a\x1b[2J"} {
		if _, err := Set(path, bad, Viewer, ""); err == nil {
			t.Errorf("%q is a name", bad)
		}
	}
	if _, err := Set(path, "short", Viewer, "123456789"); err == nil {
		t.Error("a short password was taken")
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); err == nil || !strings.Contains(err.Error(), "culvert user add") {
		t.Errorf("a broken file: %v", err)
	}
}

// TestUsersAddedAtOnce adds users at the same moment, as several processes would: each has a lock
// of its own on the file.
func TestUsersAddedAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "users.json")
	var wg sync.WaitGroup
	const users = 5
	for n := range users {
		wg.Go(func() {
			if _, err := Set(path, fmt.Sprintf("user-%d", n), Viewer, ""); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if kept, err := Read(path); err != nil || len(kept) != users {
		t.Errorf("%d of %d users were kept: %v", len(kept), users, err)
	}
}

func TestThrottleOfAnAddress(t *testing.T) {
	g, c, log := guard(t, []User{{Name: "ada", Role: Admin, Password: "of-the-admin"},
		{Name: "otto", Role: Viewer, Password: "of-the-operator"}})
	for n := range freeFailures {
		if _, err := g.Check("ada", "wrong", "192.0.2.1"); err != nil {
			t.Fatalf("failure %d: %v", n, err)
		}
	}
	var wait *ErrThrottled
	if _, err := g.Check("ada", "of-the-admin", "192.0.2.1"); !errors.As(err, &wait) || wait.After != firstWait {
		t.Errorf("the right password is looked at: %v", err)
	}
	if _, err := g.Check("otto", "of-the-operator", "192.0.2.1"); !errors.As(err, &wait) {
		t.Errorf("another name from the same address is looked at: %v", err)
	}
	if u, err := g.Check("ada", "of-the-admin", "192.0.2.9"); err != nil || u == nil {
		t.Errorf("the user at another address is stopped by it: %v", err)
	}
	for range 40 { // it never ends for ever
		c.at = c.at.Add(longestWait)
		if _, err := g.Check("ada", "wrong", "192.0.2.1"); err != nil {
			t.Fatal(err)
		}
	}
	c.at = c.at.Add(longestWait)
	if u, err := g.Check("ada", "of-the-admin", "192.0.2.1"); err != nil || u == nil {
		t.Errorf("the right password after the wait: %v", err)
	}
	if !strings.Contains(log.String(), "user=ada") || strings.Contains(log.String(), "wrong") {
		t.Errorf("log: %s", log)
	}
	log.Reset()
	if u, err := g.Check("hunter2", "x", "192.0.2.3"); u != nil || err != nil ||
		strings.Contains(log.String(), "hunter2") || !strings.Contains(log.String(), "192.0.2.3") {
		t.Errorf("what may be a password is in the log: %s", log)
	}
}

// TestThrottleOfAName guesses the password of one user from many addresses: guessing gets slow, and
// the user is let in where they always were.
func TestThrottleOfAName(t *testing.T) {
	g, c, _ := guard(t, []User{{Name: "ada", Role: Admin, Password: "of-the-admin"},
		{Name: "otto", Role: Viewer, Password: "of-the-operator"}})
	if u, err := g.Check("ada", "of-the-admin", "192.0.2.1"); err != nil || u == nil {
		t.Fatal(err)
	}
	refused := 0
	for n := range 500 {
		if _, err := g.Check("ada", "wrong", fmt.Sprintf("198.51.%d.%d", 100+n/250, n%250)); err != nil {
			refused++
		}
	}
	if looked := 500 - refused; looked > freeOfName {
		t.Errorf("%d guesses of one moment were looked at", looked)
	}
	if u, err := g.Check("ada", "of-the-admin", "192.0.2.1"); err != nil || u == nil {
		t.Errorf("the user is locked out: %v", err)
	}
	if u, err := g.Check("otto", "of-the-operator", "203.0.113.1"); err != nil || u == nil {
		t.Errorf("another user is locked out: %v", err)
	}
	c.at = c.at.Add(longestOfName)
	if u, err := g.Check("ada", "of-the-admin", "203.0.113.2"); err != nil || u == nil {
		t.Errorf("the user is locked out elsewhere for longer than a while: %v", err)
	}
}

// TestThrottleInAFlood has an address wait, and floods the memory of failures from others: the wait stays.
func TestThrottleInAFlood(t *testing.T) {
	th := newThrottle()
	now := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	for range freeFailures + 5 {
		th.begin(visit{"ada", "192.0.2.1"}, false, now)
		now = now.Add(longestWait)
	}
	th.begin(visit{"ada", "192.0.2.1"}, false, now)
	for n := range failuresKept + 500 {
		th.begin(visit{fmt.Sprint("nobody-", n), fmt.Sprint("address ", n)}, false, now)
	}
	if len(th.addresses) > failuresKept || len(th.names) > 0 {
		t.Errorf("%d addresses and %d names are kept", len(th.addresses), len(th.names))
	}
	if wait := th.begin(visit{"ada", "192.0.2.1"}, false, now); wait <= 0 {
		t.Error("a flood from elsewhere sets the address free")
	}
}

// TestGuessesAtOnce sends many guesses at the same moment: no more are looked at than one after the other would be.
func TestGuessesAtOnce(t *testing.T) {
	g, _, _ := guard(t, []User{{Name: "ada", Role: Admin, Password: "of-the-admin"}})
	var looked atomic.Int64
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, err := g.Check("ada", "wrong", "2001:db8::1"); err == nil {
				looked.Add(1)
			}
		})
	}
	wg.Wait()
	if n := looked.Load(); n > freeFailures {
		t.Errorf("%d guesses were looked at", n)
	}
	if _, err := g.Check("ada", "of-the-admin", "2001:db8::2"); err == nil {
		t.Error("another address of the same network is not stopped")
	}
}

func TestSessionsEnd(t *testing.T) {
	users := []User{{Name: "ada", Role: Admin, Password: "of-the-admin"}}
	g, c, _ := guard(t, nil)
	g.users = func() []User { return users }
	begin := func() *http.Request {
		w := httptest.NewRecorder()
		g.Begin(w, &users[0], true)
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.AddCookie(w.Result().Cookies()[0])
		return r
	}
	r := begin()
	for range 5 {
		c.at = c.at.Add(idle)
		if u := g.Current(r); u == nil || u.Role != Admin {
			t.Fatal("a session in use has ended")
		}
	}
	c.at = c.at.Add(idle + 1)
	if g.Current(r) != nil {
		t.Error("an idle session goes on")
	}
	r = begin()
	for at := c.at; c.at.Sub(at) <= longest; c.at = c.at.Add(time.Hour) {
		if g.Current(r) == nil {
			t.Fatal("a session in use has ended")
		}
	}
	if g.Current(r) != nil {
		t.Error("a session goes on for ever")
	}
	r = begin()
	users[0].Role = Viewer
	if u := g.Current(r); u == nil || u.Role != Viewer {
		t.Error("a change of role is not taken up")
	}
	users = nil
	if g.Current(r) != nil {
		t.Error("a user who was removed is still in")
	}
}

// TestSessionsOfAProvider end after a time, and when no role is granted any more. They are never
// those of a user of the same name.
func TestSessionsOfAProvider(t *testing.T) {
	g, c, _ := guard(t, []User{{Name: "ada", Role: Admin, Password: "of-the-admin"}})
	id := &Identity{Name: "ada", Subject: "1", Values: []string{"ops"}}
	if w := httptest.NewRecorder(); g.BeginProvided(w, id, true) != nil || len(w.Result().Cookies()) > 0 {
		t.Error("somebody comes in though nothing grants a role")
	}
	role := Operator
	g.Grant(func(*Identity) Role { return role })
	begin := func() *http.Request {
		w := httptest.NewRecorder()
		if u := g.BeginProvided(w, id, true); u == nil || u.Role != role || !u.Provided {
			t.Fatalf("let in as %+v", u)
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.AddCookie(w.Result().Cookies()[0])
		return r
	}
	r := begin()
	for at := c.at; c.at.Sub(at) <= longestProvided; c.at = c.at.Add(time.Hour) {
		if u := g.Current(r); u == nil || u.Role != Operator || !u.Provided {
			t.Fatalf("the session is %+v", u)
		}
	}
	if g.Current(r) != nil {
		t.Error("the session goes on for as long as one of a user")
	}
	r = begin()
	if role = Viewer; g.Current(r).Role != Viewer {
		t.Error("a change of role is not taken up")
	}
	if role = 0; g.Current(r) != nil {
		t.Error("the session goes on without a role")
	}
}

// TestThrottleOfAProvider counts log-ins by a provider that fail, not those that are nobody's fault.
func TestThrottleOfAProvider(t *testing.T) {
	g, c, _ := guard(t, nil)
	attempt := func() *Attempt {
		a, err := g.Attempt("192.0.2.1")
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	for range freeFailures * 3 {
		attempt().Forgive()
	}
	for range freeFailures {
		attempt()
	}
	var wait *ErrThrottled
	if _, err := g.Attempt("192.0.2.1"); !errors.As(err, &wait) || wait.After != firstWait {
		t.Errorf("the next one: %v", err)
	}
	if _, err := g.Attempt("192.0.2.2"); err != nil {
		t.Errorf("another address is stopped: %v", err)
	}
	c.at = c.at.Add(firstWait)
	attempt().Succeeded()
	for range freeFailures {
		attempt()
	}
}

// TestDecoyTakesAsLong keeps the hash of nobody as costly as those of users, so that names cannot be told by the time.
func TestDecoyTakesAsLong(t *testing.T) {
	if cost, err := bcrypt.Cost([]byte(decoy)); cost != bcrypt.DefaultCost || err != nil {
		t.Errorf("the decoy costs %d (%v), users' hashes %d", cost, err, bcrypt.DefaultCost)
	}
}
