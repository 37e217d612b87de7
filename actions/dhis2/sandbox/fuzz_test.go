package sandbox

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzJSON(f *testing.F) {
	for _, s := range []string{"{}", `{"a":[1,-2.5e3,"x\u00e9\n",true,false,null]}`, "[", `"\ud83d\ude00"`, "01", " 1 ", `{"a":1,"a":2}`, "nul", `{"a"}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		root, err := parseJSON([]byte(text))
		if !utf8.ValidString(text) || strings.TrimSpace(text) == "" {
			return // encoding/json fixes what is no UTF-8; an empty body is a matter of its own
		}
		if depth(text) > 200 {
			return
		}
		if json.Valid([]byte(text)) && err != nil {
			t.Errorf("%q is JSON: %v", text, err)
		}
		if err == nil && strings.IndexByte("{[", strings.TrimLeft(text, " \t\r\n")[0]) >= 0 {
			var v any // what follows the first value is not looked at, as Jackson does not
			if err := json.NewDecoder(strings.NewReader(text)).Decode(&v); err != nil {
				t.Errorf("%q was taken, but %v", text, err)
			}
		}
		if err == nil && root == nil {
			t.Errorf("%q: neither a value nor an error", text)
		}
	})
}

func depth(text string) int { return strings.Count(text, "[") + strings.Count(text, "{") }

func FuzzFields(f *testing.F) {
	for _, s := range []string{"*", "id,name[a,b[c]],!d", ":all,!x", "a~rename(b)~size", "a::size", "a.b.c", "a[b", "]", "a~paging(1;2)", "a|size", "a[*,!b]", "!a[b]"} {
		f.Add(s)
	}
	o := object{"id": "x", "a": []any{object{"id": "y", "b": 1}}, "b": object{"id": "z"}}
	f.Fuzz(func(t *testing.T, text string) {
		set, err := parseFields([]string{text})
		if err == nil {
			project(o, set, plainSource{})
		}
	})
}

func FuzzFilter(f *testing.F) {
	for _, s := range []string{"code:eq:x", "a.b:in:[1,2]", "a:!null", "a:notIn:[x]", ":", "a:like", "a:$ilike:x", "b:gt:1"} {
		f.Add(s)
	}
	o := object{"code": "x", "a": []any{object{"b": 1}}, "b": json.Number("2")}
	f.Fuzz(func(t *testing.T, text string) {
		for _, m := range []manners{40, 42} {
			if c, p := parseFilter(m, text); p == nil {
				c.matches(o, plainSource{})
			}
		}
	})
}

func FuzzPeriod(f *testing.F) {
	for _, s := range []string{"2024", "202401", "2024-01", "2024W5", "2024WedW5", "2024BiW3", "202401B", "2024Q1", "2024NovQ1", "2024S1", "2024AprilS1", "2024April", "20240131", "2024-02-30"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, ok := parsePeriod(text)
		if !ok {
			return
		}
		if p.end.Before(p.start) || p.iso == "" {
			t.Errorf("%q became %+v", text, p)
		}
		if again, ok := parsePeriod(p.iso); !ok || again.iso != p.iso || !again.start.Equal(p.start) {
			t.Errorf("%q became %q, which becomes %+v %v", text, p.iso, again, ok)
		}
	})
}

// FuzzImport sends any body to what takes bodies, in the manners of three versions.
func FuzzImport(f *testing.F) {
	for _, b := range []any{full(1), m{"events": l(malariaCase(1))}, m{"relationships": l(m{"relationship": "x", "from": m{"event": "y"}})},
		m{"dataSet": "FSh2AafV4XC", "dataValues": l(m{"dataElement": "hDcgGqsTAYb", "value": 3})}, m{"completeDataSetRegistrations": l(m{"dataSet": "x"})}} {
		f.Add(flat(b), "importStrategy=CREATE")
	}
	f.Add(`{"trackedEntities":[null,{"attributes":[null],"enrollments":[{"events":[{"notes":[null],"dataValues":[{}]}]}]}],"events":[{"geometry":{"type":"Point"}}]}`, "atomicMode=OBJECT")
	f.Add(`{"trackedEntities":[{"trackedEntity":"tPer0000001"}]}`, "importStrategy=DELETE&idScheme=CODE")
	var servers []*Server
	for _, v := range testedVersions {
		s, err := New(Options{Metadata: "testdata/tamala.json", More: []string{"testdata/rules.json"}, Version: v})
		if err != nil {
			f.Fatal(err)
		}
		servers = append(servers, s)
	}
	f.Fuzz(func(t *testing.T, body, query string) {
		for _, s := range servers {
			for _, path := range []string{"/api/tracker", "/api/dataValueSets", "/api/completeDataSetRegistrations", "/api/dataValues"} {
				r := httptest.NewRequest("POST", path, strings.NewReader(body))
				r.URL.RawQuery = "async=false&" + query
				if strings.Contains(query, "async=true") {
					return
				}
				r.SetBasicAuth("admin", "district")
				r.Header.Set("Content-Type", "application/json")
				w := httptest.NewRecorder()
				s.ServeHTTP(w, r)
				if w.Code == http.StatusOK && !json.Valid(w.Body.Bytes()) {
					t.Errorf("%s answers %q", path, w.Body)
				}
			}
		}
	})
}

// FuzzRead asks anything of every collection.
func FuzzRead(f *testing.F) {
	for _, q := range []string{"fields=*&filter=code:eq:x", "program=" + anc + "&orgUnitMode=ALL&filter=" + firstName + ":like:a", "order=occurredAt:desc&pageSize=1&totalPages=true",
		"trackedEntity=tPer0000001&occurredAfter=x", "orgUnit=a,b&ouMode=SELECTED&status=X", "dataSet=FSh2AafV4XC&period=202605&orgUnit=" + hospital} {
		f.Add(q)
	}
	var servers []*Server
	for _, v := range testedVersions {
		s, err := New(Options{Metadata: "testdata/tamala.json", More: []string{"testdata/rules.json"}, Version: v})
		if err != nil {
			f.Fatal(err)
		}
		r := httptest.NewRequest("POST", "/api/tracker?async=false", strings.NewReader(flat(full(1))))
		r.SetBasicAuth("admin", "district")
		r.Header.Set("Content-Type", "application/json")
		s.ServeHTTP(httptest.NewRecorder(), r)
		if s.Counts().Events != 1 {
			f.Fatal("the data to read was not taken")
		}
		servers = append(servers, s)
	}
	f.Fuzz(func(t *testing.T, query string) {
		for _, s := range servers {
			for _, path := range []string{"/api/programs", "/api/programs/" + anc, "/api/tracker/trackedEntities", "/api/tracker/enrollments", "/api/tracker/events", "/api/tracker/relationships",
				"/api/tracker/trackedEntities/tPer0000001", "/api/dataValueSets", "/api/dataValues", "/api/completeDataSetRegistrations"} {
				r := httptest.NewRequest("GET", path, nil)
				r.URL.RawQuery = query
				r.SetBasicAuth("admin", "district")
				w := httptest.NewRecorder()
				s.ServeHTTP(w, r)
				if w.Code == http.StatusOK && !json.Valid(w.Body.Bytes()) {
					t.Errorf("%s answers %q", path, w.Body)
				}
			}
		}
	})
}
