package tracing

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Options say where spans go.
type Options struct {
	Project string
	Version string // of Culvert
	Runner  string // which of several runs this is
	// Target gives address and headers for each request, so that a secret that was replaced is used at once.
	Target  func() (endpoint string, headers map[string]string, err error)
	Percent float64 // of records that are traced; 0: all
	Client  *http.Client
	Log     *slog.Logger
}

// Step is one part of a record's way.
type Step struct {
	Name      string // accept, evaluate, deliver
	Rule      string
	Part      string // the place that a further part of the rule writes to; empty: its first part
	Server    string // empty: none was asked
	Record    string // id of the record
	Received  time.Time
	Start     time.Time
	End       time.Time
	State     string // of the record after it
	Unchanged bool   // DHIS2 had it already
	Code      string // of its problem
	Attempt   int    // deliveries, this one included; 0: none
	Batch     int    // records sent with it
	Last      bool   // nothing more comes of itself: the record is settled
}

// Tracer hands steps on. A nil one does nothing.
type Tracer struct {
	project  string
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// Limits of what waits for a collector that is slow or away: more is dropped, records never wait for it.
const (
	maxQueued = 8192
	maxExport = 512
	sendEvery = 2 * time.Second
	sendLimit = 10 * time.Second
)

// New makes a tracer. Close ends it.
func New(o Options) *Tracer {
	if o.Client == nil {
		o.Client = &http.Client{Timeout: sendLimit, CheckRedirect: stay}
	}
	sampler := sdk.AlwaysSample()
	if o.Percent > 0 && o.Percent < 100 {
		sampler = sdk.TraceIDRatioBased(o.Percent / 100) // by the trace's id, so that each runner decides alike
	}
	provider := sdk.NewTracerProvider(
		sdk.WithBatcher(&exporter{o: o}, sdk.WithMaxQueueSize(maxQueued), sdk.WithMaxExportBatchSize(maxExport),
			sdk.WithBatchTimeout(sendEvery), sdk.WithExportTimeout(sendLimit)),
		sdk.WithSampler(sampler), sdk.WithIDGenerator(ids{}),
		sdk.WithResource(resource.NewSchemaless(attribute.String("service.name", "culvert"),
			attribute.String("service.version", o.Version), attribute.String("service.namespace", o.Project),
			attribute.String("service.instance.id", o.Runner))))
	return &Tracer{project: o.Project, provider: provider, tracer: provider.Tracer("culvert")}
}

// stay follows no redirect: the headers, which may hold a key, are for the collector that culvert.yaml names.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Close sends what waits, for as long as ctx and the limit let it.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, sendLimit)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("send the last traces: %w", err)
	}
	return nil
}

// Step tells of one part. The last one of a rule's first part brings the span of the whole way, from
// acceptance on, above all others, also above those of further parts.
func (t *Tracer) Step(s Step) {
	if t == nil {
		return
	}
	traceID, whole := t.names(&s)
	parent := trace.ContextWithRemoteSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: traceID, SpanID: whole, Remote: true}))
	t.span(parent, s.Name, s.Start, &s)
	if s.Last && s.Part == "" {
		t.span(context.WithValue(context.Background(), rootKey{}, root{traceID, whole}), "record", s.Received, &s)
	}
}

func (t *Tracer) span(ctx context.Context, name string, start time.Time, s *Step) {
	attributes := []attribute.KeyValue{attribute.String("culvert.rule", s.Rule),
		attribute.String("culvert.record.id", s.Record)}
	for key, value := range map[string]string{"culvert.part": s.Part, "culvert.server": s.Server, "culvert.state": s.State,
		"culvert.problem.code": s.Code} {
		if value != "" {
			attributes = append(attributes, attribute.String(key, value))
		}
	}
	for key, n := range map[string]int{"culvert.attempt": s.Attempt, "culvert.batch.size": s.Batch} {
		if n > 0 {
			attributes = append(attributes, attribute.Int(key, n))
		}
	}
	if s.Unchanged {
		attributes = append(attributes, attribute.Bool("culvert.unchanged", true))
	}
	_, span := t.tracer.Start(ctx, name, trace.WithTimestamp(start), trace.WithAttributes(attributes...))
	if s.Code != "" {
		span.SetStatus(codes.Error, s.Code)
	}
	span.End(trace.WithTimestamp(s.End))
}

// names gives the ids of a record's trace and of the span of its whole way. They follow from the
// record, so that what another runner, or this one after a restart, tells of it comes to the same trace.
func (t *Tracer) names(s *Step) (trace.TraceID, trace.SpanID) {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s\x00%d", t.project, s.Rule, s.Record, s.Received.UnixMilli()))
	var id trace.TraceID
	var span trace.SpanID
	copy(id[:], sum[:16])
	copy(span[:], sum[16:24])
	span[0] |= 1 // none of them is all zeroes
	id[0] |= 1
	return id, span
}

type rootKey struct{}

type root struct {
	trace trace.TraceID
	span  trace.SpanID
}

// ids gives spans their ids: those of whole ways are given, the others made up.
type ids struct{}

// NewIDs implements sdk.IDGenerator.
func (i ids) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	if r, ok := ctx.Value(rootKey{}).(root); ok {
		return r.trace, r.span
	}
	var id trace.TraceID
	first, second := i.NewSpanID(ctx, id), i.NewSpanID(ctx, id)
	copy(id[:8], first[:])
	copy(id[8:], second[:])
	return id, i.NewSpanID(ctx, id)
}

// NewSpanID implements sdk.IDGenerator.
func (ids) NewSpanID(context.Context, trace.TraceID) (id trace.SpanID) {
	for !id.IsValid() {
		binary.BigEndian.PutUint64(id[:], rand.Uint64())
	}
	return id
}
