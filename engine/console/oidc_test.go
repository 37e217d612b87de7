package console

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/culvert/culvert/engine/access"
	"github.com/culvert/culvert/engine/access/oidc"
	"github.com/culvert/culvert/engine/access/oidc/oidctest"
	"github.com/culvert/culvert/engine/controls"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/internal/browsertest"
)

// provided is a console with an identity provider, whose settings a test may change.
type provided struct {
	*httptest.Server
	provider *oidctest.Provider
	journal  journal.Journal
	log      *lockedLog

	mu  sync.Mutex
	set *oidc.Settings
}

type lockedLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// withProvider gives a console of which one user has a password, and others come by a provider.
func withProvider(t *testing.T) *provided {
	t.Helper()
	p := &provided{provider: oidctest.New(t), log: &lockedLog{}}
	p.provider.Set(func(k *oidctest.Knobs) {
		k.Claims = map[string]any{"sub": "subject-1", "preferred_username": "ada", "groups": []string{"ops"}}
	})
	p.set = &oidc.Settings{Name: "Ministry of Health", Issuer: p.provider.URL, ClientID: oidctest.ClientID,
		Claim:  "groups",
		Secret: func() (string, error) { return oidctest.ClientSecret, nil },
		Roles:  map[access.Role][]string{access.Operator: {"ops"}}}
	client, err := oidc.New(func() (*oidc.Settings, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.set == nil {
			return nil, nil
		}
		set := *p.set
		return &set, nil
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.NewTextHandler(p.log, nil))
	guard := access.New(func() []access.User {
		return []access.User{{Name: "ada", Role: access.Admin, Password: "of-the-admin"}}
	}, logger, nil)
	guard.Grant(client.Role)
	p.Server, p.journal = fixture(t, Config{Access: guard, OIDC: client, Log: logger})
	return p
}

func (p *provided) change(what func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	what()
}

// visit is a browser that follows redirects and keeps cookies.
type visit struct {
	t      *testing.T
	client *http.Client
}

func newVisit(t *testing.T) *visit {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visit{t, &http.Client{Jar: jar}}
}

func (v *visit) get(address string) (int, string) {
	v.t.Helper()
	resp, err := v.client.Get(address)
	return v.read(resp, err)
}

func (v *visit) post(address string, form url.Values) (int, string) {
	v.t.Helper()
	resp, err := v.client.PostForm(address, form)
	return v.read(resp, err)
}

func (v *visit) read(resp *http.Response, err error) (int, string) {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func (v *visit) wants(what string, status int, text string, want int, parts ...string) {
	v.t.Helper()
	if status != want {
		v.t.Errorf("%s: %d, want %d", what, status, want)
	}
	for _, part := range parts {
		if !strings.Contains(text, part) {
			v.t.Errorf("%s: without %q:\n%s", what, part, text)
		}
	}
}

func TestLogInByAProvider(t *testing.T) {
	p := withProvider(t)
	v := newVisit(t)
	status, text := v.get(p.URL + "/console/records?state=failed")
	v.wants("the log-in page", status, text, http.StatusOK, "Log in with Ministry of Health",
		`href="/console/oidc/login?next=%2fconsole%2frecords%3fstate%3dfailed"`)
	status, text = v.get(p.URL + "/console/oidc/login?next=%2Fconsole%2Frecords%3Fstate%3Dfailed")
	v.wants("coming back", status, text, http.StatusOK, "You are logged in as",
		`<meta http-equiv="refresh" content="0; url=/console/records?state=failed">`)
	status, text = v.get(p.URL + "/console/records")
	v.wants("the records", status, text, http.StatusOK, "ada (operator)")
	if status, _ = v.get(p.URL + "/console/audit"); status != http.StatusForbidden {
		t.Errorf("the operator of the provider has the role of the admin of the same name: %d", status)
	}
	v.post(p.URL+"/console/pause", url.Values{"rule": {"anc"}, "why": {"rain"}})
	if c, err := controls.Read(t.Context(), p.journal); err != nil || c.Rules["anc"] == nil ||
		c.Rules["anc"].Who != "ada (oidc)" {
		t.Errorf("the pause: %+v, %v", c, err)
	}
	for _, want := range []string{"logged in to the console", "user=ada", "role=operator", "subject=subject-1"} {
		if !strings.Contains(p.log.String(), want) {
			t.Errorf("the log lacks %q", want)
		}
	}
	status, text = v.post(p.URL+"/console/logout", nil)
	v.wants("logged out", status, text, http.StatusOK,
		"You are logged out here. At Ministry of Health you may be logged in still",
		p.provider.URL+"/end?client_id=culvert")
	if _, text = v.get(p.URL + "/console/records"); !strings.Contains(text, "Log in with") {
		t.Error("the session goes on after logging out")
	}
}

// TestGrantsAreLive ends sessions when culvert.yaml does not grant the role any more, or names no provider.
func TestGrantsAreLive(t *testing.T) {
	for name, change := range map[string]func(*provided){
		"no role":     func(p *provided) { p.set.Roles = map[access.Role][]string{access.Viewer: {"others"}} },
		"no provider": func(p *provided) { p.set = nil },
	} {
		p := withProvider(t)
		v := newVisit(t)
		v.get(p.URL + "/console/oidc/login")
		if _, text := v.get(p.URL + "/console/records"); !strings.Contains(text, "ada (operator)") {
			t.Fatal("not logged in")
		}
		p.change(func() { change(p) })
		if _, text := v.get(p.URL + "/console/records"); strings.Contains(text, "ada (operator)") {
			t.Errorf("%s: the session goes on", name)
		}
	}
}

func TestRefusedByAProvider(t *testing.T) {
	p := withProvider(t)
	p.provider.Set(func(k *oidctest.Knobs) { k.Claims["groups"] = []string{"staff", "<b>"} })
	v := newVisit(t)
	status, text := v.get(p.URL + "/console/oidc/login")
	v.wants("no role", status, text, http.StatusForbidden, "Ministry of Health knows you, but you have no role here.",
		"<code>groups</code>, which says of you: <code>staff</code>, <code>&lt;b&gt;</code>", "console_oidc")
	if !strings.Contains(p.log.String(), "no role is granted") || strings.Contains(p.log.String(), "staff") {
		t.Errorf("the log: %s", p.log)
	}
	if _, text := v.get(p.URL + "/console/records"); !strings.Contains(text, "Log in with") {
		t.Error("there is a session without a role")
	}
	for range 4 {
		if status, _ := v.get(p.URL + "/console/oidc/login"); status != http.StatusForbidden {
			t.Fatalf("answer %d", status)
		}
	}
	status, text = v.get(p.URL + "/console/oidc/login")
	v.wants("the sixth time", status, text, http.StatusTooManyRequests, "too many failed log-ins")
}

func TestProviderAway(t *testing.T) {
	p := withProvider(t)
	p.provider.Set(func(k *oidctest.Knobs) { k.Away = true })
	v := newVisit(t)
	status, text := v.get(p.URL + "/console/oidc/login?next=%2Fconsole%2Ffiles")
	v.wants("away", status, text, http.StatusServiceUnavailable,
		"Ministry of Health cannot be reached now. Users with a password can "+
			"log in meanwhile.", `name="next" value="/console/files"`)
	if status, text = v.post(p.URL+"/console/login", url.Values{"user": {"ada"}, "password": {"of-the-admin"},
		"next": {"/console/files"}}); status != http.StatusOK || !strings.Contains(text, "ada (admin)") {
		t.Errorf("a user with a password: %d", status)
	}
	if !strings.Contains(p.log.String(), "cannot be reached now") {
		t.Errorf("the log: %s", p.log)
	}
}

// TestForeignNext leads nobody elsewhere by way of us, whatever the link says.
func TestForeignNext(t *testing.T) {
	p := withProvider(t)
	for _, next := range []string{"https://evil.example.org/", "//evil.example.org", "/console/login",
		"/console/oidc/login",
		"/console/x\"><script>"} {
		_, text := newVisit(t).get(p.URL + "/console/oidc/login?next=" + url.QueryEscape(next))
		if !strings.Contains(text, `content="0; url=/`) || strings.Contains(text, "evil") ||
			strings.Contains(text, "<script>") ||
			strings.Contains(text, "url=/console/oidc") {
			t.Errorf("%s leads on to\n%s", next, text)
		}
	}
}

// TestPagesOfAProviderInABrowser looks at what people see of a provider.
func TestPagesOfAProviderInABrowser(t *testing.T) {
	look := newLooker(t)
	p := withProvider(t)
	p.provider.Set(func(k *oidctest.Knobs) { k.Claims["groups"] = []string{"staff", "/health/district-officers"} })
	for name, path := range map[string]string{"refused": "/console/oidc/login", "out": "/console/login?out"} {
		for size, s := range sizes {
			t.Run(name+"/"+size, func(t *testing.T) { look.at(t, "oidc-"+name+"-"+size, p.URL+path, s) })
		}
	}
}

// TestLogInByAProviderInABrowser goes the whole way in a real browser. The provider is another site
// than the console, so that the browser holds back what it must.
func TestLogInByAProviderInABrowser(t *testing.T) {
	ctx, complaints := browsertest.Open(t)
	p := withProvider(t)
	p.provider.Set(func(k *oidctest.Knobs) { k.Ask = true })
	var at, said string
	if err := chromedp.Run(ctx, emulation.SetDeviceMetricsOverride(360, 740, 1, true),
		chromedp.Navigate(p.URL+"/console/records?state=failed"),
		chromedp.Click(`a[href^="/console/oidc/login"]`), chromedp.WaitVisible(`#in`), chromedp.Click(`#in`),
		chromedp.WaitVisible(`form.who`), chromedp.WaitVisible(`nav.main`), chromedp.WaitVisible(`table`),
		chromedp.Location(&at), chromedp.Text(`form.who span`, &said),
	); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(at, "/console/records?state=failed") || said != "ada (operator)" {
		t.Errorf("it ends at %s as %q", at, said)
	}
	if err := chromedp.Run(ctx, chromedp.Click(`form.who button`), chromedp.WaitVisible(`a[href*="/end"]`),
		chromedp.Click(`a[href*="/end"]`), chromedp.WaitVisible(`#out`), chromedp.Navigate(p.URL+"/console/records"),
		chromedp.WaitVisible(`input[name=password]`)); err != nil {
		t.Fatal(err)
	}
	for _, c := range complaints.Take() {
		if !strings.Contains(c, "favicon") {
			t.Errorf("the browser says: %s", c)
		}
	}
}
