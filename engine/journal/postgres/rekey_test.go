package postgres_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/journaltest"
)

// TestRekeyWaitsForOlderReaders encrypts a journal while somebody reads the database as it was
// before, as a dump does: the tables are rewritten once nothing of it is kept for them.
func TestRekeyWaitsForOlderReaders(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	rec := journaltest.Form(1)
	rec.ID = "form-of-amina"
	j := p.Open(t, journal.Options{})
	if _, err := j.Append(t.Context(), []*journal.Record{rec}, nil); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	reader, err := pgx.Connect(ctx, string(p))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = reader.Close(context.Background()) })
	dump, err := reader.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err == nil {
		_, err = dump.Exec(ctx, "SELECT count(*) FROM pg_class")
	}
	if err != nil {
		t.Fatal(err)
	}
	look, err := pgx.Connect(ctx, string(p))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = look.Close(context.Background()) })
	key := []byte("0123456789abcdef0123456789abcdef")
	j = p.Open(t, journal.Options{Key: key})
	done := make(chan error, 1)
	go func() {
		_, err := j.Rekey(ctx)
		done <- err
	}()
	waits := `SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = current_setting('application_name')
		AND pid <> pg_backend_pid() AND query LIKE '%backend_xmin IS NOT NULL%'`
	for end, so := time.Now().Add(time.Minute), false; !so; time.Sleep(5 * time.Millisecond) {
		if err := look.QueryRow(ctx, waits).Scan(&so); err != nil || time.Now().After(end) {
			t.Fatalf("it does not wait for the reader: %v", err)
		}
	}
	if err := dump.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(p.Bytes(t), []byte("form-of-amina")) {
		t.Error("what was in clear can be read")
	}
}
