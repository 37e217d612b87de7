package console

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/internal/browsertest"
)

// sizes are the screens that every page is looked at on: a desk and a phone.
var sizes = map[string][2]int64{"desk": {1366, 900}, "phone": {360, 740}}

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

// TestPagesInABrowser looks at every page on a desk and on a phone: nothing runs off the screen,
// nothing fails, and axe finds nothing where it is at hand (CULVERT_TEST_AXE names its axe.min.js).
// With CULVERT_TEST_PICTURES a picture of each is left in the folder that it names.
func TestPagesInABrowser(t *testing.T) {
	look := newLooker(t)
	srv, _ := fixture(t, Config{})
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
	"login": "/console/login", "missing": "/console/records/999",
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
	if list := complaints.Take(); len(list) > 0 {
		t.Errorf("the browser says: %q", list)
	}
}
