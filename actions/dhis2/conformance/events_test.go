package conformance

import (
	"context"
	"maps"
	"net/url"
	"strings"
	"testing"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/identity"
)

func (s *suite) trackerEvent(t *testing.T) {
	sample := fields{"id": "v", "case": "c", "visit": "1", "place": "TM-010202", "date": "2024-04-06", "weight": "61.5",
		"signs": "HEADACHE FEVER", "weeks": "14", "next": "2024-05-01", "gps": "-5.25 31.5"}
	first := s.compile(t, `
  - dhis2.event:
      program: Antenatal care
      stage: First visit
      external_id: trigger.case
      org_unit: trigger.place
      occurred_at: trigger.date
      geometry: trigger.gps
      data_values: {Gestational age (weeks): trigger.weeks, Weight (kg): trigger.weight, Next visit date: trigger.next}
`, sample)
	visit := func(n int, changes ...any) fields {
		return sample.with("id", s.external(n), "case", s.external(n)).with(changes...)
	}
	first.twice(t, 0,
		sent{"ok", visit(1)},
		sent{"E1303", visit(2, "weeks", "")},
		sent{"E1313|E1033|E1081|E1079", visit(99)},
		sent{"E1300", visit(3, "weight", "300")},
		sent{"org-unit-closed", visit(12, "place", "TM-040306")},
	)
	e := s.readEvent(t, antenatal, s.visit(firstVisit, 1, ""))
	if got := s.valuesOf(e); !maps.Equal(got, map[string]string{"Gestational age (weeks)": "14", "Weight (kg)": "61.5",
		"Next visit date": "2024-05-01"}) {
		t.Errorf("the first visit holds %v", got)
	}
	if e.Status != "ACTIVE" || e.OrgUnit != coral || !strings.HasPrefix(e.OccurredAt, "2024-04-06") ||
		!strings.Contains(string(e.Geometry), "31.5") {
		t.Errorf("the first visit is %+v", e)
	}
	// A correction that says nothing of the position leaves it, and what else it does not name.
	corrected := s.compile(t, `
  - dhis2.event:
      program: Antenatal care
      stage: First visit
      external_id: trigger.case
      org_unit: trigger.place
      occurred_at: trigger.date
      data_values: {Gestational age (weeks): trigger.weeks, Weight (kg): trigger.weight}
`, sample)
	corrected.twice(t, 0, sent{"ok", visit(1, "weight", "62.5", "date", "2024-04-07")},
		sent{"ok", visit(3, "weight", "58")})
	e = s.readEvent(t, antenatal, s.visit(firstVisit, 1, ""))
	if got := s.valuesOf(e); got["Weight (kg)"] != "62.5" || got["Next visit date"] != "2024-05-01" {
		t.Errorf("the corrected first visit holds %v", got)
	}
	if e.Status != "ACTIVE" || !strings.HasPrefix(e.OccurredAt, "2024-04-07") ||
		!strings.Contains(string(e.Geometry), "31.5") {
		t.Errorf("the corrected first visit is %+v", e)
	}
	first.send(t, sent{"ok", visit(1)})
	again := s.compile(t, `
  - dhis2.event:
      program: Antenatal care
      stage: Follow-up visit
      external_id: trigger.case
      event_id: trigger.visit
      org_unit: trigger.place
      occurred_at: trigger.date
      status: COMPLETED
      data_values: {Weight (kg): trigger.weight, Danger signs seen: trigger.signs}
`, sample)
	again.twice(t, 0,
		sent{"ok", visit(1, "visit", "a", "signs", s.signs())},
		sent{"ok", visit(1, "visit", "b", "id", s.external(1)+"b", "signs", "")},
		sent{"unknown-option", visit(1, "visit", "c", "signs", "HEADACHE COUGH")},
		sent{"E1303", visit(1, "visit", "d", "weight", "", "signs", "")},
	)
	e = s.readEvent(t, antenatal, s.visit(followUp, 1, "a"))
	if got := s.valuesOf(e); e.Status != "COMPLETED" ||
		got["Danger signs seen"] != strings.ReplaceAll(s.signs(), " ", ",") || got["Weight (kg)"] != "61.5" {
		t.Errorf("the follow-up visit is %s with %v", e.Status, got)
	}
	again.twice(t, 0, sent{"ok", visit(1, "visit", "a", "weight", "63", "signs", "")},
		sent{"ok", visit(1, "visit", "b", "id", s.external(1)+"b", "weight", "64", "signs", "")})
	for id, weight := range map[string]string{"a": "63", "b": "64"} {
		if e = s.readEvent(t, antenatal, s.visit(followUp, 1, id)); e.Status != "COMPLETED" ||
			s.valuesOf(e)["Weight (kg)"] != weight {
			t.Errorf("the corrected follow-up visit %s is %s with %v", id, e.Status, s.valuesOf(e))
		}
	}
}

// signs are several options where the server takes several (2.41 and later), else one.
func (s *suite) signs() string {
	if minor, err := client.ParseVersion(s.index.Snapshot.Server.Version); err == nil && minor < 41 {
		return "FEVER"
	}
	return "HEADACHE FEVER"
}

func (s *suite) eventProgram(t *testing.T) {
	sample := fields{"id": "m", "place": "TM-010202", "date": "2024-04-06", "age": "4", "sex": "Female", "species": "PF",
		"act": "yes", "gps": "-5.25 31.5 12 3"}
	f := s.compile(t, `
  - dhis2.event:
      program: Malaria case notification
      event_id: trigger.id
      org_unit: trigger.place
      occurred_at: trigger.date
      status: COMPLETED
      data_values:
        Case age (years): trigger.age
        Case sex: trigger.sex
        Malaria species found: {from: trigger.species, blank: clear}
        Treated with ACT: trigger.act
        Case location: trigger.gps
`, sample)
	record := func(id string, changes ...any) fields { return sample.with("id", s.run+id).with(changes...) }
	uid := func(id string) string { return identity.EventUID(caseStage, s.project, s.run+id, 0) }
	s.events[uid("a")], s.events[uid("b")] = true, true
	f.twice(t, 0,
		sent{"ok", record("a")},
		sent{"unknown-option", record("x", "sex", "boy")},
		sent{"E1303", record("y", "age", "")},
		sent{"ok", record("b", "age", "0", "sex", "MALE", "species", "", "act", "NO")},
		sent{"out-of-range", record("z", "age", "-1")},
	)
	got := s.valuesOf(s.readEvent(t, malariaCase, uid("a")))
	if !maps.Equal(got, map[string]string{"Case age (years)": "4", "Case sex": "FEMALE", "Malaria species found": "PF",
		"Treated with ACT": "true", "Case location": "[31.5,-5.25]"}) {
		t.Errorf("the case holds %v", got)
	}
	if got := s.valuesOf(s.readEvent(t, malariaCase, uid("b"))); got["Case age (years)"] != "0" ||
		got["Malaria species found"] != "" || got["Treated with ACT"] != "false" {
		t.Errorf("the other case holds %v", got)
	}
	f.send(t, sent{"ok", record("a", "species", "")})
	if got := s.valuesOf(s.readEvent(t, malariaCase, uid("a"))); got["Malaria species found"] != "" ||
		got["Case sex"] != "FEMALE" {
		t.Errorf("the corrected case holds %v", got)
	}
}

func (s *suite) scheduled(t *testing.T) {
	sample := fields{"id": "p", "case": "c", "place": "TM-010202", "planned": "2024-06-01"}
	f := s.compile(t, `
  - dhis2.event:
      program: Antenatal care
      stage: Follow-up visit
      external_id: trigger.case
      event_id: trigger.id
      org_unit: trigger.place
      scheduled_at: trigger.planned
      status: SCHEDULE
`, sample)
	f.twice(t, 0,
		sent{"ok", sample.with("id", "planned", "case", s.external(1))},
		sent{"E1050", sample.with("id", "never", "case", s.external(1), "planned", "")},
	)
	e := s.readEvent(t, antenatal, s.visit(followUp, 1, "planned"))
	if e.Status != "SCHEDULE" && e.Status != "OVERDUE" || !strings.HasPrefix(e.ScheduledAt, "2024-06-01") {
		t.Errorf("the planned visit is %+v", e)
	}
	f.twice(t, 0, sent{"ok", sample.with("id", "planned", "case", s.external(1), "planned", "2024-06-08")})
	if e = s.readEvent(t, antenatal, s.visit(followUp, 1, "planned")); !strings.HasPrefix(e.ScheduledAt, "2024-06-08") {
		t.Errorf("the visit that was put off is %+v", e)
	}
	// It takes place.
	came := s.compile(t, `
  - dhis2.event:
      program: Antenatal care
      stage: Follow-up visit
      external_id: trigger.case
      event_id: trigger.id
      org_unit: trigger.place
      occurred_at: trigger.planned
      data_values: {Weight (kg): {value: "65"}}
`, sample)
	came.twice(t, 0, sent{"ok", sample.with("id", "planned", "case", s.external(1), "planned", "2024-06-09")})
	e = s.readEvent(t, antenatal, s.visit(followUp, 1, "planned"))
	if e.Status != "ACTIVE" || !strings.HasPrefix(e.OccurredAt, "2024-06-09") ||
		!strings.HasPrefix(e.ScheduledAt, "2024-06-08") || s.valuesOf(e)["Weight (kg)"] != "65" {
		t.Errorf("the visit that took place is %+v", e)
	}
}

func (s *suite) complete(t *testing.T) {
	status := func(text, sample string) *flow {
		return s.compile(t, strings.Replace(`
  - dhis2.complete:
      program: Antenatal care
      external_id: trigger.case
      STATUS
`, "STATUS", text, 1), fields{"id": "x", "case": sample})
	}
	record := func(n int) fields { return fields{"id": s.external(n), "case": s.external(n)} }
	for _, step := range []struct{ text, want string }{
		{"status: COMPLETED", "COMPLETED"}, {"status: ACTIVE", "ACTIVE"}, {"status: CANCELLED", "CANCELLED"},
		{"status: ACTIVE", "ACTIVE"},
	} {
		status(step.text, "c").twice(t, 1, sent{"ok", record(1)}, sent{"not-there-yet", record(99)})
		e := s.readEnrollment(t, antenatal, 1)
		if e.Status != step.want || !strings.HasPrefix(e.EnrolledAt, "2024-03-04") {
			t.Errorf("%s: the enrollment is %+v", step.text, e)
		}
	}
	status("stage: First visit", "c").twice(t, 1, sent{"ok", record(1)})
	if e := s.readEvent(t, antenatal, s.visit(firstVisit, 1, "")); e.Status != "COMPLETED" ||
		s.valuesOf(e)["Weight (kg)"] != "61.5" || len(e.Geometry) == 0 {
		t.Errorf("the completed visit is %+v", e)
	}
}

func (s *suite) relationship(t *testing.T) {
	f := s.compile(t, `
  - dhis2.relationship:
      type: Mother of
      from: {external_id: trigger.mother}
      to: {external_id: trigger.child}
`, fields{"id": "r", "mother": "a", "child": "b"})
	link := func(mother, child int) fields {
		return fields{"id": s.external(mother), "mother": s.external(mother), "child": s.external(child)}
	}
	f.twice(t, 0, sent{"ok", link(1, 20)}, sent{"E4012", link(3, 99)})
	if !s.linked(t, 1, 20) || s.linked(t, 3, 99) {
		t.Error("the relationships are not those that were asked for")
	}
}

// linked tells whether the server holds the relationship of a mother and a child.
func (s *suite) linked(t *testing.T, mother, child int) bool {
	t.Helper()
	uid := identity.RelationshipUID(motherOf, s.person(mother), s.person(child), 0)
	var text struct{ Relationship string }
	err := s.client.Get(context.Background(), "tracker/relationships/"+uid, url.Values{"fields": {"relationship"}}, &text)
	return err == nil && text.Relationship == uid
}
