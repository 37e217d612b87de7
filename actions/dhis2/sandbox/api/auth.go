package api

import (
	"net/http"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/ids"
	"github.com/culvert/culvert/actions/dhis2/sandbox/jsontree"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
	"github.com/culvert/culvert/actions/dhis2/sandbox/store"
)

// tokens are the personal access tokens that were given out.
type tokens struct {
	mu    sync.RWMutex
	given map[string]*store.TokenState // by token
	store *store.Store
}

func newTokens(st *store.Store) *tokens {
	t := &tokens{given: map[string]*store.TokenState{}, store: st}
	for token, given := range st.Tokens {
		t.given[token] = given
	}
	return t
}

// tokenLife is how long a token is good that does not say (DHIS2 ApiTokenController).
const tokenLife = 30 * 24 * time.Hour

func (t *tokens) keep(given *store.TokenState) error {
	t.mu.Lock()
	t.given[given.Token] = given
	t.mu.Unlock()
	return t.store.KeepToken(given)
}

func (t *tokens) of(token string) *store.TokenState {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if given := t.given[token]; given != nil && !given.Gone {
		return given
	}
	if token == PracticeToken {
		return &store.TokenState{Token: token, User: catalog.AdminName}
	}
	return nil
}

// by gives the tokens of a user.
func (t *tokens) by(username string) []*store.TokenState {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var out []*store.TokenState
	for _, given := range t.given {
		if given.User == username && !given.Gone {
			out = append(out, given)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].UID < out[j].UID })
	return out
}

// refuses says why a request may not use a token; empty when it may (DHIS2 Dhis2ApiTokenFilter).
func refuses(g *store.TokenState, r *http.Request, now time.Time) string {
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
func (c *call) authenticate() *catalog.User {
	header := c.R.Header.Get("Authorization")
	scheme, rest, _ := strings.Cut(header, " ")
	in := c.Catalog.Users[c.srv.sessions.of(c.R, c.Now())]
	switch {
	case header == "" && in != nil:
		return in
	case header == "":
		if c.R.Header.Get("X-Requested-With") != "XMLHttpRequest" {
			c.W.Header().Set("Location", c.Base()+c.Version.LoginPage())
			c.W.WriteHeader(http.StatusFound)
			return nil
		}
	case strings.EqualFold(scheme, "Basic"):
		name, password, ok := c.R.BasicAuth()
		if in != nil && ok && in.Username == name {
			return in // who is logged in is not asked for the password again
		}
		if u := c.Catalog.Users[name]; ok && u != nil && u.Knows(password) {
			c.giveSession(u)
			return u
		}
	case strings.EqualFold(scheme, "ApiToken"):
		return c.byToken(strings.TrimSpace(rest))
	case strings.EqualFold(scheme, "Bearer"):
		c.W.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	}
	c.Unauthorized(http.StatusUnauthorized, "Unauthorized")
	return nil
}

func (c *call) byToken(token string) *catalog.User {
	text := "The API token does not exists."
	if given := c.srv.tokens.of(token); given != nil {
		if text = refuses(given, c.R, c.Now()); text == "" {
			return c.Catalog.Users[given.User]
		}
	}
	c.W.Header().Set("WWW-Authenticate", "ApiToken")
	c.W.Header().Set("Cache-Control", "no-cache, private")
	if c.Version >= 41 && !soundToken(token) {
		c.Unauthorized(http.StatusBadRequest, "Checksum validation failed")
		return nil
	}
	c.Unauthorized(http.StatusUnauthorized, text)
	return nil
}

// apiTokens answers what is below /api/apiToken and /api/apiTokens.
func (c *call) apiTokens() {
	switch {
	case len(c.Path) == 1 && c.R.Method == http.MethodPost:
		c.createToken()
	case len(c.Path) == 1:
		if c.Method(http.MethodGet, http.MethodPost) {
			items := []any{}
			for _, given := range c.srv.tokens.by(c.User.Username) {
				items = append(items, shownToken(given))
			}
			c.JSON(http.StatusOK, object{"apiToken": items})
		}
	default:
		c.oneToken()
	}
}

func (c *call) oneToken() {
	if !c.Method(http.MethodGet, http.MethodDelete) {
		return
	}
	for _, given := range c.srv.tokens.by(c.User.Username) {
		if given.UID != c.At(1) || len(c.Path) > 2 {
			continue
		}
		if c.R.Method != http.MethodDelete {
			c.JSON(http.StatusOK, shownToken(given))
			return
		}
		gone := *given
		gone.Gone = true
		if err := c.srv.tokens.keep(&gone); err != nil {
			c.Fail(http.StatusInternalServerError, "", err.Error())
			return
		}
		c.Say(http.StatusOK, "OK", "", object{"responseType": c.Version.ReportType("ObjectReport"), "uid": given.UID,
			"klass": "org.hisp.dhis.security.apikey.ApiToken", "errorReports": []any{}})
		return
	}
	c.Fail(http.StatusNotFound, "E1005", "ApiToken with id "+c.At(1)+" could not be found.")
}

// shownToken is what is told of a token: not the token itself.
func shownToken(g *store.TokenState) object {
	o := object{"id": g.UID, "version": 2, "type": "PERSONAL_ACCESS_TOKEN_V2", "attributes": []any{}}
	if g.Expires != nil {
		o["expire"] = g.Expires.UnixMilli()
	}
	var limits []any
	for _, l := range []struct {
		kind, name string
		items      []string
	}{{"MethodAllowedList", "allowedMethods", g.Methods}, {"IpAllowedList", "allowedIps", g.IPs},
		{"RefererAllowedList", "allowedReferrers", g.Referers}} {
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
	given := &store.TokenState{Token: newToken(), User: c.User.Username, UID: ids.New()}
	body, p := c.ReadBody()
	var root *jsontree.Node
	var err error
	if p == nil && len(strings.TrimSpace(string(body))) > 0 {
		root, err = jsontree.Parse(body)
	}
	if p == nil && (err != nil || root != nil && root.Kind != jsontree.Object) {
		p = rest.Refuse(http.StatusBadRequest, "", "JSON parse error")
	}
	if p != nil {
		c.Refused(p)
		return
	}
	until := c.Now().Add(tokenLife)
	if root != nil {
		if n := root.Get("expire"); n != nil {
			ms, err := strconv.ParseInt(n.Text, 10, 64)
			if err != nil {
				c.Fail(http.StatusBadRequest, "", "JSON parse error: expire is no time in milliseconds")
				return
			}
			until = time.UnixMilli(ms)
		}
		limit(given, root.Get("attributes"))
	}
	given.Expires = &until
	if err := c.srv.tokens.keep(given); err != nil {
		c.Fail(http.StatusInternalServerError, "", err.Error())
		return
	}
	c.Say(http.StatusCreated, "OK", "", object{"responseType": "ApiTokenCreationResponse", "key": given.Token,
		"uid": given.UID})
}

// limit reads what a token may be used for.
func limit(g *store.TokenState, attributes *jsontree.Node) {
	if attributes == nil {
		return
	}
	for _, a := range attributes.Items {
		for name, into := range map[string]*[]string{"allowedMethods": &g.Methods, "allowedIps": &g.IPs,
			"allowedReferrers": &g.Referers} {
			if l := a.Get(name); l != nil {
				for _, it := range l.Items {
					*into = append(*into, it.Text)
				}
			}
		}
	}
}
