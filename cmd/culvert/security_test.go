package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestSecurityPageNamesProofs holds that every test, script, file and folder that the page on
// security names as a proof is there, and that each of its chapters names one.
func TestSecurityPageNamesProofs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	tests := testsOf(t, "../..")
	find := func(pattern string) [][]string {
		t.Helper()
		found := regexp.MustCompile(pattern).FindAllStringSubmatch(page, -1)
		if len(found) == 0 {
			t.Errorf("the page names nothing like %s", pattern)
		}
		return found
	}
	for _, n := range find("`((?:Test|Fuzz)[A-Z][A-Za-z]*)`") {
		if len(tests[n[1]]) == 0 {
			t.Errorf("the test %s is named as a proof, and there is none", n[1])
		}
	}
	for _, n := range find("`([a-z0-9/]+)\\.((?:Test|Fuzz)[A-Z][A-Za-z]*)`") {
		if !slices.Contains(tests[n[2]], n[1]) {
			t.Errorf("the test %s of %s is named as a proof, and there is none", n[2], n[1])
		}
	}
	for _, n := range find("`((?:(?:engine|sources|actions|rules|schemas|internal|cmd)/[a-z0-9_/.]+)|\\.ci/run|\\.golangci\\.yml)`") {
		if _, err := os.Stat(filepath.Join("../..", n[1])); err != nil {
			t.Errorf("named as a proof: %v", err)
		}
	}
	for _, n := range find("scripts? `([a-z]+)`(?: and `([a-z]+)`)?") {
		for _, name := range n[1:] {
			if name == "" {
				continue
			}
			if _, err := os.Stat(filepath.Join("testdata", "script", name+".txtar")); err != nil {
				t.Errorf("named as a proof: %v", err)
			}
		}
	}
	for _, n := range find(`(?m)^\| (V\d+ [^|]*?) \|[^|]*\|([^|]*)`) {
		if strings.TrimSpace(n[2]) == "" {
			t.Errorf("%s names no proof", n[1])
		}
	}
}

// testsOf gives the folders of all tests below a folder, by their names.
func testsOf(t *testing.T, root string) map[string][]string {
	t.Helper()
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Z]\w*)\(`)
	tests := map[string][]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(root, filepath.Dir(path))
		for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
			tests[m[1]] = append(tests[m[1]], filepath.ToSlash(folder))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tests
}
