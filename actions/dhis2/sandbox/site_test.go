package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Objects of Tamala that tests are about.
const (
	hospital  = "y7VzbJzauSb" // in Coast, where clerk captures
	centre    = "RbPcJiRNNfd" // in Coast
	coast     = "Yq5tLlwvqpR"
	closedOne = "MvFfUVzKRnU" // closed on the last day of 2023
	personTyp = "DEEHBfgFvHr"
	anc       = "HKEoH96oH4U"
	ancFirst  = "SO9SciPUi24"
	ancFollow = "qgrv8l2KyHh"
	epi       = "O6IhWzwCDP9"
	malaria   = "WIryy1wQ0aZ"
	malCase   = "sIJOpbzw0kN"
	firstName = "JMYmVp2S0Xl"
	birth     = "FaVymXsLADq"
	national  = "IcYmkidyP9K"
	weight    = "DSyKLVrDSl7"
	weeks     = "e5pDvtE1Wyq"
)

var testNow = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// site is a sandbox behind HTTP.
type site struct {
	t      testing.TB
	server *Server
	web    *httptest.Server
	client *http.Client
	user   string
}

func newSite(t testing.TB, o Options) *site {
	t.Helper()
	if o.Metadata == "" {
		o.Metadata = "testdata/tamala.json"
	}
	if o.Clock == nil {
		o.Clock = func() time.Time { return testNow }
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	out := &site{t: t, server: s, web: httptest.NewServer(s), user: "admin:district"}
	out.client = &http.Client{Transport: &http.Transport{},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(out.close)
	return out
}

func (s *site) close() {
	s.client.CloseIdleConnections()
	s.web.Close()
	if err := s.server.Close(); err != nil {
		s.t.Error(err)
	}
}

// as gives the same site for another user, "" for none.
func (s *site) as(user string) *site {
	other := *s
	other.user = user
	return &other
}

// send makes a request; a body is JSON text, or anything that becomes JSON.
func (s *site) send(method, path string, body any, headers ...string) (*http.Response, []byte, error) {
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		r = strings.NewReader(b)
	default:
		data, err := json.Marshal(b)
		if err != nil {
			s.t.Fatal(err)
		}
		r = bytes.NewReader(data)
	}
	q, err := http.NewRequest(method, s.web.URL+path, r)
	if err != nil {
		s.t.Fatal(err)
	}
	q.Header.Set("Accept", "application/json")
	q.Header.Set("X-Requested-With", "XMLHttpRequest")
	if body != nil {
		q.Header.Set("Content-Type", "application/json")
	}
	if name, password, ok := strings.Cut(s.user, ":"); ok {
		q.SetBasicAuth(name, password)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		q.Header.Set(headers[i], headers[i+1])
	}
	resp, err := s.client.Do(q)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return resp, data, err
}

// do makes a request and reads its JSON answer.
func (s *site) do(method, path string, body any, headers ...string) (int, map[string]any) {
	s.t.Helper()
	resp, data, err := s.send(method, path, body, headers...)
	if err != nil {
		s.t.Fatal(err)
	}
	var out any
	if len(data) > 0 {
		if err := json.Unmarshal(data, &out); err != nil {
			s.t.Fatalf("%s %s answered %d %q", method, path, resp.StatusCode, data)
		}
	}
	m, isMap := out.(map[string]any)
	if !isMap {
		m = map[string]any{"": out}
	}
	return resp.StatusCode, m
}

func (s *site) get(path string) (int, map[string]any) {
	s.t.Helper()
	return s.do("GET", path, nil)
}

// load imports what must go well.
func (s *site) load(body any) {
	s.t.Helper()
	if status, answer := s.do("POST", "/api/tracker?async=false", body); status != http.StatusOK {
		s.t.Fatalf("the import answered %d: %s", status, flat(answer))
	}
}

// reported gives what an import report says: "error E1007 EVENT uid", sorted.
func reported(answer map[string]any) []string {
	if r, ok := answer["response"].(map[string]any); ok && r["validationReport"] != nil {
		answer = r
	}
	var out []string
	v, _ := answer["validationReport"].(map[string]any)
	for list, word := range map[string]string{"errorReports": "error", "warningReports": "warning"} {
		items, _ := v[list].([]any)
		for _, it := range items {
			m := it.(map[string]any)
			code := m["errorCode"]
			if word == "warning" {
				code = m["warningCode"]
			}
			out = append(out, fmt.Sprintf("%s %v %v %v", word, code, m["trackerType"], m["uid"]))
		}
	}
	slices.Sort(out)
	return out
}

// statsOf gives created/updated/deleted/ignored of an import report.
func statsOf(answer map[string]any) string {
	m, _ := answer["stats"].(map[string]any)
	return fmt.Sprintf("%v/%v/%v/%v", m["created"], m["updated"], m["deleted"], m["ignored"])
}

func flat(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// dig follows keys and numbers into an answer.
func dig(v any, path ...any) any {
	for _, p := range path {
		switch k := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[k]
		case int:
			items, _ := v.([]any)
			if k >= len(items) {
				return nil
			}
			v = items[k]
		}
	}
	return v
}

// m, l and the makers below write payloads.
type m = map[string]any

func l(items ...any) []any { return items }

// testUID makes a uid that tells in a test what it is for.
func testUID(kind string, n int) string { return fmt.Sprintf("%s%0*d", kind, 11-len(kind), n) }

func given(id, value string) m { return m{"attribute": id, "value": value} }

func cell(id, value string) m { return m{"dataElement": id, "value": value} }

func having(base m, changes m) m {
	out := m{}
	for k, v := range base {
		out[k] = v
	}
	for k, v := range changes {
		if v == nil {
			delete(out, k)
		} else {
			out[k] = v
		}
	}
	return out
}

func aPerson(n int, more ...m) m {
	out := m{"trackedEntity": testUID("tPer", n), "trackedEntityType": personTyp, "orgUnit": hospital,
		"attributes": l(given(firstName, "Ama"), given(birth, "2000-02-29"))}
	for _, c := range more {
		out = having(out, c)
	}
	return out
}

func enrolled(n int, more ...m) m {
	out := m{"enrollment": testUID("tEnr", n), "trackedEntity": testUID("tPer", n), "program": anc, "orgUnit": hospital,
		"status":     "ACTIVE",
		"enrolledAt": "2026-06-01", "occurredAt": "2026-06-01",
		"attributes": l(given(firstName, "Ama"), given(birth, "2000-02-29"))}
	for _, c := range more {
		out = having(out, c)
	}
	return out
}

func visited(n int, more ...m) m {
	out := m{"event": testUID("tVis", n), "enrollment": testUID("tEnr", n), "program": anc, "programStage": ancFirst,
		"orgUnit": hospital,
		"status":  "ACTIVE", "occurredAt": "2026-06-02", "dataValues": l(cell(weeks, "12"))}
	for _, c := range more {
		out = having(out, c)
	}
	return out
}

func malariaCase(n int, more ...m) m {
	out := m{"event": testUID("tMal", n), "program": malaria, "programStage": malCase, "orgUnit": hospital,
		"status":     "COMPLETED",
		"occurredAt": "2026-06-02", "dataValues": l(cell("Gy8dw06me68", "7"), cell("AnKshR9vP4W", "FEMALE"))}
	for _, c := range more {
		out = having(out, c)
	}
	return out
}

// full is a person with an enrollment and a visit, told flat.
func full(n int) m {
	return m{"trackedEntities": l(aPerson(n)), "enrollments": l(enrolled(n)), "events": l(visited(n))}
}
