package commcare

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/lookups"
	"github.com/culvert/culvert/lookups/lookupstest"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/sources"
)

// hq is a look-alike of CommCare HQ's APIs of cases, forms, lookup tables and locations.
type hq struct {
	*httptest.Server
	mu     sync.Mutex
	old    bool // goes by the last of several values of a parameter
	status int  // answered to everything; 0: it is well
	asked  []string
	now    time.Time
}

func newHQ(t *testing.T) *hq {
	h := &hq{now: time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /a/demo/api/case/v2/{$}", h.list)
	mux.HandleFunc("POST /a/demo/api/case/v2/bulk-fetch/{$}", h.bulk)
	mux.HandleFunc("GET /a/demo/api/v0.5/form/{$}", h.forms)
	mux.HandleFunc("GET /a/demo/api/v0.5/form/{id}/{$}", h.form)
	mux.HandleFunc("GET /a/demo/api/v0.5/fixture/{$}", h.table)
	mux.HandleFunc("GET /a/demo/api/v0.5/location/{$}", h.locations)
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.asked = append(h.asked, r.Method+" "+strings.TrimPrefix(r.URL.Path, "/a/demo/api/"))
		switch {
		case h.status == http.StatusOK:
			_, _ = fmt.Fprint(w, "<html>log in</html>")
		case h.status != 0:
			w.Header().Set("Retry-After", "9")
			w.WriteHeader(h.status)
		case r.Header.Get("Authorization") != "ApiKey u:k":
			w.WriteHeader(http.StatusUnauthorized)
		default:
			mux.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hq) requests() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	asked := h.asked
	h.asked = nil
	return asked
}

// one is the n-th of 300 mothers; every third is closed, and two have the same external id.
func one(n int) map[string]any {
	external := "E" + strconv.Itoa(n)
	if n == 7 {
		external = "E6"
	}
	return map[string]any{"domain": "demo", "case_id": fmt.Sprintf("c%d", n), "case_type": "mother",
		"case_name": fmt.Sprintf("Mother %d", n), "external_id": external, "owner_id": "o1", "closed": n%3 == 0,
		"indexed_on": "2026-11-01T10:00:00.000000Z", "last_modified": "2026-11-01T10:00:00.000000Z",
		"properties": map[string]any{"national_id": fmt.Sprintf("N%d", n), "village": "V" + strconv.Itoa(n%2)},
		"indices":    map[string]any{"parent": map[string]any{"case_id": "h1", "case_type": "household"}}}
}

func reply(w http.ResponseWriter, v any) { _ = json.NewEncoder(w).Encode(v) }

func (h *hq) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	limit, _ := strconv.Atoi(q.Get("limit"))
	found := []any{}
	for n := range 300 {
		c := one(n)
		fits := true
		for name, wanted := range q {
			if h.old {
				wanted = wanted[len(wanted)-1:]
			}
			var value string
			switch property, ok := strings.CutPrefix(name, "properties."); {
			case name == "limit":
				continue
			case ok:
				value, _ = c["properties"].(map[string]any)[property].(string)
			case name == "indices.parent":
				value = "h1"
			case name == "closed":
				value = fmt.Sprint(c["closed"])
			default:
				value, _ = c[name].(string)
			}
			if slices.Contains(wanted, "bad value") {
				w.WriteHeader(http.StatusBadRequest)
				reply(w, map[string]any{"error": "no such value"})
				return
			}
			fits = fits && slices.Contains(wanted, value)
		}
		if fits && len(found) < limit {
			found = append(found, c)
		}
	}
	reply(w, map[string]any{"matching_records": len(found), "cases": found})
}

func (h *hq) bulk(w http.ResponseWriter, r *http.Request) {
	var wanted struct {
		Cases []string `json:"case_id"`
	}
	_ = json.NewDecoder(r.Body).Decode(&wanted)
	var found []any
	for _, id := range wanted.Cases {
		n, err := strconv.Atoi(strings.TrimPrefix(id, "c"))
		if err != nil || n >= 300 {
			found = append(found, map[string]any{"case_id": id, "error": "not found"})
		} else {
			found = append(found, one(n))
		}
	}
	reply(w, map[string]any{"matching_records": 1, "missing_records": 0, "cases": found})
}

func form(id string, n int) map[string]any {
	return map[string]any{"id": id, "app_id": "a1", "received_on": fmt.Sprintf("2026-11-0%dT10:00:00Z", n),
		"form": map[string]any{"@xmlns": fmt.Sprintf("x%d", n%2), "muac": strconv.Itoa(100 + n)}}
}

func (h *hq) forms(w http.ResponseWriter, r *http.Request) {
	list := []any{}
	if r.URL.Query().Get("case_id") == "c1" {
		list = []any{form("f1", 1), form("f2", 2), form("f3", 3)}
	}
	reply(w, map[string]any{"meta": map[string]any{"next": nil}, "objects": list})
}

func (h *hq) form(w http.ResponseWriter, r *http.Request) {
	if id := r.PathValue("id"); id == "f1" {
		reply(w, form(id, 1))
		return
	}
	w.WriteHeader(http.StatusNotFound)
}

func (h *hq) table(w http.ResponseWriter, r *http.Request) {
	list := []any{}
	if tag := r.URL.Query().Get("fixture_type"); tag == "clinics" {
		for n := range 3 {
			list = append(list, map[string]any{"id": fmt.Sprint("i", n), "fixture_type": tag, "fields": map[string]any{
				"code": fmt.Sprint("K", n), "dhis_id": fmt.Sprint("uid", n),
				"name": map[string]any{"field_list": []any{map[string]any{"field_value": "Coral", "properties": map[string]any{
					"lang": "en"}}}}}})
		}
	}
	reply(w, map[string]any{"meta": map[string]any{"next": nil, "limit": 0}, "objects": list})
}

func (h *hq) locations(w http.ResponseWriter, _ *http.Request) {
	reply(w, map[string]any{"meta": map[string]any{"next": nil}, "objects": []any{map[string]any{"location_id": "l1",
		"site_code": "coral", "name": "Coral", "location_data": map[string]any{"dhis_id": "uidCoral"}}}})
}

func (h *hq) desk(t *testing.T) *lookups.Desk {
	d := lookups.NewDesk([]lookups.Kind{Kind{}}, lookups.Env{
		Now: func() time.Time { h.mu.Lock(); defer h.mu.Unlock(); return h.now },
		Connection: lookupstest.Connections(sources.Connection{Name: "hq", URL: h.URL + "/a/other/dashboard", Domain: "demo",
			Username: "u", APIKey: "k"})})
	t.Cleanup(d.Close)
	return d
}

func compile(t *testing.T, lookup string) lookups.Asked {
	t.Helper()
	asked, findings := lookupstest.Compile(t, Kind{}, lookup+", connection: hq")
	if findings != "" {
		t.Fatalf("%s: %s", lookup, findings)
	}
	return asked
}

// short names what was found by what it is in HQ, or says why not.
func short(found []any) string {
	var parts []string
	for _, f := range found {
		switch f := f.(type) {
		case actions.Outcome:
			parts = append(parts, fmt.Sprintf("%s %v", f.Code, f.RetryAfter))
		case []any:
			var names []string
			for _, item := range f {
				o := item.(map[string]any)
				for _, key := range []string{"case_id", "dhis_id", "id"} {
					if name, ok := o[key].(string); ok {
						names = append(names, name)
						break
					}
				}
			}
			parts = append(parts, strings.Join(names, "+"))
		}
	}
	return strings.Join(parts, " ")
}

// TestCasesById asks for all of a batch in one request.
func TestCasesById(t *testing.T) {
	t.Parallel()
	h := newHQ(t)
	asked := compile(t, "in: commcare.cases, where: {case_id: trigger.c}, case_type: mother")
	var ids [][]string
	for n := range 500 {
		ids = append(ids, []string{fmt.Sprint("c", n)})
	}
	got := lookupstest.Ask(t, h.desk(t), asked, []string{"case_id"}, ids...)
	if short(got[:2]) != "c0 c1" || short(got[298:302]) != "c298 c299  " {
		t.Errorf("%s", short(got))
	}
	if r := h.requests(); len(r) != 1 {
		t.Errorf("%d requests: %v", len(r), r)
	}
	c := got[5].([]any)[0].(map[string]any)
	if c["properties"].(map[string]any)["case_name"] != "Mother 5" {
		t.Errorf("a case is not of the shape of forwarded ones: %v", c)
	}
}

// TestCasesByProperty asks for many values in one request, or one by one where HQ is too old for that.
func TestCasesByProperty(t *testing.T) {
	t.Parallel()
	for _, old := range []bool{false, true} {
		h := newHQ(t)
		h.old = old
		d := h.desk(t)
		asked := compile(t, "in: commcare.cases, where: {national_id: trigger.c, village: trigger.v}, closed: false")
		var wanted [][]string
		for n := range 40 {
			wanted = append(wanted, []string{fmt.Sprint("N", n), "V1"})
		}
		fields := []string{"national_id", "village"}
		got := lookupstest.Ask(t, d, asked, fields, wanted...)
		if short(got[:8]) != " c1    c5  c7" {
			t.Errorf("old %t: %q", old, short(got[:8]))
		}
		if r := h.requests(); old && len(r) != 42 || !old && len(r) != 3 {
			t.Errorf("old %t: %d requests: %v", old, len(r), r)
		}
		got = lookupstest.Ask(t, d, asked, fields, []string{"N1", "V1"}, []string{"bad value", "V1"}, []string{"N5", "V1"})
		if short(got) != "c1 lookup-refused 0s c5" {
			t.Errorf("old %t: %q", old, short(got))
		}
	}
}

// TestCasesAlike gives all cases with an external id: which one is meant is for the rule to say.
func TestCasesAlike(t *testing.T) {
	t.Parallel()
	h := newHQ(t)
	asked := compile(t, "in: commcare.cases, where: {external_id: trigger.c}")
	if got := short(lookupstest.Ask(t, h.desk(t), asked, []string{"external_id"}, []string{"E6"}, []string{"E9"})); got !=
		"c6+c7 c9" {
		t.Errorf("%q", got)
	}
	children := compile(t, "in: commcare.cases, where: {indices.parent: trigger.h, village: trigger.v}, take: all")
	got := lookupstest.Ask(t, h.desk(t), children, []string{"indices.parent", "village"}, []string{"h1", "V0"})
	if n := len(got[0].([]any)); n != 150 {
		t.Errorf("%d children", n)
	}
}

// TestForms finds forms by their id, or those of a case.
func TestForms(t *testing.T) {
	t.Parallel()
	h := newHQ(t)
	for lookup, want := range map[string]string{
		"where: {case_id: trigger.c}, take: last":             "f3 ",
		"where: {case_id: trigger.c}, take: first":            "f1 ",
		"where: {case_id: trigger.c}, take: all, xmlns: x1":   "f1+f3 ",
		"where: {case_id: trigger.c}, take: last, app_id: a2": " ",
	} {
		asked := compile(t, "in: commcare.forms, "+lookup)
		if got := short(lookupstest.Ask(t, h.desk(t), asked, []string{"case_id"}, []string{"c1"}, []string{"c2"})); got != want {
			t.Errorf("%s: %q, want %q", lookup, got, want)
		}
	}
	asked := compile(t, "in: commcare.forms, where: {id: trigger.c}")
	if got := short(lookupstest.Ask(t, h.desk(t), asked, []string{"id"}, []string{"f1"}, []string{"a/b"})); got != "f1 " {
		t.Errorf("%q", got)
	}
}

// TestTables reads lookup tables and locations whole, once as long as they may be kept.
func TestTables(t *testing.T) {
	t.Parallel()
	h := newHQ(t)
	d := h.desk(t)
	table := compile(t, "in: commcare.lookup_tables, lookup_table: clinics, where: {code: trigger.c, name: trigger.n}, cache: 1h")
	places := compile(t, "in: commcare.locations, where: {site_code: trigger.c}, cache: 1h")
	for range 2 {
		got := lookupstest.Ask(t, d, table, []string{"code", "name"}, []string{"K1", "Coral"}, []string{"K1", "other"})
		if short(got) != "uid1 " {
			t.Errorf("%q", short(got))
		}
		if got := lookupstest.Ask(t, d, places, []string{"site_code"}, []string{"coral"}); short(got) != "uidCoral" {
			t.Errorf("%q", short(got))
		}
	}
	if r := h.requests(); len(r) != 2 {
		t.Errorf("%v", r)
	}
	// A list is kept for ten minutes where the rule does not say how long.
	kept := compile(t, "in: commcare.lookup_tables, lookup_table: clinics, where: {code: trigger.c, dhis_id: trigger.n}")
	if long, each := kept.Cache(); long != 10*time.Minute || each {
		t.Error(long, each)
	}
	none := compile(t, "in: commcare.lookup_tables, lookup_table: clinicz, where: {code: trigger.c}")
	if got := short(lookupstest.Ask(t, d, none, []string{"code"}, []string{"K1"})); got != "lookup-refused 0s" {
		t.Errorf("a table that is not there: %q", got)
	}
}

// TestEndlessPages ends a lookup whose pages come and come, each in time.
func TestEndlessPages(t *testing.T) {
	t.Parallel()
	for _, lookup := range []string{"in: commcare.lookup_tables, lookup_table: clinics, where: {code: trigger.c}",
		"in: commcare.cases, where: {national_id: trigger.c}"} {
		var n atomic.Int64
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if n.Add(1) > 3 {
				<-r.Context().Done() // as slow as its limit allows
				return
			}
			next := fmt.Sprintf("http://%s%s?page=%d", r.Host, r.URL.Path, n.Load())
			reply(w, map[string]any{"meta": map[string]any{"next": next}, "next": next, "cases": []any{}, "objects": []any{}})
		}))
		t.Cleanup(server.Close)
		f := Kind{}.New(lookups.Env{Now: time.Now, Connection: lookupstest.Connections(sources.Connection{Name: "hq",
			URL: server.URL + "/a/demo/", Domain: "demo", Username: "u", APIKey: "k"})}).(*finder)
		f.longest = 300 * time.Millisecond
		t.Cleanup(f.Close)
		answers, err := f.Find(t.Context(), compile(t, lookup), []rules.Question{{Fields: []string{"code"}, Values: []string{"K1"}}})
		if len(answers) > 0 {
			err = answers[0].Err
		}
		if err == nil || !strings.Contains(err.Error(), "no end of pages") {
			t.Errorf("%s: %v after %d pages", lookup, err, n.Load())
		}
	}
}

// TestAway lets records wait as long as CommCare HQ asks, and takes no page to log in for an answer.
func TestAway(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{
		http.StatusTooManyRequests: "lookup-away 9s", http.StatusServiceUnavailable: "lookup-away 9s",
		http.StatusUnauthorized: "lookup-refused 9s", http.StatusOK: "lookup-refused 0s",
	} {
		h := newHQ(t)
		h.status = status
		asked := compile(t, "in: commcare.cases, where: {case_id: trigger.c}")
		d := h.desk(t)
		if got := short(lookupstest.Ask(t, d, asked, []string{"case_id"}, []string{"c1"})); got != want {
			t.Errorf("%d: %q, want %q", status, got, want)
		}
		lookupstest.Ask(t, d, asked, []string{"case_id"}, []string{"c1"})
		if r := h.requests(); status == http.StatusTooManyRequests && len(r) != 1 {
			t.Errorf("%d: it is asked again at once: %v", status, r)
		}
	}
}

// TestMistakes are found before anybody is asked.
func TestMistakes(t *testing.T) {
	t.Parallel()
	for lookup, code := range map[string]string{
		"in: commcare.cases, where: {case_id: trigger.c}":                                      "missing-key",
		"in: commcare.cases, connection: hq":                                                   "lookup-where",
		"in: commcare.cases, connection: hq, where: {properties.edd: trigger.c}":               "bad-property",
		"in: commcare.forms, connection: hq, where: {name: trigger.c}":                         "unknown-lookup-field",
		"in: commcare.lookup_tables, connection: hq, where: {code: trigger.c}":                 "missing-key",
		"in: commcare.locations, connection: hq, where: {code: trigger.c}, case_type: mother":  "unknown-key",
		"in: commcare.forms, connection: hq, where: {id: trigger.c}, take: newest":             "not-allowed",
		"in: commcare.cases, connection: hq, where: {case_id: trigger.c}, cache: for ever":     "duration",
		"in: commcare.lookup_tables, connection: hq, where: {code: trigger.c}, lookup_table: ": "wrong-shape",
	} {
		if _, findings := lookupstest.Compile(t, Kind{}, lookup); !strings.Contains(findings, "["+code+"]") {
			t.Errorf("%s: want %s, got %s", lookup, code, findings)
		}
	}
}
