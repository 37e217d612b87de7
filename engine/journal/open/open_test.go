package open_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/open"
)

func TestJournal(t *testing.T) {
	t.Parallel()
	j, err := open.Journal(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "a b", "culvert #1?.db"), journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.SetMeta(t.Context(), "project", "anc"); err != nil {
		t.Error(err)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	for store, want := range map[string]string{
		"mysql://me:secret@host/db":            `"mysql://me@host/db" is not a store`,
		"":                                     "is not a store",
		"state/culvert.db":                     "write sqlite:state/culvert.db",
		"sqlite:":                              "needs a file",
		"postgres://me:secret@127.0.0.1:1/x":   "cannot be reached",
		"postgresql://me:secret@127.0.0.1:1/x": "cannot be reached",
	} {
		_, err := open.Journal(t.Context(), store, journal.Options{})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", store, err)
		}
	}
}
