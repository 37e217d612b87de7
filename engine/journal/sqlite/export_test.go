package sqlite

import (
	"context"
	"fmt"
	"testing"

	"github.com/culvert/culvert/engine/journal"
)

// OpenSmall opens a journal that merges what it keeps in memory after a few records, as a usual one does after many.
func OpenSmall(ctx context.Context, path string, o journal.Options) (*Store, error) {
	return open(ctx, path, o, sizes{generation: 5, slice: 2, questions: 3, presence: 64, log: 3, pages: 1, terms: 4,
		termSlice: 2})
}

// Pragma sets something of the writer's connection: how full the disk may be, whether it can be written.
func (s *Store) Pragma(ctx context.Context, text string) error {
	return s.writer.change(ctx, 1, func(t *tx) error {
		_, err := t.w.conn.ExecContext(ctx, "PRAGMA "+text)
		return err
	})
}

// PragmaValue reads a setting of the writer's connection.
func (s *Store) PragmaValue(ctx context.Context, name string) (value string, err error) {
	err = s.writer.change(ctx, 1, func(t *tx) error { return t.w.conn.QueryRowContext(ctx, "PRAGMA "+name).Scan(&value) })
	return value, err
}

// Formats is how many formats there are.
func Formats(t *testing.T) int {
	t.Helper()
	steps, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	return len(steps)
}

// FixtureName names the fixture of the current format.
func FixtureName(t *testing.T) string { return fmt.Sprintf("testdata/format-%d.db", Formats(t)) }
