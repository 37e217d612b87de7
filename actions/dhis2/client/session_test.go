package client

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// door is a server that gives sessions and counts how often it has to check the password.
type door struct {
	mu      sync.Mutex
	valid   map[string]bool
	checked int
	given   int
	answer  func(w http.ResponseWriter, r *http.Request, inSession bool) bool // true: answered
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	inSession := false
	if c, err := r.Cookie("JSESSIONID"); err == nil {
		inSession = d.valid[c.Value]
	}
	if d.answer != nil && d.answer(w, r, inSession) {
		return
	}
	if user, password, ok := r.BasicAuth(); !inSession {
		d.checked++
		if !ok || user != "admin" || password != "s3cret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		d.given++
		id := fmt.Sprintf("session-%d", d.given)
		d.valid[id] = true
		http.SetCookie(w, &http.Cookie{Name: "JSESSIONID", Value: id, Path: "/", HttpOnly: true})
	}
	fmt.Fprint(w, `{"version":"2.42.4","id":"u"}`)
}

func TestSession(t *testing.T) {
	now := atomic.Int64{}
	d := &door{valid: map[string]bool{}}
	c := real(t, d.ServeHTTP, func(o *Options) {
		o.Now = func() time.Time { return fixedNow.Add(time.Duration(now.Load())) }
	})
	ping := func(what string, checked int) {
		t.Helper()
		if err := c.Ping(context.Background()); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if d.checked != checked {
			t.Errorf("%s: the password was checked %d times, want %d", what, d.checked, checked)
		}
	}
	for range 5 {
		ping("in one session", 1)
	}
	d.valid = map[string]bool{}
	ping("the session has ended", 2)
	ping("in the next one", 2)
	now.Store(int64(sessionAge))
	ping("the session is old", 3)
	ping("in the third", 3)
	d.answer = func(w http.ResponseWriter, r *http.Request, inSession bool) bool {
		if inSession {
			http.Redirect(w, r, "/login?expired=true", http.StatusFound)
		}
		return inSession
	}
	ping("an ended session leads to the login page", 4)
	d.answer = func(w http.ResponseWriter, r *http.Request, inSession bool) bool {
		if _, err := r.Cookie("JSESSIONID"); err == nil {
			w.WriteHeader(http.StatusUnauthorized)
			return true
		}
		return false
	}
	ping("an ended session is refused", 5)
	d.answer = func(w http.ResponseWriter, r *http.Request, inSession bool) bool {
		if inSession {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"httpStatusCode":403,"status":"ERROR","message":"no CSRF token"}`)
		}
		return inSession
	}
	ping("sessions are refused", 6)
	ping("none is used any more", 7)
}

func TestWrongPasswordIsSaidOnce(t *testing.T) {
	asked := atomic.Int64{}
	c := real(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusUnauthorized)
	}, nil)
	if e := asError(t, c.Ping(context.Background())); e.Kind != Unauthorized || asked.Load() != 1 {
		t.Errorf("%v after %d requests", e, asked.Load())
	}
}

// TestCookiesStay holds that a cookie goes neither to where a redirect leads nor, being secure, over an open line.
func TestCookiesStay(t *testing.T) {
	var sent []string
	c, err := New(Options{
		URL: "http://dhis2.example.org", Credentials: Credentials{Token: "t"},
		Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			sent = append(sent, r.URL.Host+" "+r.Header.Get("Cookie"))
			a := text(200, `{"id":"u"}`)
			if len(sent) == 1 {
				a.Header["Set-Cookie"] = []string{"secure=x; Path=/; Secure", "plain=x; Path=/"}
			} else {
				a.StatusCode = 302
				a.Header.Set("Location", "http://elsewhere.example.org/api/me")
			}
			return a, nil
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Ping(context.Background()); err != nil {
		t.Fatal(err)
	}
	if e := asError(t, c.Ping(context.Background())); e.Kind != NotDHIS2 {
		t.Error(e)
	}
	if want := []string{"dhis2.example.org ", "dhis2.example.org plain=x", "dhis2.example.org "}; !slices.Equal(sent,
		want) {
		t.Errorf("sent %q, want %q", sent, want)
	}
}

// TestOneSessionForMany holds that requests that begin together do not each have their password checked.
func TestOneSessionForMany(t *testing.T) {
	d := &door{valid: map[string]bool{}}
	c := real(t, d.ServeHTTP, nil)
	var together sync.WaitGroup
	for range 8 {
		together.Go(func() {
			if _, _, err := c.Version(context.Background()); err != nil {
				t.Error(err)
			}
			if err := c.Ping(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	together.Wait()
	if d.checked != 1 {
		t.Errorf("the password was checked %d times", d.checked)
	}
}
