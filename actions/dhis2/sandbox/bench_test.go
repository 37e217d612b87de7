package sandbox

import (
	"net/http/httptest"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// BenchmarkImport sends requests of 100 simple objects each (events of an event program with two
// values) and counts objects a second.
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
			people, enrollments, events = append(people, aPerson(n)), append(enrollments, enrolled(n)),
				append(events, visited(n))
		}
		r := httptest.NewRequest("POST", "/api/tracker?async=false",
			strings.NewReader(flat(m{"trackedEntities": people, "enrollments": enrollments, "events": events})))
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
	for id := range s.env.Catalog.DataSets["FSh2AafV4XC"].OrgUnits {
		if id != closedOne {
			units = append(units, id)
		}
	}
	values := make([]any, 100)
	for i := range values {
		values[i] = m{"dataElement": "hDcgGqsTAYb", "period": []string{"202601", "202602"}[i/50], "orgUnit": units[i%50],
			"value": "3"}
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

// TestHundredThousandPeople holds people with six attributes, an enrollment and a visit each, and
// finds one of them by a unique attribute without looking at the others.
func TestHundredThousandPeople(t *testing.T) {
	people := 20_000 // a fifth of them by default: what is allowed is a fifth too
	if os.Getenv("CULVERT_SCALE") != "" {
		people = 100_000
	}
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s, err := New(Options{Metadata: "testdata/tamala.json"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const size = 500
	ask := func(method, address, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, address, strings.NewReader(body))
		r.SetBasicAuth("admin", "district")
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w
	}
	for n := 0; n < people; n += size {
		var list, enrollments, events []any
		for i := n; i < n+size; i++ {
			list = append(list, aPerson(i, m{"attributes": l(given(firstName, "Ama"), given(birth, "2000-02-29"),
				given(national, "N-"+strconv.Itoa(i)),
				given("ia1Xt23YTtD", "Mensah "+strconv.Itoa(i)), given("x3UwJpfw8Ag", "+221 77 123 45 67"),
				given("VDFODHUoEXc", "FEMALE"))}))
			enrollments, events = append(enrollments, enrolled(i)), append(events, visited(i))
		}
		if w := ask("POST", "/api/tracker?async=false",
			flat(m{"trackedEntities": list, "enrollments": enrollments, "events": events})); w.Code != 200 {
			t.Fatal(w.Body)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / int64(people)
	t.Logf("%d bytes a person: %d MB for 100,000", each, each*100_000>>20)
	if each > 5000 {
		t.Errorf("a person takes %d bytes, 100,000 of them must fit into 500 MB", each)
	}
	w := ask("GET", "/api/tracker/trackedEntities?program="+anc+"&orgUnitMode=ACCESSIBLE&fields=trackedEntity&filter="+
		national+":eq:N-7", "")
	if !strings.Contains(w.Body.String(), testUID("tPer", 7)) {
		t.Errorf("the person was not found: %s", w.Body)
	}
	if testing.AllocsPerRun(3, func() {
		ask("GET", "/api/tracker/trackedEntities?program="+anc+"&orgUnitMode=ACCESSIBLE&fields=trackedEntity&filter="+
			national+":eq:N-7", "")
	}) > float64(people) {
		t.Error("everybody was looked at to find one by a unique attribute")
	}
}
