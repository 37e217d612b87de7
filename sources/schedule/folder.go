package schedule

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/culvert/culvert/sources/files"
)

// quiet is how long a file must not have changed: it may still be written.
const quiet = 5 * time.Second

// folder takes the files that lie in a folder. A file is copied to the inbox and then removed;
// after a crash between the two it is recognised.
func (r *run) folder(ctx context.Context) (int, error) {
	dir := r.folderPath()
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, fmt.Errorf("the folder %s cannot be read: %w", r.rule.Folder.Path, err)
	}
	taken := 0
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || strings.HasPrefix(e.Name(), ".") || time.Since(info.ModTime()) < quiet {
			continue
		}
		if glob := r.rule.Folder.Glob; glob != "" {
			if ok, err := filepath.Match(glob, e.Name()); err != nil || !ok {
				continue
			}
		}
		if err := r.take(ctx, dir, e.Name()); err != nil {
			return taken, err
		}
		taken++
	}
	return taken, nil
}

func (r *run) folderPath() string {
	dir := filepath.FromSlash(r.rule.Folder.Path)
	if filepath.IsAbs(dir) {
		return dir
	}
	return filepath.Join(r.c.Dir, dir)
}

func (r *run) take(ctx context.Context, dir, name string) error {
	path := filepath.Join(dir, name)
	_, duplicate, err := files.Take(ctx, path, r.rule.Rule, r.c.Inbox, r.sink)
	if err != nil {
		return fmt.Errorf("take the file: %w", err)
	}
	if !duplicate {
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("remove a file that was taken: %w", err)
		}
		return nil
	}
	r.log.Warn("a file with the same content was taken before; it is put aside", "file", name)
	aside := filepath.Join(dir, "done")
	if err := os.MkdirAll(aside, 0o755); err != nil {
		return fmt.Errorf("put a file aside: %w", err)
	}
	to := filepath.Join(aside, r.c.Now().UTC().Format("20060102T150405.000")+"-seen-before-"+name)
	if err := os.Rename(path, to); err != nil {
		return fmt.Errorf("put a file aside: %w", err)
	}
	return nil
}
