package oidc

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/engine/access"
	"github.com/culvert/culvert/engine/access/oidc/oidctest"
)

// fixture is a client of a provider, in which a clock can be moved on.
type fixture struct {
	*oidctest.Provider
	client *Client
	set    *Settings
	at     time.Time
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{Provider: oidctest.New(t), at: time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC)}
	now := func() time.Time { return f.at }
	f.Set(func(k *oidctest.Knobs) {
		k.Now = now
		k.Claims = map[string]any{"sub": "subject-1", "preferred_username": "aminata", "groups": []string{"ops", "staff"}}
	})
	f.set = &Settings{Name: "the ministry", Issuer: f.URL, ClientID: oidctest.ClientID, Claim: "groups",
		Secret: func() (string, error) { return oidctest.ClientSecret, nil }, Scopes: []string{"profile"},
		RedirectURL: "http://127.0.0.1:8080" + CallbackPath, Roles: map[access.Role][]string{access.Operator: {"ops"}}}
	var err error
	if f.client, err = New(func() (*Settings, error) { return f.set, nil }, now); err != nil {
		t.Fatal(err)
	}
	return f
}

// begin sends somebody to the provider and gives the request that they come back with.
func (f *fixture) begin(t *testing.T) (*http.Request, error) {
	t.Helper()
	w := httptest.NewRecorder()
	at, err := f.client.Begin(w, httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8080/console/oidc/login", nil),
		"/console/records")
	if err != nil {
		return nil, err
	}
	cookie := w.Result().Cookies()[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != cookiePath {
		t.Errorf("the cookie is %+v", cookie)
	}
	browser := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := browser.Get(at)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("the provider does not take %s: %d", at, resp.StatusCode)
	}
	r := httptest.NewRequest(http.MethodGet, resp.Header.Get("Location"), nil)
	r.AddCookie(cookie)
	return r, nil
}

// login logs somebody in, from the first step to the last.
func (f *fixture) login(t *testing.T) (*access.Identity, error) {
	t.Helper()
	r, err := f.begin(t)
	if err != nil {
		return nil, err
	}
	back, err := f.client.Return(httptest.NewRecorder(), r)
	if err != nil {
		return nil, err
	}
	if back.Next != "/console/records" {
		t.Errorf("next is %q", back.Next)
	}
	return f.client.Redeem(t.Context(), back)
}

func TestLogin(t *testing.T) {
	for _, sign := range []string{"RS256", "ES256"} {
		t.Run(sign, func(t *testing.T) {
			f := newFixture(t)
			f.Set(func(k *oidctest.Knobs) { k.Sign = sign })
			id, err := f.login(t)
			if err != nil {
				t.Fatal(err)
			}
			if id.Name != "aminata" || id.Subject != "subject-1" || f.client.Role(id) != access.Operator {
				t.Errorf("it is %+v, %v", id, f.client.Role(id))
			}
			f.Rotate()
			if _, err := f.login(t); err != nil {
				t.Errorf("after the keys have changed: %v", err)
			}
			if n := f.Asked("/.well-known/openid-configuration"); n != 1 {
				t.Errorf("the provider was asked %d times what it is", n)
			}
			f.at = f.at.Add(believed + time.Second)
			if _, err := f.login(t); err != nil {
				t.Error(err)
			}
			if n := f.Asked("/.well-known/openid-configuration"); n != 2 {
				t.Errorf("the provider was asked %d times what it is, in more than an hour", n)
			}
		})
	}
}

// TestRefused has the provider, or somebody between, say what must not let anybody in.
func TestRefused(t *testing.T) {
	later := func(claim string, by time.Duration) func(map[string]any) {
		return func(c map[string]any) { c[claim] = c["iat"].(int64) + int64(by.Seconds()) }
	}
	claim := func(name string, v any) func(*fixture, *http.Request) {
		return func(f *fixture, _ *http.Request) {
			f.Set(func(k *oidctest.Knobs) { k.Change = func(c map[string]any) { c[name] = v } })
		}
	}
	query := func(name, v string) func(*fixture, *http.Request) {
		return func(_ *fixture, r *http.Request) {
			q := r.URL.Query()
			q.Set(name, v)
			r.URL.RawQuery = q.Encode()
		}
	}
	for name, c := range map[string]struct {
		change func(*fixture, *http.Request)
		say    string
		cause  string
	}{
		"wrong nonce":    {claim("nonce", "x"), "not meant for this log-in", "another nonce"},
		"no nonce":       {claim("nonce", ""), "not meant for this log-in", "another nonce"},
		"wrong audience": {claim("aud", "other"), "not meant for this log-in", "expected audience"},
		"wrong issuer":   {claim("iss", "https://evil.example.org"), "not meant for this log-in", "different provider"},
		"another party":  {claim("azp", "other"), "not meant for this log-in", "another client"},
		"two audiences":  {claim("aud", []string{"culvert", "other"}), "not meant for this log-in", "another client"},
		"nobody":         {claim("sub", ""), "not meant for this log-in", "names nobody"},
		"expired": {func(f *fixture, _ *http.Request) {
			f.Set(func(k *oidctest.Knobs) { k.Change = later("exp", -time.Minute) })
		}, "has expired already: the clock", "expired"},
		"not yet": {func(f *fixture, _ *http.Request) {
			f.Set(func(k *oidctest.Knobs) { k.Change = later("nbf", time.Hour) })
		}, "not meant for this log-in", "not before"},
		"signed by others": {func(f *fixture, _ *http.Request) { f.Forge() }, "not meant for this log-in", "signature"},
		"not signed": {func(f *fixture, _ *http.Request) { f.Set(func(k *oidctest.Knobs) { k.Sign = "none" }) },
			"not meant for this log-in", "algorithm"},
		"signed with a shared secret": {func(f *fixture,
			_ *http.Request) {
			f.Set(func(k *oidctest.Knobs) { k.Sign = "HS256" })
		},
			"not meant for this log-in", "algorithm"},
		"another state":    {query("state", "x"), "Log in again", "state"},
		"another provider": {query("iss", "https://evil.example.org"), "Log in again", "another provider"},
		"a made up code":   {query("code", "x"), "did not accept the log-in", "invalid_grant"},
		"no code":          {query("code", ""), "Log in again", "no code"},
		"another browser":  {func(_ *fixture, r *http.Request) { r.Header.Del("Cookie") }, "in another browser", "no log-in"},
		"a made up cookie": {func(_ *fixture, r *http.Request) {
			r.Header.Set("Cookie", cookieName+"=eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHg")
		},
			"in another browser", "none of this run"},
		"too late": {func(f *fixture, _ *http.Request) { f.at = f.at.Add(begun) }, "too long ago", "too long ago"},
		"wrong secret": {func(f *fixture, _ *http.Request) { f.set.Secret = func() (string, error) { return "x", nil } },
			"client_secret", "invalid_client"},
		"another provider in culvert.yaml": {func(f *fixture, _ *http.Request) {
			f.set.Issuer = "https://other.example.org"
		}, "another identity provider by now", ""},
		"no provider any more": {func(f *fixture, _ *http.Request) { f.set = nil }, "names no identity provider", ""},
		"away since": {func(f *fixture, _ *http.Request) { f.Set(func(k *oidctest.Knobs) { k.Away = true }) },
			"cannot be reached now", "503"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			r, err := f.begin(t)
			if err != nil {
				t.Fatal(err)
			}
			c.change(f, r)
			back, err := f.client.Return(httptest.NewRecorder(), r)
			if err == nil {
				_, err = f.client.Redeem(t.Context(), back)
			}
			said(t, err, c.say, c.cause)
		})
	}
}

func said(t *testing.T, err error, say, cause string) {
	t.Helper()
	var refused *Error
	if !errors.As(err, &refused) || !strings.Contains(refused.Say, say) || !strings.Contains(refused.Error(), cause) {
		t.Errorf("it says %v, want %q and %q", err, say, cause)
	}
}

func TestReplayed(t *testing.T) {
	f := newFixture(t)
	r, err := f.begin(t)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.client.Return(httptest.NewRecorder(), r); err != nil {
		t.Fatal(err)
	}
	_, err = f.client.Return(httptest.NewRecorder(), r)
	said(t, err, "Log in again", "used before")
}

func TestTheProviderRefuses(t *testing.T) {
	f := newFixture(t)
	for code, say := range map[string]string{"access_denied": "you stopped the log-in there",
		"server_error": "refused the log-in",
		"<script>":     "refused the log-in"} {
		f.Set(func(k *oidctest.Knobs) { k.Refuse = code })
		_, err := f.login(t)
		if said(t, err, say, ""); strings.Contains(err.Error(), "<") {
			t.Errorf("it says %v", err)
		}
	}
}

// TestAway has the provider away: first when nothing is known of it, then when it was known.
func TestAway(t *testing.T) {
	f := newFixture(t)
	f.Set(func(k *oidctest.Knobs) { k.Away = true })
	for range 3 {
		_, err := f.login(t)
		said(t, err, "the ministry cannot be reached now", "503")
	}
	if n := f.Asked("/.well-known/openid-configuration"); n != 1 {
		t.Errorf("it was asked %d times at one moment", n)
	}
	f.Set(func(k *oidctest.Knobs) { k.Away = false })
	f.at = f.at.Add(pause)
	if _, err := f.login(t); err != nil {
		t.Errorf("it does not come back: %v", err)
	}
	f.at = f.at.Add(believed)
	f.Set(func(k *oidctest.Knobs) { k.Away = true })
	if _, err := f.client.Begin(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil), "/"); err != nil {
		t.Errorf("what was known of it is forgotten: %v", err)
	}
}

// TestWhatTheProviderSaysOfItself refuses what would have secrets travel in clear, or to others.
func TestWhatTheProviderSaysOfItself(t *testing.T) {
	for key, v := range map[string]any{"token_endpoint": "http://example.org/token", "jwks_uri": "",
		"authorization_endpoint": "ftp://example.org", "userinfo_endpoint": "http://example.org/u",
		"issuer":  "https://other.example.org",
		"padding": strings.Repeat("x", largestReply)} {
		f := newFixture(t)
		f.Set(func(k *oidctest.Knobs) { k.Discover = func(d map[string]any) { d[key] = v } })
		if _, err := f.login(t); err == nil {
			t.Errorf("%s is taken", key)
		}
	}
	f := newFixture(t)
	f.Set(func(k *oidctest.Knobs) { k.Post = true })
	if _, err := f.login(t); err != nil {
		t.Errorf("the secret in the body: %v", err)
	}
}

func TestRoles(t *testing.T) {
	roles := map[access.Role][]string{access.Admin: {"chiefs"}, access.Operator: {"ops"},
		access.Viewer: {"staff", "Fatou@example.org"}}
	for name, c := range map[string]struct {
		claim    string
		claims   map[string]any
		userinfo map[string]any
		want     access.Role
		say      string
	}{
		"the highest": {"groups", map[string]any{"groups": []string{"staff", "ops"}}, nil, access.Operator, ""},
		"one text":    {"groups", map[string]any{"groups": "chiefs"}, nil, access.Admin, ""},
		"none":        {"groups", map[string]any{"groups": []string{"others", "OPS", "chiefs "}}, nil, 0, ""},
		"no claim":    {"groups", map[string]any{}, nil, 0, ""},
		"numbers":     {"groups", map[string]any{"groups": []any{1, nil, true, map[string]any{"ops": 1}}}, nil, 0, ""},
		"a path": {"realm_access.roles", map[string]any{"realm_access": map[string]any{"roles": []string{"ops"}}}, nil,
			access.Operator, ""},
		"dots in keys": {"access.my.client.roles",
			map[string]any{"access": map[string]any{"my.client": map[string]any{"roles": []string{"ops"}}}}, nil,
			access.Operator, ""},
		"an address": {"https://example.org/roles", map[string]any{"https://example.org/roles": []string{"ops"}}, nil,
			access.Operator, ""},
		"of userinfo": {"groups", map[string]any{}, map[string]any{"sub": "subject-1", "groups": []string{"ops"}},
			access.Operator, ""},
		"userinfo of somebody else": {"groups", map[string]any{},
			map[string]any{"sub": "subject-2", "groups": []string{"ops"}}, 0,
			"not meant for this log-in"},
		"e-mail": {"email", map[string]any{"email": "fatou@Example.org", "email_verified": true}, nil, access.Viewer, ""},
		"e-mail, verified in text": {"email", map[string]any{"email": "fatou@example.org", "email_verified": "true"}, nil,
			access.Viewer, ""},
		"e-mail, not verified": {"email", map[string]any{"email": "fatou@example.org"}, nil, 0, "has not made sure"},
		"too many groups": {"groups", map[string]any{"_claim_names": map[string]string{"groups": "src1"},
			"_claim_sources": map[string]any{"src1": map[string]string{"endpoint": "https://graph.example.org"}}}, nil, 0,
			"so many groups"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.set.Claim, f.set.Roles = c.claim, roles
			f.Set(func(k *oidctest.Knobs) { k.Claims, k.UserInfo = c.claims, c.userinfo; k.Claims["sub"] = "subject-1" })
			id, err := f.login(t)
			if c.say != "" {
				said(t, err, c.say, "")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := f.client.Role(id); got != c.want {
				t.Errorf("the role is %q, want %q; %+v", got, c.want, id)
			}
		})
	}
}

// TestGrantsChange takes a role away as culvert.yaml changes: what was said for another provider,
// client or claim counts no more.
func TestGrantsChange(t *testing.T) {
	for name, change := range map[string]func(*Settings){
		"issuer": func(s *Settings) { s.Issuer += "/" }, "client": func(s *Settings) { s.ClientID = "other" },
		"claim": func(s *Settings) { s.Claim = "roles" },
		"roles": func(s *Settings) { s.Roles = map[access.Role][]string{access.Admin: {"chiefs"}} },
	} {
		f := newFixture(t)
		id, err := f.login(t)
		if err != nil || f.client.Role(id) != access.Operator {
			t.Fatal(err, f.client.Role(id))
		}
		if change(f.set); f.client.Role(id) != 0 {
			t.Errorf("%s: the role is %v still", name, f.client.Role(id))
		}
	}
}

func TestNames(t *testing.T) {
	for want, claims := range map[string]map[string]any{
		"aminata":                        {"preferred_username": "aminata", "email": "x@example.org", "email_verified": true},
		"x@y.org":                        {"email": "x@y.org", "email_verified": true, "name": "Fatou"},
		"sub":                            {"email": "x@y.org", "preferred_username": "\x1b\n"},
		"a[2Jb":                          {"preferred_username": "a\x1b[2J\u202eb"},
		strings.Repeat("é", longestName): {"preferred_username": strings.Repeat("é", 200)},
	} {
		if got := nameOf(claims, "sub"); got != want {
			t.Errorf("%v is called %q, want %q", claims, got, want)
		}
	}
}

// TestWhereTheProviderSendsPeopleBack believes of a request only that it is for this machine itself.
func TestWhereTheProviderSendsPeopleBack(t *testing.T) {
	for _, c := range []struct{ host, header, want string }{
		{"localhost:8080", "", "http://localhost:8080" + CallbackPath},
		{"[::1]:8080", "", "http://[::1]:8080" + CallbackPath},
		{"127.0.0.1", "", "http://127.0.0.1" + CallbackPath},
		{"culvert.example.org", "", ""}, {"localhost.example.org", "", ""}, {"10.0.0.1:8080", "", ""},
		{"127.0.0.1:8080", "X-Forwarded-For", ""},
	} {
		f := newFixture(t)
		f.set.RedirectURL = ""
		r := httptest.NewRequest(http.MethodGet, "/console/oidc/login", nil)
		if r.Host = c.host; c.header != "" {
			r.Header.Set(c.header, "192.0.2.1")
		}
		at, err := f.client.Begin(httptest.NewRecorder(), r, "/")
		if c.want == "" {
			said(t, err, "set redirect_url", "")
			continue
		}
		u, perr := url.Parse(at)
		if err != nil || perr != nil || u.Query().Get("redirect_uri") != c.want {
			t.Errorf("%s: %v, %v", c.host, at, err)
		}
	}
}
