package sandbox

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox/api"
)

// bare sends a request with nothing but the headers given.
func bare(t *testing.T, s *site, method, path, body string, headers ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequest(method, s.web.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Requested-With", "XMLHttpRequest")
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	return res
}

func cookieOf(r *http.Response) string {
	for _, c := range r.Cookies() {
		if c.Name == api.SessionCookie {
			return c.Name + "=" + c.Value
		}
	}
	return ""
}

// TestSessions: a password gives a cookie, which stands for it until an hour passes without a request.
func TestSessions(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	s := newSite(t, Options{Clock: func() time.Time { return now }})
	basic := "Basic YWRtaW46ZGlzdHJpY3Q="
	cookie := cookieOf(bare(t, s, http.MethodGet, "/api/me", "", "Authorization", basic))
	if cookie == "" {
		t.Fatal("a password gave no session")
	}
	if r := bare(t, s, http.MethodGet, "/api/me", "", "Cookie", cookie); r.StatusCode != http.StatusOK ||
		cookieOf(r) != "" {
		t.Errorf("with the cookie: %d, another cookie %q", r.StatusCode, cookieOf(r))
	}
	now = now.Add(59 * time.Minute)
	if r := bare(t, s, http.MethodGet, "/api/me", "", "Cookie", cookie); r.StatusCode != http.StatusOK {
		t.Errorf("within the hour: %d", r.StatusCode)
	}
	now = now.Add(61 * time.Minute)
	if r := bare(t, s, http.MethodGet, "/api/me", "", "Cookie", cookie); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("after an hour: %d", r.StatusCode)
	}
	if r := bare(t, s, http.MethodGet, "/api/me", "", "Cookie",
		api.SessionCookie+"=0000"); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("a made-up cookie: %d", r.StatusCode)
	}
	login := bare(t, s, http.MethodPost, "/api/auth/login", `{"username":"admin","password":"district"}`)
	if login.StatusCode != http.StatusOK || cookieOf(login) == "" {
		t.Errorf("login: %d %q", login.StatusCode, cookieOf(login))
	}
	if r := bare(t, s, http.MethodPost, "/api/auth/login",
		`{"username":"admin","password":"nope"}`); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("wrong login: %d", r.StatusCode)
	}
	if r := bare(t, s, http.MethodGet, "/api/loginConfig", ""); r.StatusCode != http.StatusOK {
		t.Errorf("loginConfig: %d", r.StatusCode)
	}
}

// TestTokensHaveLimits: until when, and for which methods and addresses, a token is good.
func TestTokensHaveLimits(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	s := newSite(t, Options{Clock: func() time.Time { return now }})
	issue := func(body any) string {
		t.Helper()
		status, answer := s.do(http.MethodPost, "/api/apiToken", body)
		if status != http.StatusCreated {
			t.Fatalf("%d %s", status, flat(answer))
		}
		return "ApiToken " + dig(answer, "response", "key").(string)
	}
	reading := issue(m{"attributes": l(m{"type": "MethodAllowedList", "allowedMethods": l("GET")})})
	elsewhere := issue(m{"attributes": l(m{"type": "IpAllowedList", "allowedIps": l("10.1.1.1")})})
	short := issue(m{"expire": now.Add(time.Minute).UnixMilli()})
	free := issue(m{})
	for _, c := range []struct {
		token, method string
		want          int
	}{
		{reading, http.MethodGet, http.StatusOK}, {reading, http.MethodPost, http.StatusUnauthorized},
		{elsewhere, http.MethodGet, http.StatusUnauthorized},
		{short, http.MethodGet, http.StatusOK}, {free, http.MethodGet, http.StatusOK},
	} {
		if r := bare(t, s, c.method, "/api/dataValueSets?dataSet=FSh2AafV4XC&period=202601&orgUnit="+hospital, "{}",
			"Authorization", c.token); r.StatusCode != c.want {
			t.Errorf("%.20s %s: %d, want %d", c.token, c.method, r.StatusCode, c.want)
		}
	}
	if r := bare(t, s, http.MethodGet, "/api/me", "", "Authorization", elsewhere, "X-Forwarded-For",
		"10.1.1.1"); r.StatusCode != http.StatusOK {
		t.Errorf("from the address allowed: %d", r.StatusCode)
	}
	now = now.Add(2 * time.Minute)
	if r := bare(t, s, http.MethodGet, "/api/me", "", "Authorization", short); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("an expired token: %d", r.StatusCode)
	}
	now = now.Add(31 * 24 * time.Hour)
	if r := bare(t, s, http.MethodGet, "/api/me", "", "Authorization", free); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("a token after a month: %d", r.StatusCode)
	}
}

// TestEntityTags: what may be kept has a tag, what may not has none.
func TestEntityTags(t *testing.T) {
	t.Parallel()
	s := newSite(t, Options{})
	basic := "Basic YWRtaW46ZGlzdHJpY3Q="
	r := bare(t, s, http.MethodGet, "/api/programs?fields=id", "", "Authorization", basic)
	tag := r.Header.Get("ETag")
	if tag == "" {
		t.Fatal("metadata has no entity tag")
	}
	if r := bare(t, s, http.MethodGet, "/api/programs?fields=id", "", "Authorization", basic, "If-None-Match",
		tag); r.StatusCode != http.StatusNotModified {
		t.Errorf("the same again: %d", r.StatusCode)
	}
	for _, path := range []string{"/api/dataValueSets?dataSet=FSh2AafV4XC&period=202601&orgUnit=" + hospital,
		"/api/system/info", "/api/42/dataValueSets"} {
		if r := bare(t, s, http.MethodGet, path, "", "Authorization", basic); r.Header.Get("ETag") != "" {
			t.Errorf("%s has an entity tag", path)
		}
	}
}

// TestHowRequestsAreTaken: other methods, other origins, long addresses.
func TestHowRequestsAreTaken(t *testing.T) {
	t.Parallel()
	s := newSite(t, Options{})
	basic := "Basic YWRtaW46ZGlzdHJpY3Q="
	if r := bare(t, s, http.MethodHead, "/api/me", "", "Authorization", basic); r.StatusCode != http.StatusOK {
		t.Errorf("HEAD: %d", r.StatusCode)
	}
	if r := bare(t, s, http.MethodOptions, "/api/tracker", "", "Authorization", basic); r.StatusCode != http.StatusOK ||
		!strings.Contains(r.Header.Get("Allow"), "POST") {
		t.Errorf("OPTIONS: %d, allows %q", r.StatusCode, r.Header.Get("Allow"))
	}
	if r := bare(t, s, http.MethodGet, "/api/me?fields="+strings.Repeat("id,", 3000), "", "Authorization",
		basic); r.StatusCode != http.StatusBadRequest {
		t.Errorf("a long address: %d", r.StatusCode)
	}
	own := bare(t, s, http.MethodOptions, "/api/tracker", "", "Origin", s.web.URL, "Access-Control-Request-Method", "POST")
	if own.StatusCode != http.StatusNoContent || own.Header.Get("Access-Control-Allow-Origin") != s.web.URL {
		t.Errorf("preflight of our own page: %d %v", own.StatusCode, own.Header)
	}
	other := bare(t, s, http.MethodGet, "/api/me", "", "Authorization", basic, "Origin", "https://elsewhere.example.org")
	if other.Header.Get("Access-Control-Allow-Origin") != "" || other.ContentLength > 0 {
		t.Errorf("another origin is let in: %v", other.Header)
	}
}
