// Package examples holds working example projects: rule files with their samples, value maps and
// input. They are embedded for `demo` and `init`, and the tests run every one of them.
package examples

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

//go:embed all:anc all:tour all:cookbook all:triggers all:photos all:lookups all:outward all:exchange all:shared
var files embed.FS

// Names lists the examples.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(err) // the embedded tree is part of the binary
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// Files gives the files of one example; the error says that there is no such example.
func Files(name string) (fs.FS, error) {
	if _, err := fs.Stat(files, name); err != nil {
		return nil, fmt.Errorf("there is no example %q; there are %s", name, strings.Join(Names(), ", "))
	}
	return fs.Sub(files, name)
}

// ErrExists says that a file to be written is there already.
var ErrExists = errors.New("is there already")

// Write copies an example into a folder, those files for which keep answers true. It never
// overwrites: the error wraps ErrExists.
func Write(name, dir string, keep func(path string) bool) error {
	from, err := Files(name)
	if err != nil {
		return err
	}
	return fs.WalkDir(from, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() || !keep(p) {
			return nil
		}
		text, err := fs.ReadFile(from, p)
		if err != nil {
			return fmt.Errorf("read example %s: %w", path.Join(name, p), err)
		}
		return writeNew(filepath.Join(dir, filepath.FromSlash(p)), text)
	})
}

func writeNew(file string, text []byte) (err error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("make the folder of %s: %w", file, err)
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s %w", file, ErrExists)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	defer func() {
		if cerr := f.Close(); err == nil && cerr != nil {
			err = fmt.Errorf("write %s: %w", file, cerr)
		}
	}()
	if _, err := f.Write(text); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return nil
}
