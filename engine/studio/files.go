package studio

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/culvert/culvert/rules/yamlnode"
)

// errChanged says that a file is not what it was when it was read.
var errChanged = errors.New("it was changed on the disk since it was read here")

// maxText bounds a file that the studio writes, in bytes.
const maxText = yamlnode.MaxSize

// version names what a file holds. A file that is not there has the version "".
func version(text []byte) string { return fmt.Sprintf("%x", sha256.Sum256(text)) }

// readText reads a file of the project that may be edited.
func (s *Studio) readText(name string) ([]byte, error) {
	if err := editable(name); err != nil {
		return nil, err
	}
	info, err := s.root.Stat(filepath.FromSlash(name))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if !info.Mode().IsRegular() { // reading a pipe waits for whoever writes into it
		return nil, fmt.Errorf("%s is no plain file", name)
	}
	f, err := s.root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxText+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", name, err)
	case len(text) > maxText:
		return nil, fmt.Errorf("%s is larger than %d KiB: edit it elsewhere", name, maxText>>10)
	}
	return text, nil
}

// editable tells whether a file is one that the studio shows and writes: of rules, of maps, and samples.
func editable(name string) error {
	top, rest, _ := strings.Cut(name, "/")
	hidden := slices.ContainsFunc(strings.Split(name, "/"), func(part string) bool { return strings.HasPrefix(part, ".") })
	ext := path.Ext(name)
	switch {
	case !fs.ValidPath(name) || !filepath.IsLocal(filepath.FromSlash(name)) || hidden || strings.ContainsAny(name, `\:`),
		rest == "", top == "metadata", top == "state",
		!slices.Contains([]string{".yaml", ".yml", ".csv", ".json"}, ext):
		return fmt.Errorf("%q is not a file of rules, maps or samples in this project: %w", name, fs.ErrNotExist)
	}
	return nil
}

// replace writes a file whole or not at all, and only when it is what it was when it was read: the
// version "" is that of a file that must not be there yet.
func (s *Studio) replace(name, base string, text []byte) error {
	if err := editable(name); err != nil {
		return err
	}
	if len(text) > maxText {
		return fmt.Errorf("%s would be larger than %d KiB", name, maxText>>10)
	}
	file := filepath.FromSlash(name)
	mode := fs.FileMode(0o644)
	info, err := s.root.Lstat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist) && base == "":
		if dir := filepath.Dir(file); dir != "." {
			if err := s.root.MkdirAll(dir, 0o755); err != nil {
				return fmt.Errorf("make the folder of %s: %w", name, err)
			}
		}
	case errors.Is(err, fs.ErrNotExist):
		return errChanged
	case err != nil:
		return fmt.Errorf("look at %s: %w", name, err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is a link or no plain file: edit what it leads to", name)
	default:
		mode = info.Mode().Perm()
		now, err := s.readText(name)
		if err != nil {
			return err
		}
		if version(now) != base {
			return errChanged
		}
	}
	return s.put(file, mode, text)
}

// put writes a file beside the old one and puts it in its place.
func (s *Studio) put(file string, mode fs.FileMode, text []byte) error {
	tmp := filepath.Join(filepath.Dir(file), ".culvert-"+rand.Text())
	f, err := s.root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.ToSlash(file), err)
	}
	_, err = f.Write(text)
	if chmod := f.Chmod(mode); chmod != nil && runtime.GOOS != "windows" {
		err = errors.Join(err, chmod)
	}
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = s.root.Rename(tmp, file)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", filepath.ToSlash(file), err), s.root.Remove(tmp))
	}
	return nil
}
