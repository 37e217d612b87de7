package httpreq

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/remote/remotetest"
	"github.com/culvert/culvert/rules"
)

const head = "rule: out\ntrigger: {webhook: {path: /x}}\nid: trigger.id\nactions:\n  - http.request:\n"

// TestRequest holds what a record becomes: escaped paths, headers, and the three kinds of bodies.
func TestRequest(t *testing.T) {
	record := map[string]any{
		"id":     "r-1",
		"name":   "Fatou",
		"no":     "a/b ?&é",
		"n":      3.0,
		"blank":  "",
		"visits": []any{map[string]any{"d": "x"}},
	}
	for _, test := range []struct{ name, keys, want string }{
		{"path", "      path: /p/{trigger.no}/v{trigger.n}\n", `POST /p/a%2Fb%20%3F&%C3%A9/v3 `},
		{"braces in quotes", "      path: '/p/{\"}\" + trigger.name}'\n", `POST /p/%7DFatou `},
		{"query", "      path: /p\n      method: GET\n      query: {q: trigger.no, none: trigger.blank}\n", `GET /p q=a%2Fb+%3F%26%C3%A9`},
		{"json", "      path: /p\n      json: {a: trigger.name, b: [trigger.n, trigger.blank], c: {value: 5}, d: {value: \"5\"}, e: {f: trigger.blank}, g: {from: trigger.blank, blank: clear}, h: trigger.visits, i: {system: {value: x}, value: {from: trigger.name}}}\n",
			`POST /p {"a":"Fatou","b":[3],"c":5,"d":"5","g":null,"h":[{"d":"x"}],"i":{"system":"x","value":"Fatou"}}`},
		{"whole record", "      path: /p\n      json: trigger.visits\n", `POST /p [{"d":"x"}]`},
		{"form", "      path: /p\n      form: {to: trigger.name, none: trigger.blank}\n", `POST /p to=Fatou`},
		{"text", "      path: /p\n      text: '\"hello \" + trigger.name'\n", `POST /p hello Fatou`},
	} {
		t.Run(test.name, func(t *testing.T) {
			plan := remotetest.Plan(t, kind{"p"}, head+test.keys, record)
			r := plan.Writes[0].Object.(*request)
			got := fmt.Sprintf("%s %s %s%s", r.action.method, r.path, r.query.Encode(), r.body)
			if d := cmp.Diff(test.want, got); d != "" {
				t.Error(d)
			}
			if (r.action.method == http.MethodGet) == (r.header.Get("Idempotency-Key") != "") {
				t.Errorf("the idempotency key is %q", r.header.Get("Idempotency-Key"))
			}
		})
	}
}

// TestIdempotencyKey is the same for the same content of a record, and another for another.
func TestIdempotencyKey(t *testing.T) {
	key := func(record map[string]any) string {
		p := remotetest.Plan(t, kind{"p"}, head+"      path: /p\n      json: {a: trigger.a}\n", record)
		return p.Writes[0].Object.(*request).header.Get("Idempotency-Key")
	}
	first := key(map[string]any{"id": "r-1", "a": "x"})
	if first != key(map[string]any{"id": "r-1", "a": "x"}) {
		t.Error("it differs from try to try")
	}
	if first == key(map[string]any{"id": "r-1", "a": "y"}) || first == key(map[string]any{"id": "r-2", "a": "x"}) {
		t.Error("two requests have one key")
	}
}

// TestRefusedRecords fail before anything is sent.
func TestRefusedRecords(t *testing.T) {
	for _, test := range []struct {
		keys, code string
		record     map[string]any
	}{
		{"      path: /p/{trigger.a}\n", "blank-value", map[string]any{"id": "1", "a": ""}},
		{"      path: /p/{trigger.a}\n", "bad-path", map[string]any{"id": "1", "a": ".."}},
		{"      path: /p\n      headers: {X-A: trigger.a}\n", "bad-header", map[string]any{"id": "1", "a": "x\r\nHost: evil"}},
	} {
		f := remotetest.Failure(t, kind{"p"}, head+test.keys, test.record)
		if f == nil || f.Code != test.code {
			t.Errorf("%s with %v: %v, not %s", test.keys, test.record, f, test.code)
		}
	}
}

// TestMistakes have their codes.
func TestMistakes(t *testing.T) {
	remotetest.Mistakes(t, kind{"p"}, head, map[string]string{
		"      path: https://evil.example.org/p\n":                            "bad-path",
		"      path: /p?x=1\n":                                                "bad-path",
		"      path: /p/../q\n":                                               "bad-path",
		"      path: /p/{trigger.a, trigger.b}\n":                             "bad-path",
		"      path: /p/{trigger.a\n":                                         "bad-path",
		"      method: POST\n":                                                "missing-key",
		"      path: /p\n      headers: {Authorization: trigger.a}\n":         "bad-header",
		"      path: /p\n      json: {a: trigger.a}\n      text: trigger.a\n": "two-bodies",
		"      path: /p\n      method: GET\n      json: {a: trigger.a}\n":     "needless-body",
		"      path: /p\n      success: [20]\n":                               "bad-status",
		"      path: /p\n      jsn: {a: trigger.a}\n":                         "unknown-key",
		"      path: /p/{trigger.}\n":                                         "syntax",
	})
}

// TestPageIsNoAnswer takes no page for an answer where JSON was sent, asked for or is read: it may be one of
// the network to log in. A gateway that takes forms may answer with one.
func TestPageIsNoAnswer(t *testing.T) {
	page := "\uFEFF\n<!DOCTYPE html><html>Welcome to the hotel"
	for _, test := range []struct {
		keys, body string
		want       actions.Status
	}{
		{"      json: {a: trigger.a}\n", page, actions.Retry},
		{"      json: {a: trigger.a}\n", "<!-- x --><html>", actions.Retry},
		{"      json: {a: trigger.a}\n", `{"ok": "<html>"}`, actions.Delivered},
		{"      json: {a: trigger.a}\n", "", actions.Delivered},
		{"      json: {a: trigger.a}\n", "OK", actions.Delivered},
		{"      json: {a: trigger.a}\n      headers: {Accept: {value: text/html}}\n", page, actions.Delivered},
		{"      id: sent\n      form: {a: trigger.a}\n", page, actions.Retry},
		{"      form: {a: trigger.a}\n", page, actions.Delivered},
		{"      form: {a: trigger.a}\n      headers: {Accept: {value: application/json}}\n", page, actions.Retry},
		{"      text: trigger.a\n", page, actions.Delivered},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = fmt.Fprint(w, test.body)
		}))
		target, err := NewTarget(actions.Connection{Name: "api", Kind: "http", URL: server.URL},
			actions.TargetOptions{Memory: &remotetest.Memory{}, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		plan := remotetest.Plan(t, kind{"p"}, head+"      path: /p\n"+test.keys, map[string]any{"id": "1", "a": "x"})
		o := target.Deliver(t.Context(), []actions.Plan{plan})[0].Outcomes[0]
		if o.Status != test.want || o.Status == actions.Retry && o.Class != actions.ClassServer {
			t.Errorf("%s answered by %q: %+v", test.keys, test.body, o)
		}
		server.Close()
	}
}

// TestDelivery sends each content once, in order, and reads answers by their status.
func TestDelivery(t *testing.T) {
	var got []string
	status := http.StatusCreated
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, r.Method+" "+r.URL.Path+" "+string(body))
		w.Header().Set("Retry-After", "7")
		if status == http.StatusFound {
			w.Header().Set("Location", "https://elsewhere.example.org/x?token=secret")
		}
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, `{"error": {"message": "no such\n  place"}}`)
	}))
	defer server.Close()
	memory := &remotetest.Memory{}
	target, err := NewTarget(actions.Connection{Name: "emr", Kind: "http", URL: server.URL + "/api"},
		actions.TargetOptions{Memory: memory, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	rule := head + "      path: /p\n      json: {a: trigger.a}\n      retry: [423]\n"
	deliver := func(a string, seq int64) actions.Outcome {
		plan := remotetest.Plan(t, kind{"p"}, rule, map[string]any{"id": "r-1", "a": a})
		plan.Order = actions.Order{Seq: seq}
		results := target.Deliver(t.Context(), []actions.Plan{plan})
		memory.Take(results)
		return results[0].Outcomes[0]
	}
	for _, step := range []struct {
		a      string
		seq    int64
		status int
		want   actions.Status
		class  actions.Class
	}{
		{"x", 5, 201, actions.Delivered, ""}, {"x", 5, 201, actions.Unchanged, ""}, {"w", 4, 201, actions.Superseded, ""},
		{"y", 6, 503, actions.Retry, actions.ClassServer}, {"y", 6, 429, actions.Retry, actions.ClassServer},
		{"y", 6, 500, actions.Retry, actions.ClassTransient}, {"y", 6, 425, actions.Retry, actions.ClassTransient},
		{"y", 6, 423, actions.Retry, actions.ClassTransient}, {"y", 6, 401, actions.Retry, actions.ClassCredentials},
		{"y", 6, 400, actions.Failed, actions.ClassData}, {"y", 6, 403, actions.Failed, actions.ClassRights},
		{"y", 6, 302, actions.Failed, actions.ClassMetadata}, {"y", 6, 200, actions.Delivered, ""},
	} {
		status = step.status
		o := deliver(step.a, step.seq)
		if o.Status != step.want || o.Class != step.class {
			t.Errorf("%d for %s is %v %q, not %v %q", step.status, step.a, o.Status, o.Class, step.want, step.class)
		}
		if o.Status == actions.Retry && o.RetryAfter != 7*time.Second {
			t.Errorf("%d: it is waited for %s", step.status, o.RetryAfter)
		}
		if o.Status == actions.Failed && step.status == 400 && o.Detail != "no such place" {
			t.Errorf("the sentence is %q", o.Detail)
		}
		if strings.Contains(o.Message, "secret") || strings.Contains(o.Message, "/p") {
			t.Errorf("the message tells too much: %s", o.Message)
		}
	}
	if want := `POST /api/p {"a":"x"}`; got[0] != want || len(got) != 11 {
		t.Errorf("it was asked %d times, first %s", len(got), got[0])
	}
}

// TestHostile has a system answer what no web API would: nothing of it, and no secret, is told.
func TestHostile(t *testing.T) {
	long := strings.Repeat("of-a-person ", 50_000)
	for _, test := range []struct{ name, answer, want string }{
		{"no HTTP", long + "\r\n\r\n", "does not answer as a web API does"},
		{"long header", "HTTP/1.1 200 OK\r\nX-A: " + long + "\r\n\r\n", "does not answer as a web API does"},
		{"no address", "HTTP/1.1 307 X\r\nLocation: http://[of-a-person%zz\r\nContent-Length: 0\r\n\r\n", "does not answer as a web API does"},
		{"long host", "HTTP/1.1 307 X\r\nLocation: http://" + strings.Repeat("a", 90_000) + "/\r\nContent-Length: 0\r\n\r\n", "another address"},
		{"cut off", "HTTP/1.1 200 OK\r\nX-A: 1", "broke the connection off"},
		{"key said back", "HTTP/1.1 400 X\r\nContent-Length: 35\r\n\r\n{\"error\": \"no key top-secret-key\"} ", "400"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				c, _, err := w.(http.Hijacker).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.WriteString(c, test.answer)
				_ = c.Close()
			}))
			defer server.Close()
			target, err := NewTarget(
				actions.Connection{Kind: "http", URL: server.URL, APIKey: "top-secret-key"},
				actions.TargetOptions{},
			)
			if err != nil {
				t.Fatal(err)
			}
			plan := remotetest.Plan(t, kind{"p"}, head+"      path: /p\n", map[string]any{"id": "r-1"})
			o := target.Deliver(t.Context(), []actions.Plan{plan})[0].Outcomes[0]
			if !strings.Contains(o.Message, test.want) || len(o.Message) > 200 ||
				strings.Contains(o.Message+o.Detail, "of-a-person") || strings.Contains(o.Detail, "secret") {
				t.Errorf("%.300s %.300s", o.Message, o.Detail)
			}
		})
	}
}

// TestResult is what later actions read, and such a request is sent again.
func TestResult(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/p/41")
		w.WriteHeader(http.StatusCreated)
		_, _ = fmt.Fprint(w, `{"id": "41"}`)
	}))
	defer server.Close()
	memory := &remotetest.Memory{}
	target, err := NewTarget(actions.Connection{Kind: "http", URL: server.URL}, actions.TargetOptions{Memory: memory})
	if err != nil {
		t.Fatal(err)
	}
	plan := remotetest.Plan(t, kind{"p"}, head+"      id: patient\n      path: /p\n", map[string]any{"id": "r-1"})
	for range 2 {
		results := target.Deliver(t.Context(), []actions.Plan{plan})
		memory.Take(results)
		got, _ := json.Marshal(results[0].Outcomes[0].Result)
		if want := `{"body":{"id":"41"},"location":"/p/41","status":201}`; string(got) != want {
			t.Errorf("the result is %s, not %s", got, want)
		}
	}
}

// FuzzPath never makes a path that leads elsewhere.
func FuzzPath(f *testing.F) {
	f.Add("/p/{trigger.a}/x", "a/../b")
	f.Add("/p/{trigger.a}{trigger.a}", ".")
	f.Add("{`}`}", "é")
	f.Fuzz(func(t *testing.T, path, value string) {
		quoted, err := json.Marshal(path)
		if err != nil {
			t.Skip()
		}
		rule, action, findings := remotetest.Compile(kind{"p"}, head+"      path: "+string(quoted)+"\n")
		if action == nil || findings.HasErrors() {
			return
		}
		s := rule.Begin(rules.Input{Body: map[string]any{"id": "1", "a": value}})
		writes, err := action.Plan(s)
		if err != nil {
			return
		}
		got := writes[0].Object.(*request).path
		for _, segment := range strings.Split(got, "/") {
			if segment == ".." {
				t.Errorf("%q with %q leads to %q", path, value, got)
			}
		}
		if strings.ContainsAny(got, "?#\n\r ") {
			t.Errorf("%q with %q is %q", path, value, got)
		}
	})
}

// TestBrokenAnswer has an answer break off on the way: what later actions read of it is asked for again
// rather than taken for nothing; an answer that nobody reads is as good as a whole one.
func TestBrokenAnswer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, `{"id": "4`)
	}))
	defer server.Close()
	target, err := NewTarget(actions.Connection{Kind: "http", URL: server.URL}, actions.TargetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for keys, want := range map[string]actions.Status{
		"      path: /p\n": actions.Delivered, "      path: /p\n      id: patient\n": actions.Retry,
	} {
		plan := remotetest.Plan(t, kind{"p"}, head+keys, map[string]any{"id": "r-1"})
		o := target.Deliver(t.Context(), []actions.Plan{plan})[0].Outcomes[0]
		if o.Status != want || o.Result != nil {
			t.Errorf("%q is %v with %v, not %v", keys, o.Status, o.Result, want)
		}
	}
}
