package sqlite_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"testing"

	"github.com/culvert/culvert/engine/journal/journaltest"
)

func TestCorrectionsPassOfEarlierFormats(t *testing.T) {
	t.Parallel()
	p := place(filepath.Join(t.TempDir(), "culvert.db"))
	journaltest.CorrectionsPassOfEarlierFormats(t, p, func() {
		db, err := sql.Open("sqlite", "file:"+string(p))
		if err != nil {
			t.Fatal(err)
		}
		_, err = db.Exec(`UPDATE records SET head = 0; UPDATE records SET head = 1 WHERE flags & 8; PRAGMA user_version = 12`)
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
	})
}
