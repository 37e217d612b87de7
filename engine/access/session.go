package access

import (
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"time"
)

// A session ends after idle without a request, after longest in any case, and when the program ends.
const (
	idle         = 2 * time.Hour
	longest      = 12 * time.Hour
	sessionsKept = 10_000
)

const cookieName = "culvert_session"

type session struct {
	user        string
	began, last time.Time
}

// Begin gives a user a session, by a cookie that only this site gets back and no script can read.
// secure is for connections by TLS.
func (g *Guard) Begin(w http.ResponseWriter, user *User, secure bool) {
	token := rand.Text()
	now := g.now()
	g.mu.Lock()
	for key, s := range g.sessions {
		if s.over(now) || len(g.sessions) >= sessionsKept {
			delete(g.sessions, key)
		}
	}
	g.sessions[sha256.Sum256([]byte(token))] = &session{user: user.Name, began: now, last: now}
	g.mu.Unlock()
	http.SetCookie(w, &http.Cookie{Name: cookieName, Value: token, Path: "/", HttpOnly: true, Secure: secure,
		SameSite: http.SameSiteStrictMode, MaxAge: int(longest.Seconds())})
}

// Current gives the user of a request's session, as the users are now; nil when there is none.
func (g *Guard) Current(r *http.Request) *User {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return nil
	}
	key := sha256.Sum256([]byte(cookie.Value))
	g.mu.Lock()
	s := g.sessions[key]
	now := g.now()
	if s != nil && s.over(now) {
		delete(g.sessions, key)
		s = nil
	}
	name := ""
	if s != nil {
		s.last, name = now, s.user
	}
	g.mu.Unlock()
	if s == nil {
		return nil
	}
	return g.named(name)
}

// End ends the session of a request.
func (g *Guard) End(w http.ResponseWriter, r *http.Request) {
	if cookie, err := r.Cookie(cookieName); err == nil {
		g.mu.Lock()
		delete(g.sessions, sha256.Sum256([]byte(cookie.Value)))
		g.mu.Unlock()
	}
	http.SetCookie(w, &http.Cookie{Name: cookieName, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode,
		MaxAge: -1})
}

func (s *session) over(now time.Time) bool {
	return now.Sub(s.last) > idle || now.Sub(s.began) > longest
}
