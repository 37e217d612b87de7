//go:build unix

package sqlite_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/journaltest"
	"github.com/culvert/culvert/engine/journal/sqlite"
)

func openAt(t *testing.T, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// TestFileGoesWhileItRuns deletes or replaces the journal under a process: nothing more is
// acknowledged, and what a deleted one held is saved.
func TestFileGoesWhileItRuns(t *testing.T) {
	for name, do := range map[string]func(path string) error{
		"deleted": os.Remove,
		"replaced": func(path string) error {
			return errors.Join(os.Remove(path), os.WriteFile(path, []byte("another"), 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "culvert.db")
			s := openAt(t, path)
			if _, err := s.Append(t.Context(), []*journal.Record{journaltest.Form(1)}, nil); err != nil {
				t.Fatal(err)
			}
			if err := do(path); err != nil {
				t.Fatal(err)
			}
			var gone *journal.ErrUnavailable
			for range 2 {
				if _, err := s.Append(t.Context(), []*journal.Record{journaltest.Form(2)}, nil); !errors.As(err, &gone) ||
					!strings.Contains(gone.Reason, name) {
					t.Fatalf("a record was kept, or refused without the reason: %v", err)
				}
			}
			if err := s.Heartbeat(t.Context(), "me"); !errors.As(err, &gone) {
				t.Errorf("a sign of life was kept: %v", err)
			}
			saved, err := filepath.Glob(path + ".saved-*")
			if err != nil || len(saved) != 1 {
				t.Fatalf("saved: %v, %v", saved, err)
			}
			again := openAt(t, saved[0])
			list, err := again.Select(t.Context(), journal.Filter{})
			if err != nil || len(list) != 1 {
				t.Errorf("the saved journal holds %d records: %v", len(list), err)
			}
		})
	}
}

// TestPrivateWhateverTheMask makes journals under a mask that lets everybody read, and opens one
// that an earlier version left readable.
func TestPrivateWhateverTheMask(t *testing.T) {
	old := syscall.Umask(0)
	t.Cleanup(func() { syscall.Umask(old) })
	dir := filepath.Join(t.TempDir(), "state")
	path := filepath.Join(dir, "culvert.db")
	check := func() {
		t.Helper()
		for _, file := range []string{path, path + "-wal", path + "-shm"} {
			if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s is %v: %v", filepath.Base(file), info.Mode().Perm(), err)
			}
		}
	}
	s := openAt(t, path)
	if _, err := s.Append(t.Context(), []*journal.Record{journaltest.Form(1)}, nil); err != nil {
		t.Fatal(err)
	}
	check()
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder is %v: %v", info.Mode().Perm(), err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	s = openAt(t, path)
	if _, err := s.Append(t.Context(), []*journal.Record{journaltest.Form(2)}, nil); err != nil {
		t.Fatal(err)
	}
	check()
}
