//go:build unix

package project

import (
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
