package queue

import (
	"compress/gzip"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/tracing"
	"github.com/culvert/culvert/rules"
)

// TestTraceOfPart holds that the evaluation of a further part is told under the rule's own name, as its
// delivery is: both come to one trace then.
func TestTraceOfPart(t *testing.T) {
	var mu sync.Mutex
	var told strings.Builder
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		z, err := gzip.NewReader(r.Body)
		if err == nil {
			_, err = io.Copy(&told, z)
		}
		if err != nil {
			t.Error(err)
		}
	}))
	defer collector.Close()
	tracer := tracing.New(tracing.Options{Log: slog.New(slog.DiscardHandler),
		Target: func() (string, map[string]string, error) { return collector.URL, nil, nil }})
	q := New(Config{Trace: tracer})
	flow := &program.Flow{Rule: &rules.Rule{Name: "visits"}, Part: "hq"}
	q.trace(&record{Record: &journal.Record{Rule: flow.Name(), ID: "v1"}, flow: flow}, nil, time.Now())
	if err := tracer.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if !strings.Contains(told.String(), "visits") || strings.Contains(told.String(), flow.Name()) {
		t.Errorf("it was told: %q", told.String())
	}
}
