package rules

import (
	"strings"
	"testing"

	"github.com/culvert/culvert/rules/diag"
)

// FuzzLoad loads anything as a rule file: it must never panic, must report what it refuses, and
// every finding must have a place.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		head + "actions:\n  - dhis2.event: {for_each: trigger.form.visits, when: item.kept == \"yes\", data_values: {A: " +
			"{from: item.date, map: {a: b}, blank: clear}}}\n",
		head + "lookups: {a: {in: organisationUnits, any_of: [{code: trigger.form.facility_code}]}, b: {ancestor_of: a, " +
			"level: 2}, c: {table: t.csv, where: {x: a.name}}}\nactions: []\n",
		head + "maps: {a: {\"0-4\": x, b|c: [d, e], other: pass}, b: {file: t.csv}, c: {values: {x: ~}, match: " +
			"ignore_case}}\ndefaults: {actions: {blank: fail}}\n",
		"extends: [rules/fuzz.yaml, shared.yaml]\ntests: [{given: {a: 1}, row: 2, now: 2024-01-01, fail: x}]\n",
		"trigger: {webhook: ~, files: [], sample: {}, fields: [a.b, \"c[\"]}\nwhen: []\nid: {}\nactions: [a, {}, " +
			"{dhis2.event: []}, {x: 1, y: 2}]\n",
		"- a\n", "a: &x [*x]\n", "{{}}", "rule: !!binary x\n",
		"lookups: 1\nmaps: 2\nactions: {a: b}\ndefaults: []\ntests: {}\nextends: {}\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		project := files{"samples/form.json": formSample, "t.csv": "x,y\n1,2\n", "rules/fuzz.yaml": text, "shared.yaml": text}
		r, findings := Load("rules/fuzz.yaml", []byte(text), testEnvironment(project))
		if r == nil && !findings.List.HasErrors() {
			t.Fatal("nothing was loaded and nothing reported")
		}
		if r != nil {
			compileFields(r)
			r.Finish()
			CheckProject([]*Rule{r, r})
		}
		for _, d := range findings.List {
			if d.Place.File == "" || d.Place.Range.Start.Line < 1 || d.Place.Range.Start.Column < 1 || d.Message == "" ||
				d.Code == "" {
				t.Fatalf("incomplete: %+v", d)
			}
		}
		if r == nil || findings.List.HasErrors() {
			return
		}
		// What passes must evaluate without a panic, on records that have nothing of what it expects.
		for _, record := range []any{nil, "text", map[string]any{}, map[string]any{"form": []any{1.0, "x"}}} {
			s := r.Begin(Input{Body: record})
			if ok, err := r.Filter(s); !ok || err != nil {
				continue
			}
			_, _, _ = r.Identify(s)
			_ = r.Resolve(s)
			for _, a := range r.Actions {
				_ = a.Each(s, func(*Scope) error { return nil })
			}
		}
	})
}

// FuzzTable reads anything as the CSV file of a value map.
func FuzzTable(f *testing.F) {
	for _, seed := range []string{"from,to\na,b\n", "\ufefffrom;to\r\n\"a;b\";c\r\n", "a\tb\n1\t2\n", "a,\"b\nc\",d\n",
		"\"", "a,b\n\"x", "é,ü\nß,\xff\n", "\n\n,,\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var list diag.List
		table := readTable("m.csv", []byte(text), func(d diag.Diagnostic) { list.Add(d) })
		if table == nil && len(list) == 0 {
			t.Fatal("nothing was read and nothing reported")
		}
		lines := strings.Count(text, "\n") + 1
		for _, d := range list {
			if p := d.Place.Range.Start; p.Line < 1 || p.Line > lines || p.Column < 1 {
				t.Fatalf("a place outside of the file: %+v", d)
			}
		}
		if table == nil {
			return
		}
		for _, row := range table.rows {
			if len(row.cells) < len(table.header) || len(row.places) != len(row.cells) {
				t.Fatalf("a row of %d cells under a header of %d", len(row.cells), len(table.header))
			}
		}
		Load("rules/a.yaml", []byte(head+"maps: {m: {file: m.csv}}\nactions:\n  - dhis2.event: {data_values: {A: "+
			"m(trigger.form.age)}}\n"), testEnvironment(files{"m.csv": text, "samples/form.json": formSample}))
	})
}
