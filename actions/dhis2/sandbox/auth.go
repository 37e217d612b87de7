package sandbox

import (
	"net/http"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

// tokens are the personal access tokens that were given out.
type tokens struct {
	mu    sync.RWMutex
	given map[string]*tokenState // by token
	store *store
}

func newTokens(st *store) *tokens {
	t := &tokens{given: map[string]*tokenState{}, store: st}
	for token, given := range st.tokens {
		t.given[token] = given
	}
	return t
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
func refuses(g *tokenState, r *http.Request, now time.Time) string {
	switch {
	case g.Expires != nil && now.After(*g.Expires):
		return "Failed to authenticate API token, token has expired."
	case len(g.IPs) > 0 && !slices.Contains(g.IPs, remote(r)):
		return "Failed to authenticate API token, request ip address is not allowed."
	case len(g.Referers) > 0 && !slices.Contains(g.Referers, strings.ToLower(r.Header.Get("Referer"))):
		return "Failed to authenticate API token, request http referrer is missing or not allowed."
	case len(g.Methods) > 0 && !slices.Contains(g.Methods, r.Method):
		return "Failed to authenticate API token, request http method is not allowed."
	}
	return ""
}

// authenticate finds who is asking. When nobody sound is, it has answered already and gives nil.
func (c *apiCall) authenticate() *user {
	header := c.r.Header.Get("Authorization")
	scheme, rest, _ := strings.Cut(header, " ")
	in := c.catalog.users[c.srv.sessions.of(c.r, c.now())]
	switch {
	case header == "" && in != nil:
		return in
	case header == "":
		if c.r.Header.Get("X-Requested-With") != "XMLHttpRequest" {
			c.w.Header().Set("Location", c.base()+c.manners.loginPage())
			c.w.WriteHeader(http.StatusFound)
			return nil
		}
	case strings.EqualFold(scheme, "Basic"):
		name, password, ok := c.r.BasicAuth()
		if in != nil && ok && in.username == name {
			return in // who is logged in is not asked for the password again
		}
		if u := c.catalog.users[name]; ok && u != nil && u.knows(password) {
			c.giveSession(u)
			return u
		}
	case strings.EqualFold(scheme, "ApiToken"):
		return c.byToken(strings.TrimSpace(rest))
	case strings.EqualFold(scheme, "Bearer"):
		c.w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	}
	c.unauthorized(http.StatusUnauthorized, "Unauthorized")
	return nil
}

func (c *apiCall) byToken(token string) *user {
	text := "The API token does not exists."
	if given := c.srv.tokens.of(token); given != nil {
		if text = refuses(given, c.r, c.now()); text == "" {
			return c.catalog.users[given.User]
		}
	}
	c.w.Header().Set("WWW-Authenticate", "ApiToken")
	c.w.Header().Set("Cache-Control", "no-cache, private")
	if c.manners >= 41 && !soundToken(token) {
		c.unauthorized(http.StatusBadRequest, "Checksum validation failed")
		return nil
	}
	c.unauthorized(http.StatusUnauthorized, text)
	return nil
}

// apiTokens answers what is below /api/apiToken and /api/apiTokens.
func (c *apiCall) apiTokens() {
	switch {
	case len(c.path) == 1 && c.r.Method == http.MethodPost:
		c.createToken()
	case len(c.path) == 1:
		if c.method(http.MethodGet, http.MethodPost) {
			items := []any{}
			for _, given := range c.srv.tokens.by(c.user.username) {
				items = append(items, shownToken(given))
			}
			c.json(http.StatusOK, object{"apiToken": items})
		}
	default:
		c.oneToken()
	}
}

func (c *apiCall) oneToken() {
	if !c.method(http.MethodGet, http.MethodDelete) {
		return
	}
	for _, given := range c.srv.tokens.by(c.user.username) {
		if given.UID != c.at(1) || len(c.path) > 2 {
			continue
		}
		if c.r.Method != http.MethodDelete {
			c.json(http.StatusOK, shownToken(given))
			return
		}
		gone := *given
		gone.Gone = true
		if err := c.srv.tokens.keep(&gone); err != nil {
			c.fail(http.StatusInternalServerError, "", err.Error())
			return
		}
		c.say(http.StatusOK, "OK", "", object{"responseType": c.manners.reportType("ObjectReport"), "uid": given.UID,
			"klass": "org.hisp.dhis.security.apikey.ApiToken", "errorReports": []any{}})
		return
	}
	c.fail(http.StatusNotFound, "E1005", "ApiToken with id "+c.at(1)+" could not be found.")
}

// shownToken is what is told of a token: not the token itself.
func shownToken(g *tokenState) object {
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
func (c *apiCall) createToken() {
	given := &tokenState{Token: newToken(), User: c.user.username, UID: newUID()}
	body, p := c.readBody()
	var root *node
	var err error
	if p == nil && len(strings.TrimSpace(string(body))) > 0 {
		root, err = parseJSON(body)
	}
	if p == nil && (err != nil || root != nil && root.kind != jsonObject) {
		p = refuse(http.StatusBadRequest, "", "JSON parse error")
	}
	if p != nil {
		c.refused(p)
		return
	}
	until := c.now().Add(tokenLife)
	if root != nil {
		if n := root.get("expire"); n != nil {
			ms, err := strconv.ParseInt(n.text, 10, 64)
			if err != nil {
				c.fail(http.StatusBadRequest, "", "JSON parse error: expire is no time in milliseconds")
				return
			}
			until = time.UnixMilli(ms)
		}
		limit(given, root.get("attributes"))
	}
	given.Expires = &until
	if err := c.srv.tokens.keep(given); err != nil {
		c.fail(http.StatusInternalServerError, "", err.Error())
		return
	}
	c.say(http.StatusCreated, "OK", "", object{"responseType": "ApiTokenCreationResponse", "key": given.Token, "uid": given.UID})
}

// limit reads what a token may be used for.
func limit(g *tokenState, attributes *node) {
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
