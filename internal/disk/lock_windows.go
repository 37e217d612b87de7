package disk

import (
	"os"

	"golang.org/x/sys/windows"
)

// Lock waits for and takes a lock that no other process and no other caller has; it goes with the file's
// closing, also when the process ends.
func Lock(f *os.File) error {
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, &windows.Overlapped{})
}
