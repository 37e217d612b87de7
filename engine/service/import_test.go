package service

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/internal/disk"
)

func TestSpool(t *testing.T) {
	for _, c := range []struct {
		name, in string
		limit    int64
		want     string // of the error
	}{
		{"all of it", "a,b\n1,2\n", 8, ""},
		{"nothing", "", 8, ""},
		{"too much", "a,b\n1,2\n3", 8,
			"keep the input: more than 0 MB came; write it to a file and import that, or import it in parts"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "state")
			path, err := Spool(dir, "stdin.csv", strings.NewReader(c.in), c.limit)
			if c.want != "" {
				left, _ := os.ReadDir(dir)
				if err == nil || err.Error() != c.want || len(left) > 0 {
					t.Fatalf("got %v, and %d files are left; want %q and none", err, len(left), c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if text, err := os.ReadFile(path); err != nil || string(text) != c.in {
				t.Errorf("kept %q, %v; want %q", text, err, c.in)
			}
		})
	}
}

// TestLeftoversGo looks at what a killed import and a killed upload left, and at what others still fill.
func TestLeftoversGo(t *testing.T) {
	state := t.TempDir()
	uploads := filepath.Join(state, uploadsFolder)
	old := time.Now().Add(-2 * disk.Stale)
	for _, dir := range []string{state, uploads} {
		dead, err := Spool(dir, "stdin.csv", strings.NewReader("name\nAmina\n"), 100)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.Chtimes(dead, old, old), os.Chtimes(filepath.Dir(dead), old, old)); err != nil {
			t.Fatal(err)
		}
		living, err := Spool(dir, "stdin.csv", strings.NewReader("name\nBintu\n"), 100)
		if err != nil {
			t.Fatal(err)
		}
		RemoveLeftovers(slog.New(slog.DiscardHandler), state, uploads)
		if disk.Exists(filepath.Dir(dead)) || !disk.Exists(living) {
			t.Errorf("%s: the dead one's is there: %v, the living one's: %v", dir, disk.Exists(filepath.Dir(dead)),
				disk.Exists(living))
		}
	}
}
