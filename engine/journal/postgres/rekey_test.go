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

// TestRekeyWaitsForOthers encrypts a journal while somebody reads the database as it was before, as a dump does, or
// has written to it since and may still read: the tables are rewritten once nothing of it is kept for them.
func TestRekeyWaitsForOthers(t *testing.T) {
	t.Parallel()
	t.Run("a dump", func(t *testing.T) {
		t.Parallel()
		rekeyBeside(t, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, "SELECT count(*) FROM pg_class")
	})
	t.Run("a writer", func(t *testing.T) {
		t.Parallel()
		rekeyBeside(t, pgx.TxOptions{}, "SELECT txid_current()")
	})
}

// rekeyBeside encrypts a journal while a transaction is under way that has done something.
func rekeyBeside(t *testing.T, options pgx.TxOptions, does string) {
	t.Helper()
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
	other, err := pgx.Connect(ctx, string(p))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close(context.Background()) })
	under, err := other.BeginTx(ctx, options)
	if err == nil {
		_, err = under.Exec(ctx, does)
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
		AND pid <> pg_backend_pid() AND query LIKE '%backend_xmin%'`
	for end, so := time.Now().Add(time.Minute), false; !so; time.Sleep(5 * time.Millisecond) {
		if err := look.QueryRow(ctx, waits).Scan(&so); err != nil || time.Now().After(end) {
			t.Fatalf("it does not wait for the other: %v", err)
		}
	}
	if err := under.Commit(ctx); err != nil {
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
