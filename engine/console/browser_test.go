package console

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/language"
	"github.com/culvert/culvert/internal/browsertest"
)

// sizes are the screens that every page is looked at on: a desk and a phone.
var sizes = map[string][2]int64{"desk": {1366, 900}, "phone": {360, 740}}

// loggedIn gives the address of a server that shows the console to somebody who has logged in.
func loggedIn(t *testing.T, srv *httptest.Server, name, password string) string {
	t.Helper()
	return loggedInAs(t, srv, name, password, "en")
}

// loggedInAs is loggedIn with a browser that asks for a language.
func loggedInAs(t *testing.T, srv *httptest.Server, name, password, tag string) string {
	t.Helper()
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.SetBasicAuth(name, password)
		r.Header.Set("Accept-Language", tag)
		srv.Config.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	return front.URL
}

// TestPagesInABrowser looks at every page on a desk and on a phone: nothing runs off the screen,
// nothing fails, and axe finds nothing where it is at hand (CULVERT_TEST_AXE names its axe.min.js).
// With CULVERT_TEST_PICTURES a picture of each is left in the folder that it names.
func TestPagesInABrowser(t *testing.T) {
	look := newLooker(t)
	_, _, srv := rowsServer(t, 30)
	address := loggedIn(t, srv, "ada", "of-the-admin")
	for name, path := range pagesLookedAt {
		for size, s := range sizes {
			t.Run(name+"/"+size, func(t *testing.T) { look.at(t, name+"-"+size, address+path, s) })
		}
	}
}

// pagesLookedAt are the pages of the fixture, by a name for each.
var pagesLookedAt = map[string]string{
	"overview": "/", "failures": "/console/failures",
	"cause":   "/console/failures/cause?rule=anc&code=unmapped-value&cause=the+value+is+not+in+the+map+%3Csex%3E&values",
	"records": "/console/records", "record": "/console/records/1", "content": "/console/records/1?content",
	"rule-that-asks": "/console/rules/anc-monthly-report-of-the-district", "rules": "/console/rules",
	"files": "/console/files", "audit": "/console/audit", "rule": "/console/rules/anc",
	"correct": "/console/records/1/correct", "person": "/console/person?who=case-1",
	"servers": "/console/servers", "server": "/console/servers/national",
	"program": "/console/servers/national/WSGAb5XwJ3Y", "search": "/console/servers/national?q=hb",
	"login": "/console/login", "missing": "/console/records/999", "code": "/console/codes/unmapped-value",
	"file": "/console/files/f1", "row": "/console/files/f1/rows/7?content", "row-gone": "/console/files/f1/rows/3?content",
	"found": "/console/records?q=case-4",
}

// TestPagesInEveryLanguage has axe look at every page in each language, in the dark.
func TestPagesInEveryLanguage(t *testing.T) {
	if os.Getenv("CULVERT_TEST_AXE") == "" {
		t.Skip("CULVERT_TEST_AXE names no axe.min.js")
	}
	look := newLooker(t)
	_, _, srv := rowsServer(t, 30)
	dark := emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}})
	if err := chromedp.Run(look.ctx, dark); err != nil {
		t.Fatal(err)
	}
	for _, tag := range language.Tags() {
		front := loggedInAs(t, srv, "ada", "of-the-admin", tag)
		for name, path := range pagesLookedAt {
			t.Run(tag+"/"+name, func(t *testing.T) { look.at(t, name+"-dark-"+tag, front+path, sizes["phone"]) })
		}
	}
}

type looker struct {
	ctx        context.Context
	complaints *browsertest.Complaints
}

func newLooker(t *testing.T) *looker {
	ctx, complaints := browsertest.Open(t)
	return &looker{ctx, complaints}
}

func (l *looker) at(t *testing.T, name, address string, size [2]int64) {
	l.complaints.Take()
	var over float64
	if err := chromedp.Run(l.ctx,
		emulation.SetDeviceMetricsOverride(size[0], size[1], 1, size[0] < 500),
		chromedp.Navigate(address),
		chromedp.WaitReady("main"),
		chromedp.Evaluate(fmt.Sprintf(`Math.max(document.documentElement.scrollWidth, window.innerWidth) - %d`, size[0]),
			&over),
	); err != nil {
		t.Fatal(err)
	}
	if over > 0 {
		t.Errorf("%g pixels run off the screen", over)
	}
	for _, c := range l.complaints.Take() {
		if !strings.Contains(c, "status of 404") && !strings.Contains(c, "status of 403") {
			t.Errorf("the browser says: %s", c)
		}
	}
	browsertest.Accessible(l.ctx, t)
	browsertest.Picture(l.ctx, t, name)
}

// TestActionsInABrowser logs in by the form, corrects a record, chooses failed ones to be sent
// again, and sees a page change by itself.
func TestActionsInABrowser(t *testing.T) {
	ctx, complaints := browsertest.Open(t)
	srv, j := fixture(t, Config{})
	withFailures(t, j)
	var said, state string
	if err := chromedp.Run(ctx,
		chromedp.Navigate(srv.URL+"/console/records/1"),
		chromedp.SendKeys(`input[name=user]`, "otto"), chromedp.SendKeys(`input[name=password]`, "of-the-operator"),
		chromedp.Click(`form.login button`),
		chromedp.WaitVisible(`a[href$="/correct"]`), chromedp.Click(`a[href$="/correct"]`),
		chromedp.WaitVisible(`input[name=now]`), chromedp.SetValue(`input[name=now]`, "Corrected"),
		chromedp.Click(`button[value=preview]`),
		chromedp.WaitVisible(`#preview`), chromedp.Text(`#live`, &said),
	); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(said, "tracked entity Person") {
		t.Errorf("the preview says\n%s", said)
	}
	if err := chromedp.Run(ctx, chromedp.SendKeys(`input[name=why]`, "typing error"), chromedp.Click(`button[value=send]`),
		chromedp.WaitVisible(`p.notice`), chromedp.Text(`p.notice`, &said),
		chromedp.Text(`.facts .state`, &state)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(said, "correction was taken") || state != "pending" {
		t.Errorf("after sending: %q, %s", said, state)
	}
	if err := chromedp.Run(ctx,
		chromedp.Navigate(srv.URL+"/console/failures/cause?rule=anc&code=unmapped-value&cause=not+in+the+map"),
		chromedp.Click(`input[data-all]`), chromedp.Click(`form[action$=replay] button.first`),
		chromedp.WaitVisible(`p.notice`), chromedp.Text(`p.notice`, &said)); err != nil {
		t.Fatal(err)
	}
	if list, err := j.Select(t.Context(), journal.Filter{Cause: "not in the map",
		States: []journal.State{journal.Failed}}); said != "Put back in line." || err != nil || len(list) != 0 {
		t.Errorf("%q, and %d are left, %v", said, len(list), err)
	}
	if err := chromedp.Run(ctx, chromedp.Navigate(srv.URL+"/"),
		chromedp.WaitVisible(`a[href="/console/rules/anc"]`)); err != nil {
		t.Fatal(err)
	}
	one := []*journal.Record{{Rule: "arrived-later", ID: "x", Key: "x", Body: []byte("{}"), State: journal.Pending,
		Received: time.Now(), NextTry: time.Now()}}
	if _, err := j.Append(t.Context(), one, nil); err != nil {
		t.Fatal(err)
	}
	wait, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := chromedp.Run(wait, chromedp.WaitVisible(`a[href="/console/rules/arrived-later"]`)); err != nil {
		t.Errorf("the page does not change by itself: %v", err)
	}
	if list := complaints.Take(); len(list) > 0 {
		t.Errorf("the browser says: %q", list)
	}
}

// focused is what a keyboard is at: the text or name of the element, and whether that can be seen.
const focused = `(() => {
	const e = document.activeElement, s = getComputedStyle(e), b = e.getBoundingClientRect();
	const seen = parseFloat(s.outlineWidth) > 0 && s.outlineStyle !== "none" && b.width > 0 && b.bottom > 0 && b.top < innerHeight;
	return JSON.stringify({name: (e.getAttribute("aria-label") || e.innerText || e.name || e.id || e.tagName).trim(),
		seen, body: e === document.body, above: !!e.closest("header")});
})()`

// TestKeyboard goes through every page by the keyboard alone: the link past the navigation comes
// first and works, whatever is reached can be seen, and the end is reached.
func TestKeyboard(t *testing.T) {
	ctx, _ := browsertest.Open(t)
	_, _, srv := rowsServer(t, 30)
	address := loggedIn(t, srv, "ada", "of-the-admin")
	at := func(t *testing.T, keys ...string) (f struct {
		Name              string
		Seen, Body, Above bool
	}) {
		t.Helper()
		var text string
		for _, key := range keys {
			if err := chromedp.Run(ctx, chromedp.KeyEvent(key)); err != nil {
				t.Fatal(err)
			}
		}
		if err := chromedp.Run(ctx, chromedp.Evaluate(focused, &text)); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(text), &f); err != nil {
			t.Fatal(err)
		}
		return f
	}
	for name, path := range pagesLookedAt {
		t.Run(name, func(t *testing.T) {
			if err := chromedp.Run(ctx, emulation.SetDeviceMetricsOverride(1366, 900, 1, false),
				chromedp.Navigate(address+path), chromedp.WaitReady("main")); err != nil {
				t.Fatal(err)
			}
			f := at(t, kb.Tab)
			if name == "login" { // where one is at what is to be typed at once
				return
			}
			if f.Name != "Skip to the content" || !f.Seen {
				t.Errorf("first comes %+v", f)
			}
			steps := 0
			for f = at(t, kb.Tab); !f.Body; f = at(t, kb.Tab) {
				if !f.Seen {
					t.Errorf("%q is reached and not seen", f.Name)
				}
				if steps++; steps > 400 {
					t.Fatal("the keyboard does not come out")
				}
			}
			if f := at(t, kb.Tab, kb.Enter); f.Name == "Skip to the content" {
				t.Error("the link past the navigation leads nowhere")
			}
			if f := at(t, kb.Tab); f.Above {
				t.Errorf("past the navigation comes %q", f.Name)
			}
		})
	}
}

// TestWithoutScripts reads pages and does what operators do in a browser that runs no scripts.
func TestWithoutScripts(t *testing.T) {
	ctx, complaints := browsertest.Open(t)
	_, j, srv := rowsServer(t, 30)
	address := loggedIn(t, srv, "otto", "of-the-operator")
	var said, state string
	if err := chromedp.Run(ctx, emulation.SetScriptExecutionDisabled(true),
		chromedp.Navigate(address+"/console/records"),
		chromedp.SendKeys(`input[name=q]`, "case-4"+kb.Enter, chromedp.ByQuery),
		chromedp.Click(`a[href="/console/files/f1/rows/8"]`, chromedp.ByQuery),
		chromedp.Click(`a[href="?content"]`, chromedp.ByQuery),
		chromedp.Text(`pre`, &said, chromedp.ByQuery)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(said, "Corrected Awa") {
		t.Errorf("the row says %q", said)
	}
	if err := chromedp.Run(ctx, chromedp.Navigate(address+"/console/rules/anc"),
		chromedp.Click(`details.menu summary`, chromedp.ByQuery),
		chromedp.SendKeys(`details.menu input[name=why]`, "the ministry upgrades"+kb.Enter, chromedp.ByQuery),
		chromedp.WaitVisible(`p.notice`, chromedp.ByQuery), chromedp.Text(`p.notice`, &said, chromedp.ByQuery)); err != nil {
		t.Fatal(err)
	}
	if said != "Paused." {
		t.Errorf("a pause says %q", said)
	}
	if err := chromedp.Run(ctx, chromedp.Navigate(address+"/console/records/1/correct"),
		chromedp.SetValue(`#content`, `{"name": "Corrected"}`, chromedp.ByQuery),
		chromedp.SendKeys(`input[name=why]`, "typing error", chromedp.ByQuery),
		chromedp.Click(`button[value=send]`, chromedp.ByQuery), chromedp.WaitVisible(`p.notice`, chromedp.ByQuery),
		chromedp.Text(`.facts .state`, &state, chromedp.ByQuery)); err != nil {
		t.Fatal(err)
	}
	if state != "pending" {
		t.Errorf("a corrected record is %s", state)
	}
	audit, err := j.Audit(t.Context(), 20)
	if err != nil || !slices.ContainsFunc(audit, func(e journal.AuditEntry) bool { return e.Why == "the ministry upgrades" }) {
		t.Errorf("audit: %+v, %v", audit, err)
	}
	if list := complaints.Take(); len(list) > 0 {
		t.Errorf("the browser says: %q", list)
	}
}
