package rules

import (
	"bytes"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
)

var update = flag.Bool("update", false, "rewrite golden files")

// TestFindings loads every project under testdata/findings and compares what is found, as it is
// printed, with want.txt beside it.
func TestFindings(t *testing.T) {
	cases, err := filepath.Glob("testdata/findings/*")
	if err != nil || len(cases) < 60 {
		t.Fatalf("%d cases: %v", len(cases), err)
	}
	seen := map[string]bool{}
	for _, dir := range cases {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			got, codes := findingsOf(t, dir)
			for _, code := range codes {
				seen[code] = true
			}
			golden := filepath.Join(dir, "want.txt")
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), string(got)); d != "" {
				t.Error(d)
			}
			if len(codes) == 0 {
				t.Error("nothing was found")
			}
		})
	}
	if len(seen) < 50 {
		t.Errorf("only %d distinct codes", len(seen))
	}
}

// findingsOf loads the rules of a project folder and renders what is wrong with them.
func findingsOf(t *testing.T, dir string) ([]byte, []string) {
	t.Helper()
	f := files{"samples/form.json": formSample}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		f[filepath.ToSlash(name)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range f {
		if strings.HasSuffix(name, ".yaml") && !strings.HasPrefix(filepath.Base(name), "_") &&
			strings.HasPrefix(name, "rules/") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	env := testEnvironment(f)
	var all []*Rule
	var list diag.List
	if text, ok := f["rules/_defaults.yaml"]; ok {
		env.Defaults = append(env.Defaults, yamlnode.Parse("rules/_defaults.yaml", []byte(text), &list))
	}
	for _, name := range names {
		r, findings := Load(name, []byte(f[name]), env)
		if r != nil {
			compileFields(r)
			r.Finish()
			all = append(all, r)
		}
		list.Add(findings.List...)
	}
	list.Add(CheckProject(all)...)
	var out bytes.Buffer
	source := func(name string) ([]byte, bool) {
		text, ok := f[name]
		return []byte(text), ok
	}
	if err := diag.Render(&out, "text", diag.Report{Findings: list, Source: source}); err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, d := range list {
		codes = append(codes, d.Code)
		if d.Message == "" || d.Place.File == "" || d.Place.Range.Start.Line == 0 {
			t.Errorf("incomplete: %+v", d)
		}
	}
	return out.Bytes(), codes
}
