package service

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/journal/sqlite"
)

// TestNonceKey has runners that share a journal sign nonces alike, also after a restart.
func TestNonceKey(t *testing.T) {
	j, err := sqlite.Open(t.Context(), t.TempDir()+"/culvert.db", journal.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	first, err := (&Service{journal: j}).nonceKey(t.Context())
	if err != nil || len(first) != 32 {
		t.Fatalf("%d bytes, %v", len(first), err)
	}
	second, err := (&Service{journal: j}).nonceKey(t.Context())
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("another runner has another key: %v", err)
	}
}
