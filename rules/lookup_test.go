package rules

import (
	"errors"
	"fmt"
	"testing"
)

func TestLookups(t *testing.T) {
	table := files{"t.csv": "code;name;facility;level\nKAN;Kanyama;kanyamaUID1;\nCHI;Chilenga;chilengaUID;KAN\n" +
		"KAN;Kanyama two;x;\n"}
	for _, c := range []struct{ name, lookup, record, want string }{
		{"code", "{in: organisationUnits, code: trigger.form.facility_code}", `{"facility_code": "CHI"}`, "chilengaUID"},
		{"attribute", "{in: organisationUnits, HMIS id: trigger.form.facility_code}", `{"facility_code": "1002"}`,
			"chilengaUID"},
		{"attribute by its key", "{in: organisationUnits, attribute: {HMIS id: trigger.form.facility_code}}",
			`{"facility_code": "1002"}`, "chilengaUID"},
		{"number", "{in: organisationUnits, HMIS id: trigger.form.facility_code}", `{"facility_code": 1002}`, "chilengaUID"},
		{"all of where", "{in: organisationUnits, where: {name: trigger.form.facility, code: trigger.form.facility_code}}",
			`{"facility": "Hope", "facility_code": "HS"}`, "hopeSouth11"},
		{"first of several", "{in: organisationUnits, any_of: [{code: trigger.form.facility_code}, {name: " +
			"trigger.form.facility}]}", `{"facility": "Kanyama Clinic", "facility_code": "?"}`, "kanyamaUID1"},
		{"blank candidates are passed over",
			"{in: organisationUnits, any_of: [{code: trigger.form.facility_code}, {name: trigger.form.facility}]}",
			`{"facility": "Kanyama Clinic"}`, "kanyamaUID1"},
		{"level", "{in: organisationUnits, code: trigger.form.facility_code, level: 2}", `{"facility_code": "CHI"}`,
			"lookup-missing"},
		{"among", "{in: dataElements, code: trigger.form.facility_code, among: Weights}", `{"facility_code": "W"}`,
			"weightUID11"},
		{"among others", "{in: dataElements, code: trigger.form.facility_code, among: Weights}", `{"facility_code": "H"}`,
			"lookup-missing"},
		{"nearest among", "{in: dataElements, name: trigger.form.facility, among: Weights, match: fuzzy}",
			`{"facility": "Wight"}`, "weightUID11"},
		{"within", "{in: organisationUnits, name: trigger.form.facility, within: north}", `{"facility": "Hope"}`,
			"hopeNorth11"},
		{"first of many", "{in: organisationUnits, name: trigger.form.facility, on_many: first}", `{"facility": "Hope"}`,
			"hopeNorth11"},
		{"blank of many", "{in: organisationUnits, name: trigger.form.facility, on_many: blank}", `{"facility": "Hope"}`, ""},
		{"blank when missing", "{in: organisationUnits, name: trigger.form.facility, on_missing: blank}",
			`{"facility": "?"}`, ""},
		{"case", "{in: organisationUnits, name: trigger.form.facility, match: ignore_case}",
			`{"facility": "kanyama  CLINIC"}`, "kanyamaUID1"},
		{"exact", "{in: organisationUnits, name: trigger.form.facility}", `{"facility": "kanyama  CLINIC"}`,
			"lookup-missing"},
		{"fuzzy", "{in: organisationUnits, name: trigger.form.facility, match: fuzzy}", `{"facility": "Kanyma Clinik"}`,
			"kanyamaUID1"},
		{"fuzzy, two as near", "{in: organisationUnits, name: trigger.form.facility, match: fuzzy}", `{"facility": "hop"}`,
			"lookup-many"},
		{"parent", "{parent_of: north}", `{}`, "countryUID1"},
		{"ancestor", "{ancestor_of: kanyama, level: 2}", `{}`, "northernUID"},
		{"ancestor is itself", "{ancestor_of: north, level: 2}", `{}`, "northernUID"},
		{"no such ancestor", "{ancestor_of: north, level: 3, on_missing: blank}", `{}`, ""},
		{"table", "{table: t.csv, where: {code: trigger.form.facility_code}}", `{"facility_code": "CHI"}`, "Chilenga"},
		{"table, many", "{table: t.csv, where: {code: trigger.form.facility_code}}", `{"facility_code": "KAN"}`,
			"lookup-many"},
		{"table, first", "{table: t.csv, where: {code: trigger.form.facility_code}, on_many: first}",
			`{"facility_code": "KAN"}`, "Kanyama"},
		{"table, a column called as a key is", "{table: t.csv, where: {level: kanyama.code}}", `{}`, "Chilenga"},
		{"table, case", "{table: t.csv, where: {code: trigger.form.facility_code}, match: ignore_case}",
			`{"facility_code": "chi"}`, "Chilenga"},
		{"table, two columns", "{table: t.csv, where: {code: trigger.form.facility_code, name: trigger.form.facility}}",
			`{"facility_code": "KAN", "facility": "Kanyama two"}`, "Kanyama two"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, fields := load(t, head+"lookups:\n  here: "+c.lookup+"\n  north: {in: organisationUnits, code: '\"N\"'}\n  "+
				"kanyama: {in: organisationUnits, code: '\"KAN\"'}\n"+
				"actions:\n  - dhis2.event: {org_unit: here, status: '[north, kanyama]'}\n", table)
			s := r.Begin(Input{Body: map[string]any{"form": body(t, c.record)}})
			result, err := fields["org_unit"].Eval(s)
			got := textOf(result.Value)
			if row, ok := result.Value.(map[string]any); ok {
				got = fmt.Sprint(row["name"])
			}
			var f *Failure
			if errors.As(err, &f) {
				got = f.Code
			}
			if got != c.want {
				t.Errorf("got %q, want %q (%v)", got, c.want, err)
			}
		})
	}
}
