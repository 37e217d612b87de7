package project

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/webhook"
)

// write lays files into a folder, by their paths in it.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// touchy is a kind of trigger that fails on one path as no code should.
type touchy struct{ webhook.Kind }

func (k touchy) Check(t *rules.Trigger, report func(diag.Diagnostic)) {
	if n := t.Config.Get("path"); n != nil && n.Value == "/panic" {
		panic("slice bounds out of range")
	}
	k.Kind.Check(t, report)
}

// TestRuleThatPanics has one rule meet a mistake of ours: it has a finding, and the other rules are as they were.
func TestRuleThatPanics(t *testing.T) {
	dir := t.TempDir()
	const rule = "trigger: {webhook: {path: /%s}}\nactions:\n  - dhis2.event: {program: Malaria cases}\n"
	write(t, dir, map[string]string{
		ConfigFile:         "project: p\nservers: {national: {url: https://x.example.org, token: \"${TOKEN}\"}}\n",
		"rules/bad.yaml":   strings.ReplaceAll(rule, "%s", "panic"),
		"rules/other.yaml": strings.ReplaceAll(rule, "%s", "fine"),
	})
	p, err := (&Loader{Sources: []sources.Kind{touchy{}}}).Load(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"bad": "internal-error", "other": "no-snapshot"} {
		r := p.RuleNamed(name)
		if r == nil || !slices.ContainsFunc(r.Findings,
			func(d diag.Diagnostic) bool { return d.Code == want && d.Severity == diag.Error }) {
			t.Errorf("rule %s: %+v, want the finding %s", name, r, want)
		}
	}
	if p.Checked != 2 {
		t.Errorf("%d rules were checked", p.Checked)
	}
}

func TestWalkFollowsLinks(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a/one.yaml": "1", "z/two.yaml": "2"})
	for from, to := range map[string]string{"link": "z", "a/up": "..", "a/self": ".", "file.yaml": "a/one.yaml",
		"gone": "nowhere"} {
		if err := os.Symlink(to, filepath.Join(dir, filepath.FromSlash(from))); err != nil {
			t.Skipf("this system has no links for us: %v", err)
		}
	}
	var got, lost []string
	err := Walk(dir, func(path string, d fs.DirEntry) error {
		if rel, _ := filepath.Rel(dir, path); !d.IsDir() {
			got = append(got, filepath.ToSlash(rel))
		}
		return nil
	}, func(path string, err error) { lost = append(lost, filepath.Base(path)) })
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(lost, []string{"gone"}) {
		t.Errorf("%q leads nowhere, want gone alone", lost)
	}
	if want := []string{"a/one.yaml", "file.yaml", "link/two.yaml", "z/two.yaml"}; !slices.Equal(got, want) {
		t.Errorf("visited %q, want %q", got, want)
	}
}

// TestFingerprint changes a file without a trace in its size and time.
func TestFingerprint(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"rules/a.yaml": "one", "state/x": "1"})
	skip := func(path string, _ fs.DirEntry) bool { return filepath.Base(path) == "state" }
	stamp := func() string {
		t.Helper()
		sum, err := Fingerprint(dir, skip)
		if err != nil {
			t.Fatal(err)
		}
		return string(sum[:])
	}
	at := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	file := filepath.Join(dir, "rules", "a.yaml")
	if err := os.Chtimes(file, at, at); err != nil {
		t.Fatal(err)
	}
	before := stamp()
	write(t, dir, map[string]string{"state/x": "2"})
	if stamp() != before {
		t.Error("a folder that is left out changed the fingerprint")
	}
	write(t, dir, map[string]string{"rules/a.yaml": "two"})
	if err := os.Chtimes(file, at, at); err != nil {
		t.Fatal(err)
	}
	if changed(must(os.Stat(file))) != "" && stamp() == before {
		t.Error("a file of the same size and time was not seen to have changed")
	}
	write(t, dir, map[string]string{"rules/b.yaml": "new"})
	if stamp() == before {
		t.Error("a new file was not seen")
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestCheckingOut(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{".git/HEAD": "", "sub/culvert.yaml": "",
		"tree/.git": "gitdir: ../.git/worktrees/tree\n", ".git/worktrees/tree/HEAD": ""})
	check := func(folder string, want bool) {
		t.Helper()
		if got := CheckingOut(filepath.Join(dir, folder), time.Minute); got != want {
			t.Errorf("%s: %v", folder, got)
		}
	}
	check("sub", false)
	write(t, dir, map[string]string{".git/index.lock": ""})
	check("sub", true)
	check("tree", false)
	write(t, dir, map[string]string{".git/worktrees/tree/index.lock": ""})
	check("tree", true)
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(dir, ".git", "index.lock"), old, old); err != nil {
		t.Fatal(err)
	}
	check("sub", false)
}
