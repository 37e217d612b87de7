//go:build !unix

package disk

import (
	"errors"
	"syscall"
)

// What Windows says of files.
const (
	notSameDevice    = syscall.Errno(17) // ERROR_NOT_SAME_DEVICE
	sharingViolation = syscall.Errno(32) // ERROR_SHARING_VIOLATION
	lockViolation    = syscall.Errno(33) // ERROR_LOCK_VIOLATION
)

// Sync does nothing where folders cannot be synced.
func Sync(string) error { return nil }

func crossDevice(err error) bool { return errors.Is(err, notSameDevice) }

// inUse tells whether another program holds a file so that it cannot be moved: it is taken once the program has let go.
func inUse(err error) bool { return errors.Is(err, sharingViolation) || errors.Is(err, lockViolation) }
