package doctor

import (
	"io/fs"

	"golang.org/x/sys/windows"
)

// space gives the free and all bytes of the volume of a folder.
func space(folder string) (free, total uint64, kind string, err error) {
	name, err := windows.UTF16PtrFromString(folder)
	if err != nil {
		return 0, 0, "", err
	}
	if err := windows.GetDiskFreeSpaceEx(name, &free, &total, nil); err != nil {
		return 0, 0, "", err
	}
	return free, total, "", nil
}

// owners is not told on Windows, where rights are no bits.
func owners(fs.FileInfo) (owner, me string, ok bool) { return "", "", false }

// openFiles has no limit on Windows.
func openFiles() (uint64, bool) { return 0, false }
