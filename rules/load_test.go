package rules

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/expression"
)

func TestInheritance(t *testing.T) {
	var list diag.List
	outer, inner := parseDoc("rules/_defaults.yaml",
		"server: national\nmaps: {sex: {f: F, m: M}}\ndefaults:\n  actions: {org_unit: clinic, program: All, period: x}\n",
		&list), parseDoc("rules/anc/_defaults.yaml", "defaults:\n  dhis2.event: {program: ANC, blank: fail}\n", &list)
	f := files{"shared.yaml": "extends: deep.yaml\nlookups: {clinic: {in: organisationUnits, code: " +
		"trigger.form.facility_code}, parent: {parent_of: clinic}, foreign: {in: organisationUnits, code: " +
		"trigger.nowhere}}\n", "deep.yaml": "when: true != false\nid: trigger.form.meta.instanceID\n",
		"samples/form.json": formSample}
	env := testEnvironment(f)
	env.Defaults = append(env.Defaults, outer, inner)
	r, findings := Load("rules/anc/a.yaml", []byte(`trigger: {webhook: {path: /x}, sample: samples/form.json}
extends: shared.yaml
maps: {sex: {f: Woman}}
actions:
  - dhis2.event: {stage: First, data_values: {Sex: {from: trigger.form.gender, map: sex}}}
`), env)
	fields := compileFields(r)
	r.Finish()
	if len(list) > 0 || findings.List.HasErrors() {
		t.Fatal(list, findings.List)
	}
	a := r.Actions[0]
	if r.Server != "national" || r.Name != "a" || r.ID == nil || a.Body.Get("program").Value != "ANC" ||
		a.Body.Get("org_unit").Value != "clinic" || a.Body.Get("stage").Value != "First" || a.Body.Get("period") != nil {
		t.Errorf("%+v %+v", r, a.Body.Plain())
	}
	if fields["Sex"].Blank != BlankFail || fields["org_unit"].Place.File != "rules/_defaults.yaml" {
		t.Errorf("%+v", fields["Sex"])
	}
	s := r.Begin(Input{Body: body(t, formSample)})
	if v, err := fields["Sex"].Eval(s); v.Value != "Woman" || err != nil {
		t.Error(v, err)
	}
}

func TestServerOf(t *testing.T) {
	var list diag.List
	defaults := parseDoc("rules/_defaults.yaml", "server: other\n", &list)
	for text, want := range map[string]string{"rule: a\nserver: national # x\n": "national", "server: 'n'\n": "n",
		"rule: a\n": "other", "a:\n  server: x\n": "other"} {
		if got := ServerOf([]byte(text), defaults); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if got := ServerOf([]byte("rule: a\n")); got != "" {
		t.Error(got)
	}
}

func TestTestsSayTheirRecord(t *testing.T) {
	r, fields := load(t, head+`actions:
  - dhis2.event: {data_values: {Day: text(today()), Row: source.row, Age: trigger.form.age}}
tests:
  - {name: inline, given: {form: {age: 7, first_name: 010}}, source: {row: 5}, now: 2024-02-29, expect: []}
  - {name: file, given: samples/many.json, row: 2, expect: []}
  - {name: too far, given: samples/many.json, row: 3, expect: []}
  - {name: all, given: samples/many.json, expect: []}
`, files{"samples/many.json": `[{"form": {"age": "1"}}, {"form": {"age": "2"}}]`})
	read := func(string) ([]any, error) {
		return []any{body(t, `{"form": {"age": "1"}}`), body(t, `{"form": {"age": "2"}}`)}, nil
	}
	bodies, err := r.Tests[0].Bodies(read)
	if d := cmp.Diff([]any{map[string]any{"form": map[string]any{"age": 7.0, "first_name": "010"}}}, bodies); d != "" ||
		err != nil {
		t.Error(d, err)
	}
	s := r.Begin(Input{Body: bodies[0], Source: r.Tests[0].SourceFields()})
	r.FixClock(r.Tests[0].Now)
	for name, want := range map[string]string{"Day": "2024-02-29", "Row": "5", "Age": "7"} {
		if v, err := fields[name].Eval(s); textOf(v.Value) != want || err != nil {
			t.Error(name, v, err)
		}
	}
	r.FixClock(time.Time{})
	if v, _ := fields["Day"].Eval(s); v.Value != "2024-06-30" {
		t.Error(v)
	}
	if bodies, err := r.Tests[1].Bodies(read); err != nil || len(bodies) != 1 ||
		bodies[0].(map[string]any)["form"].(map[string]any)["age"] != "2" {
		t.Error(bodies, err)
	}
	if _, err := r.Tests[2].Bodies(read); err == nil {
		t.Error("a record that is not there")
	}
	if bodies, err := r.Tests[3].Bodies(read); err != nil || len(bodies) != 2 {
		t.Error(bodies, err)
	}
}

// TestAFaultyActionIsReadToTheEnd has the kind give up early: the other mistakes of the action are found all the same.
func TestAFaultyActionIsReadToTheEnd(t *testing.T) {
	text := head + `lookups: {clinic: {in: organisationUnits, code: trigger.form.facility_code}}
actions:
  - dhis2.event:
      program: Antenatal car
      org_unit: clnic
      data_values: {A: trigger.form.fist_name, B: {from: upper(), map: none}}
  - dhis2.data_value_set:
      org_unit: clinic
      values: {A: {Under 5: trigger.form.agee}, B: {value: 1}, C: trigger.form.age}
`
	for name, giveUp := range map[string]bool{"the kind gives up": true, "no kind at all": false} {
		t.Run(name, func(t *testing.T) {
			r, findings := Load("rules/a.yaml", []byte(text), testEnvironment(files{"samples/form.json": formSample}))
			if giveUp {
				for _, a := range r.Actions {
					a.Expression(a.Body.Get("org_unit"), expression.Anything)
					a.Report(diag.Diagnostic{Problem: diag.Problem{Code: "unknown-program", Message: "x",
						Place: a.Body.Get("org_unit").Place()}})
				}
			}
			r.Finish()
			var codes []string
			for _, d := range findings.List {
				if d.Code != "unknown-program" {
					codes = append(codes, fmt.Sprintf("%d %s", d.Place.Range.Start.Line, d.Code))
				}
			}
			slices.Sort(codes)
			if d := cmp.Diff([]string{"11 unknown-field", "7 unknown-name", "8 unknown-field", "8 unknown-map",
				"8 wrong-arguments"}, codes); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestFieldsThatTwoRulesWrite(t *testing.T) {
	rule := func(name string, writes ...string) *Rule {
		r, findings := Load("rules/"+name+".yaml", []byte(strings.Replace(head, "/forms", "/"+name,
			1)+"actions:\n  - dhis2.event: {program: X}\n"), testEnvironment(files{"samples/form.json": formSample}))
		if r == nil || findings.List.HasErrors() {
			t.Fatal(findings.List)
		}
		for _, w := range writes {
			object, field, _ := strings.Cut(w, ".")
			r.Actions[0].DeclareWrite(object, field, r.Actions[0].Place)
		}
		return r
	}
	for _, c := range []struct {
		name string
		with []*Rule
		want string
	}{
		{"different fields", []*Rule{rule("a", "person.name"), rule("b", "person.phone")}, ""},
		{"different objects", []*Rule{rule("a", "person.name"), rule("b", "case.name", "case.x")}, ""},
		{"the same fields", []*Rule{rule("a", "person.name", "person.sex"), rule("b", "person.sex", "person.name")}, ""},
		{"some fields", []*Rule{rule("a", "person.name", "person.sex"), rule("b", "person.sex", "person.phone")},
			`the rule "a" writes "sex" of person too, as this rule does`},
		{"many fields", []*Rule{rule("a", "p.1", "p.2", "p.3", "p.4", "p.5"), rule("b", "p.1", "p.2", "p.3", "p.4", "p.x")},
			`the rule "a" writes "1", "2" and "3" and 1 more of p too, as this rule does`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, d := range CheckProject(c.with) {
				got = append(got, d.Message)
			}
			if d := cmp.Diff(c.want, strings.Join(got, "; ")); d != "" {
				t.Error(d)
			}
		})
	}
}
