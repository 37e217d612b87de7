package console

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
)

// TestSearch finds records by each of what they are searched by, page by page.
func TestSearch(t *testing.T) {
	srv, j := fixture(t, Config{})
	f := &journal.File{File: sources.File{ID: "f1", Rule: "visits", Name: "Visits.csv", SHA256: "x",
		Received: time.Now()}, State: journal.FileOpen, Next: 1}
	if _, err := j.AddFile(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	var list []*journal.Record
	for n := range 2*pageSize + 5 {
		list = append(list, &journal.Record{
			Rule: "visits", ID: fmt.Sprintf("visit-%d", n), Key: "case-9", Body: []byte(`{}`), State: journal.Failed,
			Received: time.Now(), About: map[bool][]string{true: {"uidOfClinic"}}[n < 3],
			Origin: sources.Origin{Trigger: "files", File: "Visits.csv", FileID: "f1", Row: n + 2, DataRow: int64(n + 1)},
			Problem: &journal.Problem{Class: "data", Problem: diag.Problem{Code: "blank-value",
				Message: "a value is blank"}},
		})
	}
	if _, err := j.Append(t.Context(), list, nil); err != nil {
		t.Fatal(err)
	}
	ids := regexp.MustCompile(`<code>(visit-\d+|form-\d+)</code>`)
	find := func(path string) (found int, page string) {
		t.Helper()
		status, page, _ := get(t, srv.URL+path, nil)
		if status != http.StatusOK {
			t.Fatalf("%s: %d\n%s", path, status, page)
		}
		return len(ids.FindAllString(page, -1)), page
	}
	for path, want := range map[string]int{
		"/console/records?q=form-1":                             1,
		"/console/records?q=case-2":                             1,
		"/console/records?rule=anc":                             2,
		"/console/records?state=pending":                        1,
		"/console/records?code=unmapped-value":                  1,
		"/console/records?q=visits.csv":                         pageSize,
		"/console/records?q=visits.csv:7":                       1,
		"/console/records?org_unit=Coast":                       3,
		"/console/records?org_unit=Coast&state=failed":          3,
		"/console/records?org_unit=uidOfCoast&rule=anc":         0,
		"/console/records?q=uidOfClinic":                        0,
		"/console/records?q=nobody":                             0,
		"/console/records?until=2020-01-01T00:00":               0,
		"/console/records?since=2020-01-01T00:00&rule=anc":      2,
		"/console/records?file=f1&rule=visits&code=blank-value": pageSize,
	} {
		if got, page := find(path); got != want {
			t.Errorf("%s finds %d, want %d:\n%s", path, got, want, page)
		}
	}
	next := regexp.MustCompile(`href="([^"]*)" rel="next"`)
	seen, path := map[string]bool{}, "/console/records?rule=visits"
	for pages := 0; path != ""; pages++ {
		_, page := find(path)
		for _, id := range ids.FindAllString(page, -1) {
			if seen[id] {
				t.Errorf("%s is on two pages", id)
			}
			seen[id] = true
		}
		path = ""
		if m := next.FindStringSubmatch(page); m != nil {
			path = strings.ReplaceAll(m[1], "&amp;", "&")
		}
		if pages > 5 {
			t.Fatal("the pages have no end")
		}
	}
	if len(seen) != len(list) {
		t.Errorf("the pages hold %d records, want %d", len(seen), len(list))
	}
	if status, _, _ := get(t, srv.URL+"/console/records?since=yesterday", nil); status != http.StatusUnprocessableEntity {
		t.Errorf("a time that is none: %d", status)
	}
	for unit, want := range map[string]string{"Coats": "did you mean &#34;Coast&#34;?", "Country": "one further down"} {
		if status, page, _ := get(t, srv.URL+"/console/records?org_unit="+unit, nil); status != http.StatusUnprocessableEntity ||
			!strings.Contains(page, want) {
			t.Errorf("org unit %s: %d\n%s", unit, status, page)
		}
	}
	if status, page, _ := get(t, srv.URL+"/console/person?who=case-9", nil); status != http.StatusOK ||
		!strings.Contains(page, "Only the latest") || !strings.Contains(page, "visits") {
		t.Errorf("a person: %d\n%s", status, page)
	}
	if status, _, _ := get(t, srv.URL+"/console/person?who=nobody", nil); status != http.StatusNotFound {
		t.Errorf("nobody: %d", status)
	}
}
