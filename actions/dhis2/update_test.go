package dhis2

import (
	"slices"
	"testing"

	"github.com/culvert/culvert/actions/dhis2/client"
)

const phoneRule = `
  - dhis2.tracked_entity:
      program: Antenatal care
      external_id: trigger.case
      when_absent: wait
      attributes: {Phone number: trigger.phone}
`

// TestAFewAttributesOfAKnownPerson holds that somebody who is there is changed without the
// mandatory attributes, her org unit and her enrollment staying as they are, and that nobody is
// ever half registered.
func TestAFewAttributesOfAKnownPerson(t *testing.T) {
	b, register, phone := newBench(t), registrationRule(t, "fail"), mustCompile(t, ruleText(phoneRule), womanSample)
	want(t, b.deliver(phone.plans(t, woman(1))...), "R")
	if len(b.server.requests) != 0 || len(b.server.entities) != 0 {
		t.Fatalf("something was sent of a person who is not there: %d requests", len(b.server.requests))
	}
	want(t, b.deliver(register.plans(t, woman(1))...), "DDD")
	before := b.server.entities[uidOf(1)]
	b.server.requests = nil
	want(t, b.deliver(phone.plans(t, woman(1, "phone", "770000001"))...), "D")
	want(t, b.deliver(phone.plans(t, woman(1, "phone", "770000001"))...), "U")
	if len(b.server.requests) != 1 {
		t.Fatalf("%d requests", len(b.server.requests))
	}
	sent := b.server.requests[0]
	if len(sent.TrackedEntities) != 1 || len(sent.Enrollments)+len(sent.Events) != 0 {
		t.Fatalf("%+v", sent)
	}
	e := sent.TrackedEntities[0]
	if e.OrgUnit != before.OrgUnit || e.OrgUnit == "" || len(e.Attributes) != 1 || e.Attributes[0].Value != "770000001" {
		t.Errorf("%+v, before %+v", e, before)
	}
}

// TestARegistrationAndAChangeOfItTogether holds that the change waits for the registration within
// one batch and one record.
func TestARegistrationAndAChangeOfItTogether(t *testing.T) {
	b, phone := newBench(t), mustCompile(t, ruleText(phoneRule), womanSample)
	plans := append(registrationRule(t, "fail").plans(t, woman(1)), phone.plans(t, woman(1, "phone", "770000002"))...)
	want(t, b.deliver(plans...), "DDD D")
	values := b.server.entities[uidOf(1)].Attributes
	if !slices.ContainsFunc(values, func(v client.AttributeValue) bool { return v.Value == "770000002" }) {
		t.Errorf("%+v", values)
	}
}

// TestAChangeFindsPeopleByMatch holds that somebody whom others registered is found by a unique attribute, and changed.
func TestAChangeFindsPeopleByMatch(t *testing.T) {
	b := newBench(t)
	rule := mustCompile(t, ruleText(`
  - dhis2.tracked_entity:
      program: Antenatal care
      external_id: trigger.case
      match_by: National ID
      org_unit: trigger.place
      attributes: {National ID: trigger.nid, Phone number: trigger.phone}
`), womanSample)
	want(t, b.deliver(rule.plans(t, woman(1))...), "R")
	b.server.entities["aaaaaaaaaa1"] = client.TrackedEntity{
		TrackedEntity: "aaaaaaaaaa1", TrackedEntityType: person0, OrgUnit: "elsewhere00",
		Attributes: []client.AttributeValue{{Attribute: nationalID, Value: "NID-1"}},
	}
	want(t, b.deliver(rule.plans(t, woman(1))...), "D")
	if e := b.server.entities["aaaaaaaaaa1"]; len(b.server.entities) != 1 || e.OrgUnit != "elsewhere00" {
		t.Errorf("%+v", b.server.entities)
	}
}

// TestWhatLeavesOutMandatoryAttributes holds when an action that sets too little to register people
// is warned about, and when refused.
func TestWhatLeavesOutMandatoryAttributes(t *testing.T) {
	action := func(kind, more string) string {
		return "\n  - dhis2." + kind +
			":\n      program: Antenatal care\n      external_id: trigger.case\n      org_unit: trigger.place\n" + more +
			"      attributes: {Phone number: trigger.phone}\n"
	}
	for name, c := range map[string]struct{ actions, code string }{
		"said":      {action("tracked_entity", "      when_absent: wait\n"), ""},
		"not said":  {action("tracked_entity", ""), "updates-only"},
		"to create": {action("tracked_entity", "      when_absent: create\n"), "mandatory-attribute"},
		"to enroll": {action("create_and_enroll", "      enrolled_at: trigger.date\n"), "mandatory-attribute"},
	} {
		var codes []string
		for _, d := range loadRule(t, country(), ruleText(c.actions), womanSample).findings.List {
			codes = append(codes, d.Code)
		}
		if c.code == "" && len(codes) > 0 || c.code != "" && !slices.Equal(codes, []string{c.code}) {
			t.Errorf("%s: %v", name, codes)
		}
	}
}
