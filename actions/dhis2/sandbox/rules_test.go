package sandbox

import (
	"slices"
	"strings"
	"testing"
)

// TestProgramRules evaluates rules on top of those of Tamala, for its antenatal care: see the file.
func TestProgramRules(t *testing.T) {
	t.Parallel()
	file := "testdata/rules.json"
	options := []Options{{Version: "2.42", Metadata: snapshotOf(t, newSite(t, Options{More: []string{file}}))}}
	for _, version := range testedVersions {
		options = append(options, Options{Version: version, More: []string{file}})
	}
	for _, o := range options {
		s, version := newSite(t, o), o.Version
		if o.Metadata != "" {
			version += " from a snapshot"
		}
		visit := func(n int, wk, kg string, changes ...m) m {
			values := l(cell(weeks, wk))
			if kg != "" {
				values = append(values, cell(weight, kg))
			}
			return visited(1, append([]m{{"event": testUID("tRule", n), "status": "COMPLETED", "dataValues": values}},
				changes...)...)
		}
		send := func(body m) map[string]any {
			_, answer := s.do("POST", "/api/tracker?async=false&atomicMode=OBJECT&reportMode=WARNINGS", body)
			return answer
		}
		expect := func(name string, answer map[string]any, want ...string) {
			t.Helper()
			got := reported(answer)
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("%s on %s:\n got %v\nwant %v", name, version, got, want)
			}
		}
		person := m{"trackedEntities": l(aPerson(1)), "enrollments": l(enrolled(1)), "events": l()}
		with := func(events ...any) m { return having(person, m{"events": events}) }
		one := testUID("tRule", 1)
		expect("assigned", send(with(visit(1, "13", ""))), "warning E1308 EVENT "+one)
		if _, e := s.get("/api/tracker/events/" + one + "?fields=dataValues[dataElement,value]"); !strings.Contains(flat(e),
			`"60.5"`) {
			t.Errorf("what was assigned on %s: %s", version, flat(e))
		}
		expect("assigned as sent", send(with(visit(1, "13", "60.50"))), "warning E1308 EVENT "+one)
		expect("sent otherwise", send(with(visit(1, "13", "61"))), "error E1307 EVENT "+one)
		expect("assigned and validated", send(with(visit(1, "14", ""))), "error E1302 EVENT "+one, "warning E1308 EVENT "+one)
		expect("a refused event feeds its sibling", send(with(visit(2, "20", "300"),
			visit(1, "15", "", m{"occurredAt": "2026-06-01"}))),
			"error E1300 EVENT "+one, "error E1300 EVENT "+testUID("tRule", 2))
		expect("the person is told", send(with(visit(1, "16", ""))), "error E1300 EVENT "+one)
		unsaid := "warning E1300 EVENT " + one // there is no date to count from
		if version == "2.40" {
			unsaid = "error E1300 EVENT " + one // which up to 2.40 is the first day of 2020
		}
		expect("the person is not told", send(m{"events": l(visit(1, "16", ""))}), unsaid)
		expect("aimed at an attribute", send(with(visit(1, "17", ""))))
		expect("in a group", send(with(visit(1, "19", ""))), "error E1300 EVENT "+one)
		expect("in no group", send(with(visit(1, "19", "", m{"orgUnit": centre}))))
		warned := send(with(visit(1, "18", "")))
		expect("warnings", warned, "warning E1300 EVENT "+one, "warning E1300 EVENT "+one)
		if !strings.Contains(flat(warned), "Weeks: 19 ("+weeks+")") {
			t.Errorf("the warning on %s: %s", version, flat(warned))
		}
		expect("not complete", send(with(visit(3, "18", "", m{"status": "ACTIVE"}))),
			"warning E1300 EVENT "+testUID("tRule", 3))
	}
}

// From 2.43 on rules schedule events, one a stage, and not where there is one.
func TestScheduledByRule(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "schedule.json", `{"programRules": [{"id": "ruleSchedul", "name": "Schedules", "program": `+
		`{"id": "`+anc+`"}, "programStage": {"id": "`+ancFirst+`"},
"condition": "true", "programRuleActions": [{"id": "ruleActSche"}]}],
"programRuleActions": [{"id": "ruleActSche", "programRule": {"id": "ruleSchedul"},
  "programRuleActionType": "SCHEDULEEVENT", "programStage": {"id": "`+ancFollow+`"},
"data": "d2:addDays(V{event_date}, 28)"}]}`)
	for version, want := range map[string]string{"2.42": "[]",
		"2.43": `["warning E1320 EVENT ` + testUID("tVis", 1) + `"]`} {
		s := newSite(t, Options{Version: version, More: []string{file}})
		_, answer := s.do("POST", "/api/tracker?async=false&reportMode=WARNINGS", full(1))
		if got := reported(answer); flat(append([]string{}, got...)) != want {
			t.Errorf("%s: %v, want %s", version, got, want)
		}
		scheduled := 0
		for _, e := range s.server.env.Store.EventsOf[testUID("tEnr", 1)] {
			if e.Stage == ancFollow && e.Status == "SCHEDULE" && e.Scheduled.Format("2006-01-02") == "2026-06-30" {
				scheduled++
			}
		}
		if scheduled != len(reported(answer)) {
			t.Errorf("%s: %d events are scheduled", version, scheduled)
		}
		if version == "2.42" {
			continue
		}
		_, answer = s.do("POST", "/api/tracker?async=false&reportMode=WARNINGS", full(1))
		if got := reported(answer); len(got) != 1 || got[0] != "warning E1322 EVENT "+testUID("tVis", 1) {
			t.Errorf("again: %v", got)
		}
	}
}
