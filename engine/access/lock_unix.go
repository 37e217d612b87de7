//go:build unix

package access

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lockFile takes a lock that no other process and no other caller has; it goes with the file's
// closing, also when the process ends.
func lockFile(f *os.File) error {
	for {
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
