package client

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var fixedNow = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

// real makes a client of a real HTTP server.
func real(t testing.TB, handler http.HandlerFunc, change func(*Options)) *Client {
	t.Helper()
	server := httptest.NewServer(handler)
	o := Options{URL: server.URL, Credentials: Credentials{Username: "admin", Password: "s3cret"},
		Now: func() time.Time { return fixedNow }}
	if change != nil {
		change(&o)
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); server.Close() })
	return c
}

func asError(t *testing.T, err error) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%v (%T) is no *Error", err, err)
	}
	return e
}

// tomcatPage is what the servlet container says itself.
const tomcatPage = `<!doctype html><html lang="en"><head><title>HTTP Status 400 – Bad Request</title><style ` +
	`type="text/css">body {font-family:Tahoma}</style></head><body>` +
	`<h1>HTTP Status 400 – Bad Request</h1><hr class="line" /><p><b>Type</b> Status Report</p><p><b>Message</b> ` +
	`Required parameter &#39;program&#39; is not present.</p>` +
	`<p><b>Description</b> The server cannot or will not process the request.</p></body></html>`

// What may answer an import instead of DHIS2's report, and what DHIS2 may answer instead of one.
func TestImportAnswers(t *testing.T) {
	html := "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head></html>"
	report := `{"status":"OK","validationReport":{"errorReports":[],"warningReports":[]},"stats":{"created":1},` +
		`"bundleReport":{"typeReportMap":{}}}`
	for name, c := range map[string]struct {
		status  int
		headers map[string]string
		body    string
		kind    FailureKind
		retry   time.Duration
		says    string
	}{
		"a proxy's page": {502, map[string]string{"Content-Type": "text/html"}, html, Overloaded, 0,
			"away or overloaded (HTTP 502)"},
		"maintenance": {503, map[string]string{"Retry-After": "120"}, html, Overloaded, 2 * time.Minute,
			"HTTP 503"},
		"maintenance until": {503, map[string]string{"Retry-After": "Mon, 02 Mar 2026 10:05:00 GMT"}, "",
			Overloaded, 5 * time.Minute, "HTTP 503"},
		"too many": {429, map[string]string{"Retry-After": "7"}, `{"message":"slow down"}`,
			Overloaded, 7 * time.Second, "fewer requests"},
		"odd Retry-After": {429, map[string]string{"Retry-After": "soon"}, "", Overloaded, 0,
			"fewer requests"},
		"far Retry-After": {429, map[string]string{"Retry-After": "999999999"}, "", Overloaded, time.Hour,
			"fewer requests"},
		"gateway time-out": {504, nil, "", Overloaded, 0, "HTTP 504"},
		"a page with 200": {200, map[string]string{"Content-Type": "text/html"}, html, NotDHIS2, 0,
			"a web page came instead"},
		"a page called JSON": {200, nil, "\n  " + html, NotDHIS2, 0, "a web page came instead"},
		"a page with 500": {500, map[string]string{"Content-Type": "text/html"}, html, Refused, 0,
			"with a web page (HTTP 500)"},
		"a firewall": {403, map[string]string{"Content-Type": "text/html"}, html, Refused, 0,
			"with a web page (HTTP 403), though it answers other requests"},
		"no right": {403, nil,
			`{"httpStatus":"Forbidden","httpStatusCode":403,"status":"ERROR","message":"Access is denied"}`, Forbidden, 0,
			"lacks the right"},
		"wrong password": {401, nil,
			`{"httpStatus":"Unauthorized","httpStatusCode":401,"status":"ERROR","message":"Account locked"}`, Unauthorized, 0,
			"refuses the credentials"},
		"wrong path": {404, map[string]string{"Content-Type": "text/html"}, html, Refused, 0,
			"there is no /api/tracker"},
		"a parameter is missing (2.43)": {400, map[string]string{"Content-Type": "text/html"}, tomcatPage, Refused, 0,
			"Required parameter 'program' is not present"},
		"a program is missing (2.43)": {400, nil,
			`{"httpStatus":"Bad Request","httpStatusCode":400,"status":"ERROR","message":"Program is mandatory",` +
				`"errorCode":"E1003"}`, Refused, 0, "Culvert asked"},
		"a value of a parameter": {400, nil,
			`{"httpStatus":"Bad Request","httpStatusCode":400,"status":"ERROR","message":"Value 'secret' is not valid for ` +
				`parameter events. UID must be so"}`, Refused, 0, "not valid for parameter events"},
		"to a login page": {302, map[string]string{"Location": "/dhis-web-login/"}, "", NotDHIS2, 0,
			"it is a login page"},
		"to another host": {301,
			map[string]string{"Location": "https://new.example.org/api/tracker?x=secret"}, "", NotDHIS2, 0,
			"moved to new.example.org"},
		"empty with 200":    {200, nil, "", Unreachable, 0, "cannot be read (HTTP 200)"},
		"empty with 500":    {500, nil, "", Overloaded, 0, "HTTP 500"},
		"empty with 409":    {409, nil, "", Unreachable, 0, "cannot be read (HTTP 409)"},
		"a refusal cut off": {409, nil, `{"httpStatus":"Conf`, Unreachable, 0, "cannot be read (HTTP 409)"},
		"cut off":           {200, nil, report[:60], Unreachable, 0, "cannot be read"},
		"other JSON":        {200, nil, `{"hello":"world"}`, NotDHIS2, 0, "not a report of an import"},
		"a list":            {200, nil, `[]`, Unreachable, 0, "cannot be read"},
		"a WebMessage with 409": {409, nil,
			`{"httpStatus":"Conflict","httpStatusCode":409,"status":"ERROR","message":"Import cancelled"}`, Refused, 0,
			"refused the request as a whole (HTTP 409)"},
		"a WebMessage with 200": {200, nil,
			`{"httpStatus":"OK","httpStatusCode":200,"status":"ERROR","message":"no"}`, Refused, 0, "refused the request"},
		"a failure inside": {500, nil,
			`{"httpStatus":"Internal Server Error","httpStatusCode":500,"status":"ERROR","message":"null"}`, Refused, 0,
			"failed while it worked"},
		"its database is away": {500, nil,
			`{"httpStatus":"x","httpStatusCode":500,"status":"ERROR","message":"HikariPool-1 - Connection is not available, ` +
				`request timed out"}`, Overloaded, 0, "HTTP 500"},
		"its disk is full": {500, nil,
			`{"httpStatus":"x","httpStatusCode":500,"status":"ERROR","message":"ERROR: could not extend file: No space left ` +
				`on device"}`, Overloaded, 0, "HTTP 500"},
		"two imports met": {409, nil,
			`{"httpStatus":"x","httpStatusCode":409,"status":"ERROR","message":"ERROR: deadlock detected"}`, Overloaded, 0,
			"HTTP 409"},
		"an exception told by 2.40": {409, nil,
			`{"status":"ERROR","validationReport":{"errorReports":[],"warningReports":[]},"message":"Exception:null"}`, Refused,
			0, "HTTP 409"},
		"too large": {413, map[string]string{"Content-Type": "text/html"}, html, Refused, 0,
			"finds the request too large"},
		"a method that is not allowed": {405, nil,
			`{"httpStatus":"x","httpStatusCode":405,"status":"ERROR","message":"no"}`, Refused, 0, "HTTP 405"},
		"larger than we read": {200, nil, `{"x":"` + strings.Repeat("x", 5000) + `"}`, Refused, 0,
			"larger than allowed"},
		"a token that is no token (2.42)": {400, map[string]string{"WWW-Authenticate": "ApiToken"},
			`{"httpStatus":"Bad Request","httpStatusCode":400,"status":"ERROR","message":"Checksum validation failed"}`,
			Unauthorized, 0, "refuses the credentials"},
	} {
		t.Run(name, func(t *testing.T) {
			client := real(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/api/system/info" {
					fmt.Fprint(w, `{"version":"2.42.4.1"}`)
					return
				}
				w.Header().Set("Content-Type", "application/json")
				for k, v := range c.headers {
					w.Header().Set(k, v)
				}
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.body)
			}, func(o *Options) { o.MaxResponse = 4096 })
			_, err := client.ImportTracker(context.Background(), &TrackerPayload{}, TrackerOptions{})
			e := asError(t, err)
			if e.Kind != c.kind || e.RetryAfter != c.retry || !strings.Contains(e.Error(), c.says) {
				t.Errorf("kind %d, retry after %v: %v\nwant kind %d, retry after %v: %s", e.Kind, e.RetryAfter, e, c.kind, c.retry,
					c.says)
			}
			if e.Hint == "" || !strings.Contains(e.Message, client.URL()) {
				t.Errorf("no fix, or the server is not named: %v", e)
			}
			if strings.Contains(e.Error(), "secret") || strings.Contains(e.Detail, "secret") && e.Status != 400 {
				t.Errorf("a secret is told: %v (%s)", e, e.Detail)
			}
			if wantStatus := c.status; e.Status != wantStatus && e.Err == nil {
				t.Errorf("status %d, want %d", e.Status, wantStatus)
			}
		})
	}
}

// A page is about the request only when the server answers others; when it does not, it is away.
func TestAPageFromAServerThatIsAway(t *testing.T) {
	for _, status := range []int{400, 403, 404, 405, 500} {
		c := real(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(status)
			fmt.Fprint(w, tomcatPage)
		}, nil)
		e := asError(t, c.Ping(context.Background()))
		if want := map[bool]FailureKind{true: Overloaded, false: NotDHIS2}[status == 500]; e.Kind != want || e.Request {
			t.Errorf("%d: kind %d: %v", status, e.Kind, e)
		}
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	var reached atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { reached.Store(true) }))
	defer other.Close()
	c := real(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+"/api/me", http.StatusTemporaryRedirect)
	}, nil)
	if e := asError(t, c.Ping(context.Background())); e.Kind != NotDHIS2 || reached.Load() {
		t.Errorf("%v; the other server was asked: %v", e, reached.Load())
	}
}

func TestUnencryptedAddressOfAnEncryptedServer(t *testing.T) {
	c := against(t, "2.42", nil)
	c.base.Scheme = "http"
	e := c.redirected(&answer{status: 301, header: http.Header{"Location": {"https://dhis2.example.org/api/me"}}})
	if !strings.Contains(e.Hint, "https://") {
		t.Error(e)
	}
}

func TestNoAnswer(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := listener.Addr().String()
	listener.Close()
	for name, c := range map[string]struct {
		client *Client
		says   string
	}{
		"nothing listens": {real(t, nil, func(o *Options) { o.URL = "http://" + free }), "nothing listens at"},
		"unknown name": {real(t, nil, func(o *Options) { o.URL = "http://dhis2.invalid"; o.Proxy = "none" }),
			"the name dhis2.invalid is not known"},
		"never begins to answer": {real(t, func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		}, func(o *Options) { o.Timeouts.Headers = 50 * time.Millisecond }), "did not answer in time"},
		"never ends": {real(t, func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, `{"id":`)
			w.(http.Flusher).Flush()
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		}, func(o *Options) { o.Timeouts.Whole = 50 * time.Millisecond }), "did not answer in time"},
		"breaks off": {real(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, `{"id":`)
		}, nil), "no answer from"},
		"hangs up": {real(t, func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, nil),
			"no answer from"},
		"no TLS there": {real(t, func(w http.ResponseWriter, r *http.Request) {},
			func(o *Options) { o.URL = strings.Replace(o.URL, "http:", "https:", 1) }),
			"does not speak TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			e := asError(t, c.client.Ping(context.Background()))
			if e.Kind != Unreachable || !strings.Contains(e.Message, c.says) || e.Err == nil {
				t.Errorf("kind %d: %v, want %q", e.Kind, e, c.says)
			}
			if strings.Contains(e.Error(), "fields=id") {
				t.Errorf("the query is told: %v", e)
			}
		})
	}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	err = real(t, func(w http.ResponseWriter, r *http.Request) {}, nil).Ping(cancelled)
	if e := asError(t, err); e.Kind != Unreachable || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// A server or balancer may close a connection at the moment that the next request goes out on it.
// What is sent may be sent twice, so it is, without anybody noticing.
func TestConnectionClosedWhileIdle(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	var connections atomic.Int32
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			answerOnce(conn)
		}
	}()
	c := real(t, nil, func(o *Options) { o.URL = "http://" + listener.Addr().String() })
	for i := range 3 {
		a, err := c.do(context.Background(), request{method: "POST", path: "tracker", body: []byte("{}")})
		if err != nil || a.status != 200 {
			t.Fatalf("request %d: %v", i, err)
		}
	}
	if n := connections.Load(); n != 3 {
		t.Errorf("%d connections, want 3", n)
	}
}

// answerOnce answers one request and closes the connection when the next one begins.
func answerOnce(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	r, err := http.ReadRequest(in)
	if err != nil {
		return
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return
	}
	fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
	_, _ = in.ReadByte()
}

func TestGzip(t *testing.T) {
	c := real(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		fmt.Fprint(z, `{"id":"M5zQapPyTZI"}`)
		z.Close()
	}, nil)
	if err := c.Ping(context.Background()); err != nil {
		t.Error(err)
	}
}

// A bomb of zeros must not be unpacked further than allowed.
func TestGzipBomb(t *testing.T) {
	c := real(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		zeros := make([]byte, 1<<20)
		for range 64 {
			if _, err := z.Write(zeros); err != nil {
				return
			}
		}
		z.Close()
	}, func(o *Options) { o.MaxResponse = 1 << 20 })
	if e := asError(t, c.Ping(context.Background())); !strings.Contains(e.Message, "larger than allowed") {
		t.Error(e)
	}
}

func TestLogHoldsNoData(t *testing.T) {
	var log strings.Builder
	c := real(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/system/info" {
			fmt.Fprint(w, `{"version":"2.42.4.1"}`)
			return
		}
		fmt.Fprint(w, `{"trackedEntities":[],"pager":{}}`)
	}, func(o *Options) {
		o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	if _, err := c.FindTrackedEntities(context.Background(),
		FindQuery{Program: "p", Attribute: "a", Values: []string{"NID-77"}}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "tracker/trackedEntities") || strings.Contains(log.String(), "NID-77") ||
		strings.Contains(log.String(), "s3cret") {
		t.Error(log.String())
	}
}

func TestVersion(t *testing.T) {
	for full, want := range map[string]int{
		"2.38.7": 38, "2.42.4.1": 42, "2.44-SNAPSHOT": 44, "42.1": 42, "43-SNAPSHOT": 43, "2": 0, "": 0, "x.y": 0, "2.x": 0,
		"3.1": 0,
	} {
		if got, err := ParseVersion(full); got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d, %v, want %d", full, got, err, want)
		}
	}
	asked, now := 0, fixedNow
	c := real(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		fmt.Fprintf(w, `{"version":"2.4%d.0"}`, asked)
	}, func(o *Options) { o.Now = func() time.Time { return now } })
	for step, want := range []int{41, 41, 42} {
		if step == 2 {
			now = now.Add(versionAge)
		}
		if _, minor, err := c.Version(context.Background()); err != nil || minor != want {
			t.Errorf("step %d: %d, %v, want %d", step, minor, err, want)
		}
	}
}

func TestOldServerIsNotWrittenTo(t *testing.T) {
	c := against(t, "2.37.10", func(*http.Request) (*http.Response, error) { return nil, errors.New("written to") })
	_, err := c.ImportTracker(context.Background(), &TrackerPayload{}, TrackerOptions{})
	if e := asError(t, err); e.Kind != NotDHIS2 || !strings.Contains(e.Message, "older than 2.38") {
		t.Error(e)
	}
}
