package console

import (
	"compress/gzip"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// compressed lets answers go compressed to browsers that take that: a page has a fifth of its bytes then, and lines
// are slow. Log-ins are in a cookie that no other site's page can have sent along, so that nobody can guess at a page
// by how long it gets.
type compressed struct{ writers sync.Pool }

// wrap gives a writer for the answer to a request, and what ends it.
func (c *compressed) wrap(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, func()) {
	if r.Method == http.MethodHead || r.Header.Get("Range") != "" || !takesGzip(r.Header.Get("Accept-Encoding")) {
		return w, func() {}
	}
	out := &compressedWriter{ResponseWriter: w, pool: &c.writers}
	return out, out.end
}

// takesGzip tells whether a browser understands gzip.
func takesGzip(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			_, q, _ := strings.Cut(weight, "=")
			f, err := strconv.ParseFloat(strings.TrimSpace(q), 64)
			return err != nil || f > 0
		}
	}
	return false
}

// compressedWriter decides once it knows what the answer is.
type compressedWriter struct {
	http.ResponseWriter
	pool    *sync.Pool
	gzip    *gzip.Writer // nil: the answer goes as it is
	decided bool
}

// Unwrap lets the deadlines of the connection be set.
func (w *compressedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader decides by the answer's type.
func (w *compressedWriter) WriteHeader(status int) {
	h := w.Header()
	if !w.decided && status >= http.StatusOK {
		w.decided = true
		h.Add("Vary", "Accept-Encoding")
		if compressible(h.Get("Content-Type")) && h.Get("Content-Encoding") == "" && status != http.StatusNoContent &&
			status != http.StatusNotModified && status != http.StatusPartialContent {
			h.Del("Content-Length")
			h.Del("Accept-Ranges")
			h.Set("Content-Encoding", "gzip")
			if tag := h.Get("ETag"); strings.HasPrefix(tag, `"`) {
				h.Set("ETag", "W/"+tag) // of other bytes than a part of the file would be of
			}
			w.gzip = w.take()
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write writes the answer on.
func (w *compressedWriter) Write(p []byte) (int, error) {
	if !w.decided {
		w.WriteHeader(http.StatusOK)
	}
	if w.gzip == nil {
		return w.ResponseWriter.Write(p)
	}
	return w.gzip.Write(p)
}

func (w *compressedWriter) take() *gzip.Writer {
	if z, ok := w.pool.Get().(*gzip.Writer); ok {
		z.Reset(w.ResponseWriter)
		return z
	}
	return gzip.NewWriter(w.ResponseWriter)
}

func (w *compressedWriter) end() {
	if w.gzip == nil {
		return
	}
	_ = w.gzip.Close() // the visitor is gone when this fails
	w.gzip.Reset(io.Discard)
	w.pool.Put(w.gzip)
	w.gzip = nil
}

// compressible tells whether answers of a type get shorter. Server-sent events go out one by one, and workbooks are
// compressed already.
func compressible(kind string) bool {
	kind, _, _ = strings.Cut(kind, ";")
	switch kind {
	case "text/html", "text/css", "text/javascript", "text/csv", "text/plain", "application/json", "application/yaml",
		"image/svg+xml":
		return true
	}
	return false
}
