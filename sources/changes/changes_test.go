package changes_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/culvert/culvert/sources/changes"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func watch(t *testing.T) *changes.Watcher {
	t.Helper()
	w, err := changes.Watch()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

func await(t *testing.T, w *changes.Watcher, what string) {
	t.Helper()
	select {
	case <-w.Happened():
	case <-time.After(30 * time.Second):
		t.Fatalf("nothing was heard of %s", what)
	}
}

func TestHappened(t *testing.T) {
	t.Parallel()
	w, dir := watch(t), t.TempDir()
	if w.Watches(dir) {
		t.Error("a folder is watched that was not added")
	}
	if err := w.Add(dir); err != nil || !w.Watches(dir) {
		t.Fatalf("the folder is not watched: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	await(t, w, "a new file")
	if err := w.Add(filepath.Join(dir, "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
}

// TestFoldersThatAreReplaced adds folders while they are renamed, removed and made anew by others,
// which fsnotify meets with errors. Nobody takes the signals meanwhile, as when a runner is busy.
func TestFoldersThatAreReplaced(t *testing.T) {
	t.Parallel()
	w, root := watch(t), t.TempDir()
	var wg sync.WaitGroup
	for n := range 4 {
		dir := filepath.Join(root, fmt.Sprint(n))
		wg.Go(func() {
			for i := range 300 {
				old := fmt.Sprintf("%s.old%d", dir, i)
				if err := os.MkdirAll(dir, 0o700); err != nil {
					t.Error(err)
					return
				}
				_ = w.Add(dir) // it may be gone again
				if err := os.Rename(dir, old); err != nil {
					t.Error(err)
					return
				}
				if err := os.RemoveAll(old); err != nil {
					t.Error(err)
					return
				}
			}
		})
		wg.Go(func() {
			for range 600 {
				_ = w.Add(dir) // it may not be there
			}
		})
	}
	wg.Wait()
	dir := t.TempDir()
	if err := w.Add(dir); err != nil {
		t.Fatal(err)
	}
	select {
	case <-w.Happened():
	default:
	}
	if err := os.Mkdir(filepath.Join(dir, "a"), 0o700); err != nil {
		t.Fatal(err)
	}
	await(t, w, "a folder made at last")
}

func TestNothingIsWatched(t *testing.T) {
	t.Parallel()
	var w *changes.Watcher
	if err := w.Add(t.TempDir()); err != nil || w.Happened() != nil || w.Watches("") {
		t.Error("a nil watcher does something")
	}
	w.Close()
}
