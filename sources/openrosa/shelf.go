package openrosa

import (
	"cmp"
	"crypto/md5" //nolint:gosec // what OpenRosa tells files apart by
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/culvert/culvert/rules/diag"
)

// Folder is where a project keeps its forms.
const Folder = "forms"

// Limits on what one address hands out.
const (
	maxForms = 500
	maxMedia = 2000 // files of one form
)

func sum(text []byte) string {
	h := md5.Sum(text) //nolint:gosec // no secret depends on it
	return hex.EncodeToString(h[:])
}

// Shelf holds the forms of a project as they lie in its folder. It looks at the files whenever it is asked, and
// keeps the last good version of one that is broken now. Safe for concurrent use.
type Shelf struct {
	dir string // the project's folder
	log *slog.Logger

	mu    sync.Mutex
	forms map[string]*kept

	hashing sync.Mutex
	hashes  map[string]hashed
}

// kept is a form as it was read last.
type kept struct {
	stamp stamp
	form  *Form // the last good version; nil: there is none
}

type stamp struct {
	size int64
	at   time.Time
}

type hashed struct {
	stamp stamp
	hash  string
}

// NewShelf makes the shelf of a project's folder.
func NewShelf(dir string, log *slog.Logger) *Shelf {
	return &Shelf{dir: dir, log: log, forms: map[string]*kept{}, hashes: map[string]hashed{}}
}

// Forms gives the forms of files and folders of the project, sorted by name, id and version. What cannot be read is
// logged and left out.
func (s *Shelf) Forms(entries []string) []*Form {
	var list []*Form
	for _, file := range Expand(entries, s.list) {
		if f := s.form(file); f != nil {
			list = append(list, f)
		}
	}
	return Sorted(list)
}

// Sorted gives each form once, of several of one id and version the first, sorted by name, id and version.
func Sorted(list []*Form) []*Form {
	var out []*Form
	for _, f := range list {
		if !slices.ContainsFunc(out, func(o *Form) bool { return o.ID == f.ID && o.Version == f.Version }) {
			out = append(out, f)
		}
	}
	slices.SortStableFunc(out, func(a, b *Form) int {
		return cmp.Or(strings.Compare(a.Title, b.Title), strings.Compare(a.ID, b.ID), Compare(a.Version, b.Version))
	})
	return out
}

// list lists the files of a folder of the project.
func (s *Shelf) list(folder string) []string { return List(s.dir, folder) }

// List lists the files of a folder of the project in dir; none where it cannot be read.
func List(dir, folder string) []string {
	entries, err := os.ReadDir(filepath.Join(dir, filepath.FromSlash(folder)))
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names
}

// IsFolder tells whether an entry of `forms` names a folder.
func IsFolder(entry string) bool { return path.Ext(entry) == "" }

// Expand gives the files that entries name: a folder stands for all forms that lie in it.
func Expand(entries []string, list func(folder string) []string) []string {
	var files []string
	add := func(file string) {
		if !slices.Contains(files, file) && len(files) < maxForms {
			files = append(files, file)
		}
	}
	for _, entry := range entries {
		if entry = path.Clean(entry); !IsFolder(entry) {
			add(entry)
			continue
		}
		for _, name := range list(entry) {
			if strings.EqualFold(path.Ext(name), ".xml") {
				add(path.Join(entry, name))
			}
		}
	}
	return files
}

// form gives a form as it is now, or as it was when it was last good.
func (s *Shelf) form(file string) *Form {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.forms[file]
	if k == nil {
		k = &kept{}
		s.forms[file] = k
	}
	full := filepath.Join(s.dir, filepath.FromSlash(file))
	info, err := os.Stat(full)
	if err != nil || !info.Mode().IsRegular() {
		delete(s.forms, file) // one that was taken away is handed out no more
		return nil
	}
	now := stamp{info.Size(), info.ModTime()}
	if k.stamp == now {
		return k.form
	}
	text, err := readAtMost(full, maxForm+1)
	if err != nil {
		s.log.Error("a form cannot be read; the version before is handed out", "form", file, "error", err)
		return k.form
	}
	k.stamp = now
	form, problem := Read(file, text)
	if problem != nil {
		s.log.Error("a form cannot be handed out as it is; the version before is", "form", file, "line",
			problem.Place.Range.Start.Line, "error", problem.Message)
		return k.form
	}
	k.form = form
	return form
}

func readAtMost(file string, limit int64) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, limit))
}

// Media is a file that a form needs.
type Media struct {
	Name string
	Hash string // MD5, in hex
	file string
	info fs.FileInfo
}

// Media lists the files beside a form, sorted by name.
func (s *Shelf) Media(f *Form) ([]Media, error) {
	folder := MediaFolder(f.File)
	var list []Media
	for _, name := range s.list(folder) {
		m, err := s.media(folder, name)
		if err != nil {
			return nil, err
		}
		if list = append(list, m); len(list) > maxMedia {
			return nil, fmt.Errorf("%s holds more than %d files", folder, maxMedia)
		}
	}
	return list, nil
}

// media gives one file beside a form, with its hash.
func (s *Shelf) media(folder, name string) (Media, error) {
	full := filepath.Join(s.dir, filepath.FromSlash(folder), name)
	info, err := os.Stat(full)
	if err != nil {
		return Media{}, fmt.Errorf("look at %s: %w", path.Join(folder, name), err)
	}
	if !info.Mode().IsRegular() {
		return Media{}, fmt.Errorf("%s is no plain file", path.Join(folder, name))
	}
	m := Media{Name: name, file: full, info: info}
	now := stamp{info.Size(), info.ModTime()}
	s.hashing.Lock()
	defer s.hashing.Unlock()
	known, ok := s.hashes[full]
	if !ok || known.stamp != now {
		if known.hash, err = hashOf(full); err != nil {
			return Media{}, fmt.Errorf("read %s: %w", path.Join(folder, name), err)
		}
		known.stamp = now
		s.hashes[full] = known
	}
	m.Hash = known.hash
	return m, nil
}

func hashOf(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	h := md5.New() //nolint:gosec // no secret depends on it
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Compare orders versions: numbers by their value, as 9 before 10, and what else they hold as text.
func Compare(a, b string) int {
	for a != "" && b != "" {
		x, y := number(a), number(b)
		if x == "" || y == "" {
			if a[0] != b[0] {
				return cmp.Compare(a[0], b[0])
			}
			a, b = a[1:], b[1:]
			continue
		}
		p, q := strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
		if c := cmp.Or(cmp.Compare(len(p), len(q)), strings.Compare(p, q)); c != 0 {
			return c
		}
		a, b = a[len(x):], b[len(y):]
	}
	return cmp.Compare(len(a), len(b))
}

// number gives the digits that a text begins with.
func number(text string) string {
	n := 0
	for n < len(text) && text[n] >= '0' && text[n] <= '9' {
		n++
	}
	return text[:n]
}

// Newest gives of each form its newest version alone.
func Newest(list []*Form) []*Form {
	return slices.DeleteFunc(slices.Clone(list), func(f *Form) bool {
		return slices.ContainsFunc(list, func(o *Form) bool { return o.ID == f.ID && Compare(o.Version, f.Version) > 0 })
	})
}

// Twice reports forms that phones cannot tell apart.
func Twice(list []*Form, report func(diag.Diagnostic)) {
	for i, f := range list {
		for _, o := range list[:i] {
			if o.ID == f.ID && o.Version == f.Version {
				report(diag.Diagnostic{Problem: diag.Problem{Code: codeForm, Place: f.At,
					Message: fmt.Sprintf("%s has the id %q and the version %q, too: phones cannot tell them apart, and get only "+
						"that one", o.File, f.ID, f.Version),
					Hint: "give one of them another version, or another id"},
					Related: []diag.Related{{Place: o.At, Message: "the other form"}}})
				break
			}
		}
	}
}
