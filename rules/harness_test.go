package rules

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"testing"
	"time"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/expression"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/rules/yamlnode"
)

// objects is a Directory of a few objects.
type objects map[string][]*Object

func (o objects) Collections() []string {
	var names []string
	for name := range o {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (o objects) Fields(string) []string { return []string{"id", "code", "name", "HMIS id"} }

func (o objects) Find(collection, field, value string) []*Object {
	var hits []*Object
	for _, object := range o[collection] {
		if fieldOf(object, field) == value {
			hits = append(hits, object)
		}
	}
	return hits
}

func (o objects) Names(collection, field string) []string {
	var names []string
	for _, object := range o[collection] {
		names = append(names, fieldOf(object, field))
	}
	return names
}

func (o objects) Among(collection, ref string) Among {
	if collection != "dataElements" {
		return Among{}
	}
	a := Among{What: "group", Near: []string{"Weights"}}
	if ref == "Weights" {
		a.ID, a.Holds = "groupUID111", func(o *Object) bool { return o.Code == "W" }
	}
	return a
}

func (o objects) AmongNames(string) []string { return []string{"Weights"} }

func (o objects) Lacks(what string) bool { return what == Members }

func testDirectory() objects {
	country := &Object{ID: "countryUID1", Name: "Tamala", Level: 1}
	north := &Object{ID: "northernUID", Code: "N", Name: "Northern", Level: 2, Parent: country,
		Ancestors: []*Object{country}}
	south := &Object{ID: "southernUID", Code: "S", Name: "Southern", Level: 2, Parent: country,
		Ancestors: []*Object{country}}
	clinic := func(id, code, name string, in *Object, hmis string) *Object {
		return &Object{ID: id, Code: code, Name: name, Level: 3, Parent: in, Ancestors: []*Object{country, in},
			Attributes: map[string]string{"HMIS id": hmis}}
	}
	return objects{
		"organisationUnits": {
			country, north, south,
			clinic("kanyamaUID1", "KAN", "Kanyama Clinic", north, "1001"),
			clinic("chilengaUID", "CHI", "Chilenga Clinic", south, "1002"),
			clinic("hopeNorth11", "HN", "Hope", north, "1003"), clinic("hopeSouth11", "HS", "Hope", south, "1004"),
		},
		"dataElements": {{ID: "weightUID11", Code: "W", Name: "Weight"}, {ID: "wightUID111", Code: "H", Name: "Wight"}},
	}
}

// files is a project folder in memory.
type files map[string]string

func (f files) read(name string) ([]byte, error) {
	text, ok := f[name]
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	return []byte(text), nil
}

const formSample = `{"form": {"@name": "ANC registration", "facility_code": "KAN", "facility": "Kanyama Clinic",
 "first_name": "Amina", "gender": "f", "age": "7",
  "symptoms": "fever cough", "phone": "", "visit_date": "2024-05-01",
  "visits": [{"date": "2024-05-02", "kept": "yes", "clinic": "CHI"}, {"date": "2024-05-03", "kept": "no",
   "clinic": "KAN"}],
  "case": {"@case_id": "c-1"}, "meta": {"instanceID": "uuid-1"}}}`

func testEnvironment(f files) Environment {
	return Environment{
		Directory: testDirectory(),
		ReadFile:  f.read,
		Samples: func(t *Trigger) ([]any, error) {
			if t.Sample == "" {
				return nil, nil
			}
			text, err := f.read(t.Sample)
			if err != nil {
				return nil, err
			}
			var body any
			if err := json.Unmarshal(text, &body); err != nil {
				return nil, err
			}
			if list, ok := body.([]any); ok {
				return list, nil
			}
			return []any{body}, nil
		},
		Now:   func() time.Time { return time.Date(2024, 6, 30, 12, 0, 0, 0, time.UTC) },
		Zone:  time.UTC,
		Kinds: testKinds(),
		TriggerKinds: []TriggerKind{{Name: "webhook", Submissions: true}, {Name: "files", Tables: true},
			{Name: "schedule", Anonymous: true}},
	}
}

// testKinds declares kinds of actions with keys as those of DHIS2 have.
func testKinds() []settings.Spec {
	field := func(name string) settings.Field { return settings.Field{Name: name, Ref: "field"} }
	keys := []settings.Field{{Name: "program", Ref: "name"}, {Name: "stage", Ref: "name"}, {Name: "data_set", Ref: "name"},
		{Name: "external_id", Ref: "expression"}, {Name: "event_id", Ref: "expression"}, field("org_unit"),
		field("enrolled_at"), field("occurred_at"), {Name: "status", Ref: "field", Words: []string{"ACTIVE"}},
		{Name: "attributes", Ref: "fields"}, {Name: "data_values", Ref: "fields"},
		{Name: "values", Each: &settings.Field{Type: settings.Expression}}}
	return []settings.Spec{{Name: "dhis2.event", Fields: keys}, {Name: "dhis2.create_and_enroll", Fields: keys},
		{Name: "dhis2.data_value_set", Fields: append(keys[:len(keys):len(keys)], field("period"))}}
}

// compileFields stands in for an action's kind: it compiles everything that is a value.
func compileFields(r *Rule) map[string]*Field {
	fields := map[string]*Field{}
	for _, a := range r.Actions {
		for _, p := range a.Body.Pairs() {
			switch p.Key.Value {
			case "org_unit", "enrolled_at", "occurred_at", "period", "status":
				fields[p.Key.Value] = a.Field(p.Key.Value, p.Value)
			case "external_id", "event_id":
				a.Expression(p.Value, expression.Text)
			case "attributes", "data_values", "values":
				for _, v := range p.Value.Pairs() {
					fields[v.Key.Value] = a.Field(v.Key.Value, v.Value)
				}
			}
		}
	}
	return fields
}

func load(t testing.TB, text string, f files) (*Rule, map[string]*Field) {
	t.Helper()
	if f == nil {
		f = files{}
	}
	if _, ok := f["samples/form.json"]; !ok {
		f["samples/form.json"] = formSample
	}
	r, findings := Load("rules/test.yaml", []byte(text), testEnvironment(f))
	if r == nil {
		t.Fatal(findings.List)
	}
	fields := compileFields(r)
	r.Finish()
	if findings.List.HasErrors() {
		t.Fatal(findings.List)
	}
	return r, fields
}

func body(t testing.TB, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

const head = `trigger: {webhook: {path: /forms}, sample: samples/form.json}
id: trigger.form.meta.instanceID
`

func parseDoc(path, text string, list *diag.List) *yamlnode.Document {
	return yamlnode.Parse(path, []byte(text), list)
}
