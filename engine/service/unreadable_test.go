package service_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/culvert/culvert/engine/service"
)

// TestUnreadableFilesStopNoOther runs a project in which one file after the other cannot be read, and can again.
func TestUnreadableFilesStopNoOther(t *testing.T) {
	dir := nullProject(t, "webhook: {path: /forms}", "case.json",
		`{"id": "1", "site": "TM-010202", "day": "2026-03-02", "age": 3, "sex": "FEMALE"}`)
	rule := filepath.Join(dir, "rules", "cases.yaml")
	text, err := os.ReadFile(rule)
	if err != nil {
		t.Fatal(err)
	}
	astray := func(file string) {
		t.Helper()
		if err := os.RemoveAll(file); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("nowhere", file); err != nil {
			t.Skipf("this system has no links for us: %v", err)
		}
	}
	astray(filepath.Join(dir, "rules", "broken.yaml"))
	astray(filepath.Join(dir, "functions", "broken.yaml"))
	s, address, stop := startWith(t, service.Options{Dir: dir})
	defer stop()
	taken := func(path string) bool {
		t.Helper()
		r, err := http.NewRequest(http.MethodPost, "http://"+address+path, strings.NewReader(`{"id": "7"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth("commcare", "x")
		r.Header.Set("Content-Type", "application/json")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		return answer.StatusCode/100 == 2
	}
	if !taken("/forms") {
		t.Error("one file that cannot be read stops the rules beside it")
	}
	astray(rule)
	s.Reload(t.Context())
	if !taken("/forms") {
		t.Error("the rule went with its file, its last good version should run")
	}
	if err := os.Remove(rule); err != nil {
		t.Fatal(err)
	}
	write(t, rule, strings.ReplaceAll(string(text), "/forms", "/others"))
	s.Reload(t.Context())
	if !taken("/others") || taken("/forms") {
		t.Error("the file that can be read again is not live")
	}
	held := filepath.Join(dir, "rules", "held.yaml")
	write(t, held, strings.NewReplacer("rule: cases", "rule: held", "/forms", "/held", "trigger.age", "trigger.old").
		Replace(string(text)))
	if s.Reload(t.Context()); !taken("/held") {
		t.Fatal("the records of a broken rule are refused")
	}
	astray(held)
	if s.Reload(t.Context()); !taken("/held") {
		t.Error("the rule that was broken before went with its file, so that its records are refused")
	}
	// What rules share is seen wherever it lies.
	const trigger = "trigger:\n  webhook: {path: /forms}\n  sample: samples/case.json\n"
	write(t, rule, strings.Replace(string(text), trigger, "extends: parts/base.yaml\n", 1))
	write(t, filepath.Join(dir, "parts", "base.yaml"), trigger)
	s.Reload(t.Context())
	if s.Reload(t.Context()); !taken("/forms") {
		t.Fatal("the rule that extends another file is not live")
	}
	write(t, filepath.Join(dir, "parts", "base.yaml"), strings.ReplaceAll(trigger, "/forms", "/moved"))
	if s.Reload(t.Context()); !taken("/moved") {
		t.Error("a change of parts/base.yaml was not seen")
	}
}
