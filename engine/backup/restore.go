package backup

import (
	"archive/tar"
	"bufio"
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
	"strings"

	"github.com/culvert/culvert/engine/journal/open"
	"github.com/culvert/culvert/internal/disk"
)

const largestManifest = 64 << 20

// sqliteHead is how every database of SQLite begins.
const sqliteHead = "SQLite format 3\x00"

// Restore makes a project's state of a backup: where nothing is yet, for it never overwrites. What
// is in the backup is checked before anything of it appears.
func Restore(ctx context.Context, p Project, file string) (m Manifest, err error) {
	if err := free(ctx, p); err != nil {
		return m, err
	}
	parent := filepath.Dir(p.State)
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return m, fmt.Errorf("restore: %w", err)
	}
	unlock, err := alone(parent)
	if err != nil {
		return m, fmt.Errorf("wait for another restore: %w", err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if err := free(ctx, p); err != nil { // the other one may have made it
		return m, err
	}
	for _, left := range Leftovers(p.State) {
		if err := os.RemoveAll(left); err != nil {
			return m, fmt.Errorf("remove what a restore left that was stopped: %w", err)
		}
	}
	temp, err := os.MkdirTemp(parent, unpacking)
	if err != nil {
		return m, fmt.Errorf("restore: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	if m, err = unpack(ctx, file, temp); err != nil {
		return m, fmt.Errorf("restore %s: %w", file, err)
	}
	if m.Project != p.Name {
		return m, fmt.Errorf("%s is a backup of the project %q, and culvert.yaml says %q: with another name everybody "+
			"already sent would be created again", file, m.Project, p.Name)
	}
	if err := p.place(ctx, m, temp); err != nil {
		return m, fmt.Errorf("restore %s: %w", file, err)
	}
	return m, nil
}

// unpacking begins the names of the folders that backups are unpacked in, beside the state.
const unpacking = ".culvert-restore-"

// Leftovers gives the folders beside a state that hold an unpacked backup: of a restore that is at
// work, or of one that was killed. They hold what people said.
func Leftovers(state string) []string {
	entries, err := os.ReadDir(filepath.Dir(state))
	if err != nil {
		return nil // then there is nothing that could be removed, either
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), unpacking) {
			out = append(out, filepath.Join(filepath.Dir(state), e.Name()))
		}
	}
	return out
}

// alone waits until no other restore works beside the state. The lock goes with a process that is killed.
func alone(folder string) (unlock func() error, err error) {
	lock, err := os.OpenFile(filepath.Join(folder, ".culvert-restore.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := disk.Lock(lock); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return func() error {
		err := lock.Close()
		_ = os.Remove(lock.Name()) // one that is waited for stays, which harms nothing
		return err
	}, nil
}

// free refuses to overwrite.
func free(ctx context.Context, p Project) error {
	entries, err := os.ReadDir(p.State)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("restore: %w", err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("there is something in %s already (%s): nothing is overwritten; move the folder away first",
			p.State, entries[0].Name())
	}
	return open.Free(ctx, p.Store)
}

// place puts the journal and the state where they belong: the state last, in one step.
func (p Project) place(ctx context.Context, m Manifest, temp string) error {
	copied, state := filepath.Join(temp, journalName), filepath.Join(temp, stateName)
	if err := os.MkdirAll(state, 0o700); err != nil {
		return err
	}
	j, err := open.Journal(ctx, "sqlite:"+copied, p.Options) // with the key, or it is of no use
	if err == nil {
		err = errors.Join(j.Check(ctx), j.Close())
	}
	if err != nil {
		return err
	}
	store := p.Store
	if db, ok := strings.CutPrefix(store, "sqlite:"); ok {
		if rel, err := filepath.Rel(p.State, db); err == nil && filepath.IsLocal(rel) {
			store = "sqlite:" + filepath.Join(state, rel)
		}
	}
	if err := open.Restore(ctx, copied, store, func(old string) string { return p.moved(m, old) }); err != nil {
		return err
	}
	if err := os.Remove(p.State); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Rename(state, p.State)
}

// moved gives where a file lies now that lay in the project's folder when the backup was made,
// whichever system that was.
func (p Project) moved(m Manifest, old string) string {
	for _, d := range []struct{ from, to string }{{m.State, p.State}, {m.Dir, p.Dir}} {
		if rel, ok := below(d.from, old); ok {
			return filepath.Join(d.to, rel)
		}
	}
	return old
}

// below gives the path of a file in a folder, as this system writes it, when it lies there. Both
// are paths of the system that the backup was made on: on Windows a backslash separates, elsewhere
// it may be part of a name.
func below(folder, file string) (string, bool) {
	same := func(a, b string) bool { return a == b }
	if onWindows(folder) {
		folder, file, same = strings.ReplaceAll(folder, `\`, "/"), strings.ReplaceAll(file, `\`, "/"), strings.EqualFold
	}
	if folder == "" {
		return "", false
	}
	folder = strings.TrimSuffix(folder, "/") + "/"
	if len(file) <= len(folder) || !same(file[:len(folder)], folder) {
		return "", false
	}
	rel := filepath.FromSlash(file[len(folder):])
	return rel, filepath.IsLocal(rel)
}

// onWindows tells whether an absolute path is one of Windows: C:\… or \\server\share\….
func onWindows(path string) bool {
	return len(path) > 1 && path[1] == ':' || strings.HasPrefix(path, `\\`) || strings.HasPrefix(path, "//")
}

// unpack reads an archive into a folder and compares every file with the manifest.
func unpack(ctx context.Context, file, dir string) (m Manifest, err error) {
	f, err := os.Open(file)
	if err != nil {
		return m, err
	}
	defer func() { _ = f.Close() }() // only read
	in := bufio.NewReader(f)
	if head, _ := in.Peek(len(sqliteHead)); string(head) == sqliteHead {
		return m, errors.New("it is a copy of the journal alone, as `culvert backup FILE.db` writes it: " +
			"put it where `store:` of culvert.yaml says while no runner is at work; to restore journal and state, " +
			"back up to a file that ends with .tar.gz")
	}
	z, err := gzip.NewReader(in)
	if err != nil {
		return m, errors.New("it is no backup that `culvert backup` has written")
	}
	sums := map[string]Entry{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return m, fmt.Errorf("it is damaged: %w", err)
		}
		if h.Name == manifestName {
			if err := json.NewDecoder(io.LimitReader(r, largestManifest)).Decode(&m); err != nil {
				return m, fmt.Errorf("its list of files cannot be read: %w", err)
			}
			continue
		}
		if sums[h.Name], err = extract(ctx, r, h, dir); err != nil {
			return m, err
		}
	}
	switch {
	case m.Format == 0:
		return m, errors.New("it is not whole: its list of files is missing")
	case m.Format > format:
		return m, fmt.Errorf("it was written by a newer version of Culvert (%s): use that", m.Version)
	}
	return m, compare(m, sums)
}

// extract writes one file of an archive; none leaves the folder.
func extract(ctx context.Context, r io.Reader, h *tar.Header, dir string) (Entry, error) {
	name := path.Clean(h.Name)
	if h.Typeflag != tar.TypeReg || !filepath.IsLocal(filepath.FromSlash(name)) || name != journalName &&
		!strings.HasPrefix(name, stateName+"/") {
		return Entry{}, fmt.Errorf("it holds %q, which no backup of Culvert does", h.Name)
	}
	to := filepath.Join(dir, filepath.FromSlash(name))
	if err := errors.Join(ctx.Err(), os.MkdirAll(filepath.Dir(to), 0o700)); err != nil {
		return Entry{}, err
	}
	f, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, fs.FileMode(h.Mode).Perm()&0o700|0o600)
	if err != nil {
		return Entry{}, err
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, sum), r)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return Entry{}, fmt.Errorf("unpack %s: %w", h.Name, err)
	}
	return Entry{Name: name, Size: n, SHA256: hex.EncodeToString(sum.Sum(nil))}, os.Chtimes(to, h.ModTime, h.ModTime)
}

func compare(m Manifest, sums map[string]Entry) error {
	for _, e := range m.Files {
		if sums[e.Name] != e {
			return fmt.Errorf("it is damaged: %s is missing or not what it was", e.Name)
		}
	}
	if _, ok := sums[journalName]; !ok || len(sums) != len(m.Files) {
		return errors.New("it is damaged: it does not hold what its list says")
	}
	return nil
}
