package project

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
)

// Fingerprint is of all files of a folder: another one tells that a file came, went or was written,
// also where its size and time are as before. skip leaves out files and whole folders; nil leaves
// out nothing. What cannot be looked at counts by its error.
func Fingerprint(dir string, skip func(path string, d fs.DirEntry) bool) ([sha256.Size]byte, error) {
	h := sha256.New()
	err := Walk(dir, func(path string, d fs.DirEntry) error {
		switch {
		case skip != nil && skip(path, d) && d.IsDir():
			return fs.SkipDir
		case d.IsDir() || skip != nil && skip(path, d):
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return fmt.Errorf("look at %s: %w", path, err)
		}
		fmt.Fprintf(h, "%s\x00%d\x00%d\x00%s\x00", path, info.Size(), info.ModTime().UnixNano(), changed(info))
		return nil
	}, func(path string, err error) { fmt.Fprintf(h, "%s\x00%v\x00", path, err) })
	return [sha256.Size]byte(h.Sum(nil)), err
}
