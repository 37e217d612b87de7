package console

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/results"
)

// rowsFixture is a console with a finished file: row 4 of it has a record of its own, the others went
// through plainly.
func rowsFixture(t *testing.T, rows int64) (url string, j journal.Journal, p *project) {
	t.Helper()
	p, j, srv := rowsServer(t, rows)
	return srv.URL, j, p
}

// rowsServer is that with its server.
func rowsServer(t *testing.T, rows int64) (p *project, j journal.Journal, srv *httptest.Server) {
	t.Helper()
	p = newProject()
	p.results = filepath.Join(t.TempDir(), "visits.results.csv")
	w, err := results.Open(p.results, 0)
	if err != nil {
		t.Fatal(err)
	}
	for n := int64(1); n <= rows; n++ {
		row := results.Row{Record: n, Line: int(n) + 1, Outcome: "delivered", ID: fmt.Sprint("visit-", n),
			Key: fmt.Sprint("case-", (n+1)/2), Objects: []string{fmt.Sprint("uidOfVisit", n)}}
		if n == 4 {
			row.Outcome = "failed"
		}
		if err := w.Write(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	srv, j = fixture(t, Config{Running: p})
	f := &journal.File{File: sources.File{ID: "f1", Rule: "anc", Name: "visits.csv", SHA256: "x", Received: time.Now()},
		State: journal.FileOpen, Next: 1, Places: rows, Results: p.results, Rows: rows}
	if _, err := j.AddFile(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	commit(t, j, f)
	return p, j, srv
}

// commit finishes the file and records its fourth row.
func commit(t *testing.T, j journal.Journal, f *journal.File) {
	t.Helper()
	const owner = "runner"
	if err := j.Heartbeat(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	if ok, err := j.TakeFile(t.Context(), owner, f.ID); err != nil || !ok {
		t.Fatalf("the file is taken: %v, %v", ok, err)
	}
	taken, err := j.Files(t.Context(), "")
	if err != nil || len(taken) != 1 {
		t.Fatalf("%d files, %v", len(taken), err)
	}
	done := taken[0]
	done.State, done.Results, done.Rows, done.Finished = journal.FileFinished, f.Results, f.Rows, time.Now()
	rec := &journal.Record{Rule: "anc", ID: "visit-4", Key: "case-2", Body: []byte(`{}`), State: journal.Failed,
		Received: f.Received, Seq: done.Seq(4), Problem: &journal.Problem{Class: "data"},
		Origin: sources.Origin{Trigger: "files", File: f.Name, FileID: f.ID, Row: 5, DataRow: 4}}
	if err := j.Commit(t.Context(), &journal.Batch{Owner: owner, Server: "national", New: []*journal.Record{rec},
		Files: []journal.File{done}}); err != nil {
		t.Fatal(err)
	}
}

// TestRowsWithoutRecords finds rows that went through plainly wherever records are searched, and shows what they say.
func TestRowsWithoutRecords(t *testing.T) {
	url, j, _ := rowsFixture(t, 250)
	const row = "/console/files/f1/rows/"
	for path, c := range map[string]struct {
		want, not string
	}{
		"/console/records?q=visit-7":                        {row + "7", row + "8"},
		"/console/records?q=case-4":                         {row + "8", row + "9"},
		"/console/records?q=uidOfVisit200":                  {row + "200", row + "20\""},
		"/console/records?q=visits.csv:9":                   {row + "8", row + "9"},
		"/console/records?q=visits.csv":                     {"/console/files/f1\"", row},
		"/console/records?q=visit-4":                        {"failed", row}, // it is a record
		"/console/records?q=visit-7&state=failed":           {"No such record", row},
		"/console/records?q=visit-7&state=delivered":        {row + "7", "Look further"},
		"/console/records?q=visit-7&rule=other":             {"No such record", row},
		"/console/records?q=visit-7&until=2020-01-01T00:00": {"No such record", row},
		"/console/records?q=nobody":                         {"No such record", "Rows of files"},
		"/console/person?who=case-4":                        {row + "7", row + "9"},
		"/console/person?who=case-2":                        {row + "3", row + "4"},
		"/console/files":                                    {"/console/files/f1\"", ""},
		"/console/files/f1":                                 {row + "100\"", row + "101"},
		"/console/files/f1?q=150":                           {row + "149", row + "150"},
		"/console/files/f1?q=visit-150":                     {row + "150", row + "149"},
		"/console/files/f1?outcome=failed":                  {row + "4", row + "5"},
		"/console/files/f1?outcome=skipped":                 {"No such row", row},
		row + "7":                                           {"uidOfVisit7", "Corrected"},
		row + "7?content":                                   {"Corrected Awa", "the file is gone"},
		row + "3?content":                                   {"the file is gone", "Corrected"},
	} {
		status, page, _ := get(t, url+path, nil)
		if status != http.StatusOK || !strings.Contains(page, c.want) || c.not != "" && strings.Contains(page, c.not) {
			t.Errorf("%s: %d, with %q and without %q expected:\n%s", path, status, c.want, c.not, page)
		}
	}
	if status, _, header := get(t, url+row+"4?content", nil); status != http.StatusSeeOther ||
		!strings.HasPrefix(header.Get("Location"), "/console/records/") ||
		!strings.HasSuffix(header.Get("Location"), "?content") {
		t.Errorf("a row with a record: %d %v", status, header)
	}
	for _, path := range []string{row + "251", row + "0", row + "x", "/console/files/f2", "/console/files/f2/rows/1"} {
		if status, _, _ := get(t, url+path, nil); status != http.StatusNotFound {
			t.Errorf("%s: %d", path, status)
		}
	}
	for _, path := range []string{"/console/records?q=x&rows=f1", "/console/records?q=x&rows=f2:0", "/console/files/f1?rows=f2:1"} {
		if status, _, _ := get(t, url+path, nil); status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", path, status)
		}
	}
	vera := func(r *http.Request) { r.SetBasicAuth("vera", "of-the-viewer") }
	if status, page, _ := get(t, url+row+"7?content", vera); status != http.StatusForbidden || strings.Contains(page, "Awa") {
		t.Errorf("a viewer sees what a row says: %d", status)
	}
	audit, err := j.Audit(t.Context(), 10)
	if err != nil || len(audit) == 0 || audit[0].Did != "look" || !strings.Contains(audit[0].Subject, "file f1, row") {
		t.Errorf("audit: %+v, %v", audit, err)
	}
}

// TestRowsPageByPage goes through all rows of a file.
func TestRowsPageByPage(t *testing.T) {
	url, _, p := rowsFixture(t, 250)
	seen := 0
	for path := "/console/files/f1"; path != ""; {
		status, page, _ := get(t, url+path, nil)
		if status != http.StatusOK {
			t.Fatalf("%s: %d", path, status)
		}
		seen += strings.Count(page, `<tr><th scope="row"><a href="/console/files/f1/rows/`)
		_, path, _ = strings.Cut(page, ` <a href="/console/files/f1?`)
		if path != "" {
			path, _, _ = strings.Cut(path, `"`)
			path = "/console/files/f1?" + strings.ReplaceAll(path, "&amp;", "&")
		}
	}
	if seen != 250 {
		t.Errorf("%d rows, want 250", seen)
	}
	if err := os.Remove(p.results); err != nil {
		t.Fatal(err)
	}
	if status, page, _ := get(t, url+"/console/files/f1", nil); status != http.StatusOK ||
		!strings.Contains(page, "cannot be told any more") {
		t.Errorf("without results: %d %s", status, page)
	}
	if status, page, _ := get(t, url+"/console/files/f1/rows/7", nil); status != http.StatusNotFound ||
		!strings.Contains(page, "cannot be told any more") {
		t.Errorf("a row without results: %d %s", status, page)
	}
	if status, _, _ := get(t, url+"/console/records?q=visit-7", nil); status != http.StatusOK {
		t.Errorf("a search without results: %d", status)
	}
}
