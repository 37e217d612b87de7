package metadata

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// Folders beside a snapshot while it is replaced.
const (
	newSuffix = ".new" // being written, complete once it holds server.json
	oldSuffix = ".old" // the former one, where the system cannot exchange two folders at once
)

// swap puts the folder fresh in the place of dir and removes what was there.
func swap(dir, fresh string) error {
	err := os.Rename(fresh, dir) // works when there is nothing yet
	if err == nil {
		return nil
	}
	if _, missing := os.Stat(dir); missing != nil {
		return err
	}
	if exchange(dir, fresh) == nil {
		return os.RemoveAll(fresh)
	}
	old := dir + oldSuffix
	if err := os.RemoveAll(old); err != nil {
		return err
	}
	if err := os.Rename(dir, old); err != nil {
		return err
	}
	if err := os.Rename(fresh, dir); err != nil {
		return errors.Join(err, os.Rename(old, dir))
	}
	return os.RemoveAll(old)
}

// recoverLeftover finishes a swap that was interrupted between its two renames. Where the folder
// itself is there, there is nothing to do: Write clears leftovers away.
func recoverLeftover(dir string) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if complete(dir + newSuffix) {
		return os.Rename(dir+newSuffix, dir)
	}
	if complete(dir + oldSuffix) {
		return os.Rename(dir+oldSuffix, dir)
	}
	return nil
}

func complete(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, serverFile))
	return err == nil
}

// keepOthers copies what is not part of a snapshot, such as a README, into the folder that will replace dir.
func keepOthers(dir, fresh string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		to := filepath.Join(fresh, e.Name())
		if _, err := os.Lstat(to); err == nil || !e.Type().IsRegular() {
			continue
		}
		if err := copyFile(filepath.Join(dir, e.Name()), to); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}

func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // a folder cannot be flushed there, and asking for it is refused
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	// Some file systems cannot bring a folder to disk by itself; what they can do they have done with the files.
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrInvalid) {
		return err
	}
	return nil
}
