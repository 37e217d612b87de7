package tracing

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	collector "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	resources "go.opentelemetry.io/proto/slim/otlp/resource/v1"
	spans "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// complainEvery is how often it is said that a collector does not take spans.
const complainEvery = 10 * time.Minute

// exporter sends spans in OTLP's binary form over HTTP. The library's own would bring gRPC along.
// It gives no errors: what a collector does not take is dropped, and said now and then.
type exporter struct {
	o Options

	mu   sync.Mutex
	said time.Time
}

// ExportSpans implements sdk.SpanExporter.
func (e *exporter) ExportSpans(ctx context.Context, list []sdk.ReadOnlySpan) error {
	err := e.send(ctx, list)
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case err == nil:
		e.said = time.Time{}
	case time.Since(e.said) > complainEvery:
		e.said = time.Now()
		e.o.Log.Warn("the collector of traces takes none; they are dropped, records go on", "error", err)
	}
	return nil
}

// Shutdown implements sdk.SpanExporter.
func (e *exporter) Shutdown(context.Context) error {
	e.o.Client.CloseIdleConnections()
	return nil
}

func (e *exporter) send(ctx context.Context, list []sdk.ReadOnlySpan) error {
	endpoint, headers, err := e.o.Target()
	if err != nil {
		return err
	}
	body, err := encode(list)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address(endpoint), bytes.NewReader(body))
	if err != nil {
		return errors.New("tracing: endpoint is no address")
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("Content-Encoding", "gzip")
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	resp, err := e.o.Client.Do(req)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err // without the address, which may hold a secret
		}
		return fmt.Errorf("send traces to %s: %w", req.URL.Host, clipped(err))
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16)) // so that the connection is used again
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("send traces to %s: it answers %d", req.URL.Host, resp.StatusCode)
	}
	return nil
}

// longestReason bounds what is logged of an error, in bytes: some repeat what a system sent.
const longestReason = 200

func clipped(err error) error {
	if text := err.Error(); len(text) > longestReason {
		return errors.New(strings.ToValidUTF8(text[:longestReason], "") + "…")
	}
	return err
}

// tracesPath is where OTLP has collectors listen.
const tracesPath = "/v1/traces"

// address is where spans are posted to: the collector's own address, or one that names the path already.
func address(endpoint string) string {
	trimmed := strings.TrimRight(endpoint, "/")
	if strings.HasSuffix(trimmed, tracesPath) {
		return trimmed
	}
	return trimmed + tracesPath
}

func encode(list []sdk.ReadOnlySpan) ([]byte, error) {
	out := &spans.ScopeSpans{Scope: &common.InstrumentationScope{Name: "culvert"}}
	r := &spans.ResourceSpans{ScopeSpans: []*spans.ScopeSpans{out}}
	for _, s := range list {
		if r.Resource == nil {
			r.Resource = &resources.Resource{Attributes: values(s.Resource().Attributes())}
		}
		out.Spans = append(out.Spans, span(s))
	}
	raw, err := proto.Marshal(&collector.ExportTraceServiceRequest{ResourceSpans: []*spans.ResourceSpans{r}})
	if err != nil {
		return nil, fmt.Errorf("write traces: %w", err)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(raw); err != nil {
		return nil, fmt.Errorf("pack traces: %w", err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("pack traces: %w", err)
	}
	return packed.Bytes(), nil
}

func span(s sdk.ReadOnlySpan) *spans.Span {
	id, spanID := s.SpanContext().TraceID(), s.SpanContext().SpanID()
	out := &spans.Span{TraceId: id[:], SpanId: spanID[:], Name: s.Name(), Kind: spans.Span_SPAN_KIND_INTERNAL,
		StartTimeUnixNano: uint64(s.StartTime().UnixNano()), EndTimeUnixNano: uint64(s.EndTime().UnixNano()),
		Attributes: values(s.Attributes())}
	if parent := s.Parent().SpanID(); parent.IsValid() {
		out.ParentSpanId = parent[:]
	}
	if s.Status().Code == codes.Error {
		out.Status = &spans.Status{Code: spans.Status_STATUS_CODE_ERROR, Message: s.Status().Description}
	}
	return out
}

func values(list []attribute.KeyValue) []*common.KeyValue {
	out := make([]*common.KeyValue, len(list))
	for i, a := range list {
		v := &common.AnyValue{}
		switch a.Value.Type() {
		case attribute.INT64:
			v.Value = &common.AnyValue_IntValue{IntValue: a.Value.AsInt64()}
		case attribute.BOOL:
			v.Value = &common.AnyValue_BoolValue{BoolValue: a.Value.AsBool()}
		default:
			v.Value = &common.AnyValue_StringValue{StringValue: a.Value.AsString()}
		}
		out[i] = &common.KeyValue{Key: string(a.Key), Value: v}
	}
	return out
}
