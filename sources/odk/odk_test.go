package odk

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/sourcetest"
)

// central is an ODK Central with one form, as its backend answers: the newest first, a $skiptoken
// for the next page, deleted ones only when the filter names them.
type central struct {
	*httptest.Server
	mu    sync.Mutex
	items []map[string]any // the newest last
	asked []string
}

func newCentral(t *testing.T) *central {
	t.Helper()
	c := &central{}
	c.Server = httptest.NewServer(http.HandlerFunc(c.answer))
	t.Cleanup(c.Close)
	return c
}

func (c *central) submit(id, at string) map[string]any {
	c.mu.Lock()
	defer c.mu.Unlock()
	body := map[string]any{
		"__id": "uuid:" + id,
		"__system": map[string]any{
			"submissionDate": at, "updatedAt": nil, "deletedAt": nil, "status": nil, "reviewState": nil, "edits": 0,
			"submitterName": "tablet 7",
		},
		"facility_code": "KE-0417", "woman": map[string]any{"signs": "fever bleeding"},
		"meta":                          map[string]any{"instanceID": "uuid:" + id, "deprecatedID": nil},
		"children@odata.navigationLink": "Submissions('uuid%3A" + id + "')/children",
		"children": []any{map[string]any{"child_name": "Amina", "__id": "5f0d",
			"doses@odata.navigationLink": "x", "doses": []any{}}},
	}
	c.items = append(c.items, body)
	return body
}

func (c *central) set(body map[string]any, key string, value any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	body["__system"].(map[string]any)[key] = value
}

// term is one condition of the filters that are used here.
var term = regexp.MustCompile(`__system/(\w+) ge (\S+)`)

func (c *central) answer(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if user, password, _ := r.BasicAuth(); user != "a@example.org" || password != "s3cret" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if r.URL.EscapedPath() != "/v1/projects/3/forms/anc%20visit.svc/Submissions" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	q := r.URL.Query()
	filter := q.Get("$filter")
	c.asked = append(c.asked, filter)
	var list []map[string]any
	for _, body := range slices.Backward(c.items) {
		if matches(filter, body["__system"].(map[string]any)) {
			list = append(list, body)
		}
	}
	if token := q.Get("$skiptoken"); token != "" {
		text, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(token, "01"))
		at := slices.IndexFunc(list, func(b map[string]any) bool { return b["__id"] == string(text) })
		if err != nil || at < 0 {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		list = list[at+1:]
	}
	top, err := strconv.Atoi(q.Get("$top"))
	if err != nil || q.Get("$expand") != "*" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	out := map[string]any{"@odata.context": "x"}
	if len(list) > top {
		list = list[:top]
		q.Set("$skiptoken", "01"+base64.StdEncoding.EncodeToString([]byte(list[top-1]["__id"].(string))))
		out["@odata.nextLink"] = "http://" + r.Host + r.URL.EscapedPath() + "?" + q.Encode()
	}
	if list == nil {
		list = []map[string]any{}
	}
	out["value"] = list
	_ = json.NewEncoder(w).Encode(out)
}

func matches(filter string, system map[string]any) bool {
	if system["deletedAt"] != nil && !strings.Contains(filter, "deletedAt") {
		return false
	}
	terms := term.FindAllStringSubmatch(filter, -1)
	for _, t := range terms {
		if value, _ := system[t[1]].(string); value >= t[2] {
			return true
		}
	}
	return len(terms) == 0
}

func trigger(t *testing.T, text string) *rules.Trigger {
	t.Helper()
	var list diag.List
	doc := yamlnode.Parse("rules/a.yaml", []byte(text), &list)
	if doc == nil || list.HasErrors() {
		t.Fatal(list)
	}
	return &rules.Trigger{Kind: "odk", Config: doc.Root, Place: diag.Place{File: "rules/a.yaml"}}
}

func TestCheck(t *testing.T) {
	for text, want := range map[string][]string{
		"{connection: c, project: 3, form: anc}": nil,
		"{connection: c, project: 3, form: anc, review: [approved, edited], since: 2026-01-01, deletions: true}": nil,
		"{connection: c, project: 3, entity_list: people, deletions: true}":                                      nil,
		"{connection: c, project: 3}": {"0:0 missing-key: odk needs form or entity_list"},
		"{connection: c, project: 3, form: anc, entity_list: people}": {"1:40 two-feeds: the trigger pulls two things, a form " +
			"and an entity list"},
		"{connection: c, project: 3, entity_list: people, review: approved}": {"1:50 unknown-key: review belongs to form: " +
			"entities are not reviewed"},
		"{connection: c, form: anc}": {"0:0 missing-key: odk needs project"},
		"{connection: c, project: main, form: anc}": {"1:26 wrong-type: project is a whole number from " +
			"1 to 2147483647"},
		"{connection: c, project: 3, form: anc, review: good}": {`1:48 wrong-type: review is "received", "edited", ` +
			`"hasIssues", "rejected" or "approved", not "good"`},
		"{connection: c, project: 3, form: anc, delete: true}": {`1:40 unknown-key: odk has no "delete"`},
		"{connection: c, project: 3, form: " +
			"anc, deletions: sometimes}": {`1:51 wrong-type: deletions is true or false, not "sometimes"`},
	} {
		var got []string
		Kind{}.Check(trigger(t, text), func(d diag.Diagnostic) {
			got = append(got, fmt.Sprintf("%d:%d %s: %s", d.Place.Range.Start.Line, d.Place.Range.Start.Column, d.Code,
				d.Message))
		})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s\n%s", text, diff)
		}
	}
}

type conditions struct {
	*sourcetest.Sink
	said map[string]string
}

func (c *conditions) SetCondition(subject, what string) { c.said[subject] = what }

func newPull(t *testing.T, text string) (*pull, *central, *conditions) {
	t.Helper()
	server, sink := newCentral(t), &conditions{sourcetest.New(), map[string]string{}}
	rule := read(trigger(t, text), func(d diag.Diagnostic) { t.Error(d) })
	rule.Rule = "anc"
	source := New(Config{
		Rules: []Rule{rule}, Log: slog.New(slog.DiscardHandler),
		Connect: func(name string) (sources.Connection, error) {
			return sources.Connection{Name: name, URL: server.URL + "/#/projects/3/forms/anc", Username: "a@example.org",
				Password: "s3cret"}, nil
		},
	})
	return &pull{source: source, rule: &rule, sink: sink, log: source.c.Log}, server, sink
}

// came gives the new records by their ids.
func came(s *conditions) []string {
	var out []string
	for _, r := range s.Records() {
		text := r.Body.(map[string]any)["__id"].(string)
		if r.Origin.Deleted {
			text += " deleted"
		}
		out = append(out, text)
	}
	return out
}

const config = "{connection: c, project: 3, form: anc visit, batch: 2, deletions: true}"

func TestPull(t *testing.T) {
	p, server, sink := newPull(t, config)
	pulls := func(want ...string) {
		t.Helper()
		if err := p.once(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, came(sink)); diff != "" {
			t.Error(diff)
		}
	}
	first := server.submit("1", "2026-03-01T06:00:00.000Z")
	for i := 2; i <= 5; i++ {
		server.submit(strconv.Itoa(i), fmt.Sprintf("2026-03-01T%02d:31:22.417Z", 5+i))
	}
	pulls("uuid:1", "uuid:2", "uuid:3", "uuid:4", "uuid:5")
	pulls()
	if last := server.asked[len(server.asked)-1]; !strings.HasPrefix(last,
		"__system/submissionDate ge 2026-03-01T10:26:22.417Z or __system/updatedAt ge ") {
		t.Errorf("it is asked for %q", last)
	}
	// An edit of the first, a review of the second, a deletion of the third, and one that is new, in
	// the order of their times.
	server.set(first, "updatedAt", "2026-03-04T11:02:09.120Z")
	server.set(first, "reviewState", "edited")
	server.set(server.items[1], "updatedAt", "2026-03-04T11:01:00.000Z")
	server.set(server.items[2], "deletedAt", "2026-03-04T11:03:00.000Z")
	server.submit("6", "2026-03-04T11:00:00.000Z")
	pulls("uuid:6", "uuid:2", "uuid:1", "uuid:3 deleted")
	pulls()
}

// TestBodies holds repeats as lists, without the addresses of their tables, and edits and deletions as later versions.
func TestBodies(t *testing.T) {
	p, server, sink := newPull(t, config)
	body := server.submit("1", "2026-03-01T06:00:00.000Z")
	var versions []time.Time
	for _, change := range []string{"", "updatedAt", "deletedAt"} {
		if change != "" {
			server.set(body, change, fmt.Sprintf("2026-03-0%dT06:00:00.000Z", 2+len(versions)))
		}
		if err := p.once(t.Context()); err != nil {
			t.Fatal(err)
		}
		records := sink.Records()
		if len(records) != 1 {
			t.Fatal(change, records)
		}
		got := records[0].Body.(map[string]any)
		want := []any{map[string]any{"child_name": "Amina", "__id": "5f0d", "doses": []any{}}}
		if diff := cmp.Diff(want, got["children"]); diff != "" || got["children@odata.navigationLink"] != nil {
			t.Error(diff, got)
		}
		versions = append(versions, sources.VersionOf(got))
	}
	if !versions[1].After(versions[0]) || !versions[2].After(versions[1]) {
		t.Error(versions)
	}
}

func TestReviewsAreWaitedFor(t *testing.T) {
	p, server, sink := newPull(t, "{connection: c, project: 3, form: anc visit, review: approved, since: 2026-03-01}")
	server.submit("0", "2026-02-01T06:00:00.000Z")
	body := server.submit("1", "2026-03-01T06:00:00.000Z")
	secret := server.submit("2", "2026-03-01T07:00:00.000Z")
	server.set(secret, "status", "notDecrypted")
	if err := p.once(t.Context()); err != nil || len(came(sink)) > 0 {
		t.Error(err)
	}
	if said := sink.said["encrypted submissions of rule anc"]; !strings.Contains(said, "1 submissions") {
		t.Errorf("%q", sink.said)
	}
	server.set(body, "reviewState", "approved")
	server.set(body, "updatedAt", "2026-03-02T06:00:00.000Z")
	if err := p.once(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"uuid:1"}, came(sink)); diff != "" {
		t.Error(diff)
	}
	// No encrypted one is listed any more: nothing is wrong.
	if err := p.once(t.Context()); err != nil {
		t.Fatal(err)
	}
	if said, ok := sink.said["encrypted submissions of rule anc"]; !ok || said != "" {
		t.Errorf("%q", sink.said)
	}
}

func TestTooManyAtOnce(t *testing.T) {
	at := time.Date(2026, 3, 1, 6, 0, 0, 0, time.UTC)
	err := tooMany([]item{{changed: at.AddDate(0, 1, 0)}, {changed: at}, {changed: at.AddDate(0, 0, 9)}})
	if !strings.Contains(err.Error(), "since: 2026-03-02 or a later day") {
		t.Error(err)
	}
}

func TestACrashLosesNothing(t *testing.T) {
	p, server, sink := newPull(t, config)
	for i := range 1200 {
		server.submit(strconv.Itoa(i), time.Date(2026, 3, 1, 6, 0, i, 0, time.UTC).Format(stamp))
	}
	p.rule.Batch = 400
	crash := errors.New("gone")
	sink.Refuse = func(batch int) error {
		if batch == 2 {
			return crash
		}
		return nil
	}
	if err := p.once(t.Context()); !errors.Is(err, crash) {
		t.Fatal(err)
	}
	got := came(sink)
	if err := p.once(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got = append(got, came(sink)...); len(got) != 1200 || got[0] != "uuid:0" || got[1199] != "uuid:1199" {
		t.Error(len(got))
	}
}

func TestRun(t *testing.T) {
	p, server, sink := newPull(t, config)
	server.submit("1", "2026-03-01T06:00:00.000Z")
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.source.Run(ctx, sink) }()
	<-sink.Took
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestPasswordsAreProtected(t *testing.T) {
	for address, want := range map[string]string{
		"http://central.example.org": "without protection", "https://central.example.org/v1/projects": "",
		"http://127.0.0.1:8383": "", "central": "cannot be read",
	} {
		_, err := newClient(sources.Connection{Name: "c", URL: address, Username: "u", Password: "p"},
			slog.New(slog.DiscardHandler))
		if want == "" && err != nil || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestSample(t *testing.T) {
	for text, want := range map[string]int{`{"__id": "a", "x@odata.navigationLink": "y"}`: 1,
		`{"value": [{"__id": "a"}, {"__id": "b"}, {"__id": "c"}]}`: 2, `[{"__id": "a"}]`: 1} {
		bodies, err := Kind{}.Sample(nil, "a.json", []byte(text), 2)
		if err != nil || len(bodies) != want || len(bodies[0].(map[string]any)) != 1 {
			t.Errorf("%s: %v, %v", text, bodies, err)
		}
	}
}

func FuzzPage(f *testing.F) {
	f.Add([]byte(`{"value": [{"__id": "uuid:1", "__system": {"submissionDate": "2026-03-01T06:31:22.417Z"}}], ` +
		`"@odata.nextLink": "x"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, _ := decodePage(text)
		for _, s := range p.items {
			if s.id == "" || s.changed.IsZero() {
				t.Errorf("%+v", s)
			}
		}
	})
}
