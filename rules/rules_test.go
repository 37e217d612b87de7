package rules

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

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
		{"lost letters", "actions:\n  - dhis2.event: {data_values: {A: trigger.form.first_name}}\n",
			`{"form":{"first_name":"SECRET Zo\u0092"}}`,
			"4:36 lost-letters A: the text holds the control sign U+0092, which no text has"},
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
