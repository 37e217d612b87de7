//go:build unix

package disk

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// Sync makes renames in a folder durable.
func Sync(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("syncing folder: %w", err)
	}
	err = d.Sync()
	// Some network file systems cannot sync a folder and say so.
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil
	}
	return errors.Join(err, d.Close())
}

func crossDevice(err error) bool { return errors.Is(err, syscall.EXDEV) }

// inUse is never so: a file that a program has open can be renamed.
func inUse(error) bool { return false }
