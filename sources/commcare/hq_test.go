package commcare

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// hq is a look-alike of the lists of CommCare HQ.
type hq struct {
	*httptest.Server
	mu       sync.Mutex
	forms    []map[string]any
	cases    []map[string]any
	requests []string
	busy     int  // requests that are answered 429
	broken   bool // ignores what it is asked for
	refused  bool
}

func newHQ(t *testing.T) *hq {
	h := &hq{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /a/demo/api/v0.5/form/", h.formList)
	mux.HandleFunc("GET /a/demo/api/case/v2/", h.caseList)
	mux.HandleFunc("GET /a/demo/api/v0.5/location/", h.locationList)
	h.Server = httptest.NewServer(h.guard(mux))
	t.Cleanup(h.Close)
	return h
}

func (h *hq) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.requests = append(h.requests, r.URL.RequestURI())
		user, password, basic := r.BasicAuth()
		key := r.Header.Get("Authorization") == "ApiKey chw@demo.org:s3cret"
		switch {
		case h.refused || !key && !(basic && user == "chw@demo.org" && password == "s3cret"):
			w.WriteHeader(http.StatusUnauthorized)
		case h.busy > 0:
			h.busy--
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusTooManyRequests)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// among gives the items whose time of indexing lies in a span, in its order.
func among(items []map[string]any, from, to string) []map[string]any {
	var out []map[string]any
	for _, it := range items {
		at := it["indexed_on"].(string)
		if (from == "" || at >= from) && (to == "" || at < to) {
			out = append(out, it)
		}
	}
	slices.SortStableFunc(out, func(a, b map[string]any) int {
		return strings.Compare(a["indexed_on"].(string), b["indexed_on"].(string))
	})
	return out
}

func (h *hq) formList(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	limit, _ := strconv.Atoi(q.Get("limit"))
	offset, _ := strconv.Atoi(q.Get("offset"))
	start := q.Get("indexed_on_start")
	if h.broken {
		start = ""
	}
	all := among(h.forms, start, q.Get("indexed_on_end"))
	if x := q.Get("xmlns"); x != "" {
		all = slices.DeleteFunc(all, func(f map[string]any) bool { return f["form"].(map[string]any)["@xmlns"] != x })
	}
	page := all[min(offset, len(all)):min(offset+limit, len(all))]
	var next any
	if offset+limit < len(all) {
		next = "?" + r.URL.RawQuery + "&offset=" + strconv.Itoa(offset+limit)
	}
	reply(w, map[string]any{"meta": map[string]any{"limit": limit, "offset": offset, "next": next, "previous": nil,
		"total_count": len(all)}, "objects": page})
}

func (h *hq) caseList(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	limit, _ := strconv.Atoi(q.Get("limit"))
	skip, _ := strconv.Atoi(q.Get("cursor"))
	all := among(h.cases, q.Get("indexed_on.gte"), q.Get("indexed_on.lt"))
	if x := q.Get("case_type"); x != "" {
		all = slices.DeleteFunc(all, func(c map[string]any) bool { return c["case_type"] != x })
	}
	out := map[string]any{"matching_records": len(all), "cases": all[min(skip, len(all)):min(skip+limit, len(all))]}
	if skip+limit < len(all) {
		q.Set("cursor", strconv.Itoa(skip+limit))
		out["next"] = "http://" + r.Host + r.URL.Path + "?" + q.Encode()
	}
	reply(w, out)
}

func (h *hq) locationList(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("offset") == "" {
		reply(w, map[string]any{"meta": map[string]any{"next": "?limit=1000&offset=1000"}, "objects": []any{map[string]any{
			"location_id": "l2", "id": 17, "name": "=Coral, Health Centre", "site_code": "coral", "external_id": "1001",
			"latitude": "-6.1700000000", "longitude": nil,
			"location_type": "/a/demo/api/v0.5/location_type/9/", "parent": "/a/demo/api/v0.5/location/l1/",
			"location_data": map[string]any{"dhis_id": "O6uvpzGd5pu", "beds": 12.0},
		}}})
		return
	}
	reply(w, map[string]any{"meta": map[string]any{"next": nil}, "objects": []any{map[string]any{
		"location_id": "l1", "name": "Bo", "site_code": "bo", "location_type_code": "district", "parent_location_id": "",
		"location_data": map[string]any{},
	}}})
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func moments(second int) string {
	return time.Date(2026, 8, 1, 10, 0, second, 0, time.UTC).Format(stamp)
}

func (h *hq) addForm(id, xmlns string, second int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.forms = append(h.forms, map[string]any{
		"id": id, "domain": "demo", "app_id": "a1", "archived": false, "edited_on": nil, "received_on": moments(second),
		"indexed_on": moments(second),
		"form": map[string]any{"@name": "ANC visit", "@xmlns": xmlns, "muac": "118",
			"case": map[string]any{"@case_id": "c-" + id}, "meta": map[string]any{"instanceID": id}},
	})
}

func (h *hq) addCase(id, kind string, second int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cases = append(h.cases, map[string]any{
		"domain": "demo", "case_id": id, "case_type": kind, "case_name": "Case " + id, "external_id": nil, "owner_id": "o1",
		"date_opened":   moments(0),
		"last_modified": moments(second), "server_last_modified": moments(second), "indexed_on": moments(second),
		"closed": false, "date_closed": nil,
		"properties": map[string]any{"muac": "118"}, "indices": map[string]any{"parent": map[string]any{"case_id": "p1",
			"case_type": "household", "relationship": "child"}},
	})
}

func (h *hq) asked() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := h.requests
	h.requests = nil
	return out
}

func (h *hq) connection() Connection {
	return Connection{Name: "hq", URL: h.URL + "/a/demo/", Domain: "demo", Username: "chw@demo.org", APIKey: "s3cret"}
}

func formID(n int) string { return fmt.Sprintf("form-%02d", n) }

func mustURL(text string) *url.URL {
	u, err := url.Parse(text)
	if err != nil {
		panic(err)
	}
	return u
}
