package console

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestCompressed sends pages compressed to browsers that take that, and nothing else so.
func TestCompressed(t *testing.T) {
	srv, _ := fixture(t, Config{})
	for _, c := range []struct {
		path, accept string
		want         bool
	}{
		{"/", "gzip, deflate, br", true}, {"/", "", false}, {"/", "gzip;q=0", false}, {"/", "br, gzip; q=0.0", false},
		{"/", "gzip;q=0.5", true}, {"/", "br", false},
		{"/console/style.css", "gzip", true}, {"/console/records/999", "gzip", true}, {"/api/v1/overview", "gzip", true},
		{"/console/events", "gzip", false},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("ada", "of-the-admin")
		req.Header.Set("Accept-Encoding", c.accept)
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		if got := resp.Header.Get("Content-Encoding") == "gzip"; got != c.want {
			t.Errorf("%s for %q: compressed %v", c.path, c.accept, got)
		}
		if c.want {
			z, err := gzip.NewReader(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if text, err := io.ReadAll(z); err != nil || len(text) < 100 {
				t.Errorf("%s: %q, %v", c.path, text, err)
			}
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
	}
	asked := func(tag string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Accept-Encoding", "gzip")
			r.Header.Set("If-None-Match", tag)
		}
	}
	_, _, h := get(t, srv.URL+"/console/style.css", asked(`"another"`))
	if tag := h.Get("ETag"); !strings.HasPrefix(tag, `W/"`) {
		t.Errorf("compressed, it has the tag %s of other bytes", tag)
	} else if status, _, _ := get(t, srv.URL+"/console/style.css", asked(tag)); status != http.StatusNotModified {
		t.Errorf("a browser that has it gets it again: %d", status)
	}
	if status, text, h := get(t, srv.URL+"/console/style.css", func(r *http.Request) {
		r.Header.Set("Accept-Encoding", "gzip")
		r.Header.Set("Range", "bytes=0-9")
	}); status != http.StatusPartialContent || len(text) != 10 ||
		h.Get("Content-Encoding") != "" {
		t.Errorf("a part of a file: %d, %q", status, text)
	}
}
