package console

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/engine/access"
	"github.com/culvert/culvert/engine/controls"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/open"
	"github.com/culvert/culvert/rules/diag"
)

// fixture is a console over a real journal with a failed record that holds personal data.
func fixture(t *testing.T, c Config) (*httptest.Server, journal.Journal) {
	t.Helper()
	ctx := context.Background()
	j, err := open.Journal(ctx, "sqlite:"+filepath.Join(t.TempDir(), "culvert.db"), journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	records := []*journal.Record{
		{Rule: "anc", ID: "form-1", Key: "case-1", Body: []byte(`{"name":"Fatou"}`), State: journal.Failed,
			Received: time.Now(),
			Problem: &journal.Problem{Class: "data", Problem: diag.Problem{Code: "unmapped-value",
				Message: "the value is not in the map <sex>",
				Hint:    "add it", Place: diag.ParsePlace("rules/anc.yaml:3:4"), Value: "Fatou's secret"}}},
		{Rule: "anc", ID: "form-2", Key: "case-2", Body: []byte(`{"name":"Awa"}`), State: journal.Pending,
			Received: time.Now(), NextTry: time.Now()},
	}
	if _, err := j.Append(ctx, records, nil); err != nil {
		t.Fatal(err)
	}
	c.Journal, c.Project, c.Version = j, "anc-pilot", "test"
	if c.Running == nil {
		c.Running = newProject()
	}
	users := []access.User{{Name: "ada", Role: access.Admin, Password: "of-the-admin"},
		{Name: "otto", Role: access.Operator, Password: "of-the-operator"},
		{Name: "vera", Role: access.Viewer, Password: "of-the-viewer"}}
	if c.Access == nil {
		c.Access = access.New(func() []access.User { return users }, nil, nil)
	}
	done := make(chan struct{})
	if c.Done == nil {
		c.Done = done
	}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s)
	t.Cleanup(func() {
		close(done) // a browser may still watch
		srv.Close()
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return srv, j
}

func get(t *testing.T, url string, change func(*http.Request)) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("ada", "of-the-admin")
	if change != nil {
		change(req)
	}
	return do(t, req)
}

func do(t *testing.T, req *http.Request) (int, string, http.Header) {
	t.Helper()
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text), resp.Header
}

func TestPagesShowNoPersonalData(t *testing.T) {
	srv, _ := fixture(t, Config{})
	for path, want := range map[string]string{
		"/":                  "record of rule anc has failed",
		"/console/failures":  "the value is not in the map &lt;sex&gt;",
		"/console/records":   "form-1",
		"/console/records/1": "rules/anc.yaml:3:4",
		"/console/rules":     "the rule has no id",
		"/console/files":     "No file has been dropped yet",
		"/console/audit":     "Nobody has changed anything yet",
		"/api/v1/overview":   `"failed":1`,
		"/console/style.css": "--accent",
	} {
		status, text, header := get(t, srv.URL+path, nil)
		if status != http.StatusOK || !strings.Contains(text, want) {
			t.Errorf("%s: %d, without %q:\n%s", path, status, want, text)
		}
		if strings.Contains(text, "Fatou") {
			t.Errorf("%s shows what a record says", path)
		}
		if !strings.Contains(header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s has no content security policy", path)
		}
		if header.Get("Cache-Control") != "no-store" && path != "/console/style.css" ||
			header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s may be kept, or taken for something else: %v", path, header)
		}
	}
	if _, text, _ := get(t, srv.URL+"/console/records/1?content", nil); !strings.Contains(text,
		"&#34;name&#34;: &#34;Fatou&#34;") {
		t.Errorf("a record's content is not shown to who asks for it:\n%s", text)
	}
	if status, text, _ := get(t, srv.URL+"/console/records/999", nil); status != http.StatusNotFound ||
		!strings.Contains(text, "there is no such record") {
		t.Errorf("an unknown record: %d %s", status, text)
	}
}

func TestWhoIsLetIn(t *testing.T) {
	srv, _ := fixture(t, Config{})
	nobody := func(r *http.Request) { r.Header.Del("Authorization") }
	user := func(name, password string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth(name, password) }
	}
	for name, c := range map[string]struct {
		path   string
		change func(*http.Request)
		want   int
	}{
		"nobody, from this machine": {"/", nobody, http.StatusSeeOther},
		"nobody, by nginx without header": {"/console/records", func(r *http.Request) { nobody(r); r.Host = "127.0.0.1" },
			http.StatusSeeOther},
		"nobody, for a program": {"/api/v1/overview", nobody, http.StatusUnauthorized},
		"nobody, to log in":     {"/console/login", nobody, http.StatusOK},
		"a cookie that was made up": {"/", func(r *http.Request) {
			nobody(r)
			r.Header.Set("Cookie",
				"culvert_session=x")
		}, http.StatusSeeOther},
		"wrong password": {"/", user("ada", "x"), http.StatusUnauthorized},
		"no such user":   {"/", user("eve", "of-the-admin"), http.StatusUnauthorized},
		"viewer":         {"/console/records/1", user("vera", "of-the-viewer"), http.StatusOK},
		"viewer, content": {"/console/records/1?content", user("vera", "of-the-viewer"),
			http.StatusForbidden},
		"viewer, audit":     {"/console/audit", user("vera", "of-the-viewer"), http.StatusForbidden},
		"operator, content": {"/console/records/1?content", user("otto", "of-the-operator"), http.StatusOK},
		"operator, audit":   {"/console/audit", user("otto", "of-the-operator"), http.StatusForbidden},
		"admin, audit":      {"/console/audit", user("ada", "of-the-admin"), http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			status, text, _ := get(t, srv.URL+c.path, c.change)
			if status != c.want {
				t.Errorf("answer %d, want %d", status, c.want)
			}
			if c.want != http.StatusOK && strings.Contains(text, "Fatou") {
				t.Error("the answer tells what a record says")
			}
		})
	}
	for _, path := range []string{"replay", "dismiss", "pause", "resume"} {
		status, _ := post(t, srv.URL+"/console/"+path, url.Values{"rule": {"anc"}, "why": {"x"}}, "same-origin",
			user("vera", "of-the-viewer"))
		if status != http.StatusForbidden {
			t.Errorf("a viewer's %s: %d", path, status)
		}
	}
}

// TestSession logs in by the form, goes where one wanted to go, and out again.
func TestSession(t *testing.T) {
	srv, _ := fixture(t, Config{})
	nobody := func(r *http.Request) { r.Header.Del("Authorization") }
	login := func(password, next string) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+"/console/login",
			strings.NewReader(url.Values{"user": {"otto"}, "password": {password}, "next": {next}}.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Fatal(err)
		}
		return resp
	}
	if resp := login("wrong", "/"); resp.StatusCode != http.StatusUnauthorized || len(resp.Cookies()) > 0 {
		t.Errorf("a wrong password: %d, %v", resp.StatusCode, resp.Cookies())
	}
	for next, want := range map[string]string{"/console/records?state=failed": "/console/records?state=failed",
		"//evil.example.org": "/", "https://evil.example.org/": "/", "/\\evil": "/", "": "/"} {
		if resp := login("of-the-operator", next); resp.StatusCode != http.StatusSeeOther ||
			resp.Header.Get("Location") != want {
			t.Errorf("next %q leads to %q: %d", next, resp.Header.Get("Location"), resp.StatusCode)
		}
	}
	cookie := login("of-the-operator", "/").Cookies()[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode {
		t.Errorf("the cookie is %+v", cookie)
	}
	with := func(r *http.Request) { nobody(r); r.AddCookie(cookie) }
	if status, text, _ := get(t, srv.URL+"/console/records", with); status != http.StatusOK ||
		!strings.Contains(text, "otto (operator)") {
		t.Errorf("with the session: %d", status)
	}
	for _, at := range []string{"/console", "/console/"} {
		if status, _, h := get(t, srv.URL+at, with); status != http.StatusSeeOther || h.Get("Location") != "/" {
			t.Errorf("%s: %d to %q", at, status, h.Get("Location"))
		}
	}
	if status, _ := post(t, srv.URL+"/console/pause", url.Values{"rule": {"anc"}}, "cross-site",
		with); status != http.StatusForbidden {
		t.Errorf("another site's form with the session: %d", status)
	}
	if status, _ := post(t, srv.URL+"/console/logout", url.Values{}, "same-origin", with); status != http.StatusSeeOther {
		t.Errorf("log out: %d", status)
	}
	if status, _, _ := get(t, srv.URL+"/console/records", with); status != http.StatusSeeOther {
		t.Errorf("after logging out: %d", status)
	}
}

// post sends a form as a browser does.
func post(t *testing.T, address string, form url.Values, site string, change ...func(*http.Request)) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, address,
		strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", site)
	req.SetBasicAuth("otto", "of-the-operator")
	for _, c := range change {
		c(req)
	}
	status, text, _ := do(t, req)
	return status, text
}

func TestActions(t *testing.T) {
	srv, j := fixture(t, Config{})
	ctx := context.Background()
	states := func() map[journal.State]int {
		out := map[journal.State]int{}
		list, err := j.Select(ctx, journal.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range list {
			out[r.State]++
		}
		return out
	}
	if status, _ := post(t, srv.URL+"/console/replay", url.Values{"seq": {"1"}},
		"cross-site"); status != http.StatusForbidden {
		t.Errorf("another site's form was taken: %d", status)
	}
	if status, text := post(t, srv.URL+"/console/replay", url.Values{},
		"same-origin"); status != http.StatusUnprocessableEntity || !strings.Contains(text, "names no records") {
		t.Errorf("a form that names no records: %d", status)
	}
	if status, text := post(t, srv.URL+"/console/dismiss", url.Values{"seq": {"1"}},
		"same-origin"); status != http.StatusUnprocessableEntity || !strings.Contains(text, "say why") {
		t.Errorf("dismissed without a reason: %d", status)
	}
	if s := states(); s[journal.Failed] != 1 {
		t.Fatalf("states = %v", s)
	}
	if status, _ := post(t, srv.URL+"/console/replay", url.Values{"rule": {"anc"}, "code": {"unmapped-value"}},
		"same-origin"); status != http.StatusSeeOther {
		t.Errorf("replay: %d", status)
	}
	if s := states(); s[journal.Pending] != 2 {
		t.Errorf("after a replay: %v", s)
	}
	if status, _ := post(t, srv.URL+"/console/pause", url.Values{"rule": {"anc"}},
		"same-origin"); status != http.StatusSeeOther {
		t.Errorf("pause: %d", status)
	}
	c, err := controls.Read(ctx, j)
	if err != nil || c.Rules["anc"] == nil || c.Rules["anc"].Who != "otto (console)" {
		t.Errorf("controls = %+v, %v", c, err)
	}
	if status, _ := post(t, srv.URL+"/console/resume", url.Values{"rule": {"anc"}},
		"same-origin"); status != http.StatusSeeOther {
		t.Errorf("resume: %d", status)
	}
}
