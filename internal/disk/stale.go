package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Stale is how old something has to be that a process left which was killed: what is younger may be
// of another one that still fills it.
const Stale = time.Hour

// RemoveStale removes what lies in a folder under names that match a pattern of path.Match and was
// not written to for longer than Stale. A folder that is not there holds nothing. What cannot be
// removed stays, and is in the error.
func RemoveStale(folder, pattern string, now time.Time) error {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		if ok, err := filepath.Match(pattern, e.Name()); !ok || err != nil {
			errs = append(errs, err)
			continue
		}
		path := filepath.Join(folder, e.Name())
		if now.Sub(written(path)) > Stale {
			errs = append(errs, os.RemoveAll(path))
		}
	}
	return errors.Join(errs...)
}

// written tells when a file, or something right in a folder, was last written to.
func written(path string) time.Time {
	last := modified(path)
	entries, _ := os.ReadDir(path) // a file has none
	for _, e := range entries {
		if at := modified(filepath.Join(path, e.Name())); at.After(last) {
			last = at
		}
	}
	return last
}

// modified gives the time of something; what is gone meanwhile is as good as new.
func modified(path string) time.Time {
	info, err := os.Lstat(path)
	if err != nil {
		return time.Now()
	}
	return info.ModTime()
}
