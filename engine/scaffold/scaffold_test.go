package scaffold

import (
	"strings"
	"testing"

	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
)

func TestRuleJoinsWhatIsCalledAlike(t *testing.T) {
	ref := func(id string) metadata.Ref { return metadata.Ref{ID: id} }
	named := func(id, name, code string) metadata.Named { return metadata.Named{ID: id, Name: name, Code: code} }
	s := &metadata.Snapshot{
		TrackedEntityAttributes: []metadata.TrackedEntityAttribute{
			{Named: named("aaaaaaaaaa1", "First name", "FIRST"), ValueType: "TEXT"},
			{Named: named("aaaaaaaaaa2", "National ID", "NID"), ValueType: "TEXT", Unique: true},
			{Named: named("aaaaaaaaaa3", "Sex", "SEX"), ValueType: "TEXT", OptionSet: &metadata.Ref{ID: "ooooooooooo"}},
		},
		OptionSets: []metadata.OptionSet{{Named: named("ooooooooooo", "Sex", ""), Options: []metadata.Option{{Named: named("o1", "Female", "F")}, {Named: named("o2", "Male", "M")}}}},
		DataElements: []metadata.DataElement{
			{Named: named("ddddddddddd", "Weight (kg)", "WT"), ValueType: "NUMBER"},
			{Named: named("ddddddddddx", "Malaria deaths", ""), ValueType: "INTEGER"},
		},
		Programs: []metadata.Program{{
			Named: named("ppppppppppp", "Antenatal: care", ""), Type: metadata.WithRegistration,
			Attributes: []metadata.ProgramAttribute{{Attribute: ref("aaaaaaaaaa1"), Mandatory: true}, {Attribute: ref("aaaaaaaaaa2")}, {Attribute: ref("aaaaaaaaaa3")}},
			Stages: []metadata.ProgramStage{{Named: named("sssssssssss", "First visit", ""), DataElements: []metadata.StageElement{
				{DataElement: ref("ddddddddddd"), Compulsory: true}, {DataElement: ref("ddddddddddx")}}}},
		}},
	}
	x := metadata.NewIndex(s)
	body := map[string]any{"form": map[string]any{
		"first_name": "A", "weight": "60", "deaths": "0", "visit_date": "2026-01-01", "facility_code": "X",
		"case": map[string]any{"@case_id": "c"}, "meta": map[string]any{"instanceID": "i"},
	}}
	text := Rule(Request{Name: "anc", Trigger: "webhook", Address: "/anc", Body: body, Program: &s.Programs[0], Index: x})
	for _, want := range []string{
		"id: trigger.form.meta.instanceID\n",
		"place: {in: organisationUnits, code: trigger.form.facility_code}",
		`program: "Antenatal: care"`,
		`external_id: trigger.form.case["@case_id"]`,
		"match_by: National ID\n",
		"enrolled_at: trigger.form.visit_date\n",
		"        First name: trigger.form.first_name   # TEXT, mandatory\n",
		"        # Sex: trigger.…   # TEXT: Female, Male\n",
		"        Weight (kg): trigger.form.weight   # NUMBER, mandatory\n",
		"        Malaria deaths: trigger.form.deaths   # INTEGER\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	for _, test := range []struct {
		body map[string]any
		want string
	}{
		{map[string]any{"_id": 112.0, "_uuid": "u", "meta/instanceID": "uuid:u", "meta/rootUuid": "uuid:u"}, "id: trigger._id\n"},
		{map[string]any{"_uuid": "u", "meta/instanceID": "uuid:u", "meta/rootUuid": "uuid:u"}, "id: trigger[\"meta/rootUuid\"]\n"},
		{map[string]any{"__id": "uuid:u", "meta": map[string]any{"instanceID": "uuid:v", "deprecatedID": "uuid:u"}}, "id: trigger.__id\n"},
	} {
		if text := Rule(Request{Name: "a", Trigger: "webhook", Address: "/a", Body: test.body, Program: &s.Programs[0], Index: x}); !strings.Contains(text, test.want) {
			t.Errorf("%q is not in\n%s", test.want, text)
		}
	}
	var list diag.List
	if yamlnode.Parse("anc.yaml", []byte(text), &list); len(list) > 0 {
		t.Fatalf("the rule is not YAML: %v\n%s", list, text)
	}
}
