//go:build unix

package project

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestPipe: nobody waits for whoever writes into a pipe.
func TestPipe(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "a.yaml"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readFile(dir, "a.yaml"); err == nil || !strings.Contains(err.Error(), "a.yaml is no plain file") {
		t.Errorf("the error is %v", err)
	}
}

// TestPipesOfAProject lays a pipe, which nobody writes into, in the place of each file that is read.
func TestPipesOfAProject(t *testing.T) {
	t.Parallel()
	for file, code := range map[string]string{"rules/x.yaml": "unreadable-file", "rules/_defaults.yaml": "unreadable-file",
		"functions/x.yaml": "unreadable-file", "metadata/national/server.json": "unreadable-snapshot"} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			dir, load := oddProject(t)
			pipe := filepath.Join(dir, filepath.FromSlash(file))
			if err := os.MkdirAll(filepath.Dir(pipe), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Mkfifo(pipe, 0o600); err != nil {
				t.Fatal(err)
			}
			p := load()
			if p.RuleNamed("other") == nil || said(p, code, file) == "" {
				t.Errorf("%v", p.Findings)
			}
			if _, err := Wanted(dir); err != nil {
				t.Errorf("what a sync is asked for: %v", err)
			}
		})
	}
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, ConfigFile), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := ReadConfig(dir); err == nil || !strings.Contains(err.Error(), "no plain file") {
		t.Errorf("culvert.yaml as a pipe: %v", err)
	}
	secret := Text{key: "token", file: ConfigFile, dir: dir}
	if _, err := secret.Resolve(); err == nil || !strings.Contains(err.Error(), "no plain file") {
		t.Errorf("a secret as a pipe: %v", err)
	}
}
