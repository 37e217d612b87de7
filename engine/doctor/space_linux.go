package doctor

import "golang.org/x/sys/unix"

// networked are the file systems that hold files of other machines, by what statfs calls them.
var networked = map[int64]string{
	unix.NFS_SUPER_MAGIC: "NFS", unix.SMB_SUPER_MAGIC: "a Windows share", unix.CIFS_SUPER_MAGIC: "a Windows share",
	unix.SMB2_SUPER_MAGIC: "a Windows share",
	unix.CEPH_SUPER_MAGIC: "Ceph", unix.V9FS_MAGIC: "a share of the host",
}

// space gives the free and all bytes of the file system of a folder, and its name when it is one of another machine.
func space(folder string) (free, total uint64, kind string, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(folder, &s); err != nil {
		return 0, 0, "", err
	}
	return s.Bavail * uint64(s.Bsize), s.Blocks * uint64(s.Bsize), networked[int64(s.Type)], nil
}
