package project

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
)

// oddProject makes a project with one good rule, and gives what loads it.
func oddProject(t *testing.T) (dir string, load func() *Project) {
	t.Helper()
	dir = t.TempDir()
	write(t, dir, map[string]string{
		ConfigFile:         "project: p\nservers: {national: {url: https://x.example.org, token: \"${TOKEN}\"}}\n",
		"rules/other.yaml": "trigger: {webhook: {path: /fine}}\nactions:\n  - dhis2.event: {program: Malaria cases}\n",
	})
	l := &Loader{Sources: []sources.Kind{touchy{}}}
	return dir, func() *Project {
		t.Helper()
		p, err := l.Load(t.Context(), dir)
		if err != nil {
			t.Fatalf("the project as a whole was refused: %v", err)
		}
		return p
	}
}

// said gives the message of the finding of a code at a file, "" when there is none.
func said(p *Project, code, file string) string {
	for _, d := range p.Findings {
		if d.Code == code && d.Place.File == file {
			return d.Message
		}
	}
	return ""
}

// TestUnreadableFiles has each file that cannot be read be a finding of its own, and all others be read.
func TestUnreadableFiles(t *testing.T) {
	t.Parallel()
	link := func(to string) func(string) error { return func(file string) error { return os.Symlink(to, file) } }
	for _, c := range []struct {
		name, file string
		make       func(file string) error
		code, want string
	}{
		{"a folder named so", "rules/x.yaml", func(f string) error { return os.Mkdir(f, 0o755) }, "unreadable-file", "is a folder"},
		{"a link to nothing", "rules/x.yaml", link("nowhere.yaml"), "unreadable-file", "leads nowhere"},
		{"a link to itself", "rules/x.yaml", link("x.yaml"), "unreadable-file", "cannot be read"},
		{"a link to a folder that is away", "rules/shared", link("../../shared"), "unreadable-file", "leads nowhere"},
		{"a device", "rules/x.yaml", link(os.DevNull), "unreadable-file", "no plain file"},
		{"far too large", "rules/x.yaml", func(f string) error {
			if err := os.WriteFile(f, nil, 0o600); err != nil {
				return err
			}
			return os.Truncate(f, maxFile+1)
		}, "unreadable-file", "larger than 64 MiB"},
		{"not UTF-8", "rules/x.yaml", func(f string) error { return os.WriteFile(f, []byte("rule: \xe9\n"), 0o600) }, "", ""},
		{"functions: a folder", "functions/x.yaml", func(f string) error { return os.MkdirAll(f, 0o755) }, "unreadable-file",
			"is a folder"},
		{"functions: a link to nothing", "functions/x.yaml", link("gone.yaml"), "unreadable-file", "leads nowhere"},
		{"defaults: a link to nothing", "rules/_defaults.yaml", link("gone.yaml"), "unreadable-file", "leads nowhere"},
		{"defaults: a folder", "rules/_defaults.yaml", func(f string) error { return os.Mkdir(f, 0o755) }, "unreadable-file",
			"is a folder"},
		{"a snapshot that is none", "metadata/national/server.json", func(f string) error { return os.Mkdir(f, 0o755) },
			"unreadable-snapshot", "cannot be read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir, load := oddProject(t)
			file := filepath.Join(dir, filepath.FromSlash(c.file))
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := c.make(file); err != nil {
				t.Skipf("this system has none of these: %v", err)
			}
			p := load()
			if p.RuleNamed("other") == nil {
				t.Error("the other rule is gone")
			}
			if c.code == "" {
				if !slices.ContainsFunc(p.Findings, func(d diag.Diagnostic) bool {
					return d.Place.File == c.file && d.Severity == diag.Error
				}) {
					t.Errorf("nothing is said of %s: %v", c.file, p.Findings)
				}
				return
			}
			if got := said(p, c.code, c.file); !strings.Contains(got, c.want) {
				t.Errorf("said %q, want %q of %s; all: %v", got, c.want, c.file, p.Findings)
			}
			if !slices.Contains(p.Lost, c.file) {
				t.Errorf("lost: %q, want %s", p.Lost, c.file)
			}
		})
	}
}

// TestRulesWithoutTheirDefaults: a rule whose defaults cannot be used may be right and mean something else.
func TestRulesWithoutTheirDefaults(t *testing.T) {
	t.Parallel()
	dir, load := oddProject(t)
	write(t, dir, map[string]string{"rules/deep/_defaults.yaml": "a: [\n", "rules/deep/under.yaml": "rule: under\n"})
	p := load()
	if said(p, "defaults-unusable", "rules/deep/under.yaml") == "" {
		t.Errorf("the rule below goes on without its defaults: %v", p.Findings)
	}
	if said(p, "defaults-unusable", "rules/other.yaml") != "" {
		t.Error("a rule elsewhere is stopped by them")
	}
}

// TestLinksOutside follows links, and says which lead out of the project.
func TestLinksOutside(t *testing.T) {
	t.Parallel()
	dir, load := oddProject(t)
	elsewhere := t.TempDir()
	rule := "trigger: {webhook: {path: /%s}}\nactions:\n  - dhis2.event: {program: Malaria cases}\n"
	write(t, elsewhere, map[string]string{"theirs.yaml": strings.ReplaceAll(rule, "%s", "theirs")})
	// As Kubernetes mounts a config map.
	write(t, dir, map[string]string{"rules/..2026/map.yaml": strings.ReplaceAll(rule, "%s", "map")})
	for from, to := range map[string]string{"rules/..data": "..2026", "rules/map.yaml": "..data/map.yaml"} {
		if err := os.Symlink(to, filepath.Join(dir, filepath.FromSlash(from))); err != nil {
			t.Skipf("this system has no links for us: %v", err)
		}
	}
	if p := load(); p.RuleNamed("map") == nil || p.Checked != 2 || said(p, "link-outside", "rules/map.yaml") != "" {
		t.Errorf("a config map: %d rules, %v", p.Checked, p.Findings)
	}
	if err := os.Symlink(filepath.Join(elsewhere, "theirs.yaml"), filepath.Join(dir, "rules", "theirs.yaml")); err != nil {
		t.Fatal(err)
	}
	p := load()
	if p.RuleNamed("theirs") == nil || said(p, "link-outside", "rules/theirs.yaml") == "" {
		t.Errorf("a link out of the project: %v", p.Findings)
	}
}
