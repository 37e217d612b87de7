package client

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"sync"
	"time"
)

// sessionAge is how long a session is used. Rights that a user is given meanwhile may count from
// the next session on only.
const sessionAge = 5 * time.Minute

// session keeps the cookies that a server gives, in memory: checking a password costs DHIS2 some 70
// ms on every request without one. The credentials go with every request all the same, so that a
// session that ended is followed by the next without a word. Cookies go to the server that gave
// them and nowhere else: redirects are never followed, and a jar hands them out by host, path and
// scheme. Safe for concurrent use.
type session struct {
	now func() time.Time

	mu      sync.Mutex
	jar     http.CookieJar // nil: none yet
	began   time.Time
	number  int  // of the session, 1 for the first
	refused bool // the server refuses with a session what it allows without
}

// apply adds the session's cookies to a request and tells which session that is, 0 for none.
func (s *session) apply(r *http.Request) (number int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.jar == nil || s.refused {
		return 0
	}
	if s.now().Sub(s.began) >= sessionAge {
		s.jar = nil
		return 0
	}
	cookies := s.jar.Cookies(r.URL)
	for _, c := range cookies {
		r.AddCookie(c)
	}
	if len(cookies) == 0 {
		return 0
	}
	return s.number
}

// keep takes the cookies of an answer. used is the session that went with the request: an answer to
// one that has ended since brings nothing.
func (s *session) keep(from *url.URL, cookies []*http.Cookie, used int) {
	if len(cookies) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refused || used != 0 && (s.jar == nil || used != s.number) {
		return
	}
	if s.jar == nil {
		jar, err := cookiejar.New(nil)
		if err != nil {
			return // cannot be without options; requests work without cookies too
		}
		s.jar, s.began = jar, s.now()
		s.number++
	}
	s.jar.SetCookies(from, cookies)
}

// end forgets a session.
func (s *session) end(number int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.number == number {
		s.jar = nil
	}
}

// refuse ends the use of sessions for good.
func (s *session) refuse() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused, s.jar = true, nil
}

// mayBeTheSession tells whether an answer may be due to a session that ended, or that another
// protection of the server does not take.
func mayBeTheSession(a *answer) bool {
	return a != nil && a.session != 0 && (a.status == http.StatusUnauthorized || a.status == http.StatusForbidden ||
		a.status >= 300 && a.status < 400)
}
