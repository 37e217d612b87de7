package service_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	spans "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/culvert/culvert/internal/await/awaittest"
)

// receiver is a collector that takes OTLP over HTTP.
type receiver struct {
	t     *testing.T
	mu    sync.Mutex
	raw   bytes.Buffer
	spans []*spans.Span
	from  map[string]string // of the resource
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	z, err := gzip.NewReader(req.Body)
	if err != nil || req.Method != http.MethodPost || req.URL.Path != "/otlp/v1/traces" ||
		req.Header.Get("Content-Type") != "application/x-protobuf" || req.Header.Get("X-Team") != "quiet" {
		r.t.Errorf("%s %s %v, %v", req.Method, req.URL, req.Header, err)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	raw, err := io.ReadAll(z)
	var in collector.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(raw, &in)
	}
	if err != nil {
		r.t.Error(err)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.raw.Write(raw)
	for _, rs := range in.ResourceSpans {
		for _, a := range rs.Resource.Attributes {
			r.from[a.Key] = a.Value.GetStringValue()
		}
		for _, ss := range rs.ScopeSpans {
			r.spans = append(r.spans, ss.Spans...)
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// of gives the spans of a record by name.
func (r *receiver) of(record string) map[string]*spans.Span {
	out := map[string]*spans.Span{}
	for _, s := range r.spans {
		if said(s, "culvert.record.id") == record {
			out[s.Name] = s
		}
	}
	return out
}

func said(s *spans.Span, key string) string {
	for _, a := range s.Attributes {
		if a.Key == key {
			return a.Value.GetStringValue()
		}
	}
	return ""
}

// TestTracing has a collector told of two records, one delivered and one that fails: their parts
// under one span of the whole way each, and nothing of what stands in them.
func TestTracing(t *testing.T) {
	to := &receiver{t: t, from: map[string]string{}}
	web := httptest.NewServer(to)
	t.Cleanup(web.Close)
	t.Setenv("COLLECTOR", web.URL+"/otlp")
	dir := nullProject(t, "webhook: {path: /cases}", "case.json", tracedForm("1", "TM-010202"))
	config := filepath.Join(dir, "culvert.yaml")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, "tracing: {endpoint: \"${COLLECTOR}\", headers: {X-Team: quiet}}\n"...)
	if err := os.WriteFile(config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	s, addr, stop := startService(t, dir)
	for id, site := range map[string]string{"rec-good": "TM-010202", "rec-bad": "nowhere-clinic"} {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://"+addr+"/cases",
			strings.NewReader(tracedForm(id, site)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.SetBasicAuth("commcare", "x")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode/100 != 2 {
			t.Fatalf("answer %d", resp.StatusCode)
		}
	}
	awaittest.UntilNoError(t, "the records are settled", func() error {
		sum, err := s.Journal().Summary(context.Background())
		if err == nil && (len(sum.Rules) != 1 || sum.Rules[0].Pending != 0 || sum.Rules[0].Failed != 1) {
			err = fmt.Errorf("they are not: %+v", sum.Rules)
		}
		return err
	})
	stop() // sends what waits
	to.mu.Lock()
	defer to.mu.Unlock()
	for record, want := range map[string]struct {
		parts       []string
		state, code string
	}{
		"rec-good": {[]string{"accept", "deliver", "evaluate", "record"}, "delivered", ""},
		"rec-bad":  {[]string{"accept", "evaluate", "record"}, "failed", "lookup-missing"},
	} {
		got := to.of(record)
		var names []string
		for name, span := range got {
			names = append(names, name)
			if name != "record" && !bytes.Equal(span.ParentSpanId, got["record"].GetSpanId()) ||
				!bytes.Equal(span.TraceId, got["record"].GetTraceId()) {
				t.Errorf("%s: %s is not below the record", record, name)
			}
			if span.StartTimeUnixNano < uint64(began.UnixNano()) || span.EndTimeUnixNano < span.StartTimeUnixNano ||
				span.EndTimeUnixNano > uint64(time.Now().UnixNano()) {
				t.Errorf("%s: %s has no time of its own: %v", record, name, span)
			}
			if said(span, "culvert.rule") != "cases" {
				t.Errorf("%s: %s is of rule %q", record, name, said(span, "culvert.rule"))
			}
		}
		slices.Sort(names)
		if !slices.Equal(names, want.parts) {
			t.Fatalf("%s: spans %v, not %v", record, names, want.parts)
		}
		whole := got["record"]
		if said(whole, "culvert.state") != want.state || said(whole, "culvert.problem.code") != want.code ||
			(whole.GetStatus().GetCode() == spans.Status_STATUS_CODE_ERROR) != (want.code != "") {
			t.Errorf("%s: the whole is %v", record, whole)
		}
	}
	if to.from["service.name"] != "culvert" || to.from["service.namespace"] != "anc-pilot" {
		t.Errorf("resource: %v", to.from)
	}
	for _, secret := range []string{"TM-010202", "nowhere-clinic", "2026-03-02", "FEMALE"} {
		if bytes.Contains(to.raw.Bytes(), []byte(secret)) {
			t.Errorf("the collector was told %q, which stands in a record", secret)
		}
	}
}

func tracedForm(id, site string) string {
	return `{"id":"` + id + `","site":"` + site + `","day":"2026-03-02","age":"7","sex":"FEMALE"}`
}
