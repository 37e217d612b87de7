package files

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/culvert/culvert/internal/disk"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/results"
)

// How surely a row names a file: rules may put a folder before what the row says, and an ending after it.
const (
	namedNot = iota
	namedByStem
	namedByBase
	namedByPath
)

// besideRows are the files that the rows of a finished table named, and whose they are.
type besideRows struct {
	folder string
	files  []rowsFile
	names  map[string]map[int]int // by name, of which files it is, and how surely
}

type rowsFile struct {
	rel           string
	theirs, other int // how surely a row of the person, and one of somebody else, names it
}

// filesBeside lists the files that lie beside a finished table; nil where there are none.
func filesBeside(table string) (*besideRows, error) {
	b := &besideRows{names: map[string]map[int]int{},
		folder: filepath.Join(filepath.Dir(table), results.FilesOf(results.Stem(filepath.Base(table))))}
	err := filepath.WalkDir(b.folder, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(b.folder, p)
		if err != nil {
			return err
		}
		b.add(filepath.ToSlash(rel))
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if len(b.files) == 0 {
		return nil, nil
	}
	return b, nil
}

func (b *besideRows) add(rel string) {
	n := len(b.files)
	b.files = append(b.files, rowsFile{rel: rel})
	base := path.Base(rel)
	for _, x := range []struct {
		name   string
		surely int
	}{{strings.TrimSuffix(base, path.Ext(base)), namedByStem}, {base, namedByBase}, {rel, namedByPath}} {
		if b.names[x.name] == nil {
			b.names[x.name] = map[int]int{}
		}
		b.names[x.name][n] = max(b.names[x.name][n], x.surely)
	}
}

// row hears of a row of the table as it stands there, and whether it is the person's.
func (b *besideRows) row(text string, theirs bool) {
	if b == nil {
		return
	}
	for _, cell := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(",;|\t\r\n\"{}[]", r) }) {
		cell = strings.TrimSpace(cell)
		b.cell(cell, theirs)
		if strings.Contains(cell, " ") { // several files in one answer
			for word := range strings.FieldsSeq(cell) {
				b.cell(word, theirs)
			}
		}
	}
}

func (b *besideRows) cell(cell string, theirs bool) {
	if cell == "" {
		return
	}
	for n, surely := range b.names[path.Clean(strings.ReplaceAll(cell, `\`, "/"))] {
		if f := &b.files[n]; theirs {
			f.theirs = max(f.theirs, surely)
		} else {
			f.other = max(f.other, surely)
		}
	}
}

// remove takes away what rows of the person name, and gives what may be theirs as well as not: rules
// can make names of anything that a row says, so that no row need to hold the name.
func (b *besideRows) remove() (removed, unsure []string, err error) {
	if b == nil {
		return nil, nil, nil
	}
	for _, f := range b.files {
		full := filepath.Join(b.folder, filepath.FromSlash(f.rel))
		switch {
		case f.theirs > f.other:
			if err := removeBeside(full, b.folder); err != nil {
				return removed, unsure, err
			}
			removed = append(removed, full)
		case f.theirs == f.other:
			unsure = append(unsure, full)
		}
	}
	return removed, unsure, nil
}

// removeAll takes away every file that rows of a table named, after the table itself was.
func (b *besideRows) removeAll() ([]string, error) {
	if b == nil {
		return nil, nil
	}
	return []string{b.folder}, os.RemoveAll(b.folder)
}

// removeBeside removes a file, and the folders up to the table's that are empty without it.
func removeBeside(file, folder string) error {
	if err := disk.Remove(file); err != nil {
		return err
	}
	for dir := filepath.Dir(file); len(dir) >= len(folder); dir = filepath.Dir(dir) {
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			return nil
		}
		if err := disk.Remove(dir); err != nil {
			return err
		}
	}
	return nil
}

// besideFolder is the folder below root, of files that rows named, in which a file lies; "" when it is in none.
func besideFolder(root, file string) string {
	found := ""
	for dir := filepath.Dir(file); len(dir) > len(root); dir = filepath.Dir(dir) {
		if strings.HasSuffix(filepath.Base(dir), results.BesideDir) {
			found = dir
		}
	}
	return found
}

// namedAfter tells whether a file that a row named has a person's id in its name or its folder's.
func namedAfter(file, folder, text string) bool {
	rel, err := filepath.Rel(folder, file)
	return err == nil && sources.Mentions(filepath.ToSlash(rel), text)
}
