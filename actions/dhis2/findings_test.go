package dhis2

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/rules/diag"
)

// mistakes are rules with one mistake each about the metadata. What is found is in testdata/findings.golden.
var mistakes = []struct{ name, actions string }{
	{"unknown program", `
  - dhis2.create_and_enroll:
      program: Antenatal cares
      external_id: trigger.case
      org_unit: trigger.place
      enrolled_at: trigger.date
      attributes: {First name: trigger.first, Date of birth: trigger.dob}`},
	{"enrolling in an event program", `
  - dhis2.create_and_enroll:
      program: Malaria case notification
      external_id: trigger.case
      org_unit: trigger.place
      enrolled_at: trigger.date
      attributes: {First name: trigger.first}`},
	{"unknown attribute", `
  - dhis2.create_and_enroll:
      program: Antenatal care
      external_id: trigger.case
      org_unit: trigger.place
      enrolled_at: trigger.date
      attributes: {First nane: trigger.first, First name: trigger.first, Date of birth: trigger.dob}`},
	{"attribute of another program", `
  - dhis2.create_and_enroll:
      program: Child immunisation
      external_id: trigger.case
      org_unit: trigger.place
      enrolled_at: trigger.date
      attributes: {First name: trigger.first, Sex: {value: Male}, Date of birth: trigger.dob, Phone number: trigger.phone}`},
	{"mandatory attributes", `
  - dhis2.create_and_enroll:
      program: Child immunisation
      external_id: trigger.case
      org_unit: trigger.place
      enrolled_at: trigger.date
      attributes: {First name: trigger.first}`},
	{"attribute twice", `
  - dhis2.create_and_enroll:
      program: Antenatal care
      external_id: trigger.case
      org_unit: trigger.place
      enrolled_at: trigger.date
      attributes: {First name: trigger.first, Date of birth: trigger.dob, JMYmVp2S0Xl: trigger.last}`},
	{"literal not an option", `
  - dhis2.create_and_enroll:
      program: Antenatal care
      external_id: trigger.case
      org_unit: trigger.place
      enrolled_at: trigger.date
      attributes: {First name: trigger.first, Date of birth: trigger.dob, Sex: {value: Femal}}`},
	{"literal of the wrong type", `
  - dhis2.create_and_enroll:
      program: Antenatal care
      external_id: trigger.case
      org_unit: trigger.place
      enrolled_at: trigger.date
      attributes: {First name: trigger.first, Date of birth: {value: "28"}}`},
	{"map to what is no option", `
  - dhis2.create_and_enroll:
      program: Antenatal care
      external_id: trigger.case
      org_unit: trigger.place
      enrolled_at: trigger.date
      attributes:
        First name: trigger.first
        Date of birth: trigger.dob
        Sex: {from: trigger.sex, map: {f: Feminine, m: Male}}`},
	{"map to the wrong type", `
  - dhis2.create_and_enroll:
      program: Antenatal care
      external_id: trigger.case
      org_unit: trigger.place
      enrolled_at: trigger.date
      attributes:
        First name: trigger.first
        Date of birth: trigger.dob
        Number of children: {from: trigger.sex, map: {f: several, m: 0}}`},
	{"no match_by", `
  - dhis2.create_and_enroll:
      program: Antenatal care
      external_id: trigger.case
      org_unit: trigger.place
      enrolled_at: trigger.date
      attributes: {First name: trigger.first, Date of birth: trigger.dob, National ID: trigger.nid}`},
	{"match_by not unique", `
  - dhis2.create_and_enroll:
      program: Antenatal care
      external_id: trigger.case
      match_by: First name
      org_unit: trigger.place
      enrolled_at: trigger.date
      attributes: {First name: trigger.first, Date of birth: trigger.dob}`},
	{"match_by without its value", `
  - dhis2.create_and_enroll:
      program: Antenatal care
      external_id: trigger.case
      match_by: National ID
      org_unit: trigger.place
      enrolled_at: trigger.date
      attributes: {First name: trigger.first, Date of birth: trigger.dob}`},
	{"no external id", `
  - dhis2.create_and_enroll:
      program: Antenatal care
      org_unit: trigger.place
      enrolled_at: trigger.date
      attributes: {First name: trigger.first, Date of birth: trigger.dob}`},
	{"no enrolled date", `
  - dhis2.create_and_enroll:
      program: Antenatal care
      external_id: trigger.case
      org_unit: trigger.place
      attributes: {First name: trigger.first, Date of birth: trigger.dob}`},
	{"unknown org unit", `
  - dhis2.create_and_enroll:
      program: Antenatal care
      external_id: trigger.case
      org_unit: {value: Coral Helth Centre}
      enrolled_at: trigger.date
      attributes: {First name: trigger.first, Date of birth: trigger.dob}`},
	{"org unit not of the program", `
  - dhis2.create_and_enroll:
      program: Antenatal care
      external_id: trigger.case
      org_unit: {value: Highlands}
      enrolled_at: trigger.date
      attributes: {First name: trigger.first, Date of birth: trigger.dob}`},
	{"status misspelt", `
  - dhis2.create_and_enroll:
      program: Antenatal care
      external_id: trigger.case
      org_unit: trigger.place
      enrolled_at: trigger.date
      status: COMPLETE
      attributes: {First name: trigger.first, Date of birth: trigger.dob}`},
	{"map to what is no status", `
  - dhis2.create_and_enroll:
      program: Antenatal care
      external_id: trigger.case
      org_unit: trigger.place
      enrolled_at: trigger.date
      status: {from: trigger.sex, map: {f: ACTIVE, m: DONE}}
      attributes: {First name: trigger.first, Date of birth: trigger.dob}`},
	{"geometry of a program without", `
  - dhis2.enroll:
      program: Antenatal care
      external_id: trigger.case
      org_unit: trigger.place
      enrolled_at: trigger.date
      geometry: trigger.gps`},
	{"checks given up", `
  - dhis2.enroll:
      program: Antenatal care
      external_id: trigger.case
      org_unit: trigger.place
      enrolled_at: trigger.date
      import: {skip_rule_engine: true}`},
	{"category options where there are none", `
  - dhis2.enroll:
      program: Antenatal care
      external_id: trigger.case
      org_unit: trigger.place
      enrolled_at: trigger.date
      attribute_category_options: {Funding partner: {value: Global Fund}}`},
	{"unknown stage", `
  - dhis2.event:
      program: Antenatal care
      stage: First vist
      external_id: trigger.case
      org_unit: trigger.place
      occurred_at: trigger.date`},
	{"no stage", `
  - dhis2.event:
      program: Antenatal care
      external_id: trigger.case
      org_unit: trigger.place
      occurred_at: trigger.date`},
	{"element of another stage", `
  - dhis2.event:
      program: Antenatal care
      stage: Delivery
      external_id: trigger.case
      org_unit: trigger.place
      occurred_at: trigger.date
      data_values: {Weight (kg): trigger.weight}`},
	{"unknown data element", `
  - dhis2.event:
      program: Antenatal care
      stage: Delivery
      external_id: trigger.case
      org_unit: trigger.place
      occurred_at: trigger.date
      data_values: {Birth wieght (g): trigger.weight}`},
	{"compulsory element", `
  - dhis2.event:
      program: Antenatal care
      stage: First visit
      external_id: trigger.case
      org_unit: trigger.place
      occurred_at: trigger.date
      data_values: {Weight (kg): trigger.weight}`},
	{"compulsory element on completion", `
  - dhis2.event:
      program: Antenatal care
      stage: Delivery
      external_id: trigger.case
      org_unit: trigger.place
      occurred_at: trigger.date
      status: COMPLETED
      data_values: {Birth weight (g): trigger.weight}`},
	{"a stage that does not repeat", `
  - dhis2.event:
      for_each: trigger.visits
      program: Antenatal care
      stage: Delivery
      external_id: trigger.case
      org_unit: trigger.place
      occurred_at: item.on
      data_values: {Birth weight (g): item.weight}`},
	{"event id of a stage that does not repeat", `
  - dhis2.event:
      program: Antenatal care
      stage: Delivery
      event_id: trigger.id
      external_id: trigger.case
      org_unit: trigger.place
      occurred_at: trigger.date
      data_values: {Delivery outcome: {value: LIVE}}`},
	{"planned event with values", `
  - dhis2.event:
      program: Antenatal care
      stage: Follow-up visit
      external_id: trigger.case
      org_unit: trigger.place
      status: SCHEDULE
      scheduled_at: trigger.date
      data_values: {Weight (kg): trigger.weight}`},
	{"planned event without its date", `
  - dhis2.event:
      program: Antenatal care
      stage: Follow-up visit
      external_id: trigger.case
      org_unit: trigger.place
      status: SCHEDULE`},
	{"planned event of an event program", `
  - dhis2.event:
      program: Malaria case notification
      org_unit: trigger.place
      status: SCHEDULE
      scheduled_at: trigger.date`},
	{"person in an event program", `
  - dhis2.event:
      program: Malaria case notification
      external_id: trigger.case
      org_unit: trigger.place
      occurred_at: trigger.date`},
	{"user of a stage without assignment", `
  - dhis2.event:
      program: Antenatal care
      stage: Delivery
      external_id: trigger.case
      org_unit: trigger.place
      occurred_at: trigger.date
      assigned_user: {value: clerk}`},
	{"unknown data set", `
  - dhis2.data_value_set:
      data_set: Malaria montly report
      org_unit: trigger.place
      period: trigger.date
      values: {Malaria deaths: trigger.weight}`},
	{"element of another data set", `
  - dhis2.data_value_set:
      data_set: Malaria monthly report
      org_unit: trigger.place
      period: trigger.date
      values: {HIV tests done: trigger.weight}`},
	{"combination missing", `
  - dhis2.data_value_set:
      data_set: Malaria monthly report
      org_unit: trigger.place
      period: trigger.date
      values: {Malaria tests done: trigger.weight}`},
	{"unknown combination", `
  - dhis2.data_value_set:
      data_set: Malaria monthly report
      org_unit: trigger.place
      period: trigger.date
      values: {Malaria tests done: {"Under 5, Female": trigger.weight}}`},
	{"combination of an undivided element", `
  - dhis2.data_value_set:
      data_set: Malaria monthly report
      org_unit: trigger.place
      period: trigger.date
      values: {Malaria deaths: {"Under 5, Females": trigger.weight}}`},
	{"combination twice", `
  - dhis2.data_value_set:
      data_set: Malaria monthly report
      org_unit: trigger.place
      period: trigger.date
      values: {Malaria tests done: {"Under 5, Females": trigger.weight, "Females, Under 5": trigger.weight}}`},
	{"period of another type", `
  - dhis2.data_value_set:
      data_set: Malaria monthly report
      org_unit: trigger.place
      period: {value: 2026Q1}
      values: {Malaria deaths: trigger.weight}`},
	{"no period at all", `
  - dhis2.data_value_set:
      data_set: Malaria monthly report
      org_unit: trigger.place
      period: {value: March}
      values: {Malaria deaths: trigger.weight}`},
	{"attribute combination missing", `
  - dhis2.data_value_set:
      data_set: HIV quarterly report
      org_unit: trigger.place
      period: trigger.date
      values: {HIV tests done: trigger.weight}`},
	{"unknown category option", `
  - dhis2.data_value_set:
      data_set: HIV quarterly report
      org_unit: trigger.place
      period: trigger.date
      attribute_category_options: {Funding partner: {value: Globl Fund}}
      values: {HIV tests done: trigger.weight}`},
	{"unknown category", `
  - dhis2.data_value_set:
      data_set: HIV quarterly report
      org_unit: trigger.place
      period: trigger.date
      attribute_category_options: {Partner: {value: Global Fund}}
      values: {HIV tests done: trigger.weight}`},
	{"org unit not of the data set", `
  - dhis2.data_value_set:
      data_set: Malaria monthly report
      org_unit: {value: Tamala}
      period: trigger.date
      values: {Malaria deaths: trigger.weight}`},
	{"element of no data set", `
  - dhis2.data_value:
      data_element: Birth weight (g)
      org_unit: trigger.place
      period: trigger.date
      value: trigger.weight`},
	{"unknown relationship type", `
  - dhis2.relationship:
      type: Mother off
      from: {external_id: trigger.case}
      to: {external_id: trigger.id}`},
	{"nobody on one side", `
  - dhis2.relationship:
      type: Mother of
      from: {external_id: trigger.case}
      to: {tracked_entity_type: Person}`},
	{"deletion unconfirmed", `
  - dhis2.delete:
      what: tracked_entity
      tracked_entity_type: Person
      external_id: trigger.case`},
	{"which event is complete", `
  - dhis2.complete:
      program: Antenatal care
      stage: Follow-up visit
      external_id: trigger.case`},
	{"unknown tracked entity type", `
  - dhis2.tracked_entity:
      tracked_entity_type: Persons
      external_id: trigger.case
      org_unit: trigger.place
      attributes: {First name: trigger.first}`},
	{"file", `
  - dhis2.event:
      program: Every value type
      org_unit: trigger.place
      occurred_at: trigger.date
      data_values: {Value of type coordinate: {value: "31.1,-5.2"}, Value of type url: {value: example.org}}`},
}

func findings(t testing.TB, x *metadata.Index, actions string) diag.List {
	t.Helper()
	return compile(t, x, ruleText(actions), womanSample).findings.List
}

func printed(list diag.List) string {
	var b strings.Builder
	for _, d := range list {
		fmt.Fprintf(&b, "  %d:%d: %s: %s [%s]\n", d.Place.Range.Start.Line, d.Place.Range.Start.Column, d.Severity, d.Message, d.Code)
		if d.Hint != "" {
			fmt.Fprintf(&b, "    help: %s\n", d.Hint)
		}
	}
	return b.String()
}

func TestFindings(t *testing.T) {
	var b strings.Builder
	for _, m := range mistakes {
		list := findings(t, country(), m.actions)
		if len(list) == 0 {
			t.Errorf("%s: nothing found", m.name)
		}
		fmt.Fprintf(&b, "%s\n%s", m.name, printed(list))
	}
	golden(t, "findings.golden", b.String())
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (run with -update to accept):\n%s", path, diff)
	}
}

// TestFindingsOfTheServer are mistakes that depend on what the server holds.
func TestFindingsOfTheServer(t *testing.T) {
	const enroll = `
  - dhis2.enroll:
      program: Antenatal care
      external_id: trigger.case
      org_unit: {value: Coral Health Centre}
      enrolled_at: trigger.date`
	tests := []struct {
		name   string
		change func(*metadata.Snapshot)
		code   string
	}{
		{"closed", func(s *metadata.Snapshot) { unit(s, "Coral Health Centre").ClosedDate = "2025-12-31" }, "org-unit-closed"},
		{"out of scope", func(s *metadata.Snapshot) { s.User.CaptureUnits = nil }, "org-unit-out-of-scope"},
		{"no write access", func(s *metadata.Snapshot) {
			s.User.Authorities = nil
			for i := range s.Programs {
				s.Programs[i].Access.Data.Write = false
			}
		}, "no-write-access"},
		{"two of one name", func(s *metadata.Snapshot) {
			for i := range s.Programs {
				s.Programs[i].Name = "Antenatal care"
			}
		}, "ambiguous-name"},
		{"renamed", func(s *metadata.Snapshot) {
			for i := range s.Programs {
				if s.Programs[i].Name == "Antenatal care" {
					s.Programs[i].Name = "Antenatal care 2026"
					s.Former = append(s.Former, metadata.FormerNames{Collection: metadata.Programs, ID: s.Programs[i].ID, Names: []string{"Antenatal care"}})
				}
			}
		}, "renamed"},
		{"several org units of one name", func(s *metadata.Snapshot) { unit(s, "Coral Market Dispensary").Name = "Coral Health Centre" }, "ambiguous-name"},
		{"type not shared", func(s *metadata.Snapshot) { s.TrackedEntityTypes = nil }, "no-tracked-entity-type"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := snapshot(t)
			test.change(s)
			list := findings(t, metadata.NewIndex(s), enroll)
			if len(list) == 0 || list[0].Code != test.code {
				t.Errorf("want %s, found:\n%s", test.code, printed(list))
			}
			if test.code == "renamed" && (list[0].Fix == nil || list[0].Fix.Text != "Antenatal care 2026") {
				t.Errorf("no fix: %+v", list[0])
			}
		})
	}
	if list := findings(t, nil, enroll); len(list) != 1 || list[0].Code != "no-snapshot" {
		t.Errorf("without a snapshot:\n%s", printed(list))
	}
}

func unit(s *metadata.Snapshot, name string) *metadata.OrgUnit {
	for i := range s.OrgUnits {
		if s.OrgUnits[i].Name == name {
			return &s.OrgUnits[i]
		}
	}
	return &s.OrgUnits[len(s.OrgUnits)-1]
}
