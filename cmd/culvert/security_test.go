package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSecurityPageNamesProofs holds that every test, file and folder that the page on security
// names as a proof is there.
func TestSecurityPageNamesProofs(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile("`((?:Test|Fuzz)[A-Z][A-Za-z]*)`").FindAllStringSubmatch(string(page), -1)
	paths := regexp.MustCompile("`((?:engine|sources|actions|rules|schemas|internal|cmd)/[a-z0-9_/.]+)`").
		FindAllStringSubmatch(string(page), -1)
	if len(names) == 0 || len(paths) == 0 {
		t.Fatalf("the page names %d tests and %d files", len(names), len(paths))
	}
	for _, p := range paths {
		if _, err := os.Stat(filepath.Join("../..", p[1])); err != nil {
			t.Errorf("named as a proof: %v", err)
		}
	}
	tests := testsOf(t, "../..")
	for _, n := range names {
		if !tests[n[1]] {
			t.Errorf("the test %s is named as a proof, and there is none", n[1])
		}
	}
}

// testsOf gives the names of all tests below a folder.
func testsOf(t *testing.T, root string) map[string]bool {
	t.Helper()
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Z]\w*)\(`)
	tests := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
			tests[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tests
}
