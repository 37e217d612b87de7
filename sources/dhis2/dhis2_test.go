package dhis2

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/sourcetest"
)

// server is a DHIS2 with one program, as its lists answer: in the order of changes, from a time on.
type server struct {
	version string
	date    string // its clock
	events  []map[string]any
	asked   []url.Values
	meet    func() // called as a page was read
}

func (s *server) Get(_ context.Context, _, path string, q url.Values) (json.RawMessage, error) {
	if path == "system/info" {
		return json.Marshal(map[string]any{"version": s.version, "serverDate": s.date})
	}
	if path != "tracker/events" || q.Get("order") != "updatedAt:asc" || q.Get("program") != "program0001" {
		return nil, fmt.Errorf("strange: %s %v", path, q)
	}
	s.asked = append(s.asked, q)
	list := []map[string]any{}
	for _, e := range s.events {
		if e["updatedAt"].(string) >= q.Get("updatedAfter") {
			list = append(list, e)
		}
	}
	slices.SortStableFunc(list, func(a, b map[string]any) int {
		return strings.Compare(a["updatedAt"].(string), b["updatedAt"].(string))
	})
	size, _ := strconv.Atoi(q.Get("pageSize"))
	page, _ := strconv.Atoi(q.Get("page"))
	from := min((page-1)*size, len(list))
	text, err := json.Marshal(map[string]any{"events": list[from:min(from+size, len(list))]})
	if s.meet != nil {
		s.meet()
	}
	return text, err
}

// names is the metadata of the server.
type names struct{}

func (names) Find(collection, ref, _ string) (*sources.Thing, []string) {
	if ref == "Cases" {
		return &sources.Thing{ID: "program0001", Name: ref}, nil
	}
	return nil, nil
}

func (names) ByID(collection, id string) *sources.Thing {
	if id == "element0001" {
		return &sources.Thing{ID: id, Name: "Age", ValueType: "INTEGER"}
	}
	return nil
}

func (names) Children(string) []string { return nil }

func event0(n int, changed string) map[string]any {
	return map[string]any{"event": fmt.Sprintf("event%06d", n), "updatedAt": changed, "dataValues": []any{
		map[string]any{"dataElement": "element0001", "value": strconv.Itoa(n)}}}
}

func newPull(s *server, sink *sourcetest.Sink, batch int) *pull {
	r := &Rule{Rule: "a", Server: "national", Read: readEvents, Program: "Cases", Batch: batch}
	source := New(Config{Rules: []Rule{*r}, Lists: s, Log: slog.New(slog.DiscardHandler),
		Catalog: func(string) sources.Catalog { return names{} }})
	return &pull{source: source, rule: r, sink: sink, log: source.c.Log}
}

func came(sink *sourcetest.Sink) []string {
	var list []string
	for _, r := range sink.Records() {
		body := r.Body.(map[string]any)
		list = append(list, fmt.Sprintf("%v@%v", body["values"].(map[string]any)["Age"], body["updated_at"]))
	}
	return list
}

// TestPages reads all once, also where others change between two pages and where more than a page
// was changed at one time.
func TestPages(t *testing.T) {
	s, sink := &server{version: "2.42.4.1"}, sourcetest.New()
	for n := range 9 {
		s.events = append(s.events, event0(n, "2026-03-01T10:00:00.000"))
	}
	for n := 9; n < 12; n++ {
		s.events = append(s.events, event0(n, fmt.Sprintf("2026-03-01T11:00:%02d.000", n)))
	}
	s.meet = func() { // the first event is changed as the first page was read: all others move up
		s.meet = nil
		s.events[0]["updatedAt"] = "2026-03-01T12:00:00.000"
	}
	if err := newPull(s, sink, 2).once(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := came(sink)
	for n := range 12 {
		if !slices.ContainsFunc(got, func(text string) bool { return strings.HasPrefix(text, strconv.Itoa(n)+"@") }) {
			t.Errorf("%d is missing in %v", n, got)
		}
	}
	if !slices.Contains(got, "0@2026-03-01T12:00:00.000") {
		t.Errorf("the change that came meanwhile is missing: %v", got)
	}
	if q := s.asked[0]; q.Get("orgUnitMode") != "ACCESSIBLE" || q.Has("ouMode") {
		t.Errorf("it was asked for %v", q)
	}
}

// TestACrashLosesNothing goes on after a batch that could not be kept.
func TestACrashLosesNothing(t *testing.T) {
	s, sink := &server{version: "2.40.12"}, sourcetest.New()
	for n := range 1200 {
		s.events = append(s.events, event0(n, fmt.Sprintf("2026-03-01T1%d:%02d:%02d.000", n/3600, n/60%60, n%60)))
	}
	gone := errors.New("gone")
	sink.Refuse = func(batch int) error {
		if batch == 2 {
			return gone
		}
		return nil
	}
	p := newPull(s, sink, 400)
	if err := p.once(t.Context()); !errors.Is(err, gone) {
		t.Fatal(err)
	}
	if err := p.once(t.Context()); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, text := range came(sink) {
		seen[text] = true
	}
	if len(seen) != 1200 {
		t.Errorf("%d of 1200", len(seen))
	}
	if q := s.asked[0]; q.Get("ouMode") != "ACCESSIBLE" || q.Has("orgUnitMode") {
		t.Errorf("it was asked for %v", q)
	}
	if diff := cmp.Diff("", s.asked[0].Get("updatedAfter")); diff != "" {
		t.Error(diff)
	}
}

func TestUTC(t *testing.T) {
	for text, want := range map[string]string{"2026-03-01T10:00:00.000+0200": "2026-03-01T08:00:00.000Z",
		"2026-03-01T10:00:00.000+0000": "2026-03-01T10:00:00.000Z", "2026-03-01T10:00:00Z": "2026-03-01T10:00:00.000Z",
		"2026-03-01T10:00:00.123": "2026-03-01T10:00:00.123Z", "?": "?"} {
		if got := utc(text); got != want {
			t.Errorf("%s is %s, not %s", text, got, want)
		}
	}
}

func FuzzItems(f *testing.F) {
	f.Add([]byte(`{"event": "e", "updatedAt": "2026-03-01", "dataValues": [{"dataElement": "element0001", "value": "x"}]}`))
	f.Add([]byte(`{"trackedEntity": "t", "enrollments": [{"program": "p", "events": [{}]}], "geometry": {"type": 1}}`))
	m := &maker{"national", names{}}
	f.Fuzz(func(_ *testing.T, text []byte) {
		_, _ = m.eventItem(text)
		_, _ = m.entityItem(text, "p")
		_, _ = listOf(text, "events")
	})
}

// place gives where a pull goes on.
func place(t *testing.T, sink *sourcetest.Sink, p *pull) string {
	t.Helper()
	text, err := sink.Cursor(t.Context(), p.cursor())
	if err != nil {
		t.Fatal(err)
	}
	var s state
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatal(err)
	}
	return s.At
}

// TestBrokenPullsDoNotGoBack keeps the place when each pull breaks off behind its first page, which is of what was
// read before.
func TestBrokenPullsDoNotGoBack(t *testing.T) {
	s, sink := &server{version: "2.42.4.1"}, sourcetest.New()
	for n := range 300 {
		s.events = append(s.events, event0(n, fmt.Sprintf("2026-03-01T1%d:%02d:00.000", n/60, n%60)))
	}
	p := newPull(s, sink, 10)
	if err := p.once(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := place(t, sink, p)
	for range 5 {
		p.source.c.Lists = &broken{server: s}
		if err := p.once(t.Context()); !errors.Is(err, errTooMany) {
			t.Fatal(err)
		}
	}
	if got := place(t, sink, p); got != before {
		t.Errorf("it goes on at %s, and was at %s", got, before)
	}
}

var errTooMany = errors.New("429")

// broken answers for one page, and then no more.
type broken struct {
	*server
	pages int
}

func (b *broken) Get(ctx context.Context, name, path string, q url.Values) (json.RawMessage, error) {
	if path != "system/info" {
		if b.pages++; b.pages > 1 {
			return nil, errTooMany
		}
	}
	return b.server.Get(ctx, name, path, q)
}

// TestAWrongClockHidesNothing reads what changes now though something says that it was changed years ahead.
func TestAWrongClockHidesNothing(t *testing.T) {
	s, sink := &server{version: "2.42.4.1", date: "2026-03-01T10:00:00.000"}, sourcetest.New()
	s.events = []map[string]any{event0(1, "2026-03-01T09:00:00.000"), event0(2, "2036-01-01T00:00:00.000")}
	p := newPull(s, sink, 10)
	if err := p.once(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.events = append(s.events, event0(3, "2026-03-01T12:00:00.000"))
	s.date = "2026-03-04T10:00:00.000" // days later
	if err := p.once(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := came(sink); !slices.Contains(got, "3@2026-03-01T12:00:00.000") {
		t.Errorf("only %v came", got)
	}
}

// endless answers each page with the same full list, whatever the address says.
type endless struct {
	*server
	asked int
}

func (e *endless) Get(ctx context.Context, name, path string, q url.Values) (json.RawMessage, error) {
	if path == "system/info" {
		return e.server.Get(ctx, name, path, q)
	}
	if e.asked++; e.asked > 30 {
		return nil, errTooMany
	}
	text := `{"event": "e0", "updatedAt": "2026-03-01T10:00:00.000"}`
	return json.RawMessage(`{"events": [` + strings.Repeat(text+",", mostOfOneTime) + text + `]}`), nil
}

func TestPagesThatDoNotEnd(t *testing.T) {
	s, sink := &endless{server: &server{version: "2.42.4.1"}}, sourcetest.New()
	p := newPull(s.server, sink, 10_000)
	p.source.c.Lists = s
	if err := p.once(t.Context()); err == nil || errors.Is(err, errTooMany) {
		t.Errorf("%v, after %d pages", err, s.asked)
	}
}

// values is a server with data values, as it answers: those changed from a time on.
type values struct {
	date string // its clock
	list []map[string]any
}

func (v *values) Get(_ context.Context, _, path string, q url.Values) (json.RawMessage, error) {
	if path == "system/info" {
		return json.Marshal(map[string]any{"version": "2.42.4.1", "serverDate": v.date})
	}
	list := []map[string]any{}
	for _, one := range v.list {
		if one["lastUpdated"].(string) >= q.Get("lastUpdated") {
			list = append(list, one)
		}
	}
	return json.Marshal(map[string]any{"dataValues": list})
}

// sets knows a data set and an org unit, too.
type sets struct{ names }

func (sets) Find(_, ref, _ string) (*sources.Thing, []string) {
	return &sources.Thing{ID: "object00001", Name: ref}, nil
}

// TestAWrongClockHidesNoDataValue reads what changes now though a clock was years ahead, or was put back years.
func TestAWrongClockHidesNoDataValue(t *testing.T) {
	value := func(period, changed string) map[string]any {
		return map[string]any{"dataElement": "element0001", "period": period, "orgUnit": "object00001", "value": "1",
			"lastUpdated": changed}
	}
	for name, clock := range map[string]struct{ before, date, after, later string }{
		"ahead": {"2036-01-01T00:00:00.000+0000", "2026-03-01T10:00:00.000", "2026-03-04T12:00:00.000+0000",
			"2026-03-06T10:00:00.000"},
		"back": {"2026-03-01T09:00:00.000+0000", "2026-03-01T10:00:00.000", "2015-01-01T12:00:00.000+0000",
			"2015-01-01T13:00:00.000"},
	} {
		s, sink := &values{date: clock.date, list: []map[string]any{value("202601", clock.before)}}, sourcetest.New()
		p := newPull(&server{}, sink, 10)
		p.source.c.Lists, p.source.c.Catalog = s, func(string) sources.Catalog { return sets{} }
		p.rule.Read, p.rule.DataSet, p.rule.OrgUnit = readValues, "Monthly", "Country"
		if err := p.once(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.list, s.date = append(s.list, value("202602", clock.after)), clock.later
		if err := p.once(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(sink.Records(), func(r sources.Record) bool {
			return r.Body.(map[string]any)["period"] == "202602"
		}) {
			t.Errorf("%s: what changed now did not come", name)
		}
	}
}
