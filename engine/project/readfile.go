package project

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/culvert/culvert/rules/diag"
)

// maxFile bounds what is read of a rule, map, table or sample.
const maxFile = 64 << 20

// readFile reads a file of the project; name is relative to it and may not leave it.
func readFile(dir, name string) ([]byte, error) {
	if !filepath.IsLocal(name) {
		return nil, fmt.Errorf("%s lies outside the project's folder", name)
	}
	return ReadPlain(filepath.Join(dir, filepath.FromSlash(name)), name)
}

// ReadPlain reads a plain file of at most 64 MiB, and never waits for whoever writes into a pipe. name is what
// errors call the file.
func ReadPlain(file, name string) ([]byte, error) {
	cannot := func(err error) error {
		var at *fs.PathError
		if errors.As(err, &at) {
			err = at.Err
		}
		return fmt.Errorf("%s cannot be read: %w", name, err)
	}
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		if _, there := os.Lstat(file); there == nil {
			return nil, &danglingError{name: name}
		}
	}
	if err != nil {
		return nil, cannot(err)
	}
	if info.IsDir() {
		if _, err := os.ReadDir(file); err != nil {
			return nil, cannot(err)
		}
		return nil, fmt.Errorf("%s is a folder, not a file", name)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no plain file", name)
	}
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe may have taken its place meanwhile
	if err != nil {
		return nil, cannot(err)
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return nil, cannot(err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no plain file", name)
	}
	tooLarge := fmt.Errorf("%s is larger than %d MiB", name, maxFile>>20)
	if info.Size() > maxFile {
		return nil, tooLarge
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, cannot(err)
	case len(b) > maxFile:
		return nil, tooLarge
	}
	return b, nil
}

// danglingError says that a link leads to nothing.
type danglingError struct{ name string }

func (e *danglingError) Error() string { return e.name + " is a link that leads nowhere" }

// Is tells that the file does not exist.
func (e *danglingError) Is(target error) bool { return target == fs.ErrNotExist }

// vanished tells that a file went between being listed and being read.
func vanished(err error) bool {
	var link *danglingError
	return errors.Is(err, fs.ErrNotExist) && !errors.As(err, &link)
}

// unreadable notes that a file of rules or functions cannot be read: a finding of that file alone.
func (p *Project) unreadable(name string, err error) diag.Diagnostic {
	start := diag.Position{Line: 1, Column: 1}
	d := diag.Diagnostic{Problem: diag.Problem{Code: "unreadable-file", Message: err.Error(),
		Place: diag.Place{File: name, Range: diag.Range{Start: start, End: start}}}}
	var link *danglingError
	switch {
	case errors.As(err, &link):
		d.Hint = "put there what it leads to, or remove the link"
	case errors.Is(err, fs.ErrPermission) && runtime.GOOS == "windows":
		d.Hint = "let the account that Culvert runs as read it; another program may hold it open"
	case errors.Is(err, fs.ErrPermission):
		d.Hint = "let the account that Culvert runs as read it, such as with chmod a+r, and a+rx for a folder"
	default:
		d.Hint = "put a plain file there, or move it out of the folder; all other files are read"
	}
	return d
}
