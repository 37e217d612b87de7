package httpget

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func address(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func client(waits *[]time.Duration) *Client {
	return &Client{Log: slog.New(slog.DiscardHandler), Header: http.Header{"X-Key": {"s3cret"}}, MaxBytes: 100, Tries: 3,
		Wait: func(_ context.Context, d time.Duration) bool {
			*waits = append(*waits, d)
			return true
		}}
}

func TestGet(t *testing.T) {
	away := 0
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { away++ }))
	defer elsewhere.Close()
	asked := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked[r.URL.Path]++
		switch r.URL.Path {
		case "/good":
			fmt.Fprint(w, r.Header.Get("X-Key"))
		case "/moved":
			http.Redirect(w, r, "/good", http.StatusFound)
		case "/away":
			http.Redirect(w, r, elsewhere.URL, http.StatusFound)
		case "/large":
			fmt.Fprint(w, strings.Repeat("x", 101))
		case "/once-busy":
			if asked[r.URL.Path] == 1 {
				w.Header().Set("Retry-After", "30")
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		case "/long-busy":
			w.Header().Set("Retry-After", "86400")
			w.WriteHeader(http.StatusTooManyRequests)
		case "/broken":
			w.WriteHeader(http.StatusInternalServerError)
		case "/wrong":
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, "Jane")
		}
	}))
	defer server.Close()
	for path, want := range map[string]struct {
		body, failure string
		tries         int
	}{
		"/good":      {"s3cret", "", 1},
		"/moved":     {"s3cret", "", 1},
		"/away":      {"", "sends readers on", 1},
		"/large":     {"", "more than", 1},
		"/once-busy": {"", "", 2},
		"/long-busy": {"", "answers 429", 1},
		"/broken":    {"", "answers 500", 3},
		"/wrong":     {"", "answers 400 to /wrong", 1},
	} {
		clear(asked) // a redirect leads to a path of another case
		var waits []time.Duration
		reply, err := client(&waits).Get(t.Context(), address(t, server.URL+path+"?key=s3cret"))
		switch {
		case want.failure == "" && err != nil:
			t.Errorf("%s: %v", path, err)
		case want.failure == "" && string(reply.Body) != want.body:
			t.Errorf("%s: %q", path, reply.Body)
		case want.failure != "" && (err == nil || !strings.Contains(err.Error(), want.failure) ||
			strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "Jane")):
			t.Errorf("%s: %v", path, err)
		}
		if asked[path] != want.tries || len(waits) != want.tries-1 || len(waits) > 0 && path == "/once-busy" &&
			waits[0] < 30*time.Second {
			t.Errorf("%s: %d requests, waited %s", path, asked[path], waits)
		}
	}
	if away != 0 {
		t.Error("a redirect was followed to another host")
	}
}

func TestUnreachable(t *testing.T) {
	var waits []time.Duration
	_, err := client(&waits).Get(t.Context(), address(t, "http://127.0.0.1:1/a?key=s3cret"))
	if err == nil || strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), "cannot be reached") ||
		len(waits) != 2 {
		t.Error(err, waits)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client(&waits).Get(ctx, address(t, "http://127.0.0.1:1/")); err != context.Canceled {
		t.Error(err)
	}
}

func TestFollow(t *testing.T) {
	from := address(t, "https://a.example/api/list?page=1")
	for next, want := range map[string]string{
		"?page=2":                      "https://a.example/api/list?page=2",
		"/api/other":                   "https://a.example/api/other",
		"https://a.example/x":          "https://a.example/x",
		"http://a.example/behind-tls":  "https://a.example/behind-tls",
		"https://b.example/x":          "",
		"//b.example/x":                "",
		"https://a.example:8443/x":     "",
		"ftp://a.example/x":            "",
		"https://a.example\x00/broken": "",
	} {
		u, err := Follow(from, next)
		if got := fmt.Sprint(u); (err != nil) != (want == "") || err == nil && got != want {
			t.Errorf("%s: %s, %v", next, got, err)
		}
	}
}

func TestLinkNext(t *testing.T) {
	for line, want := range map[string]string{
		`<https://a.example/?page=2>; rel="next", <https://a.example/?page=9>; rel="last"`: "https://a.example/?page=2",
		`<a>; rel="prev", <b>;title="x"; rel=next`:                                         "b",
		`<a>; rel="last"`: "",
		`a; rel="next"`:   "",
		`<a`:              "",
		``:                "",
	} {
		if got := LinkNext(http.Header{"Link": {line}}); got != want {
			t.Errorf("%s: %q", line, got)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	for text, want := range map[string]time.Duration{"": 0, "7": 7 * time.Second, "1.5": 1500 * time.Millisecond, "-1": 0,
		"soon": 0, "NaN": 0, "999999": time.Hour,
		"1e300": time.Hour, "Fri, 31 Dec 9999 23:59:59 GMT": time.Hour, "Mon, 02 Jan 2006 15:04:05 GMT": 0} {
		if got := retryAfter(http.Header{"Retry-After": {text}}); got != want {
			t.Errorf("%q: %s", text, got)
		}
	}
}

func FuzzLinkNext(f *testing.F) {
	f.Add(`<a>; rel="next", <b>; rel=last`)
	f.Add(`<<>>,,;;`)
	from := &url.URL{Scheme: "https", Host: "a.example", Path: "/"}
	f.Fuzz(func(t *testing.T, line string) {
		u, err := Follow(from, LinkNext(http.Header{"Link": {line}}))
		if err == nil && (u.Host != "a.example" || u.Scheme != "https") {
			t.Errorf("%q leads to %s", line, u)
		}
	})
}

func TestText(t *testing.T) {
	for kind, want := range map[string]string{"application/json; charset=ISO-8859-1": "Zoé", "application/json": "",
		"": ""} {
		r := &Reply{Body: []byte("Zo\xe9"), Header: http.Header{"Content-Type": {kind}}}
		text, err := r.Text()
		if string(text) != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", kind, text, err)
		}
	}
}
