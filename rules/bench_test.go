package rules

import (
	"fmt"
	"strings"
	"testing"
)

// typicalRule has a filter, an id, a lookup, two maps and twenty fields.
func typicalRule() string {
	var b strings.Builder
	b.WriteString(head + `when: trigger.form["@name"] == "ANC registration"
key: trigger.form.case["@case_id"]
lookups:
  clinic: {in: organisationUnits, code: trigger.form.facility_code}
maps:
  sex: {f: Female, m: Male}
  band: {"0-4": UNDER5, ">=5": OVER5}
actions:
  - dhis2.create_and_enroll:
      program: Antenatal care
      external_id: trigger.form.case["@case_id"]
      org_unit: clinic
      enrolled_at: trigger.form.visit_date
      attributes:
        Sex: {from: trigger.form.gender, map: sex}
        Band: {from: trigger.form.age, map: band}
        Name: upper(trim(trigger.form.first_name))
`)
	for i := range 17 {
		fmt.Fprintf(&b, "        Field %d: trigger.form.first_name\n", i)
	}
	return b.String()
}

func BenchmarkLoad(b *testing.B) {
	text := []byte(typicalRule())
	f := files{"samples/form.json": formSample}
	env := testEnvironment(f)
	for b.Loop() {
		r, findings := Load("rules/a.yaml", text, env)
		if r == nil || findings.List.HasErrors() {
			b.Fatal(findings.List)
		}
		compileFields(r)
		r.Finish()
	}
}

func BenchmarkEvaluate(b *testing.B) {
	r, fields := load(b, typicalRule(), nil)
	record := body(b, formSample)
	s := r.Begin(Input{Body: record})
	list := make([]*Field, 0, len(fields))
	for _, f := range fields {
		list = append(list, f)
	}
	b.ReportAllocs()
	for b.Loop() {
		s.Reset(Input{Body: record})
		if ok, err := r.Filter(s); !ok || err != nil {
			b.Fatal(ok, err)
		}
		if _, _, err := r.Identify(s); err != nil {
			b.Fatal(err)
		}
		if err := r.Resolve(s); err != nil {
			b.Fatal(err)
		}
		for _, f := range list {
			if _, err := f.Eval(s); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkContentHash(b *testing.B) {
	record := body(b, formSample)
	b.ReportAllocs()
	for b.Loop() {
		contentHash(record)
	}
}
