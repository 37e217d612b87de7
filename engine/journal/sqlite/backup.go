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
	"runtime"
	"strings"
)

// Backup writes a copy of the journal to a path. The copy is consistent and complete while work
// goes on; it appears under its name only when it is whole and has been checked. An existing file
// is never overwritten.
func (s *Store) Backup(ctx context.Context, path string) (err error) {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("back the journal up: %s exists already: name a new file", path)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("back the journal up: %w", err)
	}
	part := path + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("back the journal up: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(part)
		}
	}()
	if err := s.copyTo(ctx, part); err != nil {
		return fmt.Errorf("back the journal up: %w", explain(err, path))
	}
	if err := checkCopy(ctx, part); err != nil {
		return fmt.Errorf("back the journal up: the copy is not sound: %w", err)
	}
	if err := flush(part); err != nil {
		return fmt.Errorf("back the journal up: %w", err)
	}
	if err := os.Rename(part, path); err != nil {
		return fmt.Errorf("back the journal up: %w", err)
	}
	return flush(filepath.Dir(path))
}

// copyTo uses a connection of its own, for a copy takes long.
func (s *Store) copyTo(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite", dsn(s.path))
	if err != nil {
		return err
	}
	defer db.Close()
	// Made beforehand, so that nobody else may read it.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", path)
	return err
}

func checkCopy(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()+"?mode=ro&immutable=1")
	if err != nil {
		return err
	}
	defer db.Close()
	return pragmaCheck(ctx, db, "PRAGMA quick_check(5)")
}

// flush waits until a file, or a folder's list of files, is on the disk. Windows flushes only what
// is open for writing, and folders not at all.
func flush(path string) error {
	flag := os.O_RDONLY
	if runtime.GOOS == "windows" {
		if info, err := os.Stat(path); err != nil || info.IsDir() {
			return err
		}
		flag = os.O_RDWR
	}
	f, err := os.OpenFile(path, flag, 0)
	if err != nil {
		return err
	}
	err = f.Sync()
	return errors.Join(err, f.Close())
}

// quickCheck reads the whole file and looks for damage.
func (s *Store) quickCheck(ctx context.Context) error {
	return pragmaCheck(ctx, s.read.db, "PRAGMA quick_check(5)")
}

func pragmaCheck(ctx context.Context, db *sql.DB, pragma string) error {
	rows, err := db.QueryContext(ctx, pragma)
	var findings []string
	err = scan(rows, err, func(rows *sql.Rows) error {
		var text string
		err := rows.Scan(&text)
		if text != "ok" {
			findings = append(findings, text)
		}
		return err
	})
	if err != nil {
		return err
	}
	if len(findings) > 0 {
		return errors.New(strings.Join(findings, "; "))
	}
	return nil
}

// invariants are what must hold in every journal; each query gives nothing when it does.
var invariants = []struct{ what, query string }{
	{"every key's first unsettled record, and no other, comes next", `SELECT min(seq) FROM records
		WHERE state IN (0, 2) GROUP BY chain
		HAVING sum(head) <> 1 OR max(flags & 8) = 0 AND max(CASE WHEN head = 1 THEN seq END) <> min(seq)`},
	{"records that wait for their parents let those of other rules and other versions of them pass, and no others",
		`SELECT seq FROM (
		SELECT r.seq, r.head, row_number() OVER (PARTITION BY r.chain ORDER BY CASE WHEN r.flags & 8 THEN 1
		WHEN EXISTS (SELECT 1 FROM records w
		WHERE w.flags & 8 AND w.chain = r.chain AND w.rule = r.rule AND w.ident <> r.ident
		AND w.seq < r.seq) THEN 2 ELSE 0 END,
		CASE WHEN r.flags & 8 THEN r.state END, CASE WHEN r.flags & 8 THEN r.next_try END, r.seq) AS place
		FROM records r WHERE r.state IN (0, 2) AND r.chain IN (SELECT chain FROM records WHERE flags & 8))
		WHERE head <> (place = 1)`},
	{"settled records are out of the way",
		`SELECT seq FROM records WHERE state NOT IN (0, 2) AND (head <> 0 OR next_try <> 0 OR flags & 8)`},
	{"counters agree with the records", `SELECT id FROM rules n WHERE
		(n.pending, n.delivered, n.held, n.skipped, n.failed, n.dismissed) IS NOT (SELECT coalesce(sum(state = 0), 0),
		coalesce(sum(state = 1), 0),
		coalesce(sum(state = 2), 0), coalesce(sum(state = 3), 0), coalesce(sum(state = 4), 0), coalesce(sum(state = 5),
		0) FROM records WHERE rule = n.id)`},
	{"payloads belong to records", `SELECT seq FROM payloads WHERE seq NOT IN (SELECT seq FROM records)`},
	{"unsettled records can be found by their key", `SELECT seq FROM records r WHERE state IN (0, 2) AND
		seq <= (SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'journal.found') AND NOT EXISTS (SELECT 1
		FROM finder f WHERE f.hash = r.chain AND f.seq = r.seq)`},
}

// Check implements journal.Journal: the file's structure, its indexes, and what must hold between records.
func (s *Store) Check(ctx context.Context) error {
	if err := pragmaCheck(ctx, s.read.db, "PRAGMA integrity_check(20)"); err != nil {
		return fmt.Errorf("%s is damaged: stop the program, keep a copy of the file, and restore the last backup: %w",
			s.place, explain(err, s.place))
	}
	for _, inv := range invariants {
		rows, err := s.read.db.QueryContext(ctx, inv.query)
		var first []int64
		err = scan(rows, err, func(rows *sql.Rows) error {
			var n int64
			err := rows.Scan(&n)
			first = append(first, n)
			return err
		})
		if err != nil {
			return fmt.Errorf("check the journal: %w", explain(err, s.place))
		}
		if len(first) > 0 {
			return fmt.Errorf("the journal contradicts itself: that %s does not hold at %d places, the first is %d", inv.what,
				len(first), first[0])
		}
	}
	return nil
}
