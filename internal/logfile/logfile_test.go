package logfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestTurnsOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "logs", "culvert.log")
	w, err := open(path, 10, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"one 1\n", "two 2\n", "three 3\n", "a line that is longer than a log\n", "five 5\n"} {
		if _, err := w.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	// What is there already is gone on with.
	if w, err = open(path, 20, 2); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("six 6\n")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{path: "five 5\nsix 6\n", path + ".1": "a line that is longer than a log\n",
		path + ".2": "three 3\n"} {
		if text, err := os.ReadFile(name); err != nil || string(text) != want {
			t.Errorf("%s: %q, %v; want %q", name, text, err, want)
		}
	}
	if _, err := os.Stat(path + ".3"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("more logs are kept than asked for: %v", err)
	}
}

func TestCannotOpen(t *testing.T) {
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(filepath.Join(blocked, "culvert.log")); err == nil {
		t.Error("a log below a file was opened")
	}
	if _, err := Open(t.TempDir()); err == nil {
		t.Error("a folder was opened as a log")
	}
}
