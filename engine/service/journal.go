// Package service puts the parts of Culvert together as its project asks: journal, clients, targets, sources, web server, reload and sync.
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
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/internal/await"
)

// metaProject is the journal's note of which project it belongs to.
const metaProject = "project"

// OpenJournal opens the store that culvert.yaml names. A journal that was filled under another project name is refused: every derived id
// would change, and everybody already sent would be created again.
func OpenJournal(ctx context.Context, c *project.Config, dir string, log *slog.Logger) (journal.Journal, error) {
	dsn, err := c.Store.Resolve()
	if err != nil {
		return nil, err
	}
	o := journal.Options{Logger: log}
	if c.Encryption != nil {
		key, err := c.Encryption.Resolve()
		if err != nil {
			return nil, err
		}
		o.Key = []byte(key)
	}
	j, err := openStore(ctx, dsn, dir, o)
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

// storeBackoff is how long to wait for a database that is away at the start: a machine that starts both may start it later.
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
		log.Error("the journal's database is away; waiting for it, nothing is taken meanwhile", "error", err, "next_try", wait.Round(time.Second))
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(wait):
		}
	}
}

func openStore(ctx context.Context, dsn, dir string, o journal.Options) (journal.Journal, error) {
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, fmt.Errorf("make the journal's folder: %w", err)
		}
		dsn = "sqlite:" + path
	}
	return open.Journal(ctx, dsn, o)
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
	return fmt.Errorf("the journal belongs to project %q, and culvert.yaml now says %q: with another name every derived id would change and everybody already sent would be created again; "+
		"put the old name back, or begin a new journal with another `store:`", known, name)
}
