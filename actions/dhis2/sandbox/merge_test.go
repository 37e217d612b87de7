package sandbox

import (
	"net/http"
	"testing"
)

// TestManualMerge moves what the body names, says what cannot be moved, and deletes the duplicate with the rest.
func TestManualMerge(t *testing.T) {
	t.Parallel()
	link := func(n, from, to int) m {
		return m{"relationship": testUID("tRel", n), "relationshipType": motherOf,
			"from": m{"trackedEntity": m{"trackedEntity": testUID("tPer", from)}},
			"to":   m{"trackedEntity": m{"trackedEntity": testUID("tPer", to)}}}
	}
	for _, version := range []string{"2.42", "2.43"} {
		s := newSite(t, Options{Version: version})
		s.load(m{"trackedEntities": l(aPerson(1, m{"attributes": l(given(firstName, "Ama"))}),
			aPerson(2, m{"attributes": l(given(firstName, "Amma"), given(birth, "2001-01-01"))}),
			aPerson(3), aPerson(4))})
		s.load(m{"enrollments": l(enrolled(1), enrolled(2, m{"attributes": l(given(birth, "2001-01-01"))}))})
		s.load(m{"relationships": l(link(1, 2, 3), link(2, 2, 4), link(3, 1, 4))})
		_, flagged := s.do(http.MethodPost, "/api/potentialDuplicates",
			m{"original": testUID("tPer", 1), "duplicate": testUID("tPer", 2)})
		path := "/api/potentialDuplicates/" + flagged["id"].(string) + "/merge?mergeStrategy=MANUAL"
		for name, body := range map[string]m{
			"an attribute that it does not have":   {"trackedEntityAttributes": l(national)},
			"a relationship that it does not have": {"relationships": l(testUID("tRel", 3))},
			"a relationship that the other has":    {"relationships": l(testUID("tRel", 2))},
			"an enrollment that it does not have":  {"enrollments": l("aaaaaaaaaaa")},
			"an enrollment in the same program":    {"enrollments": l(testUID("tEnr", 2))},
		} {
			if status, answer := s.do(http.MethodPost, path, body); status != http.StatusConflict {
				t.Errorf("%s: %s: %d %s", version, name, status, flat(answer))
			}
		}
		if status, answer := s.as("clerk:Clerk#2026").do(http.MethodPost, path, m{}); status != http.StatusForbidden {
			t.Errorf("%s: without the authority: %d %s", version, status, flat(answer))
		}
		if status, answer := s.do(http.MethodPost, path,
			m{"trackedEntityAttributes": l(firstName), "relationships": l(testUID("tRel", 1))}); status != http.StatusOK {
			t.Fatalf("%s: %d %s", version, status, flat(answer))
		}
		_, kept := s.get("/api/tracker/trackedEntities/" + testUID("tPer", 1) +
			"?fields=attributes[attribute,value],relationships[relationship],enrollments[enrollment]")
		if name := dig(kept, "attributes", 0, "value"); name != "Amma" || len(dig(kept, "relationships").([]any)) != 2 ||
			len(dig(kept, "enrollments").([]any)) != 1 {
			t.Errorf("%s: the original has %s", version, flat(kept))
		}
		for _, gone := range []string{"trackedEntities/" + testUID("tPer", 2), "enrollments/" + testUID("tEnr", 2),
			"relationships/" + testUID("tRel", 2)} {
			if status, _ := s.get("/api/tracker/" + gone); status != http.StatusNotFound {
				t.Errorf("%s: %s is still there: %d", version, gone, status)
			}
		}
		_, end := s.get("/api/tracker/trackedEntities/" + testUID("tPer", 3) + "?fields=relationships[relationship]")
		if len(dig(end, "relationships").([]any)) != 0 {
			t.Errorf("%s: a relationship that goes one way is told at its second side: %s", version, flat(end))
		}
	}
}

// TestRefusedAddresses: ids joined by a semicolon and other suspicious addresses never get through to the API.
func TestRefusedAddresses(t *testing.T) {
	t.Parallel()
	s := newSite(t, Options{})
	for _, path := range []string{"/api/dataElements/hDcgGqsTAYb;rLSjTlmNVmt", "/api//me", "/api/me%2Fx",
		"/api/dataElements/../me", "/api/me%00", "/api/organisationUnits?pageSize=-1",
		"/api/organisationUnits?pageSize=-5&page=2", "/api/programs/orgUnits"} {
		if r, answer, err := s.send(http.MethodGet, path, nil); err != nil || r.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %v %s %v", path, r, answer, err)
		}
	}
	if status, _ := s.get("/api/programs/orgUnits?programs=" + anc + ";" + epi); status != http.StatusConflict {
		t.Errorf("programs joined by a semicolon: %d", status)
	}
}

// TestFailFastMeetsTheRules: what nobody validated goes to the rule engine, which fails at some of
// it and checks the values of the rest.
func TestFailFastMeetsTheRules(t *testing.T) {
	t.Parallel()
	bad := aPerson(2, m{"orgUnit": "aaaaaaaaaaa"})
	for name, c := range map[string]struct {
		body m
		want string
	}{
		"a person": {m{"trackedEntities": l(bad, aPerson(3))}, "E1049 TRACKED_ENTITY"},
		"no date": {m{"trackedEntities": l(bad, aPerson(3)),
			"enrollments": l(enrolled(3, m{"enrolledAt": nil}))}, "500"},
		"no program": {m{"trackedEntities": l(bad, aPerson(3)),
			"enrollments": l(enrolled(3, m{"program": "aaaaaaaaaaa"}))}, "500"},
		"no person": {m{"trackedEntities": l(bad), "enrollments": l(enrolled(3, m{"trackedEntity": nil}))},
			"500"},
		"no enrollment":         {m{"trackedEntities": l(bad), "events": l(visited(3, m{"enrollment": nil}))}, "500"},
		"of unknown enrollment": {m{"trackedEntities": l(bad), "events": l(visited(3))}, "E1049 TRACKED_ENTITY"},
		"values missing": {m{"trackedEntities": l(bad, aPerson(3)), "enrollments": l(enrolled(3)),
			"events": l(visited(3, m{"status": "COMPLETED", "dataValues": l(cell(weight, "60"))}))},
			"E1049 TRACKED_ENTITY, E1303 EVENT"},
	} {
		for _, version := range []string{"2.42", "2.43"} {
			s := newSite(t, Options{Version: version})
			if status, answer := s.do("POST", "/api/tracker?async=false&validationMode=FAIL_FAST", c.body); summed(status,
				answer) != c.want {
				t.Errorf("%s %s: answered %q, want %q: %s", version, name, summed(status, answer), c.want, flat(answer))
			}
		}
	}
}
