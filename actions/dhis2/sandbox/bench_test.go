package sandbox

import (
	"net/http/httptest"
	"strings"
	"testing"
)

// BenchmarkImport sends requests of 100 simple objects each (events of an event program with two values) and counts objects a second.
func BenchmarkImport(b *testing.B) {
	s, err := New(Options{Metadata: "testdata/tamala.json"})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	const size = 100
	n := 0
	for b.Loop() {
		b.StopTimer()
		events := make([]any, size)
		for i := range events {
			n++
			events[i] = malariaCase(n)
		}
		r := httptest.NewRequest("POST", "/api/tracker?async=false", strings.NewReader(flat(m{"events": events})))
		r.SetBasicAuth("admin", "district")
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		b.StartTimer()
		s.ServeHTTP(w, r)
		if w.Code != 200 {
			b.Fatal(w.Body)
		}
	}
	b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "objects/s")
}

// BenchmarkImportPeople sends people with an enrollment and a visit each.
func BenchmarkImportPeople(b *testing.B) {
	s, err := New(Options{Metadata: "testdata/tamala.json"})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	const size = 50
	n := 0
	for b.Loop() {
		b.StopTimer()
		var people, enrollments, events []any
		for range size {
			n++
			people, enrollments, events = append(people, aPerson(n)), append(enrollments, enrolled(n)), append(events, visited(n))
		}
		r := httptest.NewRequest("POST", "/api/tracker?async=false", strings.NewReader(flat(m{"trackedEntities": people, "enrollments": enrollments, "events": events})))
		r.SetBasicAuth("admin", "district")
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		b.StartTimer()
		s.ServeHTTP(w, r)
		if w.Code != 200 {
			b.Fatal(w.Body)
		}
	}
	b.ReportMetric(float64(b.N*size*3)/b.Elapsed().Seconds(), "objects/s")
}

// BenchmarkValues sends requests of 100 data values.
func BenchmarkValues(b *testing.B) {
	s, err := New(Options{Metadata: "testdata/tamala.json"})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	var units []string
	for id := range s.catalog.dataSets["FSh2AafV4XC"].orgUnits {
		if id != closedOne {
			units = append(units, id)
		}
	}
	values := make([]any, 100)
	for i := range values {
		values[i] = m{"dataElement": "hDcgGqsTAYb", "period": []string{"202601", "202602"}[i/50], "orgUnit": units[i%50], "value": "3"}
	}
	body := flat(m{"dataSet": "FSh2AafV4XC", "dataValues": values})
	for b.Loop() {
		r := httptest.NewRequest("POST", "/api/dataValueSets", strings.NewReader(body))
		r.SetBasicAuth("admin", "district")
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != 200 {
			b.Fatal(w.Body)
		}
	}
	b.ReportMetric(float64(b.N*len(values))/b.Elapsed().Seconds(), "values/s")
}
