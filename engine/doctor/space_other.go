//go:build !linux && !windows

package doctor

import "syscall"

// space gives the free and all bytes of the file system of a folder.
func space(folder string) (free, total uint64, kind string, err error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(folder, &s); err != nil {
		return 0, 0, "", err
	}
	return uint64(s.Bavail) * uint64(s.Bsize), uint64(s.Blocks) * uint64(s.Bsize), "", nil
}
