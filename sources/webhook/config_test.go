package webhook

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/sources"
)

func trigger(t *testing.T, text string) *rules.Trigger {
	t.Helper()
	var list diag.List
	doc := yamlnode.Parse("rules/a.yaml", []byte(text), &list)
	if doc == nil || list.HasErrors() {
		t.Fatal(list)
	}
	return &rules.Trigger{Kind: "webhook", Config: doc.Root, Place: diag.Place{File: "rules/a.yaml"}}
}

func findings(t *testing.T, text string) []string {
	t.Helper()
	var got []string
	Kind{}.Check(trigger(t, text), func(d diag.Diagnostic) {
		got = append(got, fmt.Sprintf("%d:%d %s: %s", d.Place.Range.Start.Line, d.Place.Range.Start.Column, d.Code,
			d.Message))
	})
	return got
}

func TestCheck(t *testing.T) {
	for text, want := range map[string][]string{
		"path: /commcare/forms": nil,
		"{path: /a, auth: {hmac: {secret: '${S}', timestamp_header: X-Time}}, items: trigger.data, networks: [10.0.0.0/8, " +
			"'::1'], headers: [X-Facility], rate: 0.5, max_bytes: 1000}": nil,
		"paht: /a": {"1:1 unknown-key: webhook has no \"paht\"",
			"0:0 missing-key: webhook needs path"},
		"path: forms":                              {"1:7 path: \"forms\" is no path"},
		"path: /fhir/*":                            nil,
		"path: /a*b":                               {"1:7 path: \"/a*b\" is no path"},
		"path: '/*'":                               {"1:8 path: the path \"/*\" is Culvert's own"},
		"path: /api/*":                             {"1:7 path: the path \"/api/*\" is Culvert's own"},
		"path: /health":                            {"1:7 path: the path \"/health\" is Culvert's own"},
		"{path: /a, auth: {digest: x}}":            {"1:19 bad-auth: \"digest\" is not a way to log in"},
		"{path: /a, auth: {bearer: ''}}":           {"1:27 bad-auth: auth holds no secret"},
		"{path: /a, auth: {none: false}}":          {"1:25 bad-auth: none must be true"},
		"{path: /a, auth: {basic: {username: u}}}": {"1:26 bad-auth: auth needs password"},
		"{path: /a, networks: [office]}":           {"1:23 networks: \"office\" is no network"},
		"{path: /a, encoding: windows-1256}":       nil,
		"{path: /a, reply: outcome, wait: 5s}":     nil,
		"{path: /a, reply: maybe}":                 {"1:19 wrong-type: reply is \"kept\" or \"outcome\", not \"maybe\""},
		"{path: /a, wait: 5s}": {"1:18 bad-value: `wait` is for an answer with the outcome, and this one says at once " +
			"that records are kept"},
		"{path: /a, reply: outcome, wait: 5m}":            {"1:34 duration: wait \"5m\" is no length of time from 1s to 1m"},
		"{path: /a, table: {format: csv, columns: [id]}}": nil,
		"{path: /a, table: {folder: ../b}}":               {"1:28 folder: folder \"../b\" leads out of the project"},
		"{path: /a, table: {}, items: trigger.data}": {"1:23 not-allowed: items is for requests that hold records, and this " +
			"rule takes tables"},
		"{path: /a, encoding: klingon}": {"1:22 encoding: no encoding is named \"klingon\""},
		"{path: /a, headers: [Authorization]}": {"1:22 headers: Authorization holds credentials, which records must " +
			"not keep"},
		"{path: /a, rate: fast}": {"1:18 wrong-type: rate is a number above 0 and up to 1000000"},
		"{path: /a, items: [a]}": {"1:19 wrong-type: items is an expression"},
	} {
		if diff := cmp.Diff(want, findings(t, text)); diff != "" {
			t.Errorf("%s\n%s", text, diff)
		}
	}
	if got := findings(t, "{path: /a, items: trigger.data +}"); len(got) == 0 {
		t.Error("a broken expression passes")
	}
}

func TestRouteOf(t *testing.T) {
	env := func(text string) (string, error) {
		switch text {
		case "${TOKEN}":
			return "tok", nil
		case "":
			return "", nil
		}
		return "", errors.New("NAME is not set")
	}
	fallback := Auth{Username: "cc", Password: "pw"}
	r, err := routeOf("anc", trigger(t, "path: /forms/"), fallback, env)
	if err != nil || r.Path != "/forms" || r.Rule != "anc" || r.Auth != fallback {
		t.Errorf("got %+v, %v", r, err)
	}
	r, err = routeOf("anc", trigger(t, "{path: /forms, auth: {bearer: '${TOKEN}'}}"), fallback, env)
	if err != nil || r.Auth != (Auth{Bearer: "tok"}) {
		t.Errorf("got %+v, %v", r, err)
	}
	r, err = routeOf("anc", trigger(t, "{path: /forms, auth: {none: true}}"), fallback, env)
	if err != nil || r.Auth != (Auth{None: true}) {
		t.Errorf("got %+v, %v", r, err)
	}
	if _, err = routeOf("anc", trigger(t, "{path: /forms, auth: {bearer: '${OTHER}'}}"), fallback, env); err == nil {
		t.Error("a secret that is not set gives no error")
	}
}

func TestItems(t *testing.T) {
	r, err := routeOf("anc", trigger(t, "{path: /a, items: trigger.data.rows}"), Auth{None: true},
		func(s string) (string, error) { return s, nil })
	if err != nil {
		t.Fatal(err)
	}
	h, s := serve(t, r)
	if w := send(h, post("/a", "", `{"data": {"rows": [{"n": 1}, {"n": 2}]}}`)); w.Code != 202 {
		t.Errorf("answered %d %s", w.Code, w.Body)
	}
	if diff := cmp.Diff([]any{map[string]any{"n": 1.0}, map[string]any{"n": 2.0}}, s.bodies()); diff != "" {
		t.Error(diff)
	}
	if w := send(h, post("/a", "", `{"data": {"rows": 5}}`)); w.Code != 422 {
		t.Errorf("a number for a list: answered %d %s", w.Code, w.Body)
	}
}

func TestSample(t *testing.T) {
	k, tr := Kind{}, trigger(t, "path: /a")
	for path, text := range map[string]string{"s.json": `{"a": "1"}`, "s.xml": "<r><a>1</a></r>",
		"s.ndjson": "{\"a\": \"1\"}\n{\"a\": \"2\"}\n", "list.json": `[{"a": "1"}, {"a": "2"}]`} {
		got, err := k.Sample(tr, path, []byte(text), 1)
		if err != nil || len(got) != 1 {
			t.Errorf("%s: %v, %v", path, got, err)
		}
	}
	for path, text := range map[string]string{"s.json": "{", "twice.json": `{"a": 1, "a": 2}`,
		"twice.ndjson": "{\"a\": 1, \"a\": 2}\n"} {
		if _, err := k.Sample(tr, path, []byte(text), 1); err == nil {
			t.Errorf("%s gives no error", path)
		}
	}
}

// TestRulesThatAreSwitchedOff has nothing taken for them: the other rules of a path go on, and those
// who send to them alone keep what they have.
func TestRulesThatAreSwitchedOff(t *testing.T) {
	shared, alone := "{path: /shared, auth: {none: true}}", "{path: /alone, auth: {none: true}}"
	source, err := Kind{}.New([]sources.Bound{{Rule: "on", Trigger: trigger(t, shared)},
		{Rule: "off", Off: true, Trigger: trigger(t, shared)}, {Rule: "resting", Off: true, Trigger: trigger(t, alone)}},
		sources.Env{Dir: t.TempDir(), Inbox: t.TempDir(), Log: slog.New(slog.DiscardHandler),
			Secret: func(text string) (string, error) { return text, nil }, Login: func() (sources.Login, error) { return sources.Login{}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	h, s := source.(*Handler), &sink{}
	h.sink.Store(&sinkRef{s, t.Context()})
	for path, want := range map[string]int{"/shared": http.StatusAccepted, "/alone": http.StatusServiceUnavailable} {
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(`{"id": 1}`))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if again := w.Header().Get("Retry-After"); w.Code != want || (again != "") != (want == http.StatusServiceUnavailable) {
			t.Errorf("%s: %d, Retry-After %q, %s", path, w.Code, again, w.Body)
		}
	}
	if len(s.records) != 1 || s.records[0].Rule != "on" {
		t.Errorf("taken: %+v", s.records)
	}
}
