package sandbox

import (
	"crypto/subtle"
	"net/http"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
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

// knows tells whether a password is that of the user.
func (u *user) knows(password string) bool {
	return u.password != "" && subtle.ConstantTimeCompare([]byte(password), []byte(u.password)) == 1
}

// tokens are the personal access tokens that were given out.
type tokens struct {
	mu    sync.RWMutex
	given map[string]*tokenState // by token
	store *store
}

// tokenState is a personal access token: whose it is, until when, and what it may be used for. What is empty limits nothing.
type tokenState struct {
	Token    string     `json:"token"`
	User     string     `json:"user"`
	UID      string     `json:"uid,omitempty"`
	Expires  *time.Time `json:"expires,omitempty"`
	Methods  []string   `json:"methods,omitempty"`
	IPs      []string   `json:"ips,omitempty"`
	Referers []string   `json:"referers,omitempty"`
	Gone     bool       `json:"gone,omitempty"`
}

func newTokens(st *store) *tokens {
	t := &tokens{given: map[string]*tokenState{}, store: st}
	for token, given := range st.tokens {
		t.given[token] = given
	}
	return t
}

// issue gives out a token that is limited to nothing, for a month.
func (t *tokens) issue(username string) (string, error) {
	month := t.store.now().Add(tokenLife)
	given := &tokenState{Token: newToken(), User: username, UID: newUID(), Expires: &month}
	return given.Token, t.keep(given)
}

// tokenLife is how long a token is good that does not say (DHIS2 ApiTokenController).
const tokenLife = 30 * 24 * time.Hour

func (t *tokens) keep(given *tokenState) error {
	t.mu.Lock()
	t.given[given.Token] = given
	t.mu.Unlock()
	return t.store.keepToken(given)
}

func (t *tokens) of(token string) *tokenState {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if given := t.given[token]; given != nil && !given.Gone {
		return given
	}
	return nil
}

// by gives the tokens of a user.
func (t *tokens) by(username string) []*tokenState {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var out []*tokenState
	for _, given := range t.given {
		if given.User == username && !given.Gone {
			out = append(out, given)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].UID < out[j].UID })
	return out
}

// refuses says why a request may not use a token; empty when it may (DHIS2 Dhis2ApiTokenFilter).
func (g *tokenState) refuses(r *http.Request, now time.Time) string {
	switch {
	case g.Expires != nil && now.After(*g.Expires):
		return "Failed to authenticate API token, token has expired."
	case len(g.IPs) > 0 && !contains(g.IPs, remote(r)):
		return "Failed to authenticate API token, request ip address is not allowed."
	case len(g.Referers) > 0 && !contains(g.Referers, strings.ToLower(r.Header.Get("Referer"))):
		return "Failed to authenticate API token, request http referrer is missing or not allowed."
	case len(g.Methods) > 0 && !contains(g.Methods, r.Method):
		return "Failed to authenticate API token, request http method is not allowed."
	}
	return ""
}

// authenticate finds who is asking. When nobody sound is, it has answered already and gives nil.
func (s *Server) authenticate(w http.ResponseWriter, r *http.Request) *user {
	header := r.Header.Get("Authorization")
	scheme, rest, _ := strings.Cut(header, " ")
	in := s.catalog.users[s.sessions.of(r, s.now())]
	switch {
	case header == "" && in != nil:
		return in
	case header == "":
		if r.Header.Get("X-Requested-With") != "XMLHttpRequest" {
			w.Header().Set("Location", base(r)+s.manners.loginPage())
			w.WriteHeader(http.StatusFound)
			return nil
		}
	case strings.EqualFold(scheme, "Basic"):
		name, password, ok := r.BasicAuth()
		if in != nil && ok && in.username == name {
			return in // who is logged in is not asked for the password again
		}
		if u := s.catalog.users[name]; ok && u != nil && u.knows(password) {
			s.giveSession(w, u)
			return u
		}
	case strings.EqualFold(scheme, "ApiToken"):
		return s.byToken(w, r, strings.TrimSpace(rest))
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

func (s *Server) byToken(w http.ResponseWriter, r *http.Request, token string) *user {
	text := "The API token does not exists."
	if given := s.tokens.of(token); given != nil {
		if text = given.refuses(r, s.now()); text == "" {
			return s.catalog.users[given.User]
		}
	}
	w.Header().Set("WWW-Authenticate", "ApiToken")
	w.Header().Set("Cache-Control", "no-cache, private")
	if s.manners >= 41 && !soundToken(token) {
		s.unauthorized(w, http.StatusBadRequest, "Checksum validation failed")
		return nil
	}
	s.unauthorized(w, http.StatusUnauthorized, text)
	return nil
}

// apiTokens answers what is below /api/apiToken and /api/apiTokens.
func (c *call) apiTokens() {
	switch {
	case len(c.path) == 1 && c.r.Method == http.MethodPost:
		c.createToken()
	case len(c.path) == 1:
		if c.method(http.MethodGet, http.MethodPost) {
			items := []any{}
			for _, given := range c.srv.tokens.by(c.user.username) {
				items = append(items, given.shown())
			}
			c.srv.json(c.w, http.StatusOK, object{"apiToken": items})
		}
	default:
		c.oneToken()
	}
}

func (c *call) oneToken() {
	if !c.method(http.MethodGet, http.MethodDelete) {
		return
	}
	for _, given := range c.srv.tokens.by(c.user.username) {
		if given.UID != c.at(1) || len(c.path) > 2 {
			continue
		}
		if c.r.Method != http.MethodDelete {
			c.srv.json(c.w, http.StatusOK, given.shown())
			return
		}
		gone := *given
		gone.Gone = true
		if err := c.srv.tokens.keep(&gone); err != nil {
			c.srv.fail(c.w, http.StatusInternalServerError, "", err.Error())
			return
		}
		c.srv.say(c.w, http.StatusOK, "OK", "", object{"responseType": c.srv.manners.reportType("ObjectReport"), "uid": given.UID,
			"klass": "org.hisp.dhis.security.apikey.ApiToken", "errorReports": []any{}})
		return
	}
	c.srv.fail(c.w, http.StatusNotFound, "E1005", "ApiToken with id "+c.at(1)+" could not be found.")
}

// shown is what is told of a token: not the token itself.
func (g *tokenState) shown() object {
	o := object{"id": g.UID, "version": 2, "type": "PERSONAL_ACCESS_TOKEN_V2", "attributes": []any{}}
	if g.Expires != nil {
		o["expire"] = g.Expires.UnixMilli()
	}
	var limits []any
	for _, l := range []struct {
		kind, name string
		items      []string
	}{{"MethodAllowedList", "allowedMethods", g.Methods}, {"IpAllowedList", "allowedIps", g.IPs}, {"RefererAllowedList", "allowedReferrers", g.Referers}} {
		if len(l.items) > 0 {
			limits = append(limits, object{"type": l.kind, l.name: l.items})
		}
	}
	if limits != nil {
		o["attributes"] = limits
	}
	return o
}

// createToken answers POST /api/apiToken: how long it is good, and what for, may be said.
func (c *call) createToken() {
	given := &tokenState{Token: newToken(), User: c.user.username, UID: newUID()}
	body, p := c.srv.readBody(c.w, c.r)
	var root *node
	var err error
	if p == nil && len(strings.TrimSpace(string(body))) > 0 {
		root, err = parseJSON(body)
	}
	if p == nil && (err != nil || root != nil && root.kind != jsonObject) {
		p = refuse(http.StatusBadRequest, "", "JSON parse error")
	}
	if p != nil {
		c.srv.refused(c.w, p)
		return
	}
	until := c.srv.now().Add(tokenLife)
	if root != nil {
		if n := root.get("expire"); n != nil {
			ms, err := strconv.ParseInt(n.text, 10, 64)
			if err != nil {
				c.srv.fail(c.w, http.StatusBadRequest, "", "JSON parse error: expire is no time in milliseconds")
				return
			}
			until = time.UnixMilli(ms)
		}
		given.limit(root.get("attributes"))
	}
	given.Expires = &until
	if err := c.srv.tokens.keep(given); err != nil {
		c.srv.fail(c.w, http.StatusInternalServerError, "", err.Error())
		return
	}
	c.srv.say(c.w, http.StatusCreated, "OK", "", object{"responseType": "ApiTokenCreationResponse", "key": given.Token, "uid": given.UID})
}

// limit reads what a token may be used for.
func (g *tokenState) limit(attributes *node) {
	if attributes == nil {
		return
	}
	for _, a := range attributes.items {
		for name, into := range map[string]*[]string{"allowedMethods": &g.Methods, "allowedIps": &g.IPs, "allowedReferrers": &g.Referers} {
			if l := a.get(name); l != nil {
				for _, it := range l.items {
					*into = append(*into, it.text)
				}
			}
		}
	}
}
