package tracing

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// TestAway has the collector away: it is said once, without the secret of its address, and Close ends.
func TestAway(t *testing.T) {
	var log bytes.Buffer
	tr := New(Options{Project: "p", Log: slog.New(slog.NewTextHandler(&log, nil)),
		Target: func() (string, map[string]string, error) { return "http://127.0.0.1:1/secret-path", nil, nil }})
	now := time.Now()
	for range 2 * maxExport {
		tr.Step(Step{Name: "accept", Rule: "r", Record: "1", Received: now, Start: now, End: now})
	}
	if err := tr.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if n := strings.Count(log.String(), "collector"); n != 1 || strings.Contains(log.String(), "secret-path") {
		t.Errorf("said %d times: %s", n, log.String())
	}
	var none *Tracer
	none.Step(Step{})
	if err := none.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

// TestRefused has a collector refuse, and its address unknown.
func TestRefused(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(srv.Close)
	e := exporter{o: Options{Client: srv.Client(), Target: func() (string, map[string]string, error) {
		return srv.URL, map[string]string{"Authorization": "x"}, nil
	}}}
	if err := e.send(context.Background(), nil); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("a collector that refuses: %v", err)
	}
	unset := errors.New("the environment variable COLLECTOR is not set")
	e.o.Target = func() (string, map[string]string, error) { return "", nil, unset }
	if err := e.send(context.Background(), nil); !errors.Is(err, unset) {
		t.Errorf("no address: %v", err)
	}
}

// TestRedirect has a collector send on to another host, which must not see the key.
func TestRedirect(t *testing.T) {
	var asked atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(other.Close)
	srv := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	t.Cleanup(srv.Close)
	var log bytes.Buffer
	tr := New(Options{Project: "p", Log: slog.New(slog.NewTextHandler(&log, nil)),
		Target: func() (string, map[string]string, error) { return srv.URL, map[string]string{"X-Team": "key"}, nil }})
	tr.Step(Step{Name: "accept", Rule: "r", Record: "1", Start: time.Now(), End: time.Now()})
	if err := tr.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if asked.Load() != 0 || !strings.Contains(log.String(), "307") {
		t.Errorf("the other host was asked %d times; the log says %s", asked.Load(), log.String())
	}
}

func TestAddress(t *testing.T) {
	for from, want := range map[string]string{
		"http://127.0.0.1:4318":              "http://127.0.0.1:4318/v1/traces",
		"https://otlp.example.org/otlp/":     "https://otlp.example.org/otlp/v1/traces",
		"https://c.example.org/v1/traces":    "https://c.example.org/v1/traces",
		"https://c.example.org/x/v1/traces/": "https://c.example.org/x/v1/traces",
	} {
		if got := address(from); got != want {
			t.Errorf("%s: %s, not %s", from, got, want)
		}
	}
}

// TestNames wants the ids of a record's trace to be its own, and the same in every runner.
func TestNames(t *testing.T) {
	one, other := &Tracer{project: "p"}, &Tracer{project: "p"}
	at := time.Date(2026, 11, 30, 12, 0, 0, 123_456_789, time.UTC)
	s := Step{Rule: "r", Record: "1", Received: at}
	id, span := one.names(&s)
	s.Received = at.Truncate(time.Millisecond) // as the journal gives it back
	if again, same := other.names(&s); again != id || same != span {
		t.Error("two runners give a record two traces")
	}
	for _, x := range []Step{{Rule: "q", Record: "1", Received: at}, {Rule: "r", Record: "2", Received: at},
		{Rule: "r", Record: "1", Received: at.Add(time.Second)}} {
		if another, _ := one.names(&x); another == id {
			t.Errorf("%+v has the trace of another record", x)
		}
	}
	if !id.IsValid() || !span.IsValid() || id == (trace.TraceID{}) {
		t.Error("ids that are none")
	}
}

// TestParts has two places be written to: what is told of the second lies below the same whole, of
// which there is one.
func TestParts(t *testing.T) {
	kept := tracetest.NewInMemoryExporter()
	provider := sdk.NewTracerProvider(
		sdk.WithSyncer(kept),
		sdk.WithIDGenerator(ids{}),
		sdk.WithSampler(sdk.AlwaysSample()),
	)
	tr := &Tracer{project: "p", provider: provider, tracer: provider.Tracer("culvert")}
	now := time.Now()
	for _, part := range []string{"", "hq"} {
		tr.Step(Step{Name: "deliver", Rule: "r", Part: part, Record: "1", Received: now, Start: now, End: now, Last: true})
	}
	seen := map[string]int{}
	for _, s := range kept.GetSpans() {
		seen[s.Name]++
		if s.SpanContext.TraceID() != kept.GetSpans()[0].SpanContext.TraceID() {
			t.Errorf("%s is of another trace", s.Name)
		}
	}
	if seen["deliver"] != 2 || seen["record"] != 1 {
		t.Errorf("spans: %v", seen)
	}
}
