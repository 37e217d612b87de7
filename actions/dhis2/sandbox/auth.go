package sandbox

import (
	"crypto/subtle"
	"net/http"
	"strings"
	"sync"
)

// The superuser that every sandbox has, with DHIS2's own first password.
const (
	adminName     = "admin"
	adminPassword = "district"
	adminID       = "M5zQapPyTZI"
	superRole     = "yrB6vc5Ip3r"
)

// user is an account with what it may do.
type user struct {
	uid, username      string
	firstName, surname string
	password           string
	authorities        map[string]bool
	super              bool
	capture            []string // org units at and below which it may write data
	search             []string // org units at and below which it may look for tracked entities
	view               []string
	groups             map[string]bool
}

func (u *user) may(authority string) bool { return u.super || u.authorities[authority] }

func (u *user) searchRoots() []string {
	if len(u.search) == 0 {
		return u.capture
	}
	return append(append([]string{}, u.search...), u.capture...)
}

func (u *user) captures(o *orgUnit) bool { return u.super || o.descends(u.capture) }

func (u *user) searches(o *orgUnit) bool { return u.super || o.descends(u.searchRoots()) }

// access gives the rights that a sharing grants to a user, as DHIS2's eight letters.
func (s sharing) allows(u *user, position int, right byte) bool {
	if u.super || s.owner != "" && s.owner == u.uid {
		return true
	}
	has := func(a string) bool { return len(a) > position && a[position] == right }
	if has(s.public) || has(s.users[u.uid]) {
		return true
	}
	for g, a := range s.groups {
		if u.groups[g] && has(a) {
			return true
		}
	}
	return false
}

func (s sharing) read(u *user) bool      { return s.allows(u, 0, 'r') }
func (s sharing) update(u *user) bool    { return s.allows(u, 1, 'w') }
func (s sharing) dataWrite(u *user) bool { return s.allows(u, 3, 'w') }

// dataRead: who may write data may read it.
func (s sharing) dataRead(u *user) bool { return s.allows(u, 2, 'r') || s.dataWrite(u) }

// tokens are the personal access tokens that were given out.
type tokens struct {
	mu    sync.RWMutex
	owner map[string]string // token -> username
	store *store
}

func newTokens(st *store) *tokens {
	t := &tokens{owner: map[string]string{}, store: st}
	for token, name := range st.tokens {
		t.owner[token] = name
	}
	return t
}

func (t *tokens) issue(username string) (string, error) {
	token := newToken()
	t.mu.Lock()
	t.owner[token] = username
	t.mu.Unlock()
	return token, t.store.keepToken(token, username)
}

func (t *tokens) of(token string) (string, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	name, ok := t.owner[token]
	return name, ok
}

// authenticate finds who is asking. When nobody sound is, it has answered already and gives nil.
func (s *Server) authenticate(w http.ResponseWriter, r *http.Request) *user {
	header := r.Header.Get("Authorization")
	scheme, rest, _ := strings.Cut(header, " ")
	switch {
	case header == "":
		if r.Header.Get("X-Requested-With") != "XMLHttpRequest" {
			w.Header().Set("Location", base(r)+s.manners.loginPage())
			w.WriteHeader(http.StatusFound)
			return nil
		}
	case strings.EqualFold(scheme, "Basic"):
		name, password, ok := r.BasicAuth()
		if u := s.catalog.users[name]; ok && u != nil && u.password != "" && subtle.ConstantTimeCompare([]byte(password), []byte(u.password)) == 1 {
			return u
		}
	case strings.EqualFold(scheme, "ApiToken"):
		return s.byToken(w, strings.TrimSpace(rest))
	case strings.EqualFold(scheme, "Bearer"):
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	}
	s.unauthorized(w, http.StatusUnauthorized, "Unauthorized")
	return nil
}

func (s *Server) unauthorized(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", s.manners.jsonType())
	s.write(w, status, message{HTTPStatus: statusText(status), HTTPStatusCode: status, Status: "ERROR", Message: text})
}

func (s *Server) byToken(w http.ResponseWriter, token string) *user {
	if name, ok := s.tokens.of(token); ok {
		return s.catalog.users[name]
	}
	w.Header().Set("WWW-Authenticate", "ApiToken")
	w.Header().Set("Cache-Control", "no-cache, private")
	if s.manners >= 41 && !soundToken(token) {
		s.unauthorized(w, http.StatusBadRequest, "Checksum validation failed")
		return nil
	}
	s.unauthorized(w, http.StatusUnauthorized, "The API token does not exists.")
	return nil
}

// createToken answers POST /api/apiToken.
func (c *call) createToken() {
	if !c.method(http.MethodPost) {
		return
	}
	token, err := c.srv.tokens.issue(c.user.username)
	if err != nil {
		c.srv.fail(c.w, http.StatusInternalServerError, "", err.Error())
		return
	}
	c.srv.say(c.w, http.StatusCreated, "OK", "", object{"responseType": "ApiTokenCreationResponse", "key": token, "uid": newUID()})
}
