package schedule

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/sourcetest"
)

// sheet is a file on the web that changes.
type sheet struct {
	mu      sync.Mutex
	content string
	media   string
	status  int
}

func (s *sheet) set(content string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.content = content
}

func (s *sheet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, password, _ := r.BasicAuth(); password != "s3cret" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", s.media)
	if s.status != 0 {
		w.WriteHeader(s.status)
	}
	fmt.Fprint(w, s.content)
}

// fetching makes a run of a rule that fetches a file.
func fetching(t *testing.T, s *sheet, more string) (*run, *sourcetest.Sink) {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	text := fmt.Sprintf(`{every: 1h, file: {url: "%s/export", auth: {basic: {username: a, password: "${KEY}"}}%s}}`,
		server.URL, more)
	if got := findings(t, text); got != nil {
		t.Fatal(got)
	}
	rule := ruleOf("anc/visits", trigger(t, text), time.UTC)
	c := config(rule)
	c.Dir = t.TempDir()
	c.Inbox = filepath.Join(c.Dir, "state", "inbox")
	sink := newSink()
	return &run{Source: New(c), rule: rule, sink: sink, log: c.Log}, sink
}

func (r *run) fetchOnce(t *testing.T) (int, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return r.file(ctx, time.Time{}, at("2026-03-05 10:00:00"))
}

// TestFileIsTakenWhenItHasChanged: what is as it was is left alone, and what is back after a change is taken anew.
func TestFileIsTakenWhenItHasChanged(t *testing.T) {
	s := &sheet{media: "text/csv; charset=utf-8"}
	r, sink := fetching(t, s, "")
	for i, step := range []struct {
		content string
		taken   int
	}{{"id\n1\n", 1}, {"id\n1\n", 0}, {"id\n2\n", 1}, {"id\n1\n", 1}, {"id\n1\n", 0}} {
		s.set(step.content)
		n, err := r.fetchOnce(t)
		if err != nil || n != step.taken || len(sink.Files) != n {
			t.Fatalf("step %d: %d files are taken, %d arrived, %v", i+1, n, len(sink.Files), err)
		}
		if n == 0 {
			continue
		}
		f := <-sink.Files
		if got := sourcetest.ReadFile(t, f.Path); got != step.content {
			t.Errorf("step %d: the file holds %q", i+1, got)
		}
		want := sources.File{Rule: "anc/visits", Name: "visits-20260305-1000.csv",
			Folder: filepath.Join(r.c.Dir, "fetched", "anc%2Fvisits")}
		if diff := cmp.Diff(want, sources.File{Rule: f.Rule, Name: f.Name, Folder: f.Folder}); diff != "" {
			t.Error(diff)
		}
	}
	r.rule.File.Rule = "another text"
	for i, taken := range []int{1, 0} {
		if n, err := r.fetchOnce(t); n != taken || err != nil {
			t.Errorf("%d. fetch for a rule that has changed takes %d: %v", i+1, n, err)
		}
	}
	if left := sourcetest.Names(t, filepath.Join(r.c.Dir, "state", "fetching")); left != nil {
		t.Errorf("%v is left behind", left)
	}
}

// TestFileAfterACrash: a file that was taken, with the note of it lost, is not taken twice.
func TestFileAfterACrash(t *testing.T) {
	s := &sheet{media: "text/csv", content: "id\n1\n"}
	r, sink := fetching(t, s, "")
	sink.Refuse = refuseFirst
	if _, err := r.fetchOnce(t); err == nil {
		t.Fatal("the note of the file was saved")
	}
	if _, err := r.fetchOnce(t); err != nil {
		t.Fatal(err)
	}
	if len(sink.Files) != 1 || len(sink.Offered) != 2 {
		t.Errorf("%d files are kept of %d", len(sink.Files), len(sink.Offered))
	}
}

// TestFilesOfAKilledRun: what was fetched half is not kept in clear, also where its rule is gone.
func TestFilesOfAKilledRun(t *testing.T) {
	r, sink := fetching(t, &sheet{}, "")
	half := filepath.Join(r.fetchingFolder(), "gone", "part")
	if err := errors.Join(os.MkdirAll(filepath.Dir(half), 0o700), os.WriteFile(half, []byte("id\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Run(ctx, sink); err != nil {
		t.Fatal(err)
	}
	if left := sourcetest.Names(t, r.fetchingFolder()); left != nil {
		t.Errorf("%v is left behind", left)
	}
}

// TestSecretAddress: of an address that a variable holds nothing but the host is told.
func TestSecretAddress(t *testing.T) {
	r, _ := fetching(t, &sheet{status: http.StatusNotFound}, "")
	link := r.rule.File.URL
	r.rule.File.URL = "${LINK}"
	resolve := r.c.Resolve
	r.c.Resolve = func(text string) (string, error) {
		if text == "${LINK}" {
			return link, nil
		}
		return resolve(text)
	}
	if _, err := r.fetchOnce(t); err == nil || !strings.Contains(err.Error(), " answers 404; ") {
		t.Errorf("the error is %v", err)
	}
}

func TestFileRefused(t *testing.T) {
	for name, c := range map[string]struct {
		sheet *sheet
		want  string
	}{
		"a page to log in":  {&sheet{media: "text/html; charset=utf-8", content: "<html>"}, "a page, perhaps one to log in"},
		"it is not there":   {&sheet{status: http.StatusNotFound}, "answers 404 to /export; check the address"},
		"busy":              {&sheet{status: http.StatusServiceUnavailable}, "answers 503 to /export; it may be busy"},
		"an answer to none": {&sheet{status: http.StatusNoContent}, "answers 204 to /export"},
	} {
		t.Run(name, func(t *testing.T) {
			r, sink := fetching(t, c.sheet, "")
			_, err := r.fetchOnce(t)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error is %v", err)
			}
			if len(sink.Offered) > 0 {
				t.Error("a file is taken all the same")
			}
			if _, err := os.Stat(filepath.Join(r.c.Dir, "fetched")); err == nil {
				t.Error("there is a folder for results of nothing")
			}
		})
	}
}

// TestSheetPages tells the pages of a Google sheet, which people copy from the browser, from its values.
func TestSheetPages(t *testing.T) {
	const sheet = "https://docs.google.com/spreadsheets/d/"
	for address, page := range map[string]bool{
		sheet + "1AbC/edit#gid=0": true, sheet + "1AbC/edit?usp=sharing": true, sheet + "1AbC": true, sheet + "e/2P/pubhtml": true,
		sheet + "e/2P/pub": true, sheet + "e/2P/pub?gid=0&single=true&output=csv": false, sheet + "e/2P/pub?output=xlsx": false,
		sheet + "1AbC/export?format=csv&gid=0": false, sheet + "1AbC/gviz/tq?tqx=out:csv&sheet=a": false,
		"https://h.example.org/spreadsheets/d/1/edit": false, "${SHEET_URL}": false,
	} {
		if isSheetPage(address) != page {
			t.Errorf("%s: taken for a page: %v", address, !page)
		}
	}
}

func TestFileFindings(t *testing.T) {
	for text, want := range map[string]string{
		`{every: 1h, file: {format: csv}}`:                                                         "missing-key",
		`{every: 1h, file: {url: "ftp://h/a.csv"}}`:                                                "bad-url",
		`{every: 1h, file: {url: "https://u:p@h/a.csv"}}`:                                          "secret-in-file",
		`{every: 1h, file: {url: "https://h/a", format: doc}}`:                                     "format",
		`{every: 1h, file: {url: "https://h/a", folder: ../b}}`:                                    "folder",
		`{every: 1h, file: {url: "https://h/a"}, http: {url: "https://h"}}`:                        "two-feeds",
		`{every: 1h, file: {url: "https://docs.google.com/spreadsheets/d/1AbC/edit?gid=0#gid=0"}}`: "url",
	} {
		if got := findings(t, text); len(got) != 1 || !strings.Contains(got[0], " "+want+": ") {
			t.Errorf("%s: %v", text, got)
		}
	}
}
