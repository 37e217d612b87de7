package rules

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/expression"
)

func TestEvaluate(t *testing.T) {
	r, fields := load(t, head+`when: trigger.form["@name"] == "ANC registration"
key: trigger.form.case["@case_id"]
lookups:
  district: {parent_of: clinic}
  clinic: {in: organisationUnits, code: trigger.form.facility_code}
  item_clinic: {in: organisationUnits, code: item.clinic}
  price: {table: tables/prices.csv, where: {district: district.name, kind: '"visit"'}}
maps:
  sex: {f: Female, m: Male}
  band: {values: {"0-4": UNDER5, ">=5": OVER5}}
  complaint: {fever: FEV, "cough|cold": COU, other: blank}
actions:
  - dhis2.create_and_enroll:
      id: woman
      program: Antenatal care
      external_id: trigger.form.case["@case_id"]
      org_unit: clinic
      enrolled_at: trigger.form.visit_date
      attributes:
        First name: trigger.form.first_name
        Sex: {from: trigger.form.gender, map: sex}
        Band: {from: trigger.form.age, map: band}
        Sex by function: sex(trigger.form.gender)
        Complaints: {from: 'split(trigger.form.symptoms, " ")', map: complaint}
        Country: {value: 010}
        Phone: {from: trigger.form.phone, blank: clear}
        Phone or none: {from: trigger.form.phone, default: '"none"'}
        District: district.name
        Price: price.amount
  - dhis2.event:
      for_each: trigger.form.visits
      when: item.kept == "yes"
      occurred_at: item.date
      org_unit: item_clinic
`, files{"tables/prices.csv": "district,kind,amount\nNorthern,visit,12.50\nSouthern,visit,9\n"})
	s := r.Begin(Input{Body: body(t, formSample), Source: map[string]any{"file": "x"}})
	var steps []string
	s.Trace = func(step Step) { steps = append(steps, step.What+" "+step.Name) }
	if ok, err := r.Filter(s); !ok || err != nil {
		t.Fatal(ok, err)
	}
	id, key, err := r.Identify(s)
	if id != "uuid-1" || key != "c-1" || err != nil {
		t.Fatal(id, key, err)
	}
	if err := r.Resolve(s); err != nil {
		t.Fatal(err)
	}
	got := map[string]any{}
	err = r.Actions[0].Each(s, func(s *Scope) error {
		for name, f := range fields {
			if f.action != r.Actions[0] {
				continue
			}
			result, err := f.Eval(s)
			if err != nil {
				return err
			}
			got[name] = result.Value
			if result.Clear {
				got[name] = "(clear)"
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"enrolled_at": "2024-05-01", "First name": "Amina", "Sex": "Female", "Sex by function": "Female", "Band": "OVER5",
		"Complaints": []any{"FEV", "COU"},
		"Country":    "010", "Phone": "(clear)", "Phone or none": "none", "District": "Northern", "Price": "12.50",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	var visits []string
	err = r.Actions[1].Each(s, func(s *Scope) error {
		clinic, err := fields["org_unit"].Eval(s)
		if err != nil {
			return err
		}
		date, err := fields["occurred_at"].Eval(s)
		visits = append(visits, fmt.Sprint(s.Position(), " ", date.Value, " ", clinic.Value.(*Object).Name))
		return err
	})
	if d := cmp.Diff([]string{"0 2024-05-02 Chilenga Clinic"}, visits); d != "" || err != nil {
		t.Error(d, err)
	}
	for _, want := range []string{"filter ", "id ", "key ", "lookup clinic", "lookup price", "map sex", "field Sex",
		"lookup item_clinic"} {
		if !slices.Contains(steps, want) {
			t.Errorf("no step %q in %q", want, steps)
		}
	}
}

func TestOrgUnitIsTheObject(t *testing.T) {
	r, fields := load(t, head+"lookups: {clinic: {in: organisationUnits, code: "+
		"trigger.form.facility_code}}\nactions:\n  - dhis2.event: {org_unit: clinic}\n", nil)
	s := r.Begin(Input{Body: body(t, formSample)})
	result, err := fields["org_unit"].Eval(s)
	if o, ok := result.Value.(*Object); err != nil || !ok || o.ID != "kanyamaUID1" {
		t.Fatal(result, err)
	}
	if text, err := fields["org_unit"].From.EvalText(s); text != "kanyamaUID1" || err != nil {
		t.Error(text, err)
	}
}

func TestFailures(t *testing.T) {
	for _, c := range []struct{ name, rule, record, want string }{
		{"unmapped", "maps: {sex: {f: F}}\nactions:\n  - dhis2.event: {data_values: {A: {from: trigger.form.gender, map: " +
			"sex}}}\n", `{"form":{"gender":"SECRET"}}`,
			`5:69 unmapped-value A: the value is not in the value map "sex"`},
		{"unmapped in a function",
			"maps: {sex: {f: F}}\nactions:\n  - dhis2.event: {data_values: {A: 'upper(sex(trigger.form.gender))'}}\n",
			`{"form":{"gender":"SECRET"}}`,
			`5:43 unmapped-value A: the value is not in the value map "sex"`},
		{"missing", "lookups: {clinic: {in: organisationUnits, code: trigger.form.facility_code}}\nactions:\n  - " +
			"dhis2.event: {org_unit: clinic}\n", `{"form":{"facility_code":"SECRET"}}`,
			`3:11 lookup-missing clinic: the lookup "clinic" found nothing in organisationUnits`},
		{"missing, skip", "lookups: {clinic: {in: organisationUnits, code: trigger.form.facility_code, on_missing: " +
			"skip}}\nactions:\n  - dhis2.event: {org_unit: clinic}\n", `{"form":{"facility_code":"SECRET"}}`,
			`3:11 lookup-missing clinic: the lookup "clinic" found nothing in organisationUnits (skip)`},
		{"blank look-up", "lookups: {clinic: {in: organisationUnits, code: trigger.form.facility_code}}\nactions:\n  - " +
			"dhis2.event: {org_unit: clinic}\n", `{"form":{"facility_code":"---"}}`,
			`3:11 lookup-blank clinic: the lookup "clinic" has nothing to look for: the value is blank`},
		{"several", "lookups: {clinic: {in: organisationUnits, name: trigger.form.facility}}\nactions:\n  - dhis2.event: " +
			"{org_unit: clinic}\n", `{"form":{"facility":"Hope"}}`,
			`3:11 lookup-many clinic: the lookup "clinic" found 2 in organisationUnits: Hope (HN, hopeNorth11), Hope (HS, ` +
				`hopeSouth11)`},
		{"blank: fail", "actions:\n  - dhis2.event: {data_values: {A: {from: trigger.form.phone, blank: fail}}}\n",
			`{"form":{"phone":" "}}`, `4:43 blank-value A: A is blank`},
		{"blank: fail for all", "actions:\n  - dhis2.event: {blank: fail, data_values: {A: trigger.form.phone}}\n",
			`{"form":{}}`, `4:49 blank-value A: A is blank`},
		{"lost letters", "actions:\n  - dhis2.event: {data_values: {A: trigger.form.first_name}}\n",
			`{"form":{"first_name":"SECRET Zo\uFFFD"}}`,
			"4:36 lost-letters A: the text holds \uFFFD, which stands for a letter that was lost before it came here"},
		{"lost letters in a lookup",
			"lookups: {clinic: {in: organisationUnits, name: trigger.form.facility}}\nactions:\n  - dhis2.event: {org_unit: " +
				"clinic}\n",
			`{"form":{"facility":"SECRET Zo\uFFFD"}}`, "3:49 lost-letters clinic: the text holds \uFFFD"},
		{"expression in a folded scalar",
			"actions:\n  - dhis2.event:\n      data_values:\n        A: >\n          add(\n            " +
				"date(trigger.form.visit_date), 1, \"days\")\n", `{"form":{"visit_date":"SECRET"}}`,
			`8:13 wrong-value A: `},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, fields := load(t, head+c.rule, nil)
			s := r.Begin(Input{Body: body(t, c.record)})
			err := r.Resolve(s)
			for _, f := range fields {
				if err == nil {
					_, err = f.Eval(s)
				}
			}
			var f *Failure
			if !errors.As(err, &f) {
				t.Fatalf("no failure but %v", err)
			}
			got := fmt.Sprintf("%d:%d %s %s: %s", f.Place.Range.Start.Line, f.Place.Range.Start.Column, f.Code, f.Field,
				f.Message)
			if f.Skip {
				got += " (skip)"
			}
			if !strings.HasPrefix(got, c.want) || len(c.want) < 20 {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if strings.Contains(f.Message+f.Hint, "SECRET") || f.Hint == "" {
				t.Errorf("what is logged holds data, or no fix: %+v", f)
			}
			if strings.Contains(c.record, "SECRET") && !strings.Contains(f.Value, "SECRET") {
				t.Errorf("the private value is missing: %+v", f)
			}
		})
	}
}

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

func TestResults(t *testing.T) {
	r, fields := load(t, head+`actions:
  - dhis2.create_and_enroll: {id: woman, attributes: {A: trigger.form.gender}}
  - dhis2.event: {when: woman.enrollment != "", data_values: {B: woman.enrollment}}
`, nil)
	s := r.Begin(Input{Body: body(t, formSample)})
	s.SetResult("woman", map[string]any{"enrollment": "uid"})
	calls := 0
	err := r.Actions[1].Each(s, func(s *Scope) error {
		calls++
		v, err := fields["B"].Eval(s)
		if v.Value != "uid" {
			t.Error(v)
		}
		return err
	})
	if calls != 1 || err != nil {
		t.Error(calls, err)
	}
}

func TestAnIDThatLostDigits(t *testing.T) {
	r, _ := load(t, strings.Replace(head, "trigger.form.meta.instanceID", "trigger.form.phone",
		1)+"actions:\n  - dhis2.event: {data_values: {A: trigger.form.first_name}}\n", nil)
	_, _, err := r.Identify(r.Begin(Input{Body: body(t, `{"form":{"phone":"2.54722E+11"}}`)}))
	var f *Failure
	if !errors.As(err, &f) || f.Code != "lost-digits" || f.Column != "form.phone" || f.Value != "2.54722E+11" {
		t.Errorf("got %v, %+v", err, f)
	}
}

func TestIdentityWithoutAnID(t *testing.T) {
	r, _ := load(t, "trigger: {webhook: {path: /x}, sample: samples/form.json}\n"+
		"actions:\n  - dhis2.event: {program: X}\n", nil)
	id := func(text string) string {
		s := r.Begin(Input{Body: body(t, text)})
		id, key, err := r.Identify(s)
		if err != nil || id != key || id != s.RecordID() || len(id) != 32 {
			t.Fatal(id, key, err)
		}
		return id
	}
	if id(`{"a": 1, "b": [true, null, "x"]}`) != id(`{"b": [true, null, "x"], "a": 1.0}`) {
		t.Error("the order of fields matters")
	}
	different := []string{`{"a": "1"}`, `{"a": 1}`, `{"a": [1]}`, `{"a": {"a": 1}}`, `{"a": null}`, `{}`,
		`{"a": "", "b": "1"}`, `{"a": "1", "b": ""}`, `["a", "b"]`, `["ab", ""]`, `{"a": true}`}
	seen := map[string]string{}
	for _, text := range different {
		if other, ok := seen[id(text)]; ok {
			t.Errorf("%s and %s have the same id", text, other)
		}
		seen[id(text)] = text
	}
	s := r.Begin(Input{Body: body(t, `{}`), RecordID: "known"})
	if got, _, _ := r.Identify(s); got != "known" {
		t.Error(got)
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

// TestOneRuleServesManyWorkers evaluates one rule in several goroutines; the race detector watches.
func TestOneRuleServesManyWorkers(t *testing.T) {
	r, fields := load(t, head+`lookups: {clinic: {in: organisationUnits, name: trigger.form.facility, match: fuzzy}}
maps: {sex: {f: Female}}
actions:
  - dhis2.event: {org_unit: clinic, data_values: {Sex: {from: trigger.form.gender, map: sex}, Name: upper(trigger.form.first_name)}}
`, nil)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				s := r.Begin(Input{Body: map[string]any{"form": map[string]any{"facility": "Kanyma Clinic", "gender": "f",
					"first_name": "amina"}}})
				for name, want := range map[string]string{"org_unit": "kanyamaUID1", "Sex": "Female", "Name": "AMINA"} {
					if v, err := fields[name].Eval(s); err != nil || textOf(v.Value) != want {
						t.Error(name, v, err)
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestFailureNamesTheItem(t *testing.T) {
	r, fields := load(t, head+"actions:\n  - dhis2.event: {for_each: trigger.form.visits, data_values: {A: {from: "+
		"item.date, blank: fail}}}\n", nil)
	s := r.Begin(Input{Body: body(t, `{"form": {"visits": [{"date": "2024-01-01"}, {"date": ""}]}}`)})
	err := r.Actions[0].Each(s, func(s *Scope) error {
		_, err := fields["A"].Eval(s)
		return err
	})
	var f *Failure
	if !errors.As(err, &f) || f.Message != "A is blank (item 2)" || f.Code != "blank-value" {
		t.Error(err)
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
					a.Report(diag.Diagnostic{Code: "unknown-program", Message: "x", Place: a.Body.Get("org_unit").Place()})
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
			`the rule "a" writes "sex" of person too`},
		{"many fields", []*Rule{rule("a", "p.1", "p.2", "p.3", "p.4", "p.5"), rule("b", "p.1", "p.2", "p.3", "p.4", "p.x")},
			`the rule "a" writes "1", "2" and "3" and 1 more of p too`},
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

func TestKeyOfItemsIsNoKeyOfTheRecord(t *testing.T) {
	r, _ := load(t, head+"actions:\n  - dhis2.event: {for_each: trigger.form.visits, external_id: '\"child \" + "+
		"item.clinic'}\n", nil)
	a := r.Actions[0]
	r.Key = a.Expression(a.Body.Get("external_id"), expression.Text)
	s := r.Begin(Input{Body: body(t, formSample)})
	if id, key, err := r.Identify(s); key != id || err != nil {
		t.Error(id, key, err)
	}
}
