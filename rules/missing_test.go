package rules

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestMissingWords holds that a declared word is blank wherever a value stands, and that the record
// itself stays as it came.
func TestMissingWords(t *testing.T) {
	record := map[string]any{
		"name": "Amina", "age": 999.0, "weight": " N/A ", "notes": "n/a at home", "yes": true, "none": nil,
		"visits": []any{map[string]any{"muac": "n/a"}, map[string]any{"muac": "120"}, "n/a"},
	}
	before := map[string]any{}
	for k, v := range record {
		before[k] = v
	}
	words := wordSet{"n/a": true, "999": true}
	want := map[string]any{
		"name": "Amina", "age": nil, "weight": nil, "notes": "n/a at home", "yes": true, "none": nil,
		"visits": []any{map[string]any{"muac": nil}, map[string]any{"muac": "120"}, nil},
	}
	if d := cmp.Diff(any(want), words.without(record)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(before, record); d != "" {
		t.Errorf("the record was changed: %s", d)
	}
	plain := map[string]any{"name": "Amina", "visits": []any{map[string]any{"muac": "120"}}}
	if n := testing.AllocsPerRun(10, func() { words.without(plain) }); n > 0 {
		t.Errorf("a record without such words costs %v allocations", n)
	}
}

// TestMissingInARule holds where words may be declared, and what a record that has them comes to.
func TestMissingInARule(t *testing.T) {
	const text = `trigger: {webhook: {path: /forms}, sample: samples/form.json, missing: n/a}
id: trigger.form.meta.instanceID
actions:
  - dhis2.event:
      program: Antenatal care
      data_values:
        A: trigger.form.phone
        B: {from: trigger.form.age, missing: [999, none]}
        C: {from: trigger.form.gender, missing: [f], default: '"unknown"'}
        D: {from: 'split(trigger.form.symptoms, " ")', missing: fever}
`
	env := testEnvironment(files{"samples/form.json": formSample})
	env.Missing = []string{"Missing"}
	r, findings := Load("rules/a.yaml", []byte(text), env)
	if findings.List.HasErrors() {
		t.Fatal(findings.List)
	}
	fields := compileFields(r)
	r.Finish()
	for _, test := range []struct {
		record string
		want   map[string]any
	}{
		{`{"form": {"meta": {"instanceID": "1"}, "phone": "N/A", "age": "999", "gender": "F", "symptoms": "fever cough"}}`,
			map[string]any{"A": nil, "B": nil, "C": "unknown", "D": []any{"cough"}}},
		{`{"form": {"meta": {"instanceID": "1"}, "phone": "missing", "age": 7, "gender": "m", "symptoms": "fever"}}`,
			map[string]any{"A": nil, "B": 7.0, "C": "m", "D": nil}},
	} {
		s := r.Begin(Input{Body: body(t, test.record)})
		got := map[string]any{}
		for name, f := range fields {
			result, err := f.Eval(s)
			if err != nil {
				t.Fatal(err)
			}
			got[name] = result.Value
		}
		if d := cmp.Diff(test.want, got); d != "" {
			t.Error(d)
		}
	}
	for _, id := range []string{"n/a", "none", "-", "unknown"} {
		_, _, err := r.Identify(r.Begin(Input{Body: body(t, `{"form": {"meta": {"instanceID": "`+id+`"}}}`)}))
		if err == nil {
			t.Errorf("%q is taken for an id", id)
		}
	}
}

// TestPlaceholders holds what stands for nobody where people are matched, in the languages of forms, and what does not.
func TestPlaceholders(t *testing.T) {
	for _, text := range []string{
		"n/a", "#N/A", "#REF!", "NaN", `\N`, "(blank)", "--- none ---", "Unk", "dont know", "tbc",
		"Inconnu(e)", "non renseigné", "pas de carte", "RAS", "néant", "Ignoré", "sans", "não sabe", "NAO TEM", "Sem BI", "s/n",
		"Sin dato", "no sabe", "sijui", "hapana", "لا يوجد", "غير معروف", "አላውቅም", "-", "?", "xxx", "…",
		"0", "000", "00/00/0000", "99/99/9999", "999", "-99", "1111111", "1234567", "1234567890", "0123456789",
		"+254700000000", "0700000000",
	} {
		if !IsPlaceholder(text) {
			t.Errorf("%q is taken for an answer", text)
		}
	}
	for _, text := range []string{
		"29811734", "A-1", "1", "12", "98", "123456", "1234568", "7000000", "+254712345678", "Nadia", "Norah", "Test", "Ras Kassa",
		"CM97023104HJKL", "Ana", "X1", "1000000", "لامية",
	} {
		if IsPlaceholder(text) {
			t.Errorf("%q is taken for no answer", text)
		}
	}
}

// TestFillers holds which numbers are no id of anybody, though an id may be a number.
func TestFillers(t *testing.T) {
	for text, want := range map[string]bool{"00/00/0000": true, "99-99-9999": true, "0000000000": true, "000000": true,
		"0": false, "000": false, "999": false, "999999": false, "1234567": false, "n/a": false, "": false} {
		if IsFiller(text) != want {
			t.Errorf("IsFiller(%q) = %v", text, !want)
		}
	}
}
