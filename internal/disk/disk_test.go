package disk

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/culvert/culvert/sources/sourcetest"
)

// Files move between devices too: the shared memory of Linux is one, the folder of temporary files mostly another.
func TestMoveBetweenDevices(t *testing.T) {
	other := t.TempDir()
	if dir, err := os.MkdirTemp("/dev/shm", "culvert-test-*"); err == nil {
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		other = dir
	}
	from, to := filepath.Join(other, "a.csv"), filepath.Join(t.TempDir(), "a.csv")
	sourcetest.WriteFile(t, from, "name\nAda\n")
	if err := Move(from, to); err != nil {
		t.Fatal(err)
	}
	if got := sourcetest.ReadFile(t, to); got != "name\nAda\n" {
		t.Errorf("it has become %q", got)
	}
	if left := sourcetest.Names(t, other); left != nil {
		t.Errorf("left behind: %v", left)
	}
	if err := Move(from, to); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("moving what is gone: %v", err)
	}
}

func TestCopyLeavesNothingHalf(t *testing.T) {
	dir := t.TempDir()
	from := filepath.Join(dir, "a.csv")
	sourcetest.WriteFile(t, from, "name\nAda\n")
	if err := Copy(from, filepath.Join(dir, "missing", "a.csv")); err == nil {
		t.Error("a copy into nowhere gives no error")
	}
	if err := Copy(from, filepath.Join(dir, "b.csv")); err != nil {
		t.Fatal(err)
	}
	if got := sourcetest.Names(t, dir); len(got) != 2 ||
		sourcetest.ReadFile(t, from) != sourcetest.ReadFile(t, filepath.Join(dir, "b.csv")) {
		t.Errorf("the folder holds %v", got)
	}
}
