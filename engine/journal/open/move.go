package open

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/postgres"
	"github.com/culvert/culvert/engine/journal/shared"
	"github.com/culvert/culvert/engine/journal/sqlite"
)

// Moved is a part of a journal that was copied, and is the same on both sides.
type Moved struct {
	Table string
	Rows  int64
}

// Move copies a journal into another store, new or not filled to the end by an earlier move, and
// notes in the old one that it lies there now. Both stores are as Journal takes them. A runner at
// work on the old one is answered with *journal.ErrInUse; nobody opens either meanwhile. progress
// is told of each part.
func Move(ctx context.Context, from, to string, o journal.Options, progress func(Moved)) (err error) {
	if Redact(from) == Redact(to) {
		return errors.New("the journal is to be moved to where it lies: name another store")
	}
	source, err := openSource(ctx, from, o)
	if err != nil {
		return fmt.Errorf("open the journal that is to be moved: %w", err)
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	if err := fill(ctx, source, to, progress); err != nil {
		return err
	}
	return source.Moved(ctx, Redact(to))
}

// fill copies a journal into another store.
func fill(ctx context.Context, source shared.Source, to string, progress func(Moved)) (err error) {
	target, err := openTarget(ctx, to)
	if err != nil {
		return fmt.Errorf("open the new store: %w", err)
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	return shared.Move(ctx, source, target, func(t shared.Table, d shared.Digest) { progress(Moved{t.Name, d.Rows}) })
}

// Copy writes a consistent copy of a journal into a new file, while work goes on: a journal in
// SQLite, whatever the store.
func Copy(ctx context.Context, store, path string, o journal.Options) (err error) {
	if file, ok := fileOf(store); ok {
		j, err := sqlite.Open(ctx, file, o)
		if err != nil {
			return err
		}
		return errors.Join(j.Backup(ctx, path), j.Close())
	}
	source, err := postgres.OpenSnapshot(ctx, store, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("back the journal up: %s exists already: name a new file", path)
	}
	if err := fill(ctx, source, "sqlite:"+path, func(Moved) {}); err != nil {
		return err
	}
	return os.Remove(path + "-runner")
}

// Restore makes a journal of a copy in a store where none is yet. moved says where files lie now
// whose path the copy knows.
func Restore(ctx context.Context, path, store string, moved func(path string) string) (err error) {
	if file, ok := fileOf(store); ok {
		there, err := sqlite.Exists(file)
		if err != nil {
			return err
		}
		if there {
			return fmt.Errorf("there is a journal at %s already: it is not overwritten; move it away first", file)
		}
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return err
		}
	}
	source, err := sqlite.OpenCopy(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	return fill(ctx, relocated{source, moved}, store, func(Moved) {})
}

// relocated is a journal whose files lie somewhere else.
type relocated struct {
	shared.Source
	moved func(string) string
}

// Dump implements shared.Source.
func (r relocated) Dump(ctx context.Context, t shared.Table, f func(row []any) error) error {
	if t.Name != "files" {
		return r.Source.Dump(ctx, t, f)
	}
	return r.Source.Dump(ctx, t, func(row []any) error {
		for i, column := range t.Columns {
			if text, ok := row[i].(string); ok && (column == "path" || column == "folder" || column == "results") {
				row[i] = r.moved(text)
			}
		}
		return f(row)
	})
}

// Free tells whether there is no journal yet where a store is to be made; the error says what is there.
func Free(ctx context.Context, store string) error {
	if file, ok := fileOf(store); ok {
		there, err := sqlite.Exists(file)
		if err == nil && there {
			err = fmt.Errorf("there is a journal at %s already: it is not overwritten; move it away first", file)
		}
		return err
	}
	target, err := openTarget(ctx, store)
	if err != nil {
		return err
	}
	return target.Close()
}

func fileOf(store string) (string, bool) {
	rest, ok := strings.CutPrefix(store, "sqlite:")
	return strings.TrimPrefix(rest, "//"), ok
}

func openSource(ctx context.Context, store string, o journal.Options) (shared.Source, error) {
	if file, ok := fileOf(store); ok {
		return sqlite.OpenSource(ctx, file, o)
	}
	if err := known(store); err != nil {
		return nil, err
	}
	return postgres.OpenSource(ctx, store, o)
}

func openTarget(ctx context.Context, store string) (shared.Target, error) {
	if file, ok := fileOf(store); ok {
		return sqlite.OpenTarget(ctx, file)
	}
	if err := known(store); err != nil {
		return nil, err
	}
	return postgres.OpenTarget(ctx, store)
}

func known(store string) error {
	if strings.HasPrefix(store, "postgres://") || strings.HasPrefix(store, "postgresql://") {
		return nil
	}
	return notAStore(store)
}

func notAStore(store string) error {
	return fmt.Errorf("store: %q is not a store: write sqlite:state/culvert.db, or postgres://user@host/database",
		Redact(store))
}
