package dhis2

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/culvert/culvert/actions"
)

const associateRule = `
  - dhis2.create_and_enroll:
      program: Antenatal care
      external_id: trigger.case
      org_unit: trigger.place
      enrolled_at: trigger.date
      attributes:
        First name: trigger.first
        Date of birth: {value: "1996-01-09"}
        National ID: trigger.case
        Phone number: {from: trigger.mother, blank: clear}
  - dhis2.event:
      program: Every value type
      event_id: trigger.case
      when: trigger.with != ""
      org_unit: trigger.place
      occurred_at: trigger.date
      data_values: {Value of type text: trigger.with}
`

// child is a record of somebody who names her mother, and perhaps who came with her.
func child(n int, mother, with string) string {
	return fmt.Sprintf(`{"id": "form-%d%s", "case": "case-%d", "mother": %s, "with": %q, "place": "TM-010202",
		"date": "2026-03-02", "first": "Awa"}`, n, with, n, mother, with)
}

// TestAssociates names people by their external ids, as servers up to 2.42 take them.
func TestAssociates(t *testing.T) {
	path := withTypes(t, "TRACKER_ASSOCIATE", "TRACKER_ASSOCIATE")
	for _, version := range []string{"2.38", "2.40", "2.41", "2.42"} {
		t.Run(version, func(t *testing.T) {
			s := newSiteWith(t, version, path)
			rule := s.loadRule(ruleText(associateRule), child(1, `"case-2"`, "case-2"))
			for _, d := range rule.findings.List {
				if d.Severity == 0 {
					t.Fatalf("%s", d.Message)
				}
			}
			results := s.deliver(rule.plans(t, child(1, `"case-2"`, "case-2"))...)
			if o := results[0].Outcomes[0]; o.Class != actions.ClassParent ||
				!strings.Contains(o.Message, "whom one of its values") {
				t.Errorf("the mother is not there: %+v", o)
			}
			// A mother who comes with the first of her children, and another who comes after.
			want(t, s.deliver(rule.plans(t, child(2, `""`, ""), child(3, `"case-2"`, ""), child(4, `"case-9"`, ""))...),
				"DD DD RN")
			want(t, s.deliver(rule.plans(t, child(1, `"case-2"`, "case-3"))...), "DDD")
			want(t, s.deliver(rule.plans(t, child(1, `"case-2"`, "case-3"), child(3, `"case-2"`, ""))...), "UUU UU")
			wantMother := func(n int, uid string) {
				t.Helper()
				held := s.ask(
					http.MethodGet,
					"/api/tracker/trackedEntities/"+uidOf(n)+"?program="+antenatal+"&fields=attributes",
					"",
				)
				found := ""
				for _, v := range held["attributes"].([]any) {
					if v := v.(map[string]any); v["displayName"] == "Phone number" {
						found, _ = v["value"].(string)
					}
				}
				if found != uid {
					t.Errorf("person %d names %q, want %q", n, found, uid)
				}
			}
			wantMother(1, uidOf(2))
			wantMother(3, uidOf(2))
			if !strings.Contains(string(s.sandbox.Dump()), `"value":"`+uidOf(3)+`"`) &&
				!strings.Contains(string(s.sandbox.Dump()), `"value": "`+uidOf(3)+`"`) {
				t.Error("the event does not name who came with her")
			}
			// What a lookup has found, another mother, none.
			want(t, s.deliver(rule.plans(t, child(3, `{"id": "`+uidOf(1)+`", "enrollments": []}`, ""))...), "DU")
			wantMother(3, uidOf(1))
			want(t, s.deliver(rule.plans(t, child(3, `""`, ""))...), "DU")
			wantMother(3, "")
		})
	}
}

// TestAssociateNobody refuses what names nobody.
func TestAssociateNobody(t *testing.T) {
	s := newSiteWith(t, "2.42", withTypes(t, "TRACKER_ASSOCIATE", "TRACKER_ASSOCIATE"))
	rule := s.loadRule(ruleText(associateRule), child(1, `"case-2"`, "case-2"))
	for _, mother := range []string{`"n/a"`, `{"id": "x"}`, `["a", "b"]`} {
		if f := rule.failure(t, child(1, mother, "")); f == nil || !strings.Contains(f.Message, "Phone number") {
			t.Errorf("%s: %v", mother, f)
		}
	}
}
