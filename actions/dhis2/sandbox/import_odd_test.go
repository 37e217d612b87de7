package sandbox

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const (
	everyType  = "Hrn8UG6NgrV" // an event program with an element of every value type
	everyStage = "AYoOWZhy7zm"
	motherOf   = "PwJpOJbnql9" // both ways: no
)

func null(base m, name string) m {
	out := having(base, nil)
	out[name] = nil
	return out
}

// summed tells an import's answer in short: its status where it failed as a whole, else the codes of its errors.
func summed(status int, answer map[string]any) string {
	if answer["validationReport"] == nil {
		return fmt.Sprint(status)
	}
	var out []string
	for _, r := range reported(answer) {
		if rest, ok := strings.CutPrefix(r, "error "); ok {
			out = append(out, rest[:strings.LastIndexByte(rest, ' ')])
		}
	}
	return strings.Join(out, ", ")
}

// TestOddRequests sends what real servers take in ways that nobody would guess; each was seen at one.
func TestOddRequests(t *testing.T) {
	t.Parallel()
	people := func(all ...any) m { return m{"trackedEntities": all} }
	events := func(all ...any) m { return m{"events": all} }
	typed := func(changes m) m {
		return having(m{"event": testUID("tTyp", 1), "program": everyType, "programStage": everyStage, "orgUnit": hospital,
			"occurredAt": "2026-06-02",
			"status":     "ACTIVE"}, changes)
	}
	value := func(id, v string) m { return typed(m{"dataValues": l(cell(id, v))}) }
	item := func(n int) m { return m{"trackedEntity": m{"trackedEntity": testUID("tPer", n)}} }
	relates := func(n, from, to int) m {
		return m{"relationship": testUID("tRel", n), "relationshipType": motherOf, "from": item(from), "to": item(to)}
	}
	shape := func(kind string, coordinates any) m { return m{"type": kind, "coordinates": coordinates} }
	ring := func(points ...any) []any { return l(points) }
	same := func(s string) map[string]string { return map[string]string{"2.40": s, "2.41": s, "2.42": s, "2.43": s} }
	ancAt := func(changes m) m {
		return visited(1, m{"event": testUID("tOdd", 1), "programStage": ancFollow, "dataValues": nil}, changes)
	}
	person := aPerson(2, m{"attributes": l(given(firstName, "Ama"), given(national, "N-5"))})
	for name, c := range map[string]struct {
		body m
		want map[string]string
	}{
		"attributes null": {people(null(aPerson(2), "attributes")),
			same("E1005 TRACKED_ENTITY, E1049 TRACKED_ENTITY")},
		"values null": {events(null(typed(nil), "dataValues")),
			map[string]string{"2.42": "E1010 EVENT, E1011 EVENT, E1013 EVENT", "2.43": "E1123 EVENT"}},
		"enrollments null": {people(null(aPerson(2), "enrollments")), same("500")},
		"notes null":       {events(null(typed(nil), "notes")), same("500")},
		"all events null":  {m{"events": nil}, same("500")},
		"status null": {events(null(typed(nil), "status")),
			map[string]string{"2.42": "500", "2.43": "500"}},
		"program of the stage": {events(typed(m{"program": nil})), same("")},
		"stage of the program": {events(typed(m{"programStage": nil})), same("")},
		"visited":              {events(typed(m{"status": "VISITED"})), same("")},
		"a person twice in one request": {people(person, having(person, m{"orgUnit": centre})),
			map[string]string{"2.42": "E1064 TRACKED_ENTITY"}},
		"one unique value of two": {people(person, having(person, m{"trackedEntity": testUID("tPer", 3)})),
			map[string]string{"2.42": "E1064 TRACKED_ENTITY, E1064 TRACKED_ENTITY"}},
		"the same twice hides all": {people(person, person,
			aPerson(4, m{"attributes": l(given(firstName, "Ama"), given(national, "N-1"))})),
			map[string]string{"2.41": "", "2.42": ""}},
		"enrollment without a person": {m{"enrollments": l(enrolled(1, m{"enrollment": testUID("tNew", 1)}),
			enrolled(1, m{"enrollment": testUID("tNew", 2), "trackedEntity": nil}))}, same("500")},
		"relationship without a side": {m{"relationships": l(having(relates(1, 1, 5), m{"from": nil}),
			relates(2, 1, 5))}, same("409")},
		"one-sided relationship last": {m{"relationships": l(relates(2, 1, 5),
			having(relates(1, 1, 5), m{"from": nil}))}, same("E4001 RELATIONSHIP")},
		"relationship said twice": {m{"relationships": l(relates(1, 1, 5), relates(2, 1, 5))}, same("")},
		"stage of events in a tracker": {events(ancAt(m{"programStage": everyStage, "enrollment": nil})),
			map[string]string{"2.42": "E1079 EVENT, E1089 EVENT, E1313 EVENT", "2.43": "E1123 EVENT"}},
		"ring of three": {people(aPerson(2,
			m{"geometry": shape("Polygon", ring(l(1, 1), l(2, 2), l(1, 1)))})), same("")},
		"open ring": {people(aPerson(2,
			m{"geometry": shape("Polygon", ring(l(1, 1), l(2, 2), l(3, 1), l(4, 4)))})),
			map[string]string{"2.40": "500", "2.42": "400", "2.43": "400"}},
		"collection of shapes": {people(aPerson(2,
			m{"geometry": m{"type": "GeometryCollection", "geometries": l(shape("Point", l(1, 2)))}})), same("")},
		"unknown shape": {people(aPerson(2, m{"geometry": shape("Circle", l(1, 2))})),
			map[string]string{"2.40": "500", "2.42": "400", "2.43": "400"}},
		"letter of another script": {events(value("s7AwNtdQHIj", "é")), same("")},
		"two letters":              {events(value("s7AwNtdQHIj", "ab")), same("E1302 EVENT")},
		"what is mandatory stands in the first": {people(person, aPerson(2, m{"attributes": nil})),
			map[string]string{"2.42": "", "2.43": ""}},
		"an event of the other sort": {events(typed(m{"event": testUID("tVis", 1)})),
			map[string]string{"2.42": "E1128 EVENT", "2.43": ""}},
		"mail":                        {events(value("XzJyKqHWGY5", "a@b.org")), same("")},
		"mail with a dot at its end":  {events(value("XzJyKqHWGY5", "a@b.org.")), same("E1302 EVENT")},
		"mail of no top level domain": {events(value("XzJyKqHWGY5", "a@b.nowhere0")), same("E1302 EVENT")},
		"web address":                 {events(value("rBQ3jGl3k2s", "https://dhis2.org/a?b=c")), same("")},
		"no web address":              {events(value("rBQ3jGl3k2s", "dhis2")), same("E1302 EVENT")},
		"coordinate":                  {events(value("n0hYNUnXt9A", "[-11.41,8.12]")), same("")},
		"coordinate off the world":    {events(value("n0hYNUnXt9A", "[-181,8.12]")), same("E1302 EVENT")},
		"milliseconds":                {events(typed(m{"occurredAt": 1772445600000})), same("")},
		"milliseconds as text":        {events(typed(m{"occurredAt": "1772445600000"})), same("")},
		"milliseconds that are none": {events(typed(m{"occurredAt": "17724456000x0"})),
			map[string]string{"2.40": "500", "2.42": "400", "2.43": "400"}},
		"oneself as a user": {events(value("M6AyYw3K1tL", "admin")),
			map[string]string{"2.41": "E1302 EVENT", "2.42": "", "2.43": ""}},
		"somebody as a user": {events(value("M6AyYw3K1tL", "clerk")),
			map[string]string{"2.41": "E1302 EVENT", "2.42": "", "2.43": "E1302 EVENT"}},
		"a user who is assigned": {events(having(value("M6AyYw3K1tL", "clerk"),
			m{"assignedUser": m{"username": "clerk"}})), map[string]string{"2.41": "", "2.43": ""}},
		"a value that is an object": {events(typed(m{"dataValues": l(m{"dataElement": "j90eeyEMdbM",
			"value": m{"dataElement": "l0NNs0kz84o"}})})), same("E1304 EVENT, E1305 EVENT")},
		"a list where an object belongs": {events(typed(m{"dataValues": l("x")})),
			map[string]string{"2.40": "500", "2.42": "400", "2.43": "400"}},
		"what is mandatory comes with what is refused": {people(aPerson(1, m{"attributes": l(given("VDFODHUoEXc", "FEMALE"),
			given(firstName, "Ama"), given(birth, "no day")), "enrollments": l(m{"enrollment": testUID("tNew", 3),
			"program": epi, "orgUnit": hospital, "status": "ACTIVE", "enrolledAt": "2026-06-01", "occurredAt": "2026-06-01",
			"attributes": l(given(firstName, "Ama"), given(birth, "2000-02-29"))})})),
			map[string]string{"2.42": "E1018 ENROLLMENT, E1085 TRACKED_ENTITY",
				"2.43": "E1007 TRACKED_ENTITY, E1018 ENROLLMENT"}},
		"unknown relationship of unknown": {m{"relationships": l(having(relates(1, 1, 5),
			m{"relationshipType": "aaaaaaaaaaa"}), relates(2, 1, 5))}, same("E4006 RELATIONSHIP")},
	} {
		for version, want := range c.want {
			t.Run(version+" "+name, func(t *testing.T) {
				t.Parallel()
				s := newSite(t, Options{Version: version})
				s.load(m{"trackedEntities": l(aPerson(1, m{"attributes": l(given(firstName, "Ama"), given(birth, "2000-02-29"),
					given(national, "N-1"))}), aPerson(5)), "enrollments": l(enrolled(1)), "events": l(visited(1))})
				if status, answer := s.do("POST", "/api/tracker?async=false&importMode=VALIDATE", c.body); summed(status,
					answer) != want {
					t.Errorf("answered %q, want %q: %s", summed(status, answer), want, flat(answer))
				}
			})
		}
	}
}

// TestStopsAtTheFirst: with FAIL_FAST nothing is looked at after the first error, but what hangs on
// the object that has it is still told of, and the rule engine's own checks of values follow.
func TestStopsAtTheFirst(t *testing.T) {
	t.Parallel()
	s := newSite(t, Options{Version: "2.42"})
	body := m{"trackedEntities": l(aPerson(2, m{"orgUnit": "aaaaaaaaaaa"})),
		"events": l(malariaCase(2, m{"programStage": "aaaaaaaaaaa"}))}
	status, answer := s.do("POST", "/api/tracker?async=false&validationMode=FAIL_FAST", body)
	if got := summed(status, answer); got != "500" { // what nobody looked at meets the filter of what can be written
		t.Errorf("reported %s: %s", got, flat(answer))
	}
	if status, answer = s.do("POST", "/api/tracker?async=false&validationMode=FAIL_FAST&atomicMode=OBJECT",
		body); status != 500 || answer["message"] == "Internal Server Error" {
		t.Errorf("what nobody looked at cannot be written: %d %s", status, flat(answer))
	}
	body = full(2)
	body["trackedEntities"] = l(aPerson(2, m{"orgUnit": "aaaaaaaaaaa"}), aPerson(3))
	body["enrollments"] = l(enrolled(2), enrolled(2, m{"enrollment": testUID("tEnr", 4), "program": epi}))
	body["events"] = l(malariaCase(2, m{"status": "SCHEDULE", "scheduledAt": nil}))
	status, answer = s.do("POST", "/api/tracker?async=false&importMode=VALIDATE&validationMode=FAIL_FAST", body)
	if got := summed(status, answer); got != "E1049 TRACKED_ENTITY, E1315 EVENT, E5000 ENROLLMENT, E5000 ENROLLMENT" {
		t.Errorf("reported %s: %s", got, flat(answer))
	}
}

// TestSkippedValidation: what nobody looked at fails where it is written.
func TestSkippedValidation(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body m
		want map[string]string
	}{
		"good": {full(2), map[string]string{"2.42": "", "2.43": ""}},
		"no org unit": {m{"trackedEntities": l(aPerson(2, m{"orgUnit": nil}))},
			map[string]string{"2.42": "500", "2.43": "500"}},
		"unknown program": {m{"enrollments": l(enrolled(1, m{"enrollment": testUID("tNew", 1), "program": "aaaaaaaaaaa"}))},
			map[string]string{"2.42": "500", "2.43": "500"}},
	} {
		for version, want := range c.want {
			s := newSite(t, Options{Version: version})
			s.load(full(1))
			if status, answer := s.do("POST", "/api/tracker?async=false&validationMode=SKIP", c.body); summed(status,
				answer) != want {
				t.Errorf("%s %s: answered %q, want %q: %s", version, name, summed(status, answer), want, flat(answer))
			}
		}
	}
}

// TestFindsByAnyAttribute: the index of values follows what is changed, cleared, deleted and merged.
func TestFindsByAnyAttribute(t *testing.T) {
	t.Parallel()
	s := newSite(t, Options{Version: "2.42"})
	find := func(filter string) []string {
		_, answer := s.get("/api/tracker/trackedEntities?fields=trackedEntity&orgUnitMode=ACCESSIBLE&trackedEntityType=" +
			personTyp + "&filter=" + filter)
		var out []string
		for n := 0; dig(answer, "trackedEntities", n) != nil; n++ {
			out = append(out, dig(answer, "trackedEntities", n, "trackedEntity").(string))
		}
		slices.Sort(out)
		return out
	}
	named := func(n int, name string) m {
		return aPerson(n, m{"attributes": l(given(firstName, name), given(national, fmt.Sprint("N-", n)))})
	}
	a, b := testUID("tPer", 1), testUID("tPer", 2)
	for _, step := range []struct {
		strategy string
		body     []any
		filter   string
		want     []string
	}{
		{"CREATE", l(named(1, "Ama"), named(2, "Ama")), firstName + ":eq:ama", []string{a, b}},
		{"UPDATE", l(named(2, "Efua")), firstName + ":eq:AMA", []string{a}},
		{"UPDATE", l(named(1, "Ama")), firstName + ":in:ama;efua", []string{a, b}},
		{"UPDATE", l(named(1, "AMA")), firstName + ":eq:ama", []string{a}},
		{"UPDATE", l(null(aPerson(1, m{"attributes": l(m{"attribute": national, "value": nil})}), "inactive")),
			national + ":eq:N-1", nil},
		{"DELETE", l(m{"trackedEntity": b}), firstName + ":eq:efua", nil},
		{"UPDATE", l(named(1, "Ama")), firstName + ":ne:kofi", []string{a}},
	} {
		if status, answer := s.do("POST", "/api/tracker?async=false&importStrategy="+step.strategy,
			m{"trackedEntities": step.body}); status != 200 {
			t.Fatalf("%s: %s", step.strategy, flat(answer))
		}
		if got := find(step.filter); !slices.Equal(got, step.want) {
			t.Errorf("%s after %s: %v, want %v", step.filter, flat(step.body), got, step.want)
		}
	}
}

// TestNobodySchedules: an event that was sent without the day it was planned for has none.
func TestNobodySchedules(t *testing.T) {
	t.Parallel()
	for _, version := range testedVersions {
		s := newSite(t, Options{Version: version})
		s.load(full(1))
		if _, answer := s.get("/api/tracker/events/" + testUID("tVis", 1)); answer["scheduledAt"] != nil ||
			answer["occurredAt"] == nil {
			t.Errorf("%s: %s", version, flat(answer))
		}
	}
}

// TestOwnersOfOneProgram: who asks for a person as one program knows them is told of that program's owner alone.
func TestOwnersOfOneProgram(t *testing.T) {
	t.Parallel()
	for _, version := range testedVersions {
		s := newSite(t, Options{Version: version})
		s.load(full(1))
		s.load(m{"enrollments": l(enrolled(1, m{"enrollment": testUID("tEnr", 2), "program": epi, "orgUnit": centre,
			"attributes": l(given("VDFODHUoEXc", "FEMALE"))}))})
		for query, want := range map[string]int{"": 2, "&program=" + anc: 1} {
			_, answer := s.get("/api/tracker/trackedEntities/" + testUID("tPer", 1) + "?fields=programOwners" + query)
			if owners, _ := answer["programOwners"].([]any); len(owners) != want {
				t.Errorf("%s %q: %s", version, query, flat(answer))
			}
		}
	}
}

// TestBatchOfValues writes all values or none where nobody looked what is there: up to 2.42 they go to the database in
// one piece.
func TestBatchOfValues(t *testing.T) {
	t.Parallel()
	s := newSite(t, Options{Version: "2.42"})
	value := func(unit, v string) m {
		return m{"dataElement": "hDcgGqsTAYb", "period": "202603", "orgUnit": unit, "value": v}
	}
	send := func(query string, values ...any) int {
		status, _ := s.do("POST", "/api/dataValueSets"+query, m{"dataValues": values})
		return status
	}
	const there, fresh = "ygq0iefHYLW", "pCiit226mCR"
	if status := send("", value(there, "4")); status != 200 {
		t.Fatal(status)
	}
	if status := send("?skipExistingCheck=true", value(fresh, "5"), value(there, "6")); status != 409 {
		t.Errorf("a value that is there is written again: %d", status)
	}
	read := func(unit string) int {
		status, _ := s.do("GET", "/api/dataValues?de=hDcgGqsTAYb&pe=202603&ou="+unit, nil)
		return status
	}
	if read(there) != 200 || read(fresh) != 409 {
		t.Errorf("of a batch that failed something was written: %d", read(fresh))
	}
	if status := send("?skipExistingCheck=true", value(fresh, "5")); status != 200 || read(fresh) != 200 {
		t.Errorf("a batch that does not fail: %d, %d", status, read(fresh))
	}
}
