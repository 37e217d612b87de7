//go:build !unix

package files

import (
	"errors"
	"os"
)

// syncDir does nothing where folders cannot be synced.
func syncDir(string) error { return nil }

// crossDevice takes any failed rename for one between devices, except that the file is gone.
func crossDevice(err error) bool {
	return !errors.Is(err, os.ErrNotExist) && !errors.Is(err, os.ErrPermission)
}
