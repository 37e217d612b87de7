// Package backup writes all that a project cannot get again into one file, while work goes on, and
// makes a project's state of such a file: the journal, whatever its store, and the files of the
// state folder. Rules and culvert.yaml are in git, and secrets are kept elsewhere: neither is in a
// backup.
package backup

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/open"
)

// Project is what is backed up, or restored.
type Project struct {
	Name    string
	Dir     string // of culvert.yaml, absolute
	State   string // the state folder, absolute
	Store   string // as open.Journal takes it; a path is absolute
	Options journal.Options
	Version string // of the program
}

// Manifest says what is in a backup; it is the last entry of the archive.
type Manifest struct {
	Format  int       `json:"format"`
	Project string    `json:"project"`
	At      time.Time `json:"at"`
	Version string    `json:"culvert"`
	Dir     string    `json:"dir"` // with slashes, as is State
	State   string    `json:"state"`
	Files   []Entry   `json:"files"`
}

// Entry is one file of a backup.
type Entry struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

const (
	format       = 1
	journalName  = "journal.db"
	manifestName = "manifest.json"
	stateName    = "state"
	attempts     = 3
)

// Write makes a backup at a path where nothing is yet. It appears under its name when it is whole.
func Write(ctx context.Context, p Project, file string) (m Manifest, err error) {
	if _, err := os.Lstat(file); err == nil {
		return m, fmt.Errorf("%s exists already: name a new file", file)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return m, fmt.Errorf("back up: %w", err)
	}
	for try := 1; ; try++ {
		m, err = writeOnce(ctx, p, file)
		var changed *changedError
		if !errors.As(err, &changed) || try == attempts {
			break
		}
	}
	if err != nil {
		return m, fmt.Errorf("back up: %w", err)
	}
	return m, nil
}

// changedError says that a file changed or went while it was copied; another try most likely succeeds.
type changedError struct{ what string }

func (e *changedError) Error() string {
	return e.what + ", whenever it was tried: try again when less is going on"
}

func writeOnce(ctx context.Context, p Project, file string) (m Manifest, err error) {
	part := file + ".part"
	f, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return m, err
	}
	copied := part + ".journal"
	defer func() {
		for _, path := range []string{copied, copied + "-runner", copied + "-wal", copied + "-shm"} {
			err = errors.Join(err, removeIfThere(path))
		}
		if err != nil {
			err = errors.Join(err, removeIfThere(part))
		}
	}()
	if err := removeIfThere(copied); err != nil { // of a run that was killed
		return m, errors.Join(err, f.Close())
	}
	z := gzip.NewWriter(f)
	w := &writer{tar: tar.NewWriter(z), entries: map[string]Entry{}, seen: map[string]fs.FileInfo{}}
	m, err = w.all(ctx, p, copied)
	err = errors.Join(err, w.tar.Close(), z.Close())
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return m, err
	}
	return m, os.Rename(part, file)
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// writer fills an archive.
type writer struct {
	tar     *tar.Writer
	entries map[string]Entry
	seen    map[string]fs.FileInfo // files of the state as they were copied
}

// all writes the files of the state, the journal, and then what the state has got meanwhile: a file
// that the journal speaks of is there, whether it was taken before the journal was copied or is
// finished since.
func (w *writer) all(ctx context.Context, p Project, copied string) (Manifest, error) {
	m := Manifest{Format: format, Project: p.Name, At: time.Now().UTC(), Version: p.Version,
		Dir: filepath.ToSlash(p.Dir), State: filepath.ToSlash(p.State)}
	if err := w.state(ctx, p); err != nil {
		return m, err
	}
	if err := open.Copy(ctx, p.Store, copied, p.Options); err != nil {
		return m, err
	}
	if err := w.state(ctx, p); err != nil {
		return m, err
	}
	if err := w.checkFiles(ctx, p, copied); err != nil {
		return m, err
	}
	if err := w.file(copied, journalName); err != nil {
		return m, err
	}
	for _, e := range w.entries {
		m.Files = append(m.Files, e)
	}
	slices.SortFunc(m.Files, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return m, err
	}
	err = w.tar.WriteHeader(&tar.Header{Name: manifestName, Mode: 0o600, Size: int64(len(text)), ModTime: m.At})
	if err == nil {
		_, err = w.tar.Write(text)
	}
	return m, err
}

// state copies the files of the state folder that are new or changed since the last time.
func (w *writer) state(ctx context.Context, p Project) error {
	err := filepath.WalkDir(p.State, func(file string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it is gone since
		}
		if err != nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		if !d.Type().IsRegular() || passing(p, file) {
			return nil
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if before, ok := w.seen[file]; ok && before.Size() == info.Size() && before.ModTime().Equal(info.ModTime()) {
			return nil
		}
		rel, err := filepath.Rel(p.State, file)
		if err != nil {
			return err
		}
		err = w.file(file, path.Join(stateName, filepath.ToSlash(rel)))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		w.seen[file] = info
		return err
	})
	if err != nil {
		return fmt.Errorf("copy the state folder: %w", err)
	}
	return nil
}

// passing tells which files of the state are not worth keeping: those of the journal, which is
// copied as one, and what is being written.
func passing(p Project, file string) bool {
	db := strings.TrimPrefix(p.Store, "sqlite:")
	return db != p.Store && strings.HasPrefix(file, db) ||
		slices.Contains([]string{".tmp", ".part", ".lock"}, filepath.Ext(file))
}

// file copies one file. What is appended meanwhile is left out.
func (w *writer) file(file, name string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := w.tar.WriteHeader(&tar.Header{Name: name, Mode: int64(info.Mode().Perm()), Size: info.Size(),
		ModTime: info.ModTime()}); err != nil {
		return err
	}
	sum := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(w.tar, sum), f, info.Size()); err != nil {
		if errors.Is(err, io.EOF) {
			return &changedError{file + " got shorter while it was copied"}
		}
		return err
	}
	w.entries[name] = Entry{Name: name, Size: info.Size(), SHA256: hex.EncodeToString(sum.Sum(nil))}
	return nil
}

// checkFiles makes sure that the files whose rows are still to be read are in the backup.
func (w *writer) checkFiles(ctx context.Context, p Project, copied string) error {
	j, err := open.Journal(ctx, "sqlite:"+copied, p.Options)
	if err != nil {
		return err
	}
	files, err := j.Files(ctx, journal.FileOpen)
	if err := errors.Join(err, j.Close()); err != nil {
		return err
	}
	for _, f := range files {
		rel, err := filepath.Rel(p.State, f.Path)
		if err != nil || !filepath.IsLocal(rel) {
			continue // it lies where its project put it
		}
		if _, ok := w.entries[path.Join(stateName, filepath.ToSlash(rel))]; !ok {
			if _, err := os.Lstat(f.Path); err == nil || len(w.seen) == 0 {
				return &changedError{"the file " + f.Name + " was taken while the backup was made"}
			}
			return &changedError{"the file " + f.Name + " was finished while the backup was made"}
		}
	}
	return nil
}
