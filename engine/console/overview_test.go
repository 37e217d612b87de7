package console

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/controls"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
)

// TestOverviewOfARun shows what came in and went out lately, by rule, with what comes next.
func TestOverviewOfARun(t *testing.T) {
	p := newProject()
	p.rules[1].NextRun = time.Now().Add(time.Hour)
	srv, j := fixture(t, Config{Running: p})
	ctx := t.Context()
	var list []*journal.Record
	for n := range 12 {
		list = append(list, &journal.Record{Rule: "anc", ID: fmt.Sprint("n", n), Key: fmt.Sprint("k", n), Body: []byte("{}"),
			State: journal.Pending, Received: time.Now(), NextTry: time.Now(),
			Origin: sources.Origin{Trigger: "webhook"}})
	}
	if _, err := j.Append(ctx, list, nil); err != nil {
		t.Fatal(err)
	}
	claimed, err := j.Claim(ctx, journal.Claim{Owner: "r", Limit: 100, Now: time.Now().Add(time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	b := &journal.Batch{Owner: "r", Server: "national"}
	for i, rec := range claimed {
		s := journal.Settlement{Seq: rec.Seq, State: journal.Delivered, Attempts: 1}
		if i == 0 {
			s.State, s.Problem = journal.Failed, &journal.Problem{Class: actions.ClassData,
				Problem: diag.Problem{Code: "E1007",
					Message: "a value does not fit"}}
		}
		b.Settlements = append(b.Settlements, s)
	}
	if err := j.Commit(ctx, b); err != nil {
		t.Fatal(err)
	}
	for _, period := range []string{"", "?period=day", "?period=week", "?period=month", "?period=nonsense"} {
		_, text, _ := get(t, srv.URL+"/"+period, nil)
		for _, want := range []string{"14 received, 12 delivered, 2 failed", `<rect class="delivered"`,
			"anc-monthly-report-of-the-district</a></dd>", "See why", "2 records of rule anc have failed"} {
			if !strings.Contains(text, want) {
				t.Errorf("%q lacks %q:\n%s", period, want, text)
			}
		}
		if strings.Contains(text, "`") || strings.Contains(text, "culvert failures") {
			t.Errorf("%q tells people with a browser to type commands", period)
		}
	}
}

// TestEvents tells a browser that watches when something changes, and lets go of it when the process stops.
func TestEvents(t *testing.T) {
	done := make(chan struct{})
	srv, j := fixture(t, Config{Done: done})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/console/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("vera", "of-the-viewer")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if kind := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || kind != "text/event-stream" {
		t.Fatalf("%d %s", resp.StatusCode, kind)
	}
	changed, ended := make(chan struct{}, 100), make(chan struct{})
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			if lines.Text() == "event: change" {
				changed <- struct{}{}
			}
		}
	}()
	if err := controls.PauseRule(context.Background(), j, "anc", controls.Pause{Since: time.Now(), Who: "x"}); err != nil {
		t.Fatal(err)
	}
	for _, what := range []<-chan struct{}{changed, ended} {
		select {
		case <-what:
		case <-time.After(time.Minute):
			t.Fatal("nothing came within a minute")
		}
		if what == (<-chan struct{})(changed) {
			close(done)
		}
	}
}

func TestShort(t *testing.T) {
	for n, want := range map[float64]string{0.5: "0.5", 3: "3", 950: "950", 1200: "1.2k", 34_000: "34k", 2e6: "2M",
		1.5e9: "1.5G"} {
		if got := short(n); got != want {
			t.Errorf("%g is written %s, want %s", n, got, want)
		}
	}
}

// TestOverviewOfPauses names what is paused with who, why and since when, and lets an operator resume it.
func TestOverviewOfPauses(t *testing.T) {
	srv, j := fixture(t, Config{})
	pause := controls.Pause{Since: time.Now().Add(-time.Hour), Who: "otto", Why: "the ministry asked"}
	if err := controls.PauseRule(t.Context(), j, "anc", pause); err != nil {
		t.Fatal(err)
	}
	_, text, _ := get(t, srv.URL+"/", nil)
	for _, want := range []string{`Rule <a href="/console/rules/anc">`, "60 minutes ago", "otto", "the ministry asked",
		`aria-label="Resume: anc"`} {
		if _, list, _ := strings.Cut(text, `class="conditions"`); !strings.Contains(list[:strings.Index(list, "</ul>")], want) {
			t.Errorf("the overview lacks %q:\n%s", want, text)
		}
	}
	_, text, _ = get(t, srv.URL+"/", func(r *http.Request) { r.SetBasicAuth("vera", "of-the-viewer") })
	if !strings.Contains(text, "the ministry asked") || strings.Contains(text, "Resume") {
		t.Errorf("a viewer sees %s", text)
	}
}
