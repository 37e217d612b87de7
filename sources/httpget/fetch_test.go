package httpget

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestFetchOverAPoorLine reads a file that takes longer than the time for its answer to begin, and leaves one
// that never begins.
func TestFetchOverAPoorLine(t *testing.T) {
	t.Parallel()
	const timeout = 3 * time.Second // long enough for an answer to begin on a busy machine
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/silent.csv" {
			<-r.Context().Done()
			return
		}
		fmt.Fprint(w, "row\n")
		w.(http.Flusher).Flush()
		time.Sleep(timeout + timeout/10)
		fmt.Fprint(w, "row\n")
	}))
	t.Cleanup(server.Close)
	c := &Client{Timeout: timeout, Log: slog.New(slog.DiscardHandler)}
	var text bytes.Buffer
	if _, err := c.Fetch(t.Context(), address(t, server.URL+"/slow.csv"), &text, 100); err != nil || text.Len() != 8 {
		t.Errorf("read %q: %v", text.String(), err)
	}
	c.Timeout = 50 * time.Millisecond
	_, err := c.Fetch(t.Context(), address(t, server.URL+"/silent.csv"), &text, 100)
	e, _ := errors.AsType[*Error](err)
	if e == nil || !strings.Contains(e.Message, "did not answer in time") || e.Hint == "" {
		t.Errorf("a silent system: %v", err)
	}
}
