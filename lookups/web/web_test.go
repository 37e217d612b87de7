package web_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/lookups"
	"github.com/culvert/culvert/lookups/lookupstest"
	"github.com/culvert/culvert/lookups/web"
	"github.com/culvert/culvert/sources"
)

// registry is a facility registry that answers as such do, and notes what it is asked.
type registry struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string
	down  int // the status that it answers everything with; 0: it is well
	now   time.Time
}

func newRegistry(t *testing.T) *registry {
	r := &registry{now: time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC)}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *registry) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	r.mu.Lock()
	r.asked = append(r.asked, strings.TrimSpace(q.Method+" "+q.URL.RequestURI()+" "+string(body)))
	down := r.down
	r.mu.Unlock()
	if down != 0 {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(down)
		return
	}
	if q.Header.Get("Authorization") != "Bearer secret" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	facility := func(code string) map[string]any {
		return map[string]any{"code": code, "properties": map[string]any{"dhis2": "uid" + code}}
	}
	reply := func(v any) { _ = json.NewEncoder(w).Encode(v) }
	path := strings.TrimPrefix(q.URL.EscapedPath(), "/api")
	switch {
	case path == "/facilities.json" && q.URL.Query().Get("page") == "2":
		reply(map[string]any{"data": []any{facility("C"), facility("D")}})
	case path == "/facilities.json":
		reply(map[string]any{"data": []any{facility("A"), facility("B")}, "next": "/api/facilities.json?page=2"})
	case path == "/search" || path == "/bulk":
		codes := strings.Split(q.URL.Query().Get("codes"), ",")
		if path == "/bulk" {
			var wanted struct{ Codes []string }
			_ = json.Unmarshal(body, &wanted)
			codes = wanted.Codes
		}
		found := []any{}
		for _, code := range codes {
			if code == "bad" {
				w.WriteHeader(http.StatusUnprocessableEntity)
				return
			}
			if code != "none" {
				found = append(found, facility(code))
			}
		}
		reply(map[string]any{"data": found})
	case path == "/facilities/none":
		w.WriteHeader(http.StatusNotFound)
	case path == "/facilities/bad":
		w.WriteHeader(http.StatusBadRequest)
	case path == "/facilities/stumbles":
		w.WriteHeader(http.StatusInternalServerError)
	case path == "/facilities/page":
		_, _ = w.Write([]byte("<html>log in"))
	case path == "/facilities/deep":
		_, _ = w.Write([]byte(strings.Repeat("[", 100) + strings.Repeat("]", 100)))
	case path == "/facilities/elsewhere":
		http.Redirect(w, q, "http://127.0.0.2:1/facilities/elsewhere", http.StatusFound)
	case strings.HasPrefix(path, "/facilities/"):
		reply(facility(strings.TrimPrefix(path, "/facilities/")))
	case path == "/endless":
		page, _ := strconv.Atoi(q.URL.Query().Get("page"))
		_, _ = w.Write(bytes.Repeat([]byte("\n"), 30<<20))
		reply(map[string]any{"data": []any{facility("A")}, "next": "/api/endless?page=" + strconv.Itoa(page+1)})
	case path == "/empty":
		reply(map[string]any{"data": []any{}, "total": 7})
	case path == "/strange":
		reply(map[string]any{"error": "too many requests", "meta": map[string]any{"code": 429}})
	case path == "/rates":
		reply(map[string]any{"usd": 2500})
	}
}

// requests gives what was asked since the last time.
func (r *registry) requests() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	asked := r.asked
	r.asked = nil
	return asked
}

func (r *registry) set(down int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = down
}

func (r *registry) desk(t *testing.T) *lookups.Desk {
	d := lookups.NewDesk([]lookups.Kind{web.Kind{}}, lookups.Env{Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.now
		},
		Connection: lookupstest.Connections(sources.Connection{Name: "registry", URL: r.URL + "/api/", Bearer: "secret"})})
	t.Cleanup(d.Close)
	return d
}

func (r *registry) later(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

func compile(t *testing.T, lookup string) lookups.Asked {
	t.Helper()
	asked, findings := lookupstest.Compile(t, web.Kind{}, "in: http, connection: registry, "+lookup)
	if findings != "" {
		t.Fatalf("%s: %s", lookup, findings)
	}
	return asked
}

// short gives what was found, or why not, in a line.
func short(found []any) string {
	var parts []string
	for _, f := range found {
		switch f := f.(type) {
		case actions.Outcome:
			parts = append(parts, fmt.Sprintf("%s %d %v", f.Code, f.Status, f.RetryAfter))
		default:
			text, _ := json.Marshal(f)
			parts = append(parts, string(text))
		}
	}
	return strings.Join(parts, " | ")
}

// TestOneByOne asks for each value once, whatever stands in it, and sorts what is answered.
func TestOneByOne(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	asked := compile(t, "path: '/facilities/{code}', where: {code: trigger.c}, value: properties.dhis2")
	got := lookupstest.Ask(
		t,
		r.desk(t),
		asked,
		[]string{"code"},
		[]string{"A"},
		[]string{"none"},
		[]string{"A"},
		[]string{"x/y z"},
		[]string{".."},
		[]string{"bad"},
		[]string{"stumbles"},
		[]string{"page"},
		[]string{"deep"},
		[]string{"elsewhere"},
	)
	want := `["uidA"] | null | ["uidA"] | ["uidx%2Fy%20z"] | lookup-value 2 0s | lookup-refused 3 0s | lookup-away 3 0s` +
		" | lookup-refused 3 0s | lookup-refused 3 0s | lookup-refused 3 0s"
	if short(got) != want {
		t.Errorf("got  %s\nwant %s", short(got), want)
	}
	if n := len(r.requests()); n != 8 {
		t.Errorf("%d requests", n)
	}
	for _, o := range got {
		if o, ok := o.(actions.Outcome); ok && (o.Hint == "" || strings.Contains(o.Message, "/facilities/")) {
			t.Errorf("%+v", o)
		}
	}
}

// TestSeveralInOneRequest asks for many values at once, and finds the one that is refused by halving.
func TestSeveralInOneRequest(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	d := r.desk(t)
	for _, lookup := range []string{
		"path: /search, params: {codes: '{code}'}, items: data, batch: 3, where: {code: trigger.c}",
		"path: '/search?codes={code}', items: data, batch: 3, where: {code: trigger.c}",
		"path: /bulk, body: {codes: '{code}'}, items: data, batch: 3, where: {code: trigger.c}",
	} {
		asked := compile(t, lookup+", value: properties.dhis2, take: all")
		got := short(
			lookupstest.Ask(t, d, asked, []string{"code"}, []string{"A"}, []string{"B"}, []string{"none"}, []string{"D"}),
		)
		if got != `["uidA"] | ["uidB"] | null | ["uidD"]` || len(r.requests()) != 2 {
			t.Errorf("%s: %s", lookup, got)
		}
		got = short(lookupstest.Ask(t, d, asked, []string{"code"}, []string{"E"}, []string{"bad"}, []string{"F"}))
		if got != `["uidE"] | lookup-refused 3 0s | ["uidF"]` {
			t.Errorf("%s: %s", lookup, got)
		}
		r.requests()
	}
}

// TestWholeList reads a list with its pages once, keeps it, and reads it again when it is old.
func TestWholeList(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	d := r.desk(t)
	asked := compile(t, "path: /facilities.json, items: data, next: next, where: {code: trigger.c}, cache: 1h")
	pages := []string{"GET /api/facilities.json", "GET /api/facilities.json?page=2"}
	for _, c := range []struct {
		code string
		want []string
	}{{"C", pages}, {"A", nil}, {"none", nil}} {
		got := short(lookupstest.Ask(t, d, asked, []string{"code"}, []string{c.code}))
		if found := strings.Contains(got, "uid"+c.code); found != (c.code != "none") {
			t.Errorf("%s: %s", c.code, got)
		}
		if diff := cmp.Diff(c.want, r.requests()); diff != "" {
			t.Errorf("%s: %s", c.code, diff)
		}
	}
	r.later(61 * time.Minute)
	lookupstest.Ask(t, d, asked, []string{"code"}, []string{"C"})
	if diff := cmp.Diff(pages, r.requests()); diff != "" {
		t.Error(diff)
	}
	same := compile(t, "path: /facilities.json, items: data, next: next, where: {code: trigger.other}, cache: 1h")
	lookupstest.Ask(t, d, same, []string{"code"}, []string{"D"})
	if asked := r.requests(); len(asked) != 0 {
		t.Errorf("another rule with the same lookup asks again: %q", asked)
	}
	by := compile(t, "path: /facilities.json, items: data, where: {properties.dhis2: trigger.c}")
	if got := short(lookupstest.Ask(t, d, by, []string{"properties.dhis2"}, []string{"uidB"})); !strings.Contains(
		got,
		`"B"`,
	) {
		t.Errorf("by a field within: %s", got)
	}
	rates := compile(t, "path: /rates, value: usd")
	if got := short(lookupstest.Ask(t, d, rates, nil, nil)); got != "[2500]" {
		t.Errorf("a document: %s", got)
	}
}

// TestNoList tells an empty list from a reply of another kind.
func TestNoList(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	for path, want := range map[string]string{
		"/empty, items: data":                                        "",
		"/strange, items: data":                                      `which has "error", "meta" and "meta.code"`,
		"/strange, items: 'data[*].one'":                             `which has "error", "meta" and "meta.code"`,
		"/strange, params: {codes: '{code}'}, items: data, batch: 3": `which has "error", "meta" and "meta.code"`,
	} {
		asked := compile(t, "path: "+path+", where: {code: trigger.c}")
		got := lookupstest.Ask(t, r.desk(t), asked, []string{"code"}, []string{"A"})
		o, refused := got[0].(actions.Outcome)
		if refused != (want != "") || !strings.Contains(o.Hint, want) {
			t.Errorf("%s: %+v", path, got[0])
		}
	}
}

// TestEndless stops to read pages that go on, and are large.
func TestEndless(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	asked := compile(t, "path: /endless, items: data, next: next, where: {code: trigger.c}")
	got := lookupstest.Ask(t, r.desk(t), asked, []string{"code"}, []string{"A"})
	o, ok := got[0].(actions.Outcome)
	if n := len(r.requests()); !ok || o.Code != lookups.CodeRefused || n != 5 {
		t.Errorf("after %d pages: %s", n, short(got))
	}
}

// TestPathWithBraces refuses braces that stand for nothing: they would be asked for as they are.
func TestPathWithBraces(t *testing.T) {
	t.Parallel()
	_, findings := lookupstest.Compile(t, web.Kind{},
		"in: http, connection: registry, path: '/f/{a, b}', where: {a: trigger.a, b: trigger.b}")
	if !strings.Contains(findings, "[bad-path] write one name in each pair of braces") {
		t.Error(findings)
	}
}

// TestKeptAnswers keeps answers one by one, and that there is nothing a minute at the most.
func TestKeptAnswers(t *testing.T) {
	t.Parallel()
	r := newRegistry(t)
	d := r.desk(t)
	asked := compile(t, "path: '/facilities/{code}', where: {code: trigger.c}, cache: 10m")
	ask := func() int {
		lookupstest.Ask(t, d, asked, []string{"code"}, []string{"A"}, []string{"none"})
		return len(r.requests())
	}
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{0, 2}, {30 * time.Second, 0}, {time.Minute, 1}, {10 * time.Minute, 2}} {
		r.later(c.after)
		if n := ask(); n != c.want {
			t.Errorf("after %v: %d requests, want %d", c.after, n, c.want)
		}
	}
}

// TestAway leaves a registry alone that is busy, for as long as it says, and has the records wait.
func TestAway(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusUnauthorized} {
		r := newRegistry(t)
		d := r.desk(t)
		asked := compile(t, "path: '/facilities/{code}', where: {code: trigger.c}")
		r.set(status)
		values := make([][]string, 50)
		for i := range values {
			values[i] = []string{fmt.Sprint("F", i)}
		}
		for range 2 {
			for _, o := range lookupstest.Ask(t, d, asked, []string{"code"}, values...) {
				o, ok := o.(actions.Outcome)
				if !ok || o.Status != actions.Retry || o.Class != actions.ClassTransient || o.RetryAfter <= 0 ||
					o.RetryAfter > 7*time.Second {
					t.Fatalf("%d: %+v", status, o)
				}
			}
		}
		if n := len(r.requests()); n == 0 || n > 4 {
			t.Errorf("%d: %d requests", status, n)
		}
		r.set(0)
		r.later(8 * time.Second)
		if got := short(lookupstest.Ask(t, d, asked, []string{"code"}, []string{"A"})); !strings.Contains(got, "uidA") {
			t.Errorf("%d: %s", status, got)
		}
	}
}

func TestFindings(t *testing.T) {
	t.Parallel()
	for lookup, want := range map[string]string{
		"connection: r, path: '/f/{code}', where: {code: trigger.c}":                                   "",
		"path: '/f/{code}', where: {code: trigger.c}":                                                  "connection",
		"connection: r, path: 'https://x.org/f/{code}', where: {code: trigger.c}":                      "bad-path",
		"connection: r, path: '/../{code}', where: {code: trigger.c}":                                  "bad-path",
		"connection: r, path: '/f/{kode}', where: {code: trigger.c}":                                   "unknown-place",
		"connection: r, path: '/f/{code}'":                                                             "lookup-where",
		"connection: r, path: '/f', where: {code: trigger.c}, batch: 5":                                "lookup-batch",
		"connection: r, path: '/f/{code}', where: {code: trigger.c}, items: 'a..b'":                    "bad-path",
		"connection: r, path: '/f/{code}', where: {code: trigger.c}, cache: 30d":                       "cache",
		"connection: r, path: '/f/{code}', where: {code: trigger.c}, level: 3":                         "unknown-key",
		"connection: r, path: '/f', body: {a: '{code}', b: ['{b}']}, where: {code: trigger.c, b: '1'}": "",
	} {
		_, got := lookupstest.Compile(t, web.Kind{}, "in: http, "+lookup)
		if want == "" && got != "" || want != "" && !strings.Contains(got, want) {
			t.Errorf("%s\ngot  %s\nwant %s", lookup, got, want)
		}
	}
}
