// Package service puts the parts of Culvert together as its project asks: journal, clients,
// targets, sources, web server, reload and sync.
package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/open"
	"github.com/culvert/culvert/engine/journal/sqlite"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/internal/await"
)

// metaProject is the journal's note of which project it belongs to.
const metaProject = "project"

// OpenJournal opens the store that culvert.yaml names. A journal that was filled under another
// project name is refused: every derived id would change, and everybody already sent would be
// created again.
func OpenJournal(ctx context.Context, c *project.Config, dir string, log *slog.Logger) (journal.Journal, error) {
	store, o, err := StoreOf(c, dir, log)
	if err != nil {
		return nil, err
	}
	j, err := open.Journal(ctx, store, o)
	if err != nil {
		return nil, err
	}
	if err := owned(ctx, j, c.Project); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	if err := beginNamespaces(ctx, j); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return j, nil
}

// StoreOf gives the store that culvert.yaml names, a path made absolute and its folder made, and how it is opened.
func StoreOf(c *project.Config, dir string, log *slog.Logger) (store string, o journal.Options, err error) {
	o.Logger = log
	if store, err = c.Store.Resolve(); err != nil {
		return "", o, err
	}
	if err := AddKeys(c, &o); err != nil {
		return "", o, err
	}
	store, err = StoreAt(store, dir)
	return store, o, err
}

// AddKeys adds the keys that payloads are encrypted with.
func AddKeys(c *project.Config, o *journal.Options) error {
	if c.Encryption == nil {
		return nil
	}
	key, err := c.Encryption.Resolve()
	if err != nil {
		return err
	}
	o.Key = []byte(key)
	for _, t := range c.OldKeys {
		if key, err = t.Resolve(); err != nil {
			return err
		}
		o.OldKeys = append(o.OldKeys, []byte(key))
	}
	return nil
}

// StoreAt makes the path of a store absolute, as seen from a project's folder, and its folder when it is missing.
func StoreAt(store, dir string) (string, error) {
	path, ok, err := fileAt(store, dir)
	if err == nil && ok {
		store, err = "sqlite:"+path, os.MkdirAll(filepath.Dir(path), 0o700)
	}
	if err != nil {
		return "", fmt.Errorf("make the journal's folder: %w", err)
	}
	return store, nil
}

// fileAt gives the absolute path of a store that is a file.
func fileAt(store, dir string) (path string, ok bool, err error) {
	if path, ok = strings.CutPrefix(store, "sqlite:"); !ok {
		return "", false, nil
	}
	path = strings.TrimPrefix(path, "//")
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	path, err = filepath.Abs(path)
	return path, true, err
}

// JournalMissing gives the path of the journal's file where there is none yet, and "" where there
// is one, or where the store is no file.
func JournalMissing(c *project.Config, dir string) (string, error) {
	store, err := c.Store.Resolve()
	if err != nil {
		return "", err
	}
	path, ok, err := fileAt(store, dir)
	if err != nil || !ok {
		return "", err
	}
	there, err := sqlite.Exists(path)
	if err != nil || there {
		return "", err
	}
	return path, nil
}

// storeBackoff is how long to wait for a database that is away at the start: a machine that starts
// both may start it later.
var storeBackoff = await.Backoff{Base: time.Second, Cap: 30 * time.Second}

// awaitJournal opens the journal, and waits for a database that is away for as long as ctx goes on.
func awaitJournal(ctx context.Context, c *project.Config, dir string, log *slog.Logger) (journal.Journal, error) {
	for tries := 1; ; tries++ {
		j, err := OpenJournal(ctx, c, dir, log)
		var away *journal.ErrUnavailable
		dsn, _ := c.Store.Resolve() // OpenJournal has said what is wrong with it
		if err == nil || !errors.As(err, &away) || strings.HasPrefix(dsn, "sqlite:") {
			return j, err
		}
		wait := storeBackoff.Wait(tries, nil)
		log.Error("the journal's database is away; waiting for it, nothing is taken meanwhile", "error", err, "next_try",
			wait.Round(time.Second))
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(wait):
		}
	}
}

func owned(ctx context.Context, j journal.Journal, name string) error {
	known, err := j.Meta(ctx, metaProject)
	if err != nil {
		return fmt.Errorf("read whose journal this is: %w", err)
	}
	switch known {
	case name:
		return nil
	case "":
		if err := j.SetMeta(ctx, metaProject, name); err != nil {
			return fmt.Errorf("note whose journal this is: %w", err)
		}
		return nil
	}
	return otherProject(known, name)
}

// otherProject refuses a project's new name.
func otherProject(known, name string) error {
	return fmt.Errorf("the journal belongs to project %q, and culvert.yaml now says %q: with another name every "+
		"derived id would change and everybody already sent would be created again; "+
		"put the old name back, or begin a new journal with another `store:`", known, name)
}
