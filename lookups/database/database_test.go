package database

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/culvert/culvert/lookups"
	"github.com/culvert/culvert/sources"
)

// TestSettingsComeBack has a connection changed to one that cannot be opened, and back: what was
// closed on the way is opened again.
func TestSettingsComeBack(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "w.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	good := sources.Connection{Name: "w", Kind: "database", URL: "sqlite:" + filepath.Join(dir, "w.db"), Dir: dir}
	current := good
	f := Kind{}.New(lookups.Env{Connection: func(string) (sources.Connection, error) { return current, nil }}).(*finder)
	defer f.Close()
	first, done, err := f.get("w")
	if err != nil {
		t.Fatal(err)
	}
	done()
	current.URL = "nothing://that is known"
	if _, _, err := f.get("w"); err == nil {
		t.Fatal("an address that cannot be read is opened")
	}
	current = good
	again, done, err := f.get("w")
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	if again == first {
		t.Error("the database that was closed is given again")
	}
}
