package remote

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/sources"
)

// shop is a place that lists what a test says.
type shop struct {
	items []Item
	texts map[string]string
}

func (s shop) List(context.Context) ([]Item, error) { return s.items, nil }
func (s shop) Close() error                         { return nil }

func (s shop) Open(_ context.Context, item Item, _ int64) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(s.texts[item.Path])), nil
}

// TestPeek reads of the newest file that can be taken.
func TestPeek(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	place := shop{texts: map[string]string{"old": "id\n1\n", "new": "id\n2\n3\n", "sealed": "begin 644"}, items: []Item{
		{Path: "sealed", Name: "c.csv", Size: -1, Written: at.Add(2 * time.Hour), Problem: "it cannot be decoded"},
		{Path: "new", Name: "b.csv", Size: -1, Written: at.Add(time.Hour)}, {Path: "old", Name: "a.csv", Size: 5, Written: at}}}
	k := testKind
	k.Dial = func(context.Context, sources.Connection, *Rule, *slog.Logger) (Place, error) { return place, nil }
	rows, err := k.Peek(t.Context(), sources.Bound{Rule: "anc", Trigger: trigger(t, "{connection: c, folder: out}")},
		sources.Env{Connection: func(string) (sources.Connection, error) { return sources.Connection{}, nil }}, 1)
	if diff := cmp.Diff([]any{map[string]any{"id": "2"}}, rows); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}
