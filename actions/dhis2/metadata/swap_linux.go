package metadata

import "golang.org/x/sys/unix"

// exchange swaps two folders at once: a reader sees the old snapshot or the new one, never none.
func exchange(a, b string) error {
	return unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
}
