package console

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/culvert/culvert/engine/journal"
)

// sizes are the screens that every page is looked at on: a desk and a phone.
var sizes = map[string][2]int64{"desk": {1366, 900}, "phone": {360, 740}}

// browser gives a real browser; the test is skipped where there is none.
func browser(t *testing.T) context.Context {
	t.Helper()
	path := os.Getenv("CULVERT_TEST_CHROMIUM")
	if path == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("CULVERT_TEST_CHROMIUM names no browser")
		}
		t.Skip("CULVERT_TEST_CHROMIUM names no browser")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.WSURLReadTimeout(time.Minute))
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	t.Cleanup(func() { _ = chromedp.Cancel(ctx) }) // waits until the browser has let go of its folder
	if err := chromedp.Run(ctx); err != nil {
		t.Fatalf("start the browser: %v", err)
	}
	return ctx
}

// loggedIn gives the address of a server that shows the console to somebody who has logged in.
func loggedIn(t *testing.T, srv *httptest.Server, name, password string) string {
	t.Helper()
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.SetBasicAuth(name, password)
		srv.Config.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	return front.URL
}

// complaints gathers what the browser says against pages: scripts that fail, what the content security policy refuses.
type complaints struct {
	mu   sync.Mutex
	list []string
}

func (c *complaints) listen(ctx context.Context) {
	chromedp.ListenTarget(ctx, func(event any) {
		c.mu.Lock()
		defer c.mu.Unlock()
		switch e := event.(type) {
		case *log.EventEntryAdded:
			if e.Entry.Level == log.LevelError {
				c.list = append(c.list, e.Entry.Text+" "+e.Entry.URL)
			}
		case *runtime.EventExceptionThrown:
			c.list = append(c.list, e.ExceptionDetails.Error())
		}
	})
}

func (c *complaints) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.list
	c.list = nil
	return list
}

// TestPagesInABrowser looks at every page on a desk and on a phone: nothing runs off the screen,
// nothing fails, and axe finds nothing where it is at hand (CULVERT_TEST_AXE names its axe.min.js).
// With CULVERT_TEST_PICTURES a picture of each is left in the folder that it names.
func TestPagesInABrowser(t *testing.T) {
	ctx := browser(t)
	srv, _ := fixture(t, Config{})
	address := loggedIn(t, srv, "ada", "of-the-admin")
	look := looker{ctx: ctx, axe: axe(t), pictures: os.Getenv("CULVERT_TEST_PICTURES")}
	look.complaints.listen(ctx)
	if err := chromedp.Run(ctx, log.Enable(), runtime.Enable()); err != nil {
		t.Fatal(err)
	}
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
	"rule-that-asks": "/console/rules/anc-monthly-report-of-the-district", "rules": "/console/rules", "files": "/console/files", "audit": "/console/audit", "rule": "/console/rules/anc",
	"correct": "/console/records/1/correct", "person": "/console/person?who=case-1",
	"servers": "/console/servers", "server": "/console/servers/national",
	"program": "/console/servers/national/WSGAb5XwJ3Y", "search": "/console/servers/national?q=hb",
	"login": "/console/login", "missing": "/console/records/999",
}

func axe(t *testing.T) string {
	t.Helper()
	path := os.Getenv("CULVERT_TEST_AXE")
	if path == "" {
		t.Log("CULVERT_TEST_AXE names no axe.min.js: accessibility is not looked at")
		return ""
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

type looker struct {
	ctx        context.Context
	axe        string
	pictures   string
	complaints complaints
}

func (l *looker) at(t *testing.T, name, address string, size [2]int64) {
	l.complaints.take()
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
	for _, c := range l.complaints.take() {
		if !strings.Contains(c, "status of 404") && !strings.Contains(c, "status of 403") {
			t.Errorf("the browser says: %s", c)
		}
	}
	l.listen(t)
	if l.pictures != "" {
		var picture []byte
		if err := chromedp.Run(l.ctx, chromedp.FullScreenshot(&picture, 100)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(l.pictures, name+".png"), picture, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// listen has axe look at the page that is open.
func (l *looker) listen(t *testing.T) {
	if l.axe == "" {
		return
	}
	var found string
	run := `axe.run(document, {resultTypes: ["violations"]}).then(r => JSON.stringify(r.violations.map(v => ({id: ` +
		`v.id, help: v.help, at: v.nodes.map(n => n.html)}))))`
	if err := chromedp.Run(l.ctx, chromedp.Evaluate(l.axe+";0", nil),
		chromedp.Evaluate(run, &found,
			func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) })); err != nil {
		t.Fatal(err)
	}
	var violations []struct {
		ID, Help string
		At       []string
	}
	if err := json.Unmarshal([]byte(found), &violations); err != nil {
		t.Fatal(err)
	}
	for _, v := range violations {
		t.Errorf("axe: %s (%s): %s", v.Help, v.ID, fmt.Sprint(v.At))
	}
}

// TestActionsInABrowser logs in by the form, corrects a record, chooses failed ones to be sent
// again, and sees a page change by itself.
func TestActionsInABrowser(t *testing.T) {
	ctx := browser(t)
	srv, j := fixture(t, Config{})
	withFailures(t, j)
	look := looker{}
	look.complaints.listen(ctx)
	var said, state string
	if err := chromedp.Run(ctx, log.Enable(), runtime.Enable(),
		chromedp.Navigate(srv.URL+"/console/records/1"),
		chromedp.SendKeys(`input[name=user]`, "otto"), chromedp.SendKeys(`input[name=password]`, "of-the-operator"),
		chromedp.Click(`form.login button`),
		chromedp.WaitVisible(`a[href$="/correct"]`), chromedp.Click(`a[href$="/correct"]`),
		chromedp.WaitVisible(`#content`), chromedp.SetValue(`#content`, `{"name": "Corrected"}`),
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
	if list := look.complaints.take(); len(list) > 0 {
		t.Errorf("the browser says: %q", list)
	}
}
