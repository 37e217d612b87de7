package results

import (
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/culvert/culvert/internal/disk"
)

// BesideDir is where the files that rows name lie in a taken file's inbox folder.
const BesideDir = ".files"

// FilesOf names the folder, beside a finished file, of the files that its rows named. stem is Stem
// of the file's name.
func FilesOf(stem string) string { return stem + ".files" }

// Stem is a file's name without its endings, both of .csv.gz.
func Stem(name string) string { return strings.TrimSuffix(name, suffix(name)) }

// finishBeside moves the files that rows named to beside the finished file.
func finishBeside(dir, folder, stem string) error {
	from, to := filepath.Join(dir, BesideDir), filepath.Join(folder, FilesOf(stem))
	if !disk.Exists(from) {
		return nil
	}
	return filepath.WalkDir(from, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(from, p)
		if err != nil {
			return err
		}
		dst := filepath.Join(to, rel)
		if err := disk.MakeFolder(filepath.Dir(dst)); err != nil {
			return err
		}
		return disk.Move(p, dst)
	})
}
