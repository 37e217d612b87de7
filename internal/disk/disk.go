package disk

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrUnsettled says that a program still writes to a file, or holds it.
var ErrUnsettled = errors.New("the file is still being written")

// Exists tells whether something lies at a path, a link to nowhere too.
func Exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// Move renames a file, or reports ErrUnsettled when a program holds it, as Excel does with a
// workbook on Windows, or copies it where the target lies on another device; the copy is durable
// and whole before the original goes.
func Move(from, to string) error {
	err := os.Rename(from, to)
	if err == nil {
		return Sync(filepath.Dir(to))
	}
	if inUse(err) {
		return errors.Join(ErrUnsettled, err)
	}
	if !crossDevice(err) {
		return err
	}
	if err := Copy(from, to); err != nil {
		return err
	}
	return os.Remove(from)
}

// Copy copies a regular file so that the copy appears whole or not at all. It reports
// ErrUnsettled when the file is written to meanwhile.
func Copy(from, to string) (err error) {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	before, err := src.Stat()
	if err != nil {
		return err
	}
	// The name may be as long as names can be; that of the copy under way is always short, and the
	// same when it is tried again.
	sum := sha256.Sum256([]byte(filepath.Base(to)))
	tmp := filepath.Join(filepath.Dir(to), fmt.Sprintf(".%x.tmp", sum[:8]))
	dst, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	if after, serr := src.Stat(); err == nil && (serr != nil || after.Size() != before.Size() ||
		!after.ModTime().Equal(before.ModTime())) {
		err = errors.Join(ErrUnsettled, serr)
	}
	if err = errors.Join(err, dst.Chmod(before.Mode().Perm()|0o600), dst.Sync(), dst.Close()); err != nil {
		return errors.Join(err, Remove(tmp))
	}
	if err := os.Rename(tmp, to); err != nil {
		return err
	}
	return Sync(filepath.Dir(to))
}

// WriteFile writes a small file that is on disk, whole, when it comes back.
func WriteFile(path string, text []byte) error {
	tmp := path + ".tmp"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	return Sync(filepath.Dir(path))
}

// MakeFolder makes a folder with the permissions of the one that it lies in.
func MakeFolder(folder string) error {
	if Exists(folder) {
		return nil
	}
	parent := filepath.Dir(folder)
	if parent != folder {
		if err := MakeFolder(parent); err != nil {
			return err
		}
	}
	info, err := os.Stat(parent)
	if err != nil {
		return err
	}
	if err := os.Mkdir(folder, info.Mode().Perm()); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.Chmod(folder, info.Mode().Perm())
}

// ModeOf gives the permissions of the first of some files that is there.
func ModeOf(paths ...string) fs.FileMode {
	for _, p := range paths {
		if info, err := os.Lstat(p); err == nil && info.Mode().IsRegular() {
			return info.Mode().Perm() | 0o600
		}
	}
	return 0o600
}

// Remove removes a file or an empty folder; one that is gone is removed.
func Remove(name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
