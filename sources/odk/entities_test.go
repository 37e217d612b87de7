package odk

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/httpget"
	"github.com/culvert/culvert/sources/sourcetest"
)

// entity is a row of Central's table of entities.
type entity struct {
	id                                        int
	uuid, label                               string
	createdAt, updatedAt, deletedAt, conflict string
	version                                   int
	data                                      map[string]string
}

// list is an ODK Central with one entity list, as its backend answers: the newest first, all properties as texts, a
// $skiptoken that goes on behind the id of the last one, deleted ones only when the filter names them.
type list struct {
	*httptest.Server
	mu    sync.Mutex
	rows  []*entity
	asked []string
}

func newList(t *testing.T) *list {
	t.Helper()
	l := &list{}
	l.Server = httptest.NewServer(http.HandlerFunc(l.answer))
	t.Cleanup(l.Close)
	return l
}

func (l *list) add(uuid, at string) *entity {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := &entity{id: len(l.rows) + 1, uuid: uuid, label: "Amina", createdAt: at, version: 1,
		data: map[string]string{"village": "Kibera"}}
	l.rows = append(l.rows, e)
	return e
}

func (l *list) change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

func orNil(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func (e *entity) body() map[string]any {
	return map[string]any{"__id": e.uuid, "label": e.label,
		"__system": map[string]any{"createdAt": e.createdAt, "creatorId": "5", "creatorName": "tablet 7",
			"updates": e.version - 1, "updatedAt": orNil(e.updatedAt), "deletedAt": orNil(e.deletedAt), "version": e.version,
			"conflict": orNil(e.conflict)},
		"village": e.data["village"], "dhis2_id": e.data["dhis2_id"]}
}

var entityTerm = regexp.MustCompile(`__system/(createdAt|updatedAt|deletedAt) ge (\S+)`)

func (l *list) answer(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	q := r.URL.Query()
	filter, token := q.Get("$filter"), q.Get("$skiptoken")
	l.asked = append(l.asked, filter)
	top, err := strconv.Atoi(q.Get("$top"))
	if user, password, _ := r.BasicAuth(); err != nil || user != "a@example.org" || password != "s3cret" ||
		r.URL.EscapedPath() != "/v1/projects/3/datasets/all%20people.svc/Entities" || q.Has("$expand") {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if token != "" && q.Has("$orderby") {
		w.WriteHeader(http.StatusNotImplemented)
		return
	}
	found := l.matching(filter)
	newest := func(a, b *entity) int {
		return strings.Compare(b.createdAt+fmt.Sprintf("%9d", b.id), a.createdAt+fmt.Sprintf("%9d", a.id))
	}
	slices.SortFunc(found, newest)
	count := len(found)
	switch {
	case q.Has("$orderby"):
		slices.Reverse(found)
		skip, _ := strconv.Atoi(q.Get("$skip"))
		found = found[min(skip, len(found)):]
	case token != "":
		text, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(token, "01"))
		var last struct{ UUID string }
		_ = json.Unmarshal(text, &last)
		at := l.rows[slices.IndexFunc(l.rows, func(e *entity) bool { return e.uuid == last.UUID })]
		found = slices.DeleteFunc(found, func(e *entity) bool { return e.createdAt > at.createdAt || e.id >= at.id })
	}
	out := map[string]any{"@odata.context": "x", "value": []any{}}
	if q.Get("$count") == "true" {
		out["@odata.count"] = strconv.Itoa(count)
	}
	if len(found) > top {
		found = found[:top]
		text, _ := json.Marshal(map[string]string{"uuid": found[top-1].uuid})
		q.Set("$skiptoken", "01"+base64.StdEncoding.EncodeToString(text))
		out["@odata.nextLink"] = "http://" + r.Host + r.URL.EscapedPath() + "?" + q.Encode()
	}
	for _, e := range found {
		out["value"] = append(out["value"].([]any), e.body())
	}
	_ = json.NewEncoder(w).Encode(out)
}

func (l *list) matching(filter string) []*entity {
	var found []*entity
	for _, e := range l.rows {
		fits := filter == ""
		for _, t := range entityTerm.FindAllStringSubmatch(filter, -1) {
			at := map[string]string{"createdAt": e.createdAt, "updatedAt": e.updatedAt, "deletedAt": e.deletedAt}[t[1]]
			fits = fits || at != "" && at >= t[2]
		}
		if fits && (e.deletedAt == "" || strings.Contains(filter, "__system/deletedAt")) {
			found = append(found, e)
		}
	}
	return found
}

const entityConfig = "{connection: c, project: 3, entity_list: all people, batch: 2, deletions: true}"

func newEntityPull(t *testing.T) (*pull, *list, *conditions) {
	t.Helper()
	server, sink := newList(t), &conditions{sourcetest.New(), map[string]string{}}
	rule := read(trigger(t, entityConfig), func(d diag.Diagnostic) { t.Error(d) })
	rule.Rule = "people"
	source := New(Config{Rules: []Rule{rule}, Log: slog.New(slog.DiscardHandler),
		Connect: func(name string) (sources.Connection, error) {
			return sources.Connection{Name: name, URL: server.URL, Username: "a@example.org", Password: "s3cret"}, nil
		}})
	return &pull{source: source, rule: &rule, sink: sink, log: source.c.Log}, server, sink
}

// TestEntities follows an entity list: new ones, changes as newer versions, deletions, and what comes back.
func TestEntities(t *testing.T) {
	t.Parallel()
	p, server, sink := newEntityPull(t)
	versions := map[string]time.Time{}
	pulls := func(want ...string) {
		t.Helper()
		if err := p.once(t.Context()); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range sink.Records() {
			body := r.Body.(map[string]any)
			id, system := body["__id"].(string), body["__system"].(map[string]any)
			text := fmt.Sprintf("%s %v", id, system["version"])
			if r.Origin.Deleted {
				text += " deleted"
			}
			if at := sources.VersionOf(body); !at.After(versions[id]) {
				t.Errorf("%s is no newer version: %v", text, at)
			} else {
				versions[id] = at
			}
			got = append(got, text)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	for n := range 5 {
		server.add(string(rune('a'+n)), fmt.Sprintf("2026-03-01T06:00:0%d.417Z", n))
	}
	pulls("a 1", "b 1", "c 1", "d 1", "e 1")
	pulls()
	if last := server.asked[len(server.asked)-1]; last != "__system/createdAt ge 2026-03-01T05:55:04.417Z or "+
		"__system/updatedAt ge 2026-03-01T05:55:04.417Z or __system/deletedAt ge 2026-03-01T05:55:04.417Z" {
		t.Errorf("it is asked for %q", last)
	}
	server.change(func() {
		a, b := server.rows[0], server.rows[1]
		a.updatedAt, a.version, a.conflict = "2026-03-04T11:00:00.000Z", 2, "soft"
		b.deletedAt = "2026-03-04T11:00:00.001Z"
	})
	server.add("f", "2026-03-04T10:59:59.999Z")
	pulls("f 1", "a 2", "b 1 deleted")
	server.change(func() { // restored: Central moves updatedAt, and leaves the version
		server.rows[1].deletedAt, server.rows[1].updatedAt = "", "2026-03-04T12:00:00.000Z"
	})
	pulls("b 1")
	pulls()
}

// TestEntitiesOfOneTime are none of them passed over, wherever pages end and whichever id comes first.
func TestEntitiesOfOneTime(t *testing.T) {
	t.Parallel()
	p, server, sink := newEntityPull(t)
	for n := range 9 {
		e := server.add(fmt.Sprint("e", n), "2026-03-01T06:00:00.000Z")
		if n%2 == 0 {
			e.createdAt = "2026-03-01T06:00:00.001Z" // a lower id, and later by the clock
		}
	}
	if err := p.once(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := len(sink.Records()); got != 9 {
		t.Errorf("%d of 9 came", got)
	}
	server.change(func() { // one that is stored later than another of the same time
		server.rows[3].updatedAt = "2026-03-01T06:00:00.001Z"
	})
	server.add("late", "2026-03-01T06:00:00.001Z")
	if err := p.once(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := came(sink); !slices.Contains(got, "late") || !slices.Contains(got, "e3") || len(got) != 2 {
		t.Error(got)
	}
}

// TestEntitiesAfterACrash goes on where the last batch ended.
func TestEntitiesAfterACrash(t *testing.T) {
	t.Parallel()
	p, server, sink := newEntityPull(t)
	p.rule.Batch = 500
	for n := range 1100 {
		server.add(strconv.Itoa(n), time.Date(2026, 3, 1, 6, 0, n, 0, time.UTC).Format(stamp))
	}
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
	if got = append(got, came(sink)...); len(got) != 1100 || got[0] != "0" || got[1099] != "1099" {
		t.Error(len(got))
	}
	if !strings.HasPrefix(p.cursor(), "odk.entities/people/3/all people") {
		t.Error(p.cursor())
	}
}

// TestNoSuchFeed says what may be written wrongly where Central has no such project, form or list.
func TestNoSuchFeed(t *testing.T) {
	l := newList(t)
	c, err := newClient(sources.Connection{Name: "c", URL: l.URL, Username: "a@example.org", Password: "s3cret"},
		slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(l.URL + "/v1/projects/3/datasets/nobody.svc/Entities?$top=1")
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.page(t.Context(), at)
	if e, ok := errors.AsType[*httpget.Error](err); !ok || e.Status != http.StatusNotFound || e.Hint != elsewhere {
		t.Errorf("%v", err)
	}
}
