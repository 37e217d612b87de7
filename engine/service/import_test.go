package service

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
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
