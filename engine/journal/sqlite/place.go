package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/culvert/culvert/engine/journal"
)

// makePrivate makes the file before SQLite does, which would take the permissions from the umask;
// the files beside it get those of this one.
func makePrivate(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("make the journal: %w: check that the program's user may write there", err)
	}
	return f.Close()
}

// keepPrivate takes the right to read payloads from others than the owner of the journal, also
// where an earlier version or a copy gave it.
func keepPrivate(path string, log *slog.Logger) {
	if runtime.GOOS == "windows" {
		return // there the folder's own lists say who may
	}
	for _, file := range []string{path, path + "-wal", path + "-shm", path + "-runner"} {
		info, err := os.Stat(file)
		if err != nil || info.Mode().Perm()&0o077 == 0 {
			continue // not there, or private already
		}
		if err := os.Chmod(file, info.Mode().Perm()&^0o077); err != nil {
			log.Warn("others than its owner can read a file of the journal: change its permissions to 0600", "file", file,
				"error", err)
		}
	}
}

// placeOf is the file that a journal was opened in: as long as it lies at its path, what is written is found again.
type placeOf struct {
	path string
	info fs.FileInfo
	log  *slog.Logger
	lost bool // said so, and saved what could be saved
}

func placeAt(path string, log *slog.Logger) (*placeOf, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	return &placeOf{path: path, info: info, log: log}, nil
}

// check finds out that the file was deleted, or another put in its place, while the program runs:
// what it would write from now on nobody would find.
func (p *placeOf) check(ctx context.Context, conn *sql.Conn) error {
	info, err := os.Stat(p.path)
	if err == nil && os.SameFile(info, p.info) {
		p.lost = false
		return nil
	}
	reason := fmt.Sprintf("%s was replaced by another file while Culvert runs: stop Culvert, put the right file there, "+
		"and start it again", p.path)
	if errors.Is(err, fs.ErrNotExist) {
		reason = fmt.Sprintf("%s was deleted while Culvert runs: stop Culvert, put the file back, and start it again", p.path)
	} else if err != nil {
		reason = fmt.Sprintf("%s cannot be looked at: %v", p.path, err)
	}
	if !p.lost {
		p.lost = true
		p.save(ctx, conn, reason)
	}
	return &journal.ErrUnavailable{Reason: reason, RetryAfter: retryAfter, Err: err}
}

// save writes what the deleted file held, which this process can still read, to a file beside it.
func (p *placeOf) save(ctx context.Context, conn *sql.Conn, reason string) {
	to := fmt.Sprintf("%s.saved-%s", p.path, time.Now().UTC().Format("20060102T150405"))
	err := os.MkdirAll(filepath.Dir(to), 0o700)
	if err == nil {
		err = makePrivate(to)
	}
	if err == nil {
		_, err = conn.ExecContext(ctx, "VACUUM INTO ?", to)
	}
	if err != nil {
		p.log.Error("the journal's file is not there any more, and what it held could not be saved", "reason", reason,
			"error", err)
		return
	}
	p.log.Error("the journal's file is not there any more; what it held was saved", "reason", reason, "saved", to)
}
