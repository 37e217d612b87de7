package service_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/culvert/culvert/engine/journal"
)

// TestDownloadsInTheVisitorsLanguage takes failed rows and results of a run in Portuguese in French, drops the failed rows
// corrected, and finds their failures settled.
func TestDownloadsInTheVisitorsLanguage(t *testing.T) {
	dir, ask, upload, j := consoleOfExample(t, "anc", nil)
	config := filepath.Join(dir, "culvert.yaml")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	write(t, config, string(text)+"language: pt\n")
	until(t, func() bool {
		req, _ := ask(http.MethodGet, " /console/rules", nil)
		_, page := ask(http.MethodGet, "xx /", nil)
		return req == http.StatusOK && strings.Contains(page, "Regras")
	})
	sample, err := os.ReadFile(filepath.Join(dir, "samples", "anc-registrations.csv"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(sample)), "\n")
	header := strings.Split(strings.TrimSpace(lines[0]), ",")
	cells := strings.Split(strings.TrimSpace(lines[1]), ",")
	wrong := append([]string{}, cells...)
	for i, name := range header {
		if name == "edd" || strings.Contains(name, "date") {
			wrong[i] = "30/02/2026"
		}
	}
	if status := upload("anc-registration-export", "women.csv", lines[0]+"\n"+strings.Join(wrong, ",")+"\n"); status !=
		http.StatusSeeOther {
		t.Fatalf("upload: %d", status)
	}
	var f journal.File
	finished := func(n int) bool {
		list, err := j().Files(t.Context(), journal.FileFinished)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == n {
			f = list[0]
		}
		return len(list) == n
	}
	until(t, func() bool { return finished(1) })
	if f.Failed != 1 {
		t.Fatalf("the file: %+v", f)
	}
	path := "/console/files/" + f.ID
	_, results := ask(http.MethodGet, "fr "+path+"/results", nil)
	wants(t, "the results in French", results, "\ufeffligne;feuille;", "ce jour n'existe pas", ";en échec;")
	_, results = ask(http.MethodGet, "en "+path+"/results", nil)
	wants(t, "the results in English", results, "\ufeffrow,sheet,", "the calendar has no such day", ",failed,")
	_, results = ask(http.MethodGet, "/api/v1/files/"+f.ID+"/results", nil)
	wants(t, "the results for programs", results, "row,sheet,", "esse dia não existe")
	_, failed := ask(http.MethodGet, "fr "+path+"/failed", nil)
	wants(t, "the failed rows in French", failed, "culvert cause,culvert correction,culvert ligne",
		"ce jour n'existe pas", "[colonne ")

	corrected := strings.ReplaceAll(failed, "30/02/2026", "2026-02-03")
	if status := upload("anc-registration-export", "women-2.csv", corrected); status != http.StatusSeeOther {
		t.Fatalf("upload: %d", status)
	}
	until(t, func() bool { return finished(2) })
	left, err := j().Select(t.Context(), journal.Filter{States: []journal.State{journal.Failed}})
	if err != nil || len(left) > 0 {
		t.Errorf("failures are left: %+v, %v", left, err)
	}
}
