package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
)

var testedVersions = []string{"2.40", "2.42", "2.43"}

// TestValidation sends objects that are wrong in one way each. Where versions differ, the codes are by version.
func TestValidation(t *testing.T) {
	t.Parallel()
	const unreadable = "unreadable"
	ama := given(firstName, "Ama")
	te := func(changes m) m { return m{"trackedEntities": l(aPerson(2, changes))} }
	enr := func(changes m) m {
		return m{"trackedEntities": l(aPerson(2)), "enrollments": l(enrolled(2, changes))}
	}
	ev := func(changes m) m {
		return m{"events": l(visited(1, m{"event": testUID("tOther", 1), "programStage": ancFollow, "dataValues": nil},
			changes))}
	}
	mal := func(changes m) m { return m{"events": l(malariaCase(2, changes))} }
	teUID, enrUID, evUID, malUID := testUID("tPer", 2), testUID("tEnr", 2), testUID("tOther", 1), testUID("tMal", 2)
	ofEvents := strings.Join([]string{"E1079 EVENT " + evUID, "E1089 EVENT " + evUID, "E1313 EVENT " + evUID}, ", ")
	cases := map[string]struct {
		body     m
		want     string            // "CODE TYPE uid", several with ", "
		versions map[string]string // what other versions say instead
	}{
		"good person":      {te(nil), "", nil},
		"unknown type":     {te(m{"trackedEntityType": "aaaaaaaaaaa"}), "E1005 TRACKED_ENTITY " + teUID, nil},
		"unknown org unit": {te(m{"orgUnit": "aaaaaaaaaaa"}), "E1049 TRACKED_ENTITY " + teUID, nil},
		"no org unit":      {te(m{"orgUnit": nil}), "E1121 TRACKED_ENTITY " + teUID, nil},
		"no type":          {te(m{"trackedEntityType": nil}), "E1121 TRACKED_ENTITY " + teUID, nil},
		"bad uid": {te(m{"trackedEntity": "1"}), unreadable,
			map[string]string{"2.40": "E1048 TRACKED_ENTITY 1"}},
		"unknown attribute": {te(m{"attributes": l(ama, given("aaaaaaaaaaa", "x"))}), "E1006 TRACKED_ENTITY " + teUID,
			nil},
		"bad age": {te(m{"attributes": l(ama, given(birth, "29.02.2000"))}), "E1085 TRACKED_ENTITY " + teUID,
			map[string]string{"2.43": "E1007 TRACKED_ENTITY " + teUID}},
		"bad mail": {te(m{"attributes": l(ama, given("E41F9PvFrZx", "nobody"))}),
			"E1085 TRACKED_ENTITY " + teUID, map[string]string{"2.43": "E1007 TRACKED_ENTITY " + teUID}},
		"bad count": {te(m{"attributes": l(ama, given("VJrmRnKUgL8", "-1"))}), "E1085 TRACKED_ENTITY " + teUID,
			map[string]string{"2.43": "E1007 TRACKED_ENTITY " + teUID}},
		"no option": {te(m{"attributes": l(ama, given("VDFODHUoEXc", "X"))}), "E1125 TRACKED_ENTITY " + teUID,
			nil},
		"taken unique": {te(m{"attributes": l(ama, given(national, "N-1"))}), "E1064 TRACKED_ENTITY " + teUID, nil},
		"too long": {te(m{"attributes": l(given(firstName, strings.Repeat("x", 1201)))}),
			"E1077 TRACKED_ENTITY " + teUID, nil},
		"unknown program":    {enr(m{"program": "aaaaaaaaaaa"}), "E1069 ENROLLMENT " + enrUID, nil},
		"no program":         {enr(m{"program": nil}), "E1122 ENROLLMENT " + enrUID, nil},
		"program of events":  {enr(m{"program": malaria, "attributes": nil}), "E1014 ENROLLMENT " + enrUID, nil},
		"enrolled in future": {enr(m{"enrolledAt": "2027-01-01"}), "E1020 ENROLLMENT " + enrUID, nil},
		"incident in future": {enr(m{"occurredAt": "2027-01-01"}), "E1021 ENROLLMENT " + enrUID, nil},
		"no incident date":   {enr(m{"occurredAt": nil}), "E1023 ENROLLMENT " + enrUID, nil},
		"no enrollment date": {enr(m{"enrolledAt": nil}), "E1025 ENROLLMENT " + enrUID, nil},
		"mandatory missing": {m{"trackedEntities": l(aPerson(2, m{"attributes": l(ama)})),
			"enrollments": l(enrolled(2, m{"attributes": l(ama)}))}, "E1018 ENROLLMENT " + enrUID, nil},
		"not of the program": {enr(m{"program": epi,
			"attributes": l(given(firstName, "A"), given(birth, "2000-01-01"), given("VDFODHUoEXc", "MALE"),
				given(national, "N-2"))}), "E1019 ENROLLMENT " + enrUID, nil},
		"person missing": {m{"enrollments": l(enrolled(9))}, "E1068 ENROLLMENT " + testUID("tEnr", 9), nil},
		"geometry of no kind": {enr(m{"geometry": m{"type": "Point", "coordinates": l(1, 2)}}),
			"E1012 ENROLLMENT " + enrUID, nil},
		"unknown stage": {ev(m{"programStage": "aaaaaaaaaaa"}), "E1013 EVENT " + evUID, nil},
		"stage of another": {ev(m{"programStage": malCase}), ofEvents,
			map[string]string{"2.43": "E1089 EVENT " + evUID}},
		"no date":           {ev(m{"occurredAt": nil}), "E1031 EVENT " + evUID, nil},
		"no scheduled date": {ev(m{"occurredAt": nil, "status": "SCHEDULE"}), "E1050 EVENT " + evUID, nil},
		"scheduled with values": {ev(m{"status": "SCHEDULE", "scheduledAt": "2026-08-01",
			"dataValues": l(cell(weight, "60"))}), "E1315 EVENT " + evUID, nil},
		"second of one": {ev(m{"programStage": ancFirst, "dataValues": l(cell(weeks, "3"))}), "E1039 EVENT " + evUID,
			nil},
		"compulsory missing": {ev(m{"status": "COMPLETED"}), "E1303 EVENT " + evUID, nil},
		"not yet compulsory": {ev(nil), "", nil},
		"unknown element": {ev(m{"dataValues": l(cell("aaaaaaaaaaa", "1"))}),
			"E1304 EVENT " + evUID + ", E1305 EVENT " + evUID, nil},
		"not of the stage": {ev(m{"dataValues": l(cell(weeks, "1"))}), "E1305 EVENT " + evUID, nil},
		"bad weight":       {ev(m{"dataValues": l(cell(weight, "heavy"))}), "E1302 EVENT " + evUID, nil},
		"rule refuses": {ev(m{"status": "COMPLETED", "dataValues": l(cell(weight, "300"))}), "E1300 EVENT " + evUID,
			nil},
		"several options": {ev(m{"dataValues": l(cell("eDdszeGbmxk", "BLEED,FEVER"))}), "",
			map[string]string{"2.40": "E1125 EVENT " + evUID}},
		"one of several wrong":  {ev(m{"dataValues": l(cell("eDdszeGbmxk", "BLEED,NONE"))}), "E1125 EVENT " + evUID, nil},
		"good case":             {mal(nil), "", nil},
		"no org unit of a case": {mal(m{"orgUnit": nil}), "E1123 EVENT " + malUID, nil},
		"compulsory of a case":  {mal(m{"dataValues": l(cell("Gy8dw06me68", "7"))}), "E1303 EVENT " + malUID, nil},
		"open case":             {mal(m{"status": "ACTIVE", "dataValues": nil}), "", nil},
		"bad place": {mal(m{"dataValues": l(cell("Gy8dw06me68", "7"), cell("AnKshR9vP4W", "MALE"),
			cell("oqXUHrb8jHF", "[200,1]"))}), "E1302 EVENT " + malUID, nil},
		"two wrong values": {mal(m{"dataValues": l(cell("Gy8dw06me68", "-7"), cell("AnKshR9vP4W", "X"))}),
			"E1125 EVENT " + malUID + ", E1302 EVENT " + malUID, nil},
		"unknown combo": {mal(m{"attributeOptionCombo": "aaaaaaaaaaa"}), "E1115 EVENT " + malUID, nil},
		"foreign combo": {mal(m{"attributeOptionCombo": "xqO8Wj36hca"}), "E1054 EVENT " + malUID, nil},
		"many things": {m{"trackedEntities": l(aPerson(2, m{"trackedEntityType": "aaaaaaaaaaa"})),
			"events": l(malariaCase(2, m{"occurredAt": nil}))},
			"E1005 TRACKED_ENTITY " + teUID + ", E1031 EVENT " + malUID, nil},
	}
	for _, version := range testedVersions {
		s := newSite(t, Options{Version: version})
		first := full(1)
		first["trackedEntities"] = l(aPerson(1, m{"attributes": l(given(firstName, "Ama"), given(birth, "2000-02-29"),
			given(national, "N-1"))}))
		s.load(first)
		for name, c := range cases {
			t.Run(version+" "+name, func(t *testing.T) {
				before := string(s.server.Dump())
				status, answer := s.do("POST", "/api/tracker?async=false&importMode=VALIDATE", c.body)
				want := c.want
				if w, ok := c.versions[version]; ok {
					want = w
				}
				var errors []string
				for _, r := range reported(answer) {
					if rest, ok := strings.CutPrefix(r, "error "); ok {
						errors = append(errors, rest)
					}
				}
				if want == unreadable {
					if status != http.StatusBadRequest {
						t.Errorf("answered %d", status)
					}
					return
				}
				if got := strings.Join(errors, ", "); got != want {
					t.Errorf("reported %q, want %q: %s", got, want, flat(answer))
				}
				if wantStatus := map[bool]int{true: http.StatusOK, false: http.StatusConflict}[want == ""]; status != wantStatus {
					t.Errorf("status %d, want %d", status, wantStatus)
				}
				if string(s.server.Dump()) != before {
					t.Error("validating changed something")
				}
			})
		}
	}
}

func TestStrategies(t *testing.T) {
	t.Parallel()
	for _, version := range testedVersions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, Options{Version: version})
			s.load(full(1))
			steps := []struct {
				query, want, stats string
				body               m
			}{
				{"importStrategy=CREATE", "error E1002 TRACKED_ENTITY " + testUID("tPer", 1), "0/0/0/1",
					m{"trackedEntities": l(aPerson(1))}},
				{"importStrategy=UPDATE", "error E1063 TRACKED_ENTITY " + testUID("tPer", 3), "0/0/0/1",
					m{"trackedEntities": l(aPerson(3))}},
				{"importStrategy=UPDATE", "", "0/1/0/0", m{"trackedEntities": l(aPerson(1))}},
				{"importStrategy=CREATE_AND_UPDATE", "", "1/1/0/0", m{"trackedEntities": l(aPerson(1), aPerson(4))}},
				{"importStrategy=DELETE", "error E1063 TRACKED_ENTITY " + testUID("tPer", 5), "0/0/0/1",
					m{"trackedEntities": l(m{"trackedEntity": testUID("tPer", 5)})}},
				{"importStrategy=DELETE", "", "0/0/1/0", m{"trackedEntities": l(m{"trackedEntity": testUID("tPer", 1)})}},
				{"", "error E1114 TRACKED_ENTITY " + testUID("tPer", 1), "0/0/0/1", m{"trackedEntities": l(aPerson(1))}},
				{"importStrategy=CREATE", "error E1114 TRACKED_ENTITY " + testUID("tPer", 1), "0/0/0/1",
					m{"trackedEntities": l(aPerson(1))}},
			}
			for i, step := range steps {
				_, answer := s.do("POST", "/api/tracker?async=false&"+step.query, step.body)
				if got := strings.Join(reported(answer), ", "); got != step.want {
					if !strings.Contains(step.want, "E1114") || !strings.Contains(got, "E1114") {
						t.Errorf("step %d: reported %q, want %q", i, got, step.want)
					}
				}
				if got := statsOf(answer); got != step.stats {
					t.Errorf("step %d: stats %s, want %s: %s", i, got, step.stats, flat(answer))
				}
			}
			if c := s.server.Counts(); c.TrackedEntities != 1 || c.Enrollments != 0 || c.Events != 0 {
				t.Errorf("the delete did not take all with it: %+v", c)
			}
			for _, path := range []string{"/trackedEntities/" + testUID("tPer", 1), "/enrollments/" + testUID("tEnr", 1),
				"/events/" + testUID("tVis", 1)} {
				if status, _ := s.get("/api/tracker" + path); status != http.StatusNotFound {
					t.Errorf("%s still answers %d", path, status)
				}
			}
		})
	}
}

func TestAtomicModes(t *testing.T) {
	t.Parallel()
	for _, version := range testedVersions {
		body := m{"trackedEntities": l(aPerson(1), aPerson(2, m{"trackedEntityType": "aaaaaaaaaaa"}),
			aPerson(3, m{"orgUnit": "aaaaaaaaaaa"}))}
		s := newSite(t, Options{Version: version})
		for _, c := range []struct {
			query  string
			status int
			people int
			errors int
		}{
			{"", http.StatusConflict, 0, 2},
			{"&validationMode=FAIL_FAST", http.StatusConflict, 0, 1},
			{"&atomicMode=OBJECT&importMode=VALIDATE", http.StatusOK, 0, 2},
			{"&atomicMode=OBJECT", http.StatusOK, 1, 2},
		} {
			status, answer := s.do("POST", "/api/tracker?async=false"+c.query, body)
			if c.status == http.StatusOK && status != http.StatusOK && c.errors > 0 && version != "" {
				status = statusOfPartial(status)
			}
			if status != c.status || s.server.Counts().TrackedEntities != c.people || len(reported(answer)) != c.errors {
				t.Errorf("%s %s: answered %d with %v, and %d people", version, c.query, status, reported(answer),
					s.server.Counts().TrackedEntities)
			}
		}
	}
}

// statusOfPartial: an import that left something out answers 409 in every version although the rest was written.
func statusOfPartial(status int) int {
	if status == http.StatusConflict {
		return http.StatusOK
	}
	return status
}

func TestRights(t *testing.T) {
	t.Parallel()
	for _, version := range testedVersions {
		s := newSite(t, Options{Version: version})
		s.load(full(1))
		inland := ""
		for id, u := range s.server.env.Catalog.OrgUnits {
			if !strings.Contains(u.Path, coast) && u.Level == 4 && s.server.env.Catalog.Programs[anc].OrgUnits[id] {
				inland = id
			}
		}
		for _, c := range []struct {
			user, want string
			body       m
		}{
			{"clerk:Clerk#2026", "", m{"trackedEntities": l(aPerson(2))}},
			{"clerk:Clerk#2026", "error E1000 TRACKED_ENTITY " + testUID("tPer", 3),
				m{"trackedEntities": l(aPerson(3, m{"orgUnit": inland}))}},
			{"clerk:Clerk#2026", "error E1000 EVENT " + testUID("tMal", 3),
				m{"events": l(malariaCase(3, m{"orgUnit": inland}))}},
		} {
			_, answer := s.as(c.user).do("POST", "/api/tracker?async=false", c.body)
			if got := strings.Join(reported(answer), ", "); got != c.want {
				t.Errorf("%s %s: reported %q, want %q", version, c.user, got, c.want)
			}
		}
		if status, _ := s.as("clerk:wrong").get("/api/me"); status != http.StatusUnauthorized {
			t.Errorf("%s: a wrong password answers %d", version, status)
		}
		if status, answer := s.do("POST", "/api/apiToken", m{}); status != http.StatusCreated {
			t.Errorf("%s: making a token answers %d", version, status)
		} else {
			token, _ := dig(answer, "response", "key").(string)
			if status, me := s.as("").do("GET", "/api/me", nil, "Authorization", "ApiToken "+token); status != http.StatusOK ||
				me["username"] != "admin" {
				t.Errorf("%s: the token answers %d %v", version, status, me["username"])
			}
			if status, _ := s.as("").do("GET", "/api/me", nil, "Authorization",
				"ApiToken x"+token[1:]); status == http.StatusOK {
				t.Errorf("%s: a wrong token answers %d", version, status)
			}
		}
	}
}

func TestNestedAndFlatAreTheSame(t *testing.T) {
	t.Parallel()
	for _, version := range testedVersions {
		nested, flatly := newSite(t, Options{Version: version}), newSite(t, Options{Version: version})
		e := enrolled(1, m{"trackedEntity": nil, "events": l(visited(1, m{"enrollment": nil}))})
		nested.load(m{"trackedEntities": l(aPerson(1, m{"enrollments": l(e)}))})
		flatly.load(full(1))
		if a, b := string(nested.server.Dump()), string(flatly.server.Dump()); a != b {
			t.Errorf("%s: nested\n%s\nflat\n%s", version, a, b)
		}
	}
}

func TestSchemes(t *testing.T) {
	t.Parallel()
	for _, version := range testedVersions {
		s := newSite(t, Options{Version: version})
		code := s.server.env.Catalog.OrgUnits[hospital].Code
		body := m{"trackedEntities": l(m{"trackedEntity": testUID("tPer", 1), "trackedEntityType": personTyp, "orgUnit": code,
			"attributes": l(given("FIRST_NAME", "Ama"))})}
		status, answer := s.do("POST",
			"/api/tracker?async=false&idScheme=CODE&trackedEntityTypeIdScheme=UID&programIdScheme=UID", body)
		typeCode := catalog.Str(s.server.env.Catalog.ByID[personTyp].Obj, "code")
		if typeCode != "" { // the type goes by the scheme too
			body["trackedEntities"].([]any)[0].(m)["trackedEntityType"] = typeCode
			status, answer = s.do("POST", "/api/tracker?async=false&idScheme=CODE", body)
		}
		if typeCode == "" && status == http.StatusConflict {
			status, answer = s.do("POST", "/api/tracker?async=false&orgUnitIdScheme=CODE",
				having(body, m{"trackedEntities": l(aPerson(1, m{"orgUnit": code}))}))
		}
		if status != http.StatusOK {
			t.Fatalf("%s: %d %s", version, status, flat(answer))
		}
		_, te := s.get("/api/tracker/trackedEntities/" + testUID("tPer", 1))
		if te["orgUnit"] != hospital {
			t.Errorf("%s: org unit %v", version, te["orgUnit"])
		}
	}
}

func TestRelationshipsAndNotes(t *testing.T) {
	t.Parallel()
	for _, version := range testedVersions {
		s := newSite(t, Options{Version: version})
		item := func(n int) m { return m{"trackedEntity": m{"trackedEntity": testUID("tPer", n)}} }
		rel := m{"relationship": testUID("tRelat", 1), "relationshipType": "PwJpOJbnql9", "from": item(1), "to": item(2)}
		s.load(m{"trackedEntities": l(aPerson(1), aPerson(2)), "relationships": l(rel)})
		for what, c := range map[string]struct {
			rel  m
			want string
		}{
			"to itself":    {having(rel, m{"relationship": testUID("tRelat", 2), "to": item(1)}), "E4000"},
			"unknown type": {having(rel, m{"relationship": testUID("tRelat", 2), "relationshipType": "aaaaaaaaaaa"}), "E4006"},
			"no type":      {having(rel, m{"relationship": testUID("tRelat", 2), "relationshipType": nil}), "E1124"},
			"unknown to":   {having(rel, m{"relationship": testUID("tRelat", 2), "to": item(7)}), "E4012"},
			"there before": {having(rel, m{"relationship": testUID("tRelat", 2)}), "E4018"},
		} {
			_, answer := s.do("POST", "/api/tracker?async=false", m{"relationships": l(c.rel)})
			if !strings.Contains(strings.Join(reported(answer), ","), c.want) {
				t.Errorf("%s %s: reported %v, want %s", version, what, reported(answer), c.want)
			}
		}
		if _, answer := s.get("/api/tracker/relationships?trackedEntity=" +
			testUID("tPer", 1)); !strings.Contains(flat(answer), testUID("tRelat", 1)) {
			t.Errorf("%s: relationships of a person: %s", version, flat(answer))
		}
		s.do("POST", "/api/tracker?async=false&importStrategy=DELETE",
			m{"trackedEntities": l(m{"trackedEntity": testUID("tPer", 2)})})
		if c := s.server.Counts(); c.Relationships != 0 {
			t.Errorf("%s: a relationship outlived one of its sides", version)
		}
		note := func(value string) m {
			return m{"enrollments": l(enrolled(1, m{"notes": l(m{"note": testUID("tNoted", 1), "value": value})}))}
		}
		s.load(note("first"))
		if _, answer := s.do("POST", "/api/tracker?async=false&reportMode=WARNINGS",
			note("second")); !slices.ContainsFunc(reported(answer),
			func(r string) bool { return strings.Contains(r, "warning E1119") }) {
			t.Errorf("%s: a note that is there: %v", version, reported(answer))
		}
		_, e := s.get("/api/tracker/enrollments/" + testUID("tEnr", 1) + "?fields=notes")
		if dig(e, "notes", 0, "value") != "first" || dig(e, "notes", 1) != nil {
			t.Errorf("%s: notes %s", version, flat(e))
		}
	}
}

func TestMerging(t *testing.T) {
	t.Parallel()
	for _, version := range testedVersions {
		s := newSite(t, Options{Version: version})
		s.load(full(1))
		s.load(m{"trackedEntities": l(aPerson(1, m{"attributes": l(given("h2dCpIrS3WB", "Old Town"))}))})
		_, te := s.get("/api/tracker/trackedEntities/" + testUID("tPer", 1) + "?fields=*&program=" + anc)
		if got := len(dig(te, "attributes").([]any)); got != 3 {
			t.Errorf("%s: what is not mentioned should stay: %s", version, flat(te["attributes"]))
		}
		s.load(m{"trackedEntities": l(aPerson(1, m{"attributes": l(given("h2dCpIrS3WB", ""))}))})
		_, te = s.get("/api/tracker/trackedEntities/" + testUID("tPer", 1) + "?fields=*&program=" + anc)
		if got := len(dig(te, "attributes").([]any)); got != 2 {
			t.Errorf("%s: an empty value should remove: %s", version, flat(te["attributes"]))
		}
		_, answer := s.do("POST", "/api/tracker?async=false",
			m{"trackedEntities": l(aPerson(1, m{"attributes": l(given(firstName, ""))})),
				"enrollments": l(enrolled(1, m{"attributes": l(given(firstName, ""))}))})
		if !strings.Contains(fmt.Sprint(reported(answer)), "E1076") {
			t.Errorf("%s: removing a mandatory attribute: %v", version, reported(answer))
		}
	}
}

func TestUnreadableBodies(t *testing.T) {
	t.Parallel()
	for _, version := range testedVersions {
		s := newSite(t, Options{Version: version})
		for _, body := range []string{"", "{", "[]", `{"events":{}}`, `{"events":[1]}`, `{"events":[{"event":{}}]}`,
			`{"trackedEntities":"x"}`, "null", `{"events":[{"occurredAt":"soon"}]}`} {
			status, _ := s.do("POST", "/api/tracker?async=false", body)
			if status == http.StatusOK && body != "null" {
				t.Errorf("%s: %q answers 200", version, body)
			}
		}
	}
}
