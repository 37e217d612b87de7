package disk

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestRemoveStale(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	old, young := now.Add(-Stale-time.Minute), now.Add(-Stale+time.Minute)
	lay := func(folder string, made, written time.Time) {
		t.Helper()
		path := filepath.Join(dir, folder)
		file := filepath.Join(path, "stdin.csv")
		for _, err := range []error{os.MkdirAll(path, 0o700), os.WriteFile(file, []byte("a"), 0o600),
			os.Chtimes(file, written, written), os.Chtimes(path, made, made)} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	lay("stdin-of-the-dead", old, old)
	lay("stdin-still-written", old, young)
	lay("stdin-new", young, young)
	lay("inbox", old, old)
	if err := RemoveStale(dir, "stdin-*", now); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if want := []string{"inbox", "stdin-new", "stdin-still-written"}; !slices.Equal(left, want) {
		t.Errorf("left are %q, want %q", left, want)
	}
	if err := RemoveStale(filepath.Join(dir, "nowhere"), "*", now); err != nil {
		t.Errorf("a folder that is not there: %v", err)
	}
}
