package httpget

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/culvert/culvert/rules"
)

// TestDownload fetches files as servers give them: from themselves, from a storage behind them, not yet, not at all.
func TestDownload(t *testing.T) {
	t.Parallel()
	leaked := make(chan string, 10)
	storage := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" || r.Header.Get("X-Key") != "" {
			leaked <- r.URL.Path
		}
		_, _ = w.Write([]byte("stored"))
	}))
	t.Cleanup(storage.Close)
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "u" || password != "p" || r.Header.Get("X-Key") != "k" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		switch r.URL.Path {
		case "/here.jpg":
			w.Header().Set("Content-Type", "image/jpeg")
			_, _ = w.Write([]byte("here"))
		case "/moved.jpg":
			http.Redirect(w, r, "/here.jpg", http.StatusFound)
		case "/stored.jpg":
			http.Redirect(w, r, storage.URL+"/bucket/stored.jpg?signature=x", http.StatusTemporaryRedirect)
		case "/loop.jpg":
			http.Redirect(w, r, server.URL+"/loop.jpg", http.StatusFound)
		case "/odd.jpg":
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(http.StatusFound)
		case "/login.jpg":
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = w.Write([]byte("<html>log in"))
		case "/large.jpg":
			_, _ = w.Write(make([]byte, 101))
		case "/busy.jpg":
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusTooManyRequests)
		case "/forbidden.jpg":
			w.WriteHeader(http.StatusForbidden)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(server.Close)
	client := Client{Username: "u", Password: "p", Header: http.Header{"X-Key": {"k"}}, Log: slog.New(slog.DiscardHandler)}
	for _, c := range []struct {
		path, want, code string
		later            bool
	}{
		{"/here.jpg", "here", "", false},
		{"/moved.jpg", "here", "", false},
		{"/stored.jpg", "stored", "", false},
		{"/loop.jpg", "", "file-source-away", true},
		{"/odd.jpg", "", "file-source-away", true},
		{"/login.jpg", "", "file-source-away", true},
		{"/large.jpg", "", "file-too-large", false},
		{"/busy.jpg", "", "file-source-away", true},
		{"/forbidden.jpg", "", "file-source-away", true},
		{"/later.jpg", "", "file-not-there", true},
	} {
		u, err := url.Parse(server.URL + c.path)
		if err != nil {
			t.Fatal(err)
		}
		content, _, err := client.Download(t.Context(), u, 100)
		e, _ := errors.AsType[*rules.AttachmentError](err)
		switch {
		case c.code == "" && (err != nil || string(content) != c.want):
			t.Errorf("%s: %q %v", c.path, content, err)
		case c.code != "" && (e == nil || e.Code != c.code || e.Later != c.later || e.Hint == ""):
			t.Errorf("%s: %+v %v", c.path, e, err)
		}
		if c.path == "/busy.jpg" && (e == nil || e.After.Seconds() != 7) {
			t.Errorf("%+v", e)
		}
	}
	select {
	case path := <-leaked:
		t.Errorf("credentials went to the storage at %s", path)
	default:
	}
}

// TestPoorLines reads files that come slowly: as long as something arrives they are read, up to a
// time that is long, and a line that is silent is left.
func TestPoorLines(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		begin time.Duration // until the answer comes
		every time.Duration // a byte comes
		bytes int
		want  error
	}{
		"a poor line":   {0, 50 * time.Second, 12, nil},
		"a late answer": {119 * time.Second, 50 * time.Second, 12, nil},
		"no answer":     {121 * time.Second, time.Second, 2, errLate},
		"a silent line": {0, 61 * time.Second, 2, errIdle},
		"a drip":        {0, 50 * time.Second, 1000, slow{downloadTimeout}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, line := watch(t.Context(), 2*time.Minute, downloadTimeout)
				defer line.leave()
				time.Sleep(c.begin)
				line.begun()
				r, w := io.Pipe()
				context.AfterFunc(ctx, func() { _ = w.CloseWithError(context.Cause(ctx)) })
				var sending sync.WaitGroup
				sending.Go(func() {
					for range c.bytes {
						time.Sleep(c.every)
						if _, err := w.Write([]byte{'x'}); err != nil {
							return
						}
					}
					_ = w.Close()
				})
				content, err := io.ReadAll(line.reader(r))
				if !errors.Is(err, c.want) || c.want == nil && len(content) != c.bytes {
					t.Errorf("read %d bytes, %v, want %v", len(content), err, c.want)
				}
				sending.Wait()
			})
		})
	}
}
