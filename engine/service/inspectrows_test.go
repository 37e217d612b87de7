package service_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/sources/results"
)

// TestRowsOfAFile looks at a row that went through plainly: by its external id, by its place, with what it
// says and what was sent, and once the file is not what it was or gone.
func TestRowsOfAFile(t *testing.T) {
	dir, ask, upload, j := consoleOf(t)
	text, err := os.ReadFile(filepath.Join(dir, "samples", "anc-registrations.csv"))
	if err != nil {
		t.Fatal(err)
	}
	if status := upload("anc-registration-export", "women.csv", string(text)); status != http.StatusSeeOther {
		t.Fatalf("upload: %d", status)
	}
	var f journal.File
	until(t, func() bool {
		list, err := j().Files(context.Background(), journal.FileFinished)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 1 {
			f = list[0]
		}
		return f.ID != ""
	})
	if f.Failed > 0 || f.Delivered == 0 {
		t.Fatalf("the file: %+v", f)
	}
	content, err := os.Open(f.Results)
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	rows, _, err := results.Find(t.Context(), content, 1<<20, 0, results.Query{Record: 1}, results.Budget{Rows: 1})
	if err != nil || len(rows) != 1 || rows[0].ID == "" || rows[0].Key == "" {
		t.Fatalf("the first row: %+v, %v", rows, err)
	}
	row := rows[0]
	at := fmt.Sprintf("/console/files/%s/rows/1", f.ID)
	for _, search := range []string{row.ID, row.Key, row.Objects[0], "women.csv:2"} {
		_, page := ask(http.MethodGet, "/console/records?q="+search, nil)
		wants(t, "the search by "+search, page, at+`"`)
	}
	_, page := ask(http.MethodGet, "/console/person?who="+row.Key, nil)
	wants(t, "the person", page, at+`"`)
	_, page = ask(http.MethodGet, at, nil)
	wants(t, "the row", page, "tracked entity <a href=", "enrollment <a href=", "event <a href=", "#/enrollmentEventEdit?eventId=",
		row.ID)
	_, page = ask(http.MethodGet, at+"?content", nil)
	wants(t, "what the row says", page, "How the values come to be", "/api/tracker", "first_name")

	original := results.Original(f.Results, f.Name)
	whole, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(whole), "\n")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(original, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	last := fmt.Sprintf("/console/files/%s/rows/%d", f.ID, len(lines)-2)
	write(lines[0] + strings.Join(lines[2:], "")) // the first woman was taken out
	_, page = ask(http.MethodGet, at+"?content", nil)
	wants(t, "a row that is not there any more", page, "is not what it was")
	_, page = ask(http.MethodGet, last+"?content", nil)
	wants(t, "a row behind it", page, "is not what it was")
	write(lines[0] + lines[2] + lines[1] + strings.Join(lines[3:], "")) // sorted another time: as long as before
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(original, later, later); err != nil {
		t.Fatal(err)
	}
	_, page = ask(http.MethodGet, at+"?content", nil)
	wants(t, "a row that stands elsewhere now", page, "is not what it was")
	write(strings.Join(lines[:len(lines)-2], "")) // the last one instead
	_, page = ask(http.MethodGet, at+"?content", nil)
	wants(t, "a row before one that was taken out", page, "How the values come to be")
	if err := os.Remove(original); err != nil {
		t.Fatal(err)
	}
	_, page = ask(http.MethodGet, at+"?content", nil)
	wants(t, "a row of a file that is gone", page, "is gone from where it was")
	if regexp.MustCompile("<h2>Content</h2>").MatchString(page) {
		t.Error("it shows a content")
	}
}
