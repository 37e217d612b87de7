package webhook

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/culvert/culvert/sources/sourcetest"
)

// TestOpenIsSaidOnce wants a webhook without auth named when a run begins or a rule comes, and not at every save.
func TestOpenIsSaidOnce(t *testing.T) {
	var log bytes.Buffer
	made := func(routes ...Route) *Handler {
		h, err := New(Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		h.Replace(routes)
		return h
	}
	open, other := Route{Rule: "open", Path: "/open"}, Route{Rule: "other", Path: "/other"}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	live := made(open)
	if err := live.Run(ctx, &sourcetest.Sink{}); err != nil {
		t.Fatal(err)
	}
	live.sink.Store(&sinkRef{&sourcetest.Sink{}, t.Context()}) // as while it runs
	for range 3 {
		live.TakeOver(made(open)) // the rule is saved
	}
	if n := strings.Count(log.String(), "rule=open"); n != 1 {
		t.Errorf("said %d times:\n%s", n, log.String())
	}
	live.TakeOver(made(open, other))
	if n := strings.Count(log.String(), "rule=other"); n != 1 {
		t.Errorf("a new rule is named %d times", n)
	}
	live.TakeOver(made())
	live.TakeOver(made(open))
	if n := strings.Count(log.String(), "rule=open"); n != 2 {
		t.Errorf("a rule that comes back is named %d times", n)
	}
}
