package webhook

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/culvert/culvert/sources"
)

// sink keeps what it is handed, or refuses it.
type sink struct {
	mu      sync.Mutex
	records []sources.Record
	refuse  error
}

func (s *sink) Accept(_ context.Context, b sources.Batch) ([]sources.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil {
		return nil, s.refuse
	}
	receipts := make([]sources.Receipt, len(b.Records))
	for i := range b.Records {
		s.records = append(s.records, b.Records[i])
		receipts[i].RecordID = fmt.Sprintf("r%d", len(s.records))
	}
	return receipts, nil
}

func (s *sink) bodies() []any {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []any
	for _, r := range s.records {
		list = append(list, r.Body)
	}
	return list
}

func (s *sink) AcceptFile(context.Context, sources.File) (bool, error) {
	return false, errors.New("no files")
}
func (s *sink) Cursor(context.Context, string) (string, error) { return "", nil }

var now = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// serve starts a handler with a sink.
func serve(t *testing.T, routes ...Route) (*Handler, *sink) {
	t.Helper()
	h, err := New(Config{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	h.Trust([]netip.Prefix{netip.MustParsePrefix("10.9.0.0/16")})
	h.Replace(routes)
	s := &sink{}
	h.sink.Store(&sinkRef{s, t.Context()})
	return h, s
}

func post(path, contentType, body string, change ...func(*http.Request)) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.RemoteAddr = "192.0.2.1:1234"
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for _, c := range change {
		c(r)
	}
	return r
}

func send(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

var open = Route{Rule: "anc", Path: "/forms", Auth: Auth{None: true}}

func packed(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

type discard struct{ *sink }

func (discard) Accept(_ context.Context, b sources.Batch) ([]sources.Receipt, error) {
	return make([]sources.Receipt, len(b.Records)), nil
}
