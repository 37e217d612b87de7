package files

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// Files move between devices too: the shared memory of Linux is one, the folder of temporary files mostly another.
func TestMoveBetweenDevices(t *testing.T) {
	other := t.TempDir()
	if dir, err := os.MkdirTemp("/dev/shm", "culvert-test-*"); err == nil {
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		other = dir
	}
	from, to := filepath.Join(other, "a.csv"), filepath.Join(t.TempDir(), "a.csv")
	mustWrite(t, from, "name\nAda\n")
	if err := move(from, to); err != nil {
		t.Fatal(err)
	}
	if got := mustRead(t, to); got != "name\nAda\n" {
		t.Errorf("it has become %q", got)
	}
	if left := listDir(t, other); left != nil {
		t.Errorf("left behind: %v", left)
	}
	if err := move(from, to); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("moving what is gone: %v", err)
	}
}

func TestCopyLeavesNothingHalf(t *testing.T) {
	dir := t.TempDir()
	from := filepath.Join(dir, "a.csv")
	mustWrite(t, from, "name\nAda\n")
	if err := copyFile(from, filepath.Join(dir, "missing", "a.csv")); err == nil {
		t.Error("a copy into nowhere gives no error")
	}
	if err := copyFile(from, filepath.Join(dir, "b.csv")); err != nil {
		t.Fatal(err)
	}
	if got := listDir(t, dir); len(got) != 2 || mustRead(t, from) != mustRead(t, filepath.Join(dir, "b.csv")) {
		t.Errorf("the folder holds %v", got)
	}
}
