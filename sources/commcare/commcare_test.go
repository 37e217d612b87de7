package commcare

import (
	"github.com/culvert/culvert/sources/sourcetest"

	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
	"github.com/culvert/culvert/sources/httpget"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func trigger(t *testing.T, text string) *rules.Trigger {
	t.Helper()
	var list diag.List
	doc := yamlnode.Parse("rules/a.yaml", []byte(text), &list)
	if doc == nil || list.HasErrors() {
		t.Fatal(list)
	}
	return &rules.Trigger{Kind: "commcare", Config: doc.Root, Place: diag.Place{File: "rules/a.yaml"}}
}

func TestCheck(t *testing.T) {
	for text, want := range map[string][]string{
		"{connection: hq, forms: {}}": nil,
		"{connection: hq, forms: {xmlns: [a, b], app_id: x, archived: true}, since: 2026-01-01, until: " +
			"'2026-02-01T00:00:00Z', every: 5m, batch: 1000}": nil,
		"{connection: hq, cases: {type: pregnancy, owner: o, closed: false}, batch: 5000}": nil,
		"{connection: hq}": {"0:0 missing-key: commcare needs forms or cases"},
		"{forms: {}}":      {"0:0 missing-key: commcare needs connection"},
		"{connection: hq, forms: {}, cases: {}}": {"1:29 two-feeds: the trigger pulls forms " +
			"and cases"},
		"{connection: hq, forms: {type: a}}": {`1:26 unknown-key: commcare.forms has no "type"`},
		"{connection: hq, forms: {}, batch: 5000}": {"1:36 wrong-type: batch is a whole number " +
			"from 1 to 1000"},
		"{connection: hq, forms: {}, since: yesterday}": {`1:36 since: since "yesterday" is no day`},
		"{connection: hq, forms: {}, since: " +
			"2026-01-02, until: 2026-01-01}": {"1:55 until: until is not after since"},
		"{connection: hq, forms: {}, every: 1s}":   {`1:36 duration: every "1s" is no length of time from 10s to 31d`},
		"{connection: hq, cases: {closed: maybe}}": {`1:34 wrong-type: closed is true or false, not "maybe"`},
		"hq": {"0:0 wrong-type: the commcare trigger is a mapping of keys"},
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

func newSink() *sourcetest.Sink { return sourcetest.New() }

// idsOf gives the ids of new records since the last call.
func idsOf(s *sourcetest.Sink) []string {
	var out []string
	for _, b := range s.Bodies() {
		body := b.(map[string]any)
		id, ok := body["id"].(string)
		if !ok {
			id = body["case_id"].(string)
		}
		out = append(out, id)
	}
	return out
}

func pullOf(h *hq, to *sourcetest.Sink, text string, t *testing.T) *pull {
	t.Helper()
	rule := ruleOf("anc", trigger(t, text))
	source := New(Config{Rules: []Rule{rule}, Connect: func(string) (Connection, error) { return h.connection(), nil },
		Log: slog.New(slog.DiscardHandler)})
	return &pull{Source: source, stream: stream{rule: rule, only: streamsOf(rule)[0]}, sink: to,
		log: slog.New(slog.DiscardHandler)}
}

func TestFormsAreKeptInPlace(t *testing.T) {
	h, to := newHQ(t), newSink()
	var want []string
	for i := range 25 {
		second := i
		if i >= 5 && i < 15 {
			second = 5 // ten forms of one time, more than a page
		}
		h.addForm(formID(i), "x", second)
		want = append(want, formID(i))
	}
	h.addForm("other", "y", 3)
	p := pullOf(h, to, "{connection: hq, forms: {xmlns: x}, batch: 4, since: 2026-01-01}", t)
	if err := p.once(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, idsOf(to)); diff != "" || to.Again() != 0 {
		t.Error(to.Again(), diff)
	}
	if first := h.asked()[0]; first != "/a/demo/api/v0.5/form/?indexed_on_start=2026-01-01T00%3A00%3A00.000000Z"+
		"&limit=4&order_by=indexed_on&xmlns=x" {
		t.Error(first)
	}
	h.addForm("late", "x", 20)    // indexed earlier, seen later
	h.addForm("newest", "x", 600) // ten minutes on
	if err := p.once(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"late", "newest"}, idsOf(to)); diff != "" {
		t.Error(diff)
	}
	before := to.Again()
	if err := p.once(t.Context()); err != nil {
		t.Fatal(err)
	}
	if again := to.Again() - before; again != 1 {
		t.Errorf("%d forms were pulled again, more than those of the overlap", again)
	}
}

func TestCrashResumesBehindTheLastPage(t *testing.T) {
	h, to := newHQ(t), newSink()
	for i := range 6 {
		h.addForm(formID(i), "x", 1000*i)
	}
	p := pullOf(h, to, "{connection: hq, forms: {}, batch: 2}", t)
	crash := errors.New("gone")
	to.Refuse = func(batch int) error {
		if batch == 3 {
			return crash
		}
		return nil
	}
	if err := p.once(t.Context()); !errors.Is(err, crash) {
		t.Fatal(err)
	}
	got := idsOf(to)
	if len(got) < 3 {
		t.Fatal(got)
	}
	h.asked()
	if err := p.once(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got = append(got, idsOf(to)...); len(got) != 6 {
		t.Error(got)
	}
	if first := h.asked()[0]; !strings.Contains(first, "indexed_on_start=2026-08-01T10%3A") {
		t.Errorf("the pull begins again with %s", first)
	}
}

func TestCasesLookAsForwarded(t *testing.T) {
	h, to := newHQ(t), newSink()
	for i := range 5 {
		h.addCase(fmt.Sprintf("case-%d", i), "pregnancy", i)
	}
	h.addCase("house", "household", 1)
	p := pullOf(h, to, "{connection: hq, cases: {type: pregnancy}, batch: 2}", t)
	if err := p.once(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"domain": "demo", "case_id": "case-0", "case_type": "pregnancy", "case_name": "Case case-0", "external_id": nil,
		"owner_id": "o1", "date_opened": moments(0),
		"last_modified": moments(0), "server_last_modified": moments(0), "date_modified": moments(0),
		"server_date_modified": moments(0), "indexed_on": moments(0),
		"closed": false, "date_closed": nil,
		"properties": map[string]any{"muac": "118", "case_name": "Case case-0", "case_type": "pregnancy", "external_id": nil,
			"owner_id": "o1", "date_opened": moments(0)},
		"indices": map[string]any{"parent": map[string]any{"case_id": "p1", "case_type": "household",
			"relationship": "child"}},
	}
	bodies := to.Bodies()
	if diff := cmp.Diff(want, bodies[0]); diff != "" {
		t.Error(diff)
	}
	var ids []string
	for _, b := range bodies {
		ids = append(ids, b.(map[string]any)["case_id"].(string))
	}
	if diff := cmp.Diff([]string{"case-0", "case-1", "case-2", "case-3", "case-4"}, ids); diff != "" {
		t.Error(diff)
	}
	if asked := h.asked(); len(asked) != 3 || !strings.Contains(asked[1], "cursor=2") {
		t.Error(asked)
	}
}

func TestBackfillEnds(t *testing.T) {
	h, to := newHQ(t), newSink()
	h.addForm("inside", "x", 0)
	h.addForm("outside", "x", 7200)
	p := pullOf(h, to, "{connection: hq, forms: {}, since: 2026-08-01, until: 2026-08-01T11:00:00Z}", t)
	for range 2 {
		if err := p.once(t.Context()); !errors.Is(err, errDone) {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"inside"}, idsOf(to)); diff != "" || len(h.asked()) != 1 {
		t.Error("an ended back-fill asks again", diff)
	}
	later := pullOf(h, to, "{connection: hq, forms: {}, since: 2026-07-31, until: 2026-08-01T11:00:00Z}", t)
	if err := later.once(t.Context()); !errors.Is(err, errDone) || to.Again() != 1 {
		t.Error("another since does not pull again", err)
	}
}

func TestPatienceAndRefusal(t *testing.T) {
	h, to := newHQ(t), newSink()
	h.addForm("a", "x", 0)
	h.busy = 2
	p := pullOf(h, to, "{connection: hq, forms: {}}", t)
	c, err := newClient(h.connection(), p.log)
	if err != nil {
		t.Fatal(err)
	}
	var waits []time.Duration
	c.get.Wait = func(_ context.Context, d time.Duration) bool {
		waits = append(waits, d)
		return true
	}
	got, err := c.page(t.Context(), p.stream, c.first(p.stream, time.Time{}, 0))
	if err != nil || len(got.items) != 1 || len(waits) != 2 || waits[0] < 7*time.Second {
		t.Errorf("%d forms after %s, %v", len(got.items), waits, err)
	}
	h.refused = true
	err = p.once(t.Context())
	var refused *httpget.Error
	if !errors.As(err, &refused) || refused.Status != 401 || strings.Contains(err.Error(), "s3cret") {
		t.Error(err)
	}
	h.refused, h.broken = false, true
	h.addForm("b", "x", 900)
	if err := pullOf(h, to, "{connection: hq, forms: {}, since: 2026-08-01T10:10:00Z}",
		t).once(t.Context()); err == nil || !strings.Contains(err.Error(), "order of indexing") {
		t.Error(err)
	}
}

func TestConnections(t *testing.T) {
	h, to := newHQ(t), newSink()
	h.addForm("a", "x", 0)
	for name, c := range map[string]Connection{
		"basic":           {URL: h.URL, Domain: "demo", Username: "chw@demo.org", Password: "s3cret"},
		"with /a":         {URL: h.URL + "/a/", Domain: "demo", Username: "chw@demo.org", APIKey: "s3cret"},
		"no space":        {URL: h.URL, Username: "u", APIKey: "s3cret"},
		"no login":        {URL: h.URL, Domain: "demo", APIKey: "s3cret"},
		"no address":      {URL: "commcarehq", Domain: "demo", Username: "u", APIKey: "s3cret"},
		"secrets in it":   {URL: "https://u:s3cret@hq.example", Domain: "demo", Username: "u", APIKey: "s3cret"},
		"not a CommCare":  {URL: h.URL, Domain: "elsewhere", Username: "chw@demo.org", APIKey: "s3cret"},
		"the wrong key":   {URL: h.URL, Domain: "demo", Username: "chw@demo.org", APIKey: "s3cret-old"},
		"the wrong login": {URL: h.URL, Domain: "demo", Username: "chw@demo.org", Password: "s3cret-old"},
	} {
		p := pullOf(h, to, "{connection: hq, forms: {}}", t)
		p.c.Connect = func(string) (Connection, error) { return c, nil }
		err := p.once(t.Context())
		if good := name == "basic" || name == "with /a"; good != (err == nil) || err != nil &&
			strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRunPullsEveryStream(t *testing.T) {
	h, to := newHQ(t), newSink()
	h.addForm("a", "x", 0)
	h.addForm("b", "y", 0)
	h.addForm("c", "z", 0)
	rule := ruleOf("anc", trigger(t, "{connection: hq, forms: {xmlns: [x, y]}}"))
	s := New(Config{Rules: []Rule{rule}, Connect: func(string) (Connection, error) { return h.connection(), nil },
		Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, to) }()
	<-to.Took
	<-to.Took
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := idsOf(to); len(got) != 2 || len(to.Cursors()) != 2 {
		t.Error(got, to.Cursors())
	}
}

func TestLocationsBecomeATable(t *testing.T) {
	h := newHQ(t)
	path := filepath.Join(t.TempDir(), "tables", "locations.csv")
	for _, fresh := range []bool{true, false} {
		n, changed, err := SyncLocations(t.Context(), h.connection(), path, slog.New(slog.DiscardHandler))
		if err != nil || n != 2 || changed != fresh {
			t.Fatal(n, changed, err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := "location_id,name,site_code,external_id,location_type,parent,latitude,longitude,beds,dhis_id\n" +
		"l1,Bo,bo,,district,,,,,\n" +
		"l2,\"'=Coral, Health Centre\",coral,1001,9,l1,-6.1700000000,,12,O6uvpzGd5pu\n"
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
	h.refused = true
	if _, _, err := SyncLocations(t.Context(), h.connection(), path, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a refusal passes")
	}
	if kept, err := os.ReadFile(path); err != nil || string(kept) != want {
		t.Error("a failed sync changes the table", err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Error(left, err)
	}
}

func TestSample(t *testing.T) {
	for text, want := range map[string]int{
		`{"id": "a", "form": {}}`: 1,
		`{"meta": {"total_count": 9}, "objects": [{"id": "a", "indexed_on": ` +
			`"2026-08-01T10:00:00.000000Z"}, {"id": "b", "indexed_on": "2026-08-01T10:00:00"}]}`: 2,
		`{"matching_records": 1, "cases": [{"case_id": "a", "indexed_on": "2026-08-01T10:00:00.000000Z"}]}`: 1,
	} {
		if got, err := (Kind{}).Sample(nil, "samples/a.json", []byte(text), 10); err != nil || len(got) != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

func FuzzReplies(f *testing.F) {
	f.Add(`{"meta": {"total_count": 1, "next": "?offset=1"}, "objects": [{"id": "a", "indexed_on": ` +
		`"2026-08-01T10:00:00.000000Z"}]}`)
	f.Add(`{"matching_records": 1, "cases": [{"case_id": "a", "indexed_on": "2026-08-01T10:00:00Z", "properties": ` +
		`null}], "next": "https://x"}`)
	f.Add(`{"meta": {}, "objects": [1]}`)
	f.Add(`{"meta": {}, "objects": [{"location_id": "a", "location_data": {"x": "=1"}}]}`)
	f.Add(`{"since":"2026","at":"2026-08-01T10:00:00Z"}`)
	h := &client{}
	f.Fuzz(func(t *testing.T, text string) {
		for i, decode := range []func([]byte) (page, error){decodeForms, decodeCases} {
			p, err := decode([]byte(text))
			if err != nil || p.check(time.Time{}) != nil {
				continue
			}
			s := stream{rule: Rule{Cases: i == 1, Batch: 1}}
			from := place{from: time.Unix(0, 0)}
			if s.rule.Cases {
				from.next = mustURL("https://hq.example/a/demo/api/case/v2/")
			}
			next, more, err := h.after(s, from, p)
			if err == nil && more && len(p.items) > 0 && next.from.Before(p.items[0].indexed) {
				t.Errorf("the next page begins before this one: %s", text)
			}
		}
		if locations, _, err := decodeLocations([]byte(text)); err == nil {
			if _, err := locationTable(locations); err != nil {
				t.Error(err)
			}
		}
		if s, err := decodeState(text, "2026"); err == nil && s.Since != "2026" {
			t.Errorf("a state for %q", s.Since)
		}
	})
}

// TestArchivedFormsAreDeletions tells what was archived by source.deleted.
func TestArchivedFormsAreDeletions(t *testing.T) {
	h, to := newHQ(t), newSink()
	h.addForm("kept", "x", 1)
	h.addForm("archived", "x", 2)
	h.forms[1]["archived"] = true
	if err := pullOf(h, to, "{connection: hq, forms: {archived: true}, since: 2026-01-01}", t).once(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got []bool
	for _, r := range to.Records() {
		got = append(got, r.Origin.Deleted)
	}
	if diff := cmp.Diff([]bool{false, true}, got); diff != "" {
		t.Error(diff)
	}
}
