package project

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// deepest bounds how deep folders of a project may lie in each other, links to folders counted.
const deepest = 32

// most bounds how many files and folders are looked at: links that lead to each other multiply them.
const most = 1_000_000

// Walk visits a folder and all that lies in it, in the order of names. Links are followed, as
// configuration systems and people lay projects out by them: the path visited is that through the
// link, the entry that of what it leads to. A link to a folder that it lies in is passed over.
// visit may answer fs.SkipDir. What vanishes meanwhile is passed over. What cannot be looked at, a folder
// that cannot be listed and a link that leads nowhere go to lost, and all else is visited; nil passes
// them over. The error is for what concerns the folder as a whole.
func Walk(root string, visit func(path string, d fs.DirEntry) error, lost func(path string, err error)) error {
	if lost == nil {
		lost = func(string, error) {}
	}
	w := walker{visit: visit, lost: lost, inside: map[string]bool{}}
	if err := w.walk(root, 0); err != nil && !errors.Is(err, fs.SkipDir) {
		return err
	}
	return nil
}

type walker struct {
	visit  func(path string, d fs.DirEntry) error
	lost   func(path string, err error)
	inside map[string]bool // real paths of the folders that the walk is in
	count  int
}

func (w *walker) walk(path string, depth int) error {
	info, err := os.Stat(path)
	if err != nil {
		if _, gone := os.Lstat(path); !errors.Is(gone, fs.ErrNotExist) {
			w.lost(path, err)
		}
		return nil
	}
	if w.count++; w.count > most {
		return fmt.Errorf("%s: the project holds more than %d files", path, most)
	}
	if !info.IsDir() {
		return w.visit(path, fs.FileInfoToDirEntry(info))
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		w.lost(path, err)
		return nil
	}
	if w.inside[real] {
		return nil
	}
	w.inside[real] = true
	defer delete(w.inside, real)
	if depth > deepest {
		return fmt.Errorf("%s: folders lie more than %d deep in each other", path, deepest)
	}
	if err := w.visit(path, fs.FileInfoToDirEntry(info)); err != nil {
		return err
	}
	entries, err := os.ReadDir(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.lost(path, err)
	}
	for _, e := range entries {
		if err := w.walk(filepath.Join(path, e.Name()), depth+1); err != nil && !errors.Is(err, fs.SkipDir) {
			return err
		}
	}
	return nil
}
