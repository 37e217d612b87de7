package scaffold

import (
	"bytes"
	"encoding/csv"
	"fmt"
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
		OrgUnits: []metadata.OrgUnit{{Named: named("uuuuuuuuuuu", "Coral", "TM-01")}},
		OptionSets: []metadata.OptionSet{{Named: named("ooooooooooo", "Sex", ""),
			Options: []metadata.Option{{Named: named("o1", "Female", "F")}, {Named: named("o2", "Male", "M")}}}},
		DataElements: []metadata.DataElement{
			{Named: named("ddddddddddd", "Weight (kg)", "WT"), ValueType: "NUMBER"},
			{Named: named("ddddddddddx", "Malaria deaths", ""), ValueType: "INTEGER"},
		},
		Programs: []metadata.Program{{
			Named: named("ppppppppppp", "Antenatal: care", ""), Type: metadata.WithRegistration,
			Attributes: []metadata.ProgramAttribute{{Attribute: ref("aaaaaaaaaa1"), Mandatory: true},
				{Attribute: ref("aaaaaaaaaa2")}, {Attribute: ref("aaaaaaaaaa3")}},
			Stages: []metadata.ProgramStage{{Named: named("sssssssssss", "First visit", ""),
				DataElements: []metadata.StageElement{
					{DataElement: ref("ddddddddddd"), Compulsory: true}, {DataElement: ref("ddddddddddx")}}}},
		}},
	}
	x := metadata.NewIndex(s)
	body := map[string]any{"form": map[string]any{
		"first_name": "A", "@name": "Registration", "gender": "f", "sex": "f", "weight": "60", "deaths": "0",
		"visit_date": "2026-01-01", "facility_code": "TM-01",
		"case": map[string]any{"@case_id": "c"}, "meta": map[string]any{"instanceID": "i"},
	}}
	text := draft(t, Request{Name: "anc", Trigger: "webhook", Address: "/anc", Bodies: []any{body},
		Program: &s.Programs[0], Index: x})
	for _, want := range []string{
		"id: trigger.form.meta.instanceID #",
		"    code: trigger.form.facility_code\n",
		"program: 'Antenatal: care'",
		"external_id: trigger.form.case[\"@case_id\"] #",
		"enrolled_at: trigger.form.visit_date #",
		"        First name: trigger.form.first_name # TEXT, mandatory; called the same\n",
		"        Sex: {from: trigger.form.sex, map: sex} # TEXT: Female, Male; called the same\n",
		"    f: Female\n",
		"        # National ID: …   # TEXT\n",
		"        Weight (kg): trigger.form.weight # NUMBER, mandatory; called the same without the unit\n",
		"        # Malaria deaths: …   # INTEGER; perhaps trigger.form.deaths\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	// A day of birth is not when she was enrolled, though no other day is there.
	for _, name := range []string{"birth date", "dob", "date_de_naissance"} {
		text := draft(t, Request{Name: "a", Trigger: "webhook", Address: "/a",
			Bodies: []any{map[string]any{name: "1999-03-12"}}, Program: &s.Programs[0], Index: x})
		if strings.Contains(text, "the only date") {
			t.Errorf("%q is taken for the day of enrollment:\n%s", name, text)
		}
	}
	for _, test := range []struct {
		body map[string]any
		want string
	}{
		{map[string]any{"_id": 112.0, "_uuid": "u", "meta/instanceID": "uuid:u", "meta/rootUuid": "uuid:u"},
			"id: trigger._id #"},
		{map[string]any{"_uuid": "u", "meta/instanceID": "uuid:u", "meta/rootUuid": "uuid:u"},
			"id: trigger[\"meta/rootUuid\"] #"},
		{map[string]any{"__id": "uuid:u", "meta": map[string]any{"instanceID": "uuid:v", "deprecatedID": "uuid:u"}},
			"id: trigger.__id #"},
	} {
		text := draft(t, Request{Name: "a", Trigger: "webhook", Address: "/a", Bodies: []any{test.body},
			Program: &s.Programs[0], Index: x})
		if !strings.Contains(text, test.want) {
			t.Errorf("%q is not in\n%s", test.want, text)
		}
	}
}

// draft writes a rule and wants it to be YAML that says what it should.
func draft(t *testing.T, r Request) string {
	t.Helper()
	d, err := Rule(r)
	if err != nil {
		t.Fatal(err)
	}
	var list diag.List
	if yamlnode.Parse("a.yaml", []byte(d.Text), &list); len(list) > 0 {
		t.Fatalf("the rule is not YAML: %v\n%s", list, d.Text)
	}
	return d.Text
}

// TestWideDataSet: a data set of many cells gets a file of columns instead of a line for each.
func TestWideDataSet(t *testing.T) {
	s := &metadata.Snapshot{}
	set := metadata.DataSet{Named: metadata.Named{ID: "sssssssssss", Name: "TB quarterly"}, PeriodType: "Quarterly"}
	row := map[string]any{"facility": "F", "period": "2026Q1"}
	for i := range 40 {
		e := metadata.DataElement{Named: metadata.Named{ID: fmt.Sprintf("d%010d", i),
			Name: fmt.Sprintf("TB: new \"%d\", cases", i)}, ValueType: "INTEGER", DomainType: "AGGREGATE"}
		s.DataElements = append(s.DataElements, e)
		set.Elements = append(set.Elements, metadata.DataSetElement{DataElement: metadata.Ref{ID: e.ID}})
		if i < 35 {
			row[e.Name] = "1"
		}
	}
	s.DataSets = []metadata.DataSet{set}
	d, err := Rule(Request{Name: "tb", Trigger: "files", Address: "drop", Bodies: []any{row}, DataSet: &s.DataSets[0],
		Index: metadata.NewIndex(s)})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(d.Text, "columns: {file: maps/tb.csv}") || strings.Contains(d.Text, "values:") {
		t.Errorf("the rule:\n%s", d.Text)
	}
	rows, err := csv.NewReader(bytes.NewReader(d.Columns)).ReadAll()
	if err != nil || len(rows) != 41 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	joined := 0
	for _, r := range rows[1:] {
		if r[0] != "" {
			joined++
			if r[0] != r[1] {
				t.Errorf("%q stands beside %q", r[0], r[1])
			}
		}
	}
	if joined != 35 {
		t.Errorf("%d cells are joined", joined)
	}
}

// A repeat in a repeat is named with both levels, as YAML takes them.
func TestRepeatInRepeatIsNamed(t *testing.T) {
	s := &metadata.Snapshot{Programs: []metadata.Program{{Type: metadata.WithoutRegistration,
		Named:  metadata.Named{ID: "ppppppppppp", Name: "Doses"},
		Stages: []metadata.ProgramStage{{Named: metadata.Named{ID: "sssssssssss", Name: "Dose"}}}}}}
	body := map[string]any{"_id": 1, "visits": []any{map[string]any{"visits/day": "2026-01-01",
		"visits/doses": []any{map[string]any{"visits/doses/n": "1"}}}}}
	text := draft(t, Request{Name: "doses", Trigger: "webhook", Address: "/d", Bodies: []any{body},
		Program: &s.Programs[0], Index: metadata.NewIndex(s)})
	want := `# each item of trigger.visits holds a list: an action with for_each: ['trigger.visits', 'item["visits/doses"]'] runs`
	if !strings.Contains(text, want) {
		t.Errorf("no %q in\n%s", want, text)
	}
}
