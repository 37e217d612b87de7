package dhis2

import (
	"fmt"
	"strings"
	"testing"

	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/rules"
)

// oddValues are what sources send where a value is missing, or where a form was changed.
var oddValues = []string{
	`null`, `""`, `" "`, `[]`, `{}`, `[null]`, `[null, null]`, `{"a": null}`, `0`, `-1`, `1e300`, `true`, `"x"`, `"\u0000"`,
	`"NaN"`, `"2026-02-30"`, `[[]]`, `[1, "a"]`, `{"#text": null}`, `{"#text": "5", "@x": "y"}`, `{"type": "Point"}`,
	`{"type": "Point", "coordinates": null}`, `{"type": "Polygon", "coordinates": [[]]}`, `"POINT EMPTY"`, `"POLYGON(())"`,
	`"POINT()"`, `{"name": "a.png", "base64": 5}`, `"9999999999999999999999"`, `{"id": null}`, `{"id": "x"}`,
}

// TestOddValues sends each of them to every type of value and every key of actions that reads the record: a record may
// fail for it, and nothing may break down.
func TestOddValues(t *testing.T) {
	metadataOf := snapshot(t)
	where := metadataOf.OrgUnits[0].ID
	for i := range metadataOf.Programs {
		metadataOf.Programs[i].OrgUnits = []string{where}
	}
	x := metadata.NewIndex(metadataOf)
	head := "rule: odd\ntrigger: {webhook: {path: /odd}, fields: {x: any, id: any, ou: any}}\nid: trigger.id\nactions:\n"
	var elements strings.Builder
	for _, e := range metadataOf.DataElements {
		if strings.HasPrefix(e.Name, "Value of type ") {
			fmt.Fprintf(&elements, "        %s: {from: trigger.x, blank: omit}\n", e.Name)
		}
	}
	event := "  - dhis2.event:\n      program: Every value type\n      org_unit: trigger.ou\n"
	visit := "  - dhis2.create_and_enroll:\n      program: Antenatal care\n      external_id: trigger.id\n" +
		"      attributes: {First name: trigger.x, Date of birth: trigger.x, Sex: {from: trigger.x, map: {f: Female}}}\n"
	for name, action := range map[string]string{
		"values":   event + "      occurred_at: {value: 2026-01-07}\n      data_values:\n" + elements.String(),
		"geometry": event + "      occurred_at: {value: 2026-01-07}\n      geometry: trigger.x\n",
		"parts": event + "      occurred_at: {value: 2026-01-07}\n" +
			"      geometry: {latitude: trigger.x, longitude: trigger.x}\n",
		"event keys": event + "      occurred_at: trigger.x\n      completed_at: trigger.x\n      status: trigger.x\n" +
			"      event_id: trigger.x\n      notes: [trigger.x]\n",
		"org unit": visit + "      org_unit: trigger.x\n      enrolled_at: trigger.x\n",
		"person": strings.Replace(visit, "trigger.id", "trigger.x", 1) +
			"      org_unit: trigger.ou\n      enrolled_at: {value: 2026-01-07}\n      match_by: {National ID: trigger.x}\n",
		"aggregate": "  - dhis2.data_value_set:\n      data_set: Malaria monthly report\n      org_unit: trigger.x\n" +
			"      period: trigger.x\n      values: {Malaria deaths: trigger.x}\n      complete_date: trigger.x\n",
	} {
		rule := loadRule(t, x, head+action, `{"id": "1", "x": "1", "ou": "TM-010202"}`)
		if len(rule.actions) == 0 || rule.actions[0] == nil {
			t.Fatalf("%s does not compile:\n%s", name, printed(rule.findings.List))
		}
		for _, odd := range oddValues {
			for _, collect := range []bool{false, true} {
				s := rule.rule.Begin(rules.Input{Body: decode(t, `{"id": "1", "ou": "`+where+`", "x": `+odd+`}`)})
				if collect {
					s.CollectFailures()
				}
				for _, a := range rule.actions {
					planOdd(t, name+" "+odd, func() error { _, err := a.Plan(s); return err })
				}
			}
		}
	}
}

// planOdd has a breakdown name what broke.
func planOdd(t *testing.T, what string, plan func() error) {
	t.Helper()
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("%s breaks down: %v", what, p)
		}
	}()
	_ = plan() // a failure of the record is an answer
}
