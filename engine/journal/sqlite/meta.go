package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"sync"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/shared"
)

// reader is the pool that everything but changes goes through, so that lists never wait for the disk.
type reader struct {
	db    *sql.DB
	mu    *sync.Mutex
	stmts map[string]*sql.Stmt
}

// query runs a fixed text; it is prepared once.
func (r reader) query(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	r.mu.Lock()
	s, ok := r.stmts[text]
	if !ok {
		var err error
		if s, err = r.db.PrepareContext(ctx, text); err != nil {
			r.mu.Unlock()
			return nil, err
		}
		r.stmts[text] = s
	}
	r.mu.Unlock()
	return s.QueryContext(ctx, args...)
}

func (r reader) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.stmts {
		_ = s.Close()
	}
	return r.db.Close()
}

// ruleNames gives the rules that have pending records.
func (s *Store) ruleNames(ctx context.Context) (map[int64]string, error) {
	out := map[int64]string{}
	rows, err := s.read.query(ctx, "SELECT id, name FROM rules WHERE pending > 0")
	return out, scan(rows, err, func(rows *sql.Rows) error {
		var id int64
		var name string
		err := rows.Scan(&id, &name)
		out[id] = name
		return err
	})
}

// Cursor implements journal.Journal.
func (s *Store) Cursor(ctx context.Context, name string) (string, error) {
	return s.Meta(ctx, cursorPrefix+name)
}

// Meta implements journal.Journal.
func (s *Store) Meta(ctx context.Context, name string) (string, error) {
	value := ""
	rows, err := s.read.query(ctx, "SELECT value FROM meta WHERE name = ?", name)
	err = scan(rows, err, func(rows *sql.Rows) error { return rows.Scan(&value) })
	if err == nil && shared.OwnName(name) == nil {
		value, err = s.sealer.Show(value)
	}
	if err != nil {
		return "", fmt.Errorf("read %s from the journal: %w", strconv.Quote(name), explain(err, s.place))
	}
	return value, nil
}

// SetMeta implements journal.Journal.
func (s *Store) SetMeta(ctx context.Context, name, value string) error {
	if err := shared.OwnName(name); err != nil {
		return err
	}
	err := s.writer.change(ctx, 1, func(t *tx) error {
		return t.exec(setMeta, name, s.sealer.Hide(value))
	})
	if err != nil {
		return fmt.Errorf("keep %q in the journal: %w", name, err)
	}
	return nil
}

// ChangeMeta implements journal.Journal.
func (s *Store) ChangeMeta(ctx context.Context, name string, entry journal.AuditEntry,
	change func(string) (string, error)) error {
	if err := shared.OwnName(name); err != nil {
		return err
	}
	err := s.writer.change(ctx, 1, func(t *tx) error {
		value := ""
		rows, err := t.query("SELECT value FROM meta WHERE name = ?", name)
		if err := scan(rows, err, func(rows *sql.Rows) error { return rows.Scan(&value) }); err != nil {
			return err
		}
		if value, err = s.sealer.Show(value); err == nil {
			value, err = change(value)
		}
		if err != nil {
			return err
		}
		if err := t.exec(setMeta, name, s.sealer.Hide(value)); err != nil {
			return err
		}
		return s.audit(t, entry.Who, entry.Did, entry.Why, entry.Count, entry.Subject)
	})
	if err != nil {
		return fmt.Errorf("keep %q in the journal: %w", name, err)
	}
	return nil
}
