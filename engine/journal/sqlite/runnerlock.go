package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/culvert/culvert/engine/journal"
)

// own makes this process the one runner on the file, the first time that it acts as one. The right
// is an open transaction on a file beside the journal, which the operating system ends with the
// process.
func (s *Store) own(ctx context.Context) error {
	s.owning.Lock()
	defer s.owning.Unlock()
	if s.owned {
		return nil
	}
	db, err := s.openLock()
	if err != nil {
		return fmt.Errorf("take the journal over: %w", err)
	}
	if _, err := db.ExecContext(ctx, "BEGIN EXCLUSIVE"); err != nil {
		_ = db.Close()
		var gone *journal.ErrUnavailable
		if errors.As(explain(err, s.place), &gone) && strings.Contains(gone.Reason, "locked") {
			return &journal.ErrInUse{Place: s.place}
		}
		return fmt.Errorf("take the journal over: %w", explain(err, s.place+"-runner"))
	}
	// Whoever read files before is dead.
	err = s.writer.change(ctx, 1, func(t *tx) error {
		return t.exec("UPDATE files SET owner = '' WHERE state = ?", string(journal.FileOpen))
	})
	if err != nil {
		_ = db.Close()
		return fmt.Errorf("take the journal over: %w", err)
	}
	watch, stop := context.WithCancel(context.Background())
	s.lock, s.owned, s.stopOwned = db, true, stop
	s.watching.Add(2)
	go func() {
		defer s.watching.Done()
		s.watch(watch)
	}()
	go func() {
		defer s.watching.Done()
		if err := s.quickCheck(watch); err != nil && watch.Err() == nil {
			s.log.Error("the journal is damaged: stop the program, keep a copy of the file, and restore the last backup",
				"file", s.place, "error", err)
		}
	}()
	return nil
}

// openLock opens the file beside the journal whose lock is the right to run. It waits a little for
// it: whoever asks for a runner holds it for a moment.
func (s *Store) openLock() (*sql.DB, error) {
	if err := makePrivate(s.path + "-runner"); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: filepath.ToSlash(s.path + "-runner")}).EscapedPath()+
		"?_pragma=busy_timeout(300)&_pragma=journal_mode(memory)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	db.SetConnMaxLifetime(0)
	return db, nil
}

// Vacant tells whether no process runs on the journal, also right after one was killed. What cannot
// be found out counts as running.
func (s *Store) Vacant(ctx context.Context) bool {
	s.owning.Lock()
	defer s.owning.Unlock()
	if s.owned {
		return false
	}
	if _, err := os.Stat(s.path + "-runner"); err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	db, err := s.openLock()
	if err != nil {
		return false
	}
	defer db.Close()
	var n int
	// denied while another process holds it exclusively
	return db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master").Scan(&n) == nil
}
