package conformance

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/identity"
)

// woman is the record of somebody of this run.
func (s *suite) woman(n int) fields {
	return fields{
		"id": s.external(n), "case": s.external(n), "place": "TM-010202", "date": "2024-03-02", "first": "Fatou",
		"last": "Sarr", "dob": "1996-01-09", "sex": "Female",
		"nid": "NID-" + s.external(n), "phone": "+221771234567", "gps": "-5.25 31.5", "weeks": "14", "note": "came on foot",
		"children": "2",
	}
}

const registration = `
  - dhis2.create_and_enroll:
      program: Antenatal care
      external_id: trigger.case
      MATCH
      org_unit: trigger.place
      enrolled_at: trigger.date
      incident_at: trigger.date
      notes: trigger.note
      attributes:
        First name: trigger.first
        Last name: trigger.last
        Date of birth: trigger.dob
        Sex: trigger.sex
        National ID: trigger.nid
        Number of children: trigger.children
        Phone number: {from: trigger.phone, blank: clear}
`

func (s *suite) createAndEnroll(t *testing.T) {
	f := s.compile(t, strings.Replace(registration, "MATCH", "match_by: National ID", 1), s.woman(0))
	f.twice(t, 0,
		sent{"ok", s.woman(1)},
		sent{"unknown-option", s.woman(90).with("sex", "Unknown")},
		sent{"ok", s.woman(2).with("first", "Awa", "sex", "FEMALE", "phone", "")},
		sent{"E1090|E1018", s.woman(91).with("first", "")},
		sent{"org-unit-closed", s.woman(92).with("place", "TM-040306")},
		sent{"unknown-org-unit", s.woman(93).with("place", "TM-999999")},
		sent{"wrong-type", s.woman(94).with("dob", "31/31/1996")},
		sent{"ok", s.woman(3).with("first", "Ndèye", "last", "O'Neill 漢")},
		sent{"wrong-type", s.woman(95).with("children", "two")},
	)
	s.wantPerson(t, 1, map[string]string{"First name": "Fatou", "Last name": "Sarr", "Date of birth": "1996-01-09",
		"Sex": "FEMALE", "Phone number": "+221771234567", "Number of children": "2"})
	s.wantPerson(t, 2, map[string]string{"First name": "Awa", "Phone number": ""})
	s.wantPerson(t, 3, map[string]string{"First name": "Ndèye", "Last name": "O'Neill 漢"})
	for _, n := range []int{90, 91, 92, 93, 94, 95} {
		s.wantNobody(t, n)
	}
	e := s.readEnrollment(t, antenatal, 1)
	if e.Status != "ACTIVE" || !strings.HasPrefix(e.EnrolledAt, "2024-03-02") || e.OrgUnit != coral {
		t.Errorf("the enrollment is %+v", e)
	}
	// A correction changes what it names, and a blank removes what is to be cleared.
	f.send(t, sent{"ok", s.woman(1).with("first", "Fatoumata", "phone", "", "date", "2024-03-04")})
	s.wantPerson(t, 1, map[string]string{"First name": "Fatoumata", "Last name": "Sarr", "Phone number": ""})
	if e := s.readEnrollment(t, antenatal, 1); !strings.HasPrefix(e.EnrolledAt, "2024-03-04") {
		t.Errorf("the corrected enrollment is %+v", e)
	}
	if notes := s.readNotes(t, antenatal, 1); !slices.Equal(notes, []string{"came on foot"}) {
		t.Errorf("the notes are %q", notes)
	}
}

// matchBy sends somebody who is there already under another external id.
func (s *suite) matchBy(t *testing.T) {
	known := s.woman(10).with("nid", "NID-"+s.external(2), "first", "Awa Marie")
	s.compile(t, strings.Replace(registration, "MATCH", "match_by: National ID", 1), s.woman(0)).send(t,
		sent{"person-taken", known})
	f := s.compile(t, strings.Replace(registration, "MATCH", "match_by: National ID\n      several_ids: same_person", 1),
		s.woman(0))
	f.twice(t, 0, sent{"ok", known})
	s.wantNobody(t, 10)
	s.wantPerson(t, 2, map[string]string{"First name": "Awa Marie"})
	if list := s.readPerson(t, 2, antenatal).Enrollments; len(list) != 1 ||
		list[0].Enrollment != s.enrollment(antenatal, 2) {
		t.Errorf("she has the enrollments %+v", list)
	}
}

// duplicateUnique sends somebody with a unique value that another has, where the rule does not look people up.
func (s *suite) duplicateUnique(t *testing.T) {
	f := s.compile(t, strings.Replace(registration, "MATCH", "when_deleted: fail", 1), s.woman(0))
	f.send(t, sent{"E1064", s.woman(11).with("nid", "NID-"+s.external(1))}, sent{"ok", s.woman(12)})
	s.wantNobody(t, 11)
	s.wantPerson(t, 12, map[string]string{"First name": "Fatou"})
}

func (s *suite) trackedEntity(t *testing.T) {
	f := s.compile(t, `
  - dhis2.tracked_entity:
      tracked_entity_type: Person
      external_id: trigger.case
      org_unit: trigger.place
      geometry: trigger.gps
      attributes:
        First name: trigger.first
        Sex: trigger.sex
`, s.woman(0))
	child := s.woman(20).with("first", "Moussa", "sex", "MALE")
	f.twice(t, 0, sent{"ok", child}, sent{"E1090", s.woman(96).with("first", "---")},
		sent{"unknown-option", s.woman(97).with("sex", "x")})
	s.wantPerson(t, 20, map[string]string{"First name": "Moussa", "Sex": "MALE"})
	if g := string(s.readPerson(t, 20, "").Geometry); !strings.Contains(g, "31.5") || !strings.Contains(g, "-5.25") {
		t.Errorf("the geometry is %s", g)
	}
	// The geometry stays when a rule that does not speak of it writes the same person.
	plain := s.compile(t, `
  - dhis2.tracked_entity:
      tracked_entity_type: Person
      external_id: trigger.case
      org_unit: trigger.place
      attributes: {First name: trigger.first}
`, s.woman(0))
	plain.send(t, sent{"ok", child.with("first", "Modou")})
	s.wantPerson(t, 20, map[string]string{"First name": "Modou", "Sex": "MALE"})
	if g := string(s.readPerson(t, 20, "").Geometry); !strings.Contains(g, "31.5") {
		t.Errorf("the geometry was reset to %s", g)
	}
}

func (s *suite) enroll(t *testing.T) {
	f := s.compile(t, `
  - dhis2.enroll:
      program: Child immunisation
      external_id: trigger.case
      org_unit: trigger.place
      enrolled_at: trigger.date
      follow_up: trigger.phone != ""
      attributes: {First name: trigger.first, Sex: trigger.sex, Date of birth: trigger.dob}
`, s.woman(0))
	child := s.woman(20).with("first", "Modou", "sex", "MALE", "dob", "2023-06-01")
	f.twice(t, 0,
		sent{"ok", child},
		sent{"E1068", s.woman(98)},
		sent{"wrong-type", s.woman(20).with("id", s.external(21), "date", "soon")},
	)
	e := s.readEnrollment(t, immunisation, 20)
	if e.Status != "ACTIVE" || e.TrackedEntity != s.person(20) || !e.FollowUp {
		t.Errorf("the enrollment is %+v", e)
	}
	f.twice(t, 0, sent{"ok", child.with("date", "2024-03-05", "phone", "", "first", "Modou Lamine")})
	if e := s.readEnrollment(t, immunisation, 20); !strings.HasPrefix(e.EnrolledAt, "2024-03-05") || e.FollowUp ||
		e.Status != "ACTIVE" {
		t.Errorf("the corrected enrollment is %+v", e)
	}
	s.wantPerson(t, 20, map[string]string{"First name": "Modou Lamine", "Sex": "MALE"})
	if list := s.readPerson(t, 20, immunisation).Enrollments; len(list) != 1 {
		t.Errorf("there are %d enrollments", len(list))
	}
}

// readPerson reads somebody back; the test ends when there is nobody.
func (s *suite) readPerson(t *testing.T, n int, program string) client.TrackedEntity {
	t.Helper()
	list, err := s.client.TrackedEntities(context.Background(), []string{s.person(n)}, program)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 {
		t.Fatalf("person %d is there %d times", n, len(list))
	}
	return list[0]
}

func (s *suite) wantNobody(t *testing.T, n int) {
	t.Helper()
	list, err := s.client.TrackedEntities(context.Background(), []string{s.person(n)}, "")
	if err != nil || len(list) > 0 {
		t.Errorf("person %d should not be there: %d, %v", n, len(list), err)
	}
}

// wantPerson compares attributes by their names; an empty value must not be there.
func (s *suite) wantPerson(t *testing.T, n int, want map[string]string) {
	t.Helper()
	got := map[string]string{}
	for _, program := range []string{antenatal, ""} {
		for _, a := range s.readPerson(t, n, program).Attributes {
			got[s.index.AttributeByID(a.Attribute).Name] = a.Value
		}
	}
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s of person %d is %q, want %q", name, n, got[name], value)
		}
	}
}

func (s *suite) readEnrollment(t *testing.T, program string, n int) client.Enrollment {
	t.Helper()
	list, err := s.client.Enrollments(context.Background(),
		[]client.InProgram{{UID: s.enrollment(program, n), Program: program}})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 {
		t.Fatalf("the enrollment of person %d is there %d times", n, len(list))
	}
	return list[0]
}

// readNotes gives the notes of an enrollment.
func (s *suite) readNotes(t *testing.T, program string, n int) []string {
	t.Helper()
	var e client.Enrollment
	if err := s.client.Get(context.Background(), "tracker/enrollments/"+s.enrollment(program, n),
		url.Values{"fields": {"enrollment,notes[note,value]"}}, &e); err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, note := range e.Notes {
		texts = append(texts, note.Value)
	}
	return texts
}

// visit is the uid of an event of an enrollment.
func (s *suite) visit(stage string, n int, id string) string {
	return identity.EventUID(stage, s.enrollment(antenatal, n), id, 0)
}

func (s *suite) readEvent(t *testing.T, program, uid string) client.Event {
	t.Helper()
	list, err := s.client.Events(context.Background(), []client.InProgram{{UID: uid, Program: program}})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 {
		t.Fatalf("the event is there %d times", len(list))
	}
	return list[0]
}

// valuesOf gives an event's values by the names of their data elements.
func (s *suite) valuesOf(e client.Event) map[string]string {
	out := map[string]string{}
	for _, v := range e.DataValues {
		out[s.index.DataElementByID(v.DataElement).Name] = v.Value
	}
	return out
}
