package schedule

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/sources/sourcetest"
)

func TestHTTPPaging(t *testing.T) {
	var requests []string
	handler := func(w http.ResponseWriter, r *http.Request) {
		requests = append(requests, r.URL.RequestURI())
		if r.Header.Get("X-Key") != "s3cret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		q := r.URL.Query()
		page := q.Get("page") + q.Get("token")
		if strings.HasPrefix(r.URL.Path, "/pages") {
			if page == "3" {
				fmt.Fprint(w, `{"data": []}`)
				return
			}
			fmt.Fprintf(w, `{"data": [{"page": %q}]}`, page)
			return
		}
		if page == "" {
			w.Header().Set("Link", `<http://`+r.Host+r.URL.Path+`?page=2>; rel="next", </>; rel="first"`)
			w.Header().Set("X-Next", "2")
			fmt.Fprint(w, `{"data": [{"page": 1}], "next": "?token=2"}`)
			return
		}
		fmt.Fprint(w, `{"data": [{"page": 2}]}`)
	}
	server := httptest.NewServer(http.HandlerFunc(handler))
	defer server.Close()
	for next, want := range map[string][]string{
		"link":                          {"/a?q=1", "/a?page=2"},
		"{header: X-Next, param: page}": {"/a?q=1", "/a?page=2&q=1"},
		"{field: trigger.next}":         {"/a?q=1", "/a?token=2"},
		"{page: page}":                  {"/pages?page=1&q=1", "/pages?page=2&q=1", "/pages?page=3&q=1"},
	} {
		requests = nil
		path := "/a"
		if strings.Contains(next, "{page") {
			path = "/pages"
		}
		text := fmt.Sprintf(`{every: 1h, http: {url: "%s%s", params: {q: 1, since: "{last}"}, auth: {header: {name: `+
			`X-Key, value: "${KEY}"}}, items: trigger.data, next: %s}}`, server.URL, path, next)
		if got := findings(t, text); got != nil {
			t.Fatal(got)
		}
		to := newSink()
		runOnce(t, config(ruleOf("anc", trigger(t, text), time.UTC)), to)
		if diff := cmp.Diff(want, requests); diff != "" {
			t.Errorf("%s: %s", next, diff)
		}
		if got := to.Bodies(); len(got) != 2 {
			t.Errorf("%s: %v", next, got)
		}
	}
}

// TestTimesInAddresses asks as KoboToolbox and others are asked for what came since: braces of JSON
// stay, and the first run has no time before it.
func TestTimesInAddresses(t *testing.T) {
	text := `{every: 1h, http: {url: "https://kf.example/api/{due_date}?since={last}&a=1", params: {query: ` +
		`'{"_submission_time":{"$gte":"{last}"}}', sort: '{"_id": 1}'}}}`
	if got := findings(t, text); got != nil {
		t.Fatal(got)
	}
	rule := ruleOf("anc", trigger(t, text), time.UTC)
	r := &run{Source: New(config(rule)), rule: rule, sink: newSink(), log: slog.New(slog.DiscardHandler)}
	due := time.Date(2026, 8, 2, 10, 0, 0, 0, time.UTC)
	for last, want := range map[time.Time]string{
		{}: `/api/2026-08-02 map[a:[1] sort:[{"_id": 1}]]`,
		due.Add(-time.Hour): `/api/2026-08-02 map[a:[1] query:[{"_submission_time":{"$gte":"2026-08-02T08:55:00"}}] ` +
			`since:[2026-08-02T09:00:00Z] sort:[{"_id": 1}]]`,
	} {
		u, err := r.address(rule.HTTP.Request, last, due)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(u.Path, " ", u.Query()); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// TestForm asks as REDCap is asked for its records: by POST, with the token among the fields.
func TestForm(t *testing.T) {
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil || r.Method != http.MethodPost || r.PostForm.Get("token") != "s3cret" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		asked = append(asked, r.PostForm.Get("dateRangeBegin"))
		fmt.Fprint(w, `[{"record_id": "1", "symptom___1": "1"}, {"record_id": "2", "symptom___1": "0"}]`)
	}))
	defer server.Close()
	rule := ruleOf("anc", trigger(t, fmt.Sprintf(`{every: 1h, http: {url: %q, form: {token: "${KEY}", content: record, `+
		`format: json, dateRangeBegin: "{last_date} 00:00:00"}}}`, server.URL+"/api/")), time.UTC)
	due := time.Date(2026, 8, 2, 10, 0, 0, 0, time.UTC)
	for _, last := range []time.Time{{}, due.Add(-24 * time.Hour)} {
		to := newSink()
		r := &run{Source: New(config(rule)), rule: rule, sink: to, log: slog.New(slog.DiscardHandler)}
		if n, err := r.http(t.Context(), last, due); err != nil || n != 2 {
			t.Errorf("%d records, %v", n, err)
		}
	}
	if diff := cmp.Diff([]string{"", "2026-08-01 00:00:00"}, asked); diff != "" {
		t.Error(diff)
	}
	if got := findings(t, `{every: 1h, http: {url: "https://redcap.example/api/", form: {token: "${KEY}", a: "{lst}"}}}`); len(got) != 1 {
		t.Error(got)
	}
}

func TestHTTPFailures(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/loop":
			w.Header().Set("Link", `</loop>; rel="next"`)
			fmt.Fprint(w, "[]")
		case "/away":
			w.Header().Set("Link", `<https://elsewhere.example/steal>; rel="next"`)
			fmt.Fprint(w, "[]")
		case "/html":
			fmt.Fprint(w, "<html>Jane</html>")
		default:
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, "Jane may not")
		}
	}))
	defer server.Close()
	for path, want := range map[string]string{"/loop": "have no end", "/away": "another host", "/html": "not JSON",
		"/no": "answers 403"} {
		rule := ruleOf("anc", trigger(t, fmt.Sprintf(`{every: 1h, http: {url: "%s%s?secret=s3cret", next: link}}`,
			server.URL, path)), time.UTC)
		r := &run{Source: New(config(rule)), rule: rule, sink: newSink(), log: slog.New(slog.DiscardHandler)}
		_, err := r.http(t.Context(), time.Time{}, time.Now())
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") ||
			strings.Contains(err.Error(), "Jane") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestDHIS2Lists(t *testing.T) {
	for name, c := range map[string]struct {
		config string
		pages  []string
		want   []any
	}{
		"tracker": {"{path: tracker/events}",
			[]string{`{"page":1,"pageSize":2,"instances":[{"event":"a"},{"event":"b"}]}`,
				`{"page":2,"instances":[{"event":"c"}]}`, `{"page":3,"instances":[]}`},
			[]any{map[string]any{"event": "a"}, map[string]any{"event": "b"}, map[string]any{"event": "c"}}},
		"metadata": {"{path: /organisationUnits}", []string{`{"pager":{"page":1},"organisationUnits":[{"id":"x"}]}`,
			`{"pager":{"page":2},"organisationUnits":[]}`}, []any{map[string]any{"id": "x"}}},
		"analytics": {"{path: analytics}",
			[]string{`{"headers":[{"name":"dx"},{"name":"value"}],"rows":[["abc","12.0"]]}`},
			[]any{map[string]any{"dx": "abc", "value": "12.0"}}},
		"chosen": {"{path: dataValueSets, items: trigger.dataValues}",
			[]string{`{"dataValues":[{"value":"1"},{"value":"2"}]}`},
			[]any{map[string]any{"value": "1"}, map[string]any{"value": "2"}}},
		"no list":     {"{path: system/info}", []string{`{"version":"2.42"}`}, []any{map[string]any{"version": "2.42"}}},
		"empty lists": {"{path: tracker/events}", []string{`{"instances":[]}`}, nil},
	} {
		rule := ruleOf("anc", trigger(t, "{every: 1h, dhis2: "+c.config+"}"), time.UTC)
		conf, page, to := config(rule), 0, newSink()
		conf.Lists = listsFunc(func(path string, query url.Values) (json.RawMessage, error) {
			page++
			if query.Get("page") != fmt.Sprint(page) || query.Get("pageSize") == "" || strings.HasPrefix(path, "/") {
				t.Errorf("%s: page %d of %s: %v", name, page, path, query)
			}
			return json.RawMessage(c.pages[page-1]), nil
		})
		runOnce(t, conf, to)
		if diff := cmp.Diff(c.want, to.Bodies()); diff != "" || page != len(c.pages) {
			t.Errorf("%s: %d pages, %s", name, page, diff)
		}
	}
}

// TestItemsThatAreNotThere tells an empty list from a reply of another kind, which would be taken for one.
func TestItemsThatAreNotThere(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ items, reply, want string }{
		{"trigger.data", `{"data": []}`, ""},
		{"trigger.data", `{"data": null}`, ""},
		{"trigger.data", `{}`, ""},
		{"trigger.data", `{"total": 0, "page": 1}`, ""},
		{"trigger.data?.rows", `{"data": {"rows": []}}`, ""},
		{"trigger.entry", `{"resourceType": "Bundle", "type": "searchset", "total": 0}`, ""},
		{"trigger.entry ?? []", `{"type": "searchset"}`, ""},
		{"trigger.items", `{"data": [1], "meta": {"next": null}}`, `the reply has "data", "meta" and "meta.next"`},
		{"trigger.data?.rows", `{"data": {"list": []}}`, `"data" and "data.list"`},
		{"trigger.data", `{"error": "too many requests"}`, `the reply has "error"`},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(c.reply))
		}))
		rule := ruleOf("a", trigger(t, fmt.Sprintf(`{every: 1h, http: {url: "%s", items: %q}}`, server.URL, c.items)), time.UTC)
		r := &run{Source: New(Config{Log: slog.New(slog.DiscardHandler),
			Resolve: func(text string) (string, error) { return text, nil }}), rule: rule,
			sink: sourcetest.New(), log: slog.New(slog.DiscardHandler)}
		n, err := r.read(t.Context(), time.Time{}, time.Now())
		server.Close()
		if n != 0 || (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s of %s: %d, %v", c.items, c.reply, n, err)
		}
	}
}
