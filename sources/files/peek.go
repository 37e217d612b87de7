package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/tabular"
)

// Peek reads the first rows of the newest file that lies in the folder.
func (Kind) Peek(_ context.Context, b sources.Bound, env sources.Env, limit int) ([]any, error) {
	r := read(b.Trigger, func(diag.Diagnostic) {})
	dir := filepath.FromSlash(r.folder)
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(env.Dir, dir)
	}
	return FirstRows(dir, r.glob, r.format, limit)
}

// FirstRows gives the first rows of the newest file in a folder that a glob takes; none where no file lies there.
func FirstRows(dir, glob string, format tabular.Format, limit int) ([]any, error) {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("the folder cannot be read: %w", err)
	}
	var newest string
	var written time.Time
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || info.Size() == 0 || Unfinished(e.Name()) || !Wanted(glob, e.Name()) {
			continue
		}
		if newest == "" || info.ModTime().After(written) {
			newest, written = e.Name(), info.ModTime()
		}
	}
	if newest == "" {
		return nil, nil
	}
	return tabular.Sample(filepath.Join(dir, newest), nil, format, limit)
}
