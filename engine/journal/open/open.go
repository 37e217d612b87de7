// Package open chooses the journal's store by its name in culvert.yaml.
package open

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/postgres"
	"github.com/culvert/culvert/engine/journal/sqlite"
)

// Journal opens the journal that a store names: sqlite:PATH, with the path relative to the current
// folder unless it is absolute, or postgres://USER:PASSWORD@HOST/DATABASE, with ?search_path=SCHEMA
// when it is not to be the schema culvert.
func Journal(ctx context.Context, store string, o journal.Options) (journal.Journal, error) {
	kind, rest, _ := strings.Cut(store, ":")
	switch kind {
	case "sqlite":
		return sqlite.Open(ctx, strings.TrimPrefix(rest, "//"), o)
	case "postgres", "postgresql":
		return postgres.Open(ctx, store, o)
	}
	return nil, notAStore(store)
}

// Exposed gives the folder of a journal in a file where others on this machine can look into it: the
// files in it are private, but what is put beside them need not be. "" for none.
func Exposed(store string) string {
	file, ok := fileOf(store)
	if !ok || runtime.GOOS == "windows" { // there the folder's own lists say who may
		return ""
	}
	file, _, _ = strings.Cut(file, "?")
	info, err := os.Stat(filepath.Dir(file))
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return ""
	}
	return filepath.Dir(file)
}

// Redact gives a store's name without its password, fit for messages.
func Redact(store string) string {
	head, rest, ok := strings.Cut(store, "://")
	if !ok {
		return store
	}
	at := strings.LastIndex(rest, "@")
	if at < 0 {
		return store
	}
	user, _, _ := strings.Cut(rest[:at], ":")
	return head + "://" + user + "@" + rest[at+1:]
}
