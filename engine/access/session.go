package access

import (
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"time"
)

// A session ends after idle without a request, after longest in any case, and when the program ends.
// One that an identity provider vouches for ends after longestProvided: nobody tells us when somebody
// leaves a group over there.
const (
	idle            = 2 * time.Hour
	longest         = 12 * time.Hour
	longestProvided = 4 * time.Hour
	sessionsKept    = 10_000
)

const cookieName = "culvert_session"

type session struct {
	user        string
	identity    *Identity // instead of a user of ours; or nil
	began, last time.Time
}

// Begin gives a user a session, by a cookie that only this site gets back and no script can read.
// secure is for connections by TLS.
func (g *Guard) Begin(w http.ResponseWriter, user *User, secure bool) {
	g.begins(w, &session{user: user.Name}, longest, secure)
}

// BeginProvided gives somebody for whom an identity provider vouches a session; nil: no role is
// granted to them, and there is none.
func (g *Guard) BeginProvided(w http.ResponseWriter, id *Identity, secure bool) *User {
	user := g.provided(id)
	if user != nil {
		g.begins(w, &session{identity: id}, longestProvided, secure)
	}
	return user
}

func (g *Guard) begins(w http.ResponseWriter, begun *session, longest time.Duration, secure bool) {
	token := rand.Text()
	now := g.now()
	begun.began, begun.last = now, now
	g.mu.Lock()
	for key, s := range g.sessions {
		if s.over(now) || len(g.sessions) >= sessionsKept {
			delete(g.sessions, key)
		}
	}
	g.sessions[sha256.Sum256([]byte(token))] = begun
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
	var name string
	var id *Identity
	if s != nil {
		s.last, name, id = now, s.user, s.identity
	}
	g.mu.Unlock()
	switch {
	case s == nil:
		return nil
	case id != nil:
		return g.provided(id)
	}
	return g.named(name)
}

// provided gives the user that an identity is, with the role that is granted to it now; nil: none.
func (g *Guard) provided(id *Identity) *User {
	if g.grants == nil {
		return nil
	}
	role := g.grants(id)
	if role == 0 {
		return nil
	}
	return &User{Name: id.Name, Role: role, Provided: true}
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
	end := longest
	if s.identity != nil {
		end = longestProvided
	}
	return now.Sub(s.last) > idle || now.Sub(s.began) > end
}
