package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"strings"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/shared"
)

// Transfer reads or fills a file as a whole.
type Transfer struct {
	path   string
	db     *sql.DB
	conn   *sql.Conn
	runner *sql.DB // holds the right to be the one runner
}

var _ shared.Target = (*Transfer)(nil)

// OpenSource opens a file to read it as it is now, and keeps everybody from changing it meanwhile.
// A runner at work is answered with *journal.ErrInUse.
func OpenSource(ctx context.Context, path string, o journal.Options) (*Transfer, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	s, err := Open(ctx, path, o) // which brings it up to date, and knows the key
	if err != nil {
		return nil, err
	}
	err = s.own(ctx)
	if err := errors.Join(err, s.Close()); err != nil {
		return nil, err
	}
	x, err := openTransfer(ctx, path)
	if err != nil {
		return nil, err
	}
	if err := x.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return nil, errors.Join(err, x.Close())
	}
	return x, nil
}

// OpenCopy opens a copy of a journal, which nobody else has open, to read it.
func OpenCopy(ctx context.Context, path string) (*Transfer, error) {
	if err := checkCopy(ctx, path); err != nil {
		return nil, fmt.Errorf("%s is no sound copy of a journal: %w", path, err)
	}
	x, err := openTransfer(ctx, path)
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, x.conn, path); err != nil {
		return nil, errors.Join(err, x.Close())
	}
	return x, nil
}

// OpenTarget opens a new file to fill it, or one that was not filled to the end. A journal with
// something in it is refused.
func OpenTarget(ctx context.Context, path string) (*Transfer, error) {
	if err := checkPlace(path); err != nil {
		return nil, err
	}
	x, err := openTransfer(ctx, path)
	if err != nil {
		return nil, err
	}
	err = migrate(ctx, x.conn, path)
	if err == nil {
		err = x.checkEmpty(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, x.Close())
	}
	return x, nil
}

func openTransfer(ctx context.Context, path string) (*Transfer, error) {
	x := &Transfer{path: path}
	lock := &Store{path: path, place: path}
	var err error
	if x.runner, err = lock.openLock(); err != nil {
		return nil, err
	}
	if _, err := x.runner.ExecContext(ctx, "BEGIN EXCLUSIVE"); err != nil {
		return nil, errors.Join(&journal.ErrInUse{Place: path}, x.Close())
	}
	x.db, err = sql.Open("sqlite", dsn(path, "auto_vacuum(incremental)", "journal_mode(wal)", "synchronous(full)",
		"secure_delete(on)"))
	if err == nil {
		x.db.SetMaxOpenConns(1)
		x.conn, err = x.db.Conn(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the journal: %w", explain(err, path)), x.Close())
	}
	return x, nil
}

// checkEmpty refuses a journal that holds something which was not put there by an unfinished move.
func (x *Transfer) checkEmpty(ctx context.Context) error {
	moving, err := x.meta(ctx, shared.MetaMoving)
	if err != nil || moving != "" {
		return err
	}
	var some bool
	err = x.conn.QueryRowContext(ctx,
		"SELECT EXISTS (SELECT 1 FROM records) OR EXISTS (SELECT 1 FROM files) OR EXISTS (SELECT 1 FROM meta)").Scan(&some)
	if err == nil && some {
		err = fmt.Errorf("there is a journal at %s already: it is not overwritten; name another file, or move that one away",
			x.path)
	}
	return err
}

func (x *Transfer) exec(ctx context.Context, query string, args ...any) error {
	_, err := x.conn.ExecContext(ctx, query, args...)
	return explain(err, x.path)
}

func (x *Transfer) meta(ctx context.Context, name string) (value string, err error) {
	err = x.conn.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = ?", name).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return value, explain(err, x.path)
}

// Close lets the file go. What a source was kept from is let through.
func (x *Transfer) Close() error {
	var errs []error
	if x.conn != nil {
		_, _ = x.conn.ExecContext(context.Background(), "ROLLBACK") // of a source; there may be none
		errs = append(errs, x.conn.Close())
	}
	for _, db := range []*sql.DB{x.db, x.runner} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// Moved implements shared.Source.
func (x *Transfer) Moved(ctx context.Context, to string) error {
	if err := x.exec(ctx, setMeta, shared.MetaMoved, to); err != nil {
		return err
	}
	return x.exec(ctx, "COMMIT")
}

// Loaded implements shared.Target.
func (x *Transfer) Loaded(ctx context.Context) (map[string]shared.Digest, error) {
	text, err := x.meta(ctx, shared.MetaMoving)
	if err != nil || text == "" {
		return map[string]shared.Digest{}, err
	}
	out := map[string]shared.Digest{}
	return out, json.Unmarshal([]byte(text), &out)
}

// Load implements shared.Target.
func (x *Transfer) Load(ctx context.Context, t shared.Table, rows iter.Seq2[[]any, error],
	done func() shared.Digest) (err error) {
	loaded, err := x.Loaded(ctx)
	if err != nil {
		return err
	}
	if err := x.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_, _ = x.conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		}
	}()
	if err := x.fill(ctx, t, rows); err != nil {
		return err
	}
	loaded[t.Name] = done()
	text, err := json.Marshal(loaded)
	if err != nil {
		return err
	}
	if err := x.exec(ctx, setMeta, shared.MetaMoving, string(text)); err != nil {
		return err
	}
	return x.exec(ctx, "COMMIT")
}

func (x *Transfer) fill(ctx context.Context, t shared.Table, rows iter.Seq2[[]any, error]) error {
	if t.Name == "digests" {
		return x.fillDigests(ctx, rows)
	}
	clearing := "DELETE FROM " + t.Name
	if t.Name == "meta" {
		clearing = "DELETE FROM meta WHERE name NOT LIKE 'journal.%'"
	}
	if err := x.exec(ctx, clearing); err != nil {
		return err
	}
	columns, values := columnsOf(t), strings.TrimSuffix(strings.Repeat("?, ", len(t.Columns)), ", ")
	switch t.Name {
	case "records":
		columns, values = columns+", head", values+", 0"
	case "files":
		columns, values = columns+", owner", values+", ''"
	}
	text := "INSERT OR REPLACE INTO " + t.Name + " (" + columns + ") VALUES (" + values + ")"
	insert, err := x.conn.PrepareContext(ctx, text) //nolint:sqlclosecheck // deferred below
	if err != nil {
		return explain(err, x.path)
	}
	defer insert.Close()
	for row, err := range rows {
		if err != nil {
			return err
		}
		if _, err := insert.ExecContext(ctx, row...); err != nil {
			return explain(err, x.path)
		}
	}
	return nil
}

// fillDigests packs digests, which come in order of object, into pages.
func (x *Transfer) fillDigests(ctx context.Context, rows iter.Seq2[[]any, error]) error {
	for _, table := range []string{"digest_pages", "digest_log"} {
		if err := x.exec(ctx, "DELETE FROM "+table); err != nil {
			return err
		}
	}
	var waiting []digest
	keep := func(all []digest) error {
		for _, p := range pack(all) {
			if err := x.exec(ctx, "INSERT INTO digest_pages (first, entries) VALUES (?, ?)", int64(p.first),
				p.entries); err != nil {
				return err
			}
		}
		return nil
	}
	for row, err := range rows {
		if err != nil {
			return err
		}
		waiting = append(waiting, digest{uint64(row[0].(int64)),
			entry{uint32(row[1].(int64)), uint16(row[2].(int64)), row[3].(int64), row[4].(int64)}})
		if len(waiting) >= 200*perPage {
			if err := keep(waiting); err != nil {
				return err
			}
			waiting = waiting[:0]
		}
	}
	return keep(waiting)
}

// Finish implements shared.Target: counters, the heads of keys, and the index by which records are found.
func (x *Transfer) Finish(ctx context.Context) (err error) {
	if err := x.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_, _ = x.conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		}
	}()
	for _, q := range append([]string{
		`UPDATE rules SET pending = 0, delivered = 0, held = 0, skipped = 0, failed = 0, dismissed = 0, superseded = 0`,
		`UPDATE rules SET pending = c.s0, delivered = c.s1, held = c.s2, skipped = c.s3, failed = c.s4, dismissed = c.s5,
			superseded = c.s6 FROM (SELECT rule,
			sum(state = 0) AS s0, sum(state = 1) AS s1, sum(state = 2) AS s2, sum(state = 3) AS s3, sum(state = 4) AS s4,
			sum(state = 5) AS s5, sum(state = 6) AS s6
			FROM records GROUP BY rule) c WHERE c.rule = rules.id`,
		"UPDATE records SET head = 0 WHERE head <> 0",
		`UPDATE records SET head = 1 WHERE seq IN (SELECT seq
			FROM (SELECT r.seq, row_number() OVER (PARTITION BY r.chain ORDER BY CASE WHEN r.flags & 8 THEN 1
			WHEN EXISTS (SELECT 1 FROM records w INDEXED BY waiters WHERE w.flags & 8 AND w.chain = r.chain
			AND w.rule = r.rule AND w.ident <> r.ident AND w.seq < r.seq) THEN 2 ELSE 0 END,
			CASE WHEN r.flags & 8 THEN r.state END, CASE WHEN r.flags & 8 THEN r.next_try END, r.seq) AS place
			FROM records r WHERE r.state IN (0, 2)) WHERE place = 1)`,
		"INSERT OR REPLACE INTO meta (name, value) SELECT '" + reservedMark +
			"', CAST(coalesce(max(place + places), 0) AS TEXT) FROM files",
		"DELETE FROM meta WHERE name = '" + shared.MetaMoving + "'",
	}, reindex...) {
		if err := x.exec(ctx, q); err != nil {
			return fmt.Errorf("put the journal in order: %w", err)
		}
	}
	return x.exec(ctx, "COMMIT")
}

// movedAway reads what a journal notes of a move.
func movedAway(ctx context.Context, conn *sql.Conn, place string) error {
	notes := map[string]string{}
	rows, err := conn.QueryContext(ctx, "SELECT name, value FROM meta WHERE name IN (?, ?)", shared.MetaMoved,
		shared.MetaMoving)
	err = scan(rows, err, func(rows *sql.Rows) error {
		var name, value string
		err := rows.Scan(&name, &value)
		notes[name] = value
		return err
	})
	if err != nil {
		return fmt.Errorf("open the journal: %w", explain(err, place))
	}
	return shared.CheckMoved(place, notes[shared.MetaMoved], notes[shared.MetaMoving])
}

// Exists tells whether there is a file for a journal.
func Exists(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
