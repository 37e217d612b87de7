package sandbox

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// FuzzImport sends any body to what takes bodies, as several versions do.
func FuzzImport(f *testing.F) {
	for _, b := range []any{full(1), m{"events": l(malariaCase(1))},
		m{"relationships": l(m{"relationship": "x", "from": m{"event": "y"}})},
		m{"dataSet": "FSh2AafV4XC", "dataValues": l(m{"dataElement": "hDcgGqsTAYb", "value": 3})},
		m{"completeDataSetRegistrations": l(m{"dataSet": "x"})}} {
		f.Add(flat(b), "importStrategy=CREATE")
	}
	f.Add(`{"trackedEntities":[null,{"attributes":[null],"enrollments":[{"events":[{"notes":[null],`+
		`"dataValues":[{}]}]}]}],"events":[{"geometry":{"type":"Point"}}]}`, "atomicMode=OBJECT")
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
			for _, path := range []string{"/api/tracker", "/api/dataValueSets", "/api/completeDataSetRegistrations",
				"/api/dataValues"} {
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
	for _, q := range []string{"fields=*&filter=code:eq:x",
		"program=" + anc + "&orgUnitMode=ALL&filter=" + firstName + ":like:a",
		"order=occurredAt:desc&pageSize=1&totalPages=true",
		"trackedEntity=tPer0000001&occurredAfter=x", "orgUnit=a,b&ouMode=SELECTED&status=X",
		"dataSet=FSh2AafV4XC&period=202605&orgUnit=" + hospital} {
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
			for _, path := range []string{"/api/programs", "/api/programs/" + anc, "/api/tracker/trackedEntities",
				"/api/tracker/enrollments", "/api/tracker/events", "/api/tracker/relationships",
				"/api/tracker/trackedEntities/tPer0000001", "/api/dataValueSets", "/api/dataValues",
				"/api/completeDataSetRegistrations"} {
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
