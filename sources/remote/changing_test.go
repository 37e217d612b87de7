package remote_test

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/internal/await/awaittest"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/remote"
	"github.com/culvert/culvert/sources/remote/remotetest"
)

// shifting is a place where one file is never the one that was listed.
type shifting struct{}

func (shifting) List(context.Context) ([]remote.Item, error) {
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	return []remote.Item{{Path: "a.csv", Name: "a.csv", Version: "1", Size: 5, Written: at},
		{Path: "b.csv", Name: "b.csv", Version: "1", Size: 5, Written: at.Add(time.Hour)}}, nil
}

func (shifting) Open(_ context.Context, item remote.Item, offset int64) (io.ReadCloser, error) {
	if item.Name == "a.csv" {
		return nil, remote.ErrChanged
	}
	return io.NopCloser(strings.NewReader("id\n1\n"[offset:])), nil
}

func (shifting) Close() error { return nil }

// A file that cannot be fetched as it was listed is named, and holds up those behind it only for a while.
func TestPassesAFileThatAlwaysChanges(t *testing.T) {
	t.Parallel()
	s := remotetest.NewSink()
	dial := func(context.Context, sources.Connection, *remote.Rule, *slog.Logger) (remote.Place, error) {
		return shifting{}, nil
	}
	remotetest.Run(t, "shift", dial, sources.Connection{Name: "partner"}, t.TempDir(), s,
		remote.Rule{Folder: "out", After: remote.Leave, StableFor: time.Millisecond})
	if f := s.Taken(t); f.Name != "b.csv" {
		t.Errorf("took %s", f.Name)
	}
	awaittest.Until(t, "people are told", func() bool { return s.Says("file a.csv cannot be taken") })
}
