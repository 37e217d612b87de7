package schemas

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
)

func TestCheck(t *testing.T) {
	for _, c := range []struct{ name, schema, text, want string }{
		{"fine", Rule, "rule: a\nwhen: true\nactions:\n  - dhis2.event: {program: X, data_values: {A: trigger.a, B: " +
			"{value: 010}, C: 1}}\n", ""},
		{"key of the file", Rule, "rul: a\n", `1:1 unknown-key unknown key "rul" | did you mean "rule"?`},
		{"key of an action", Rule, "actions:\n  - dhis2.event: {progam: X}\n",
			`2:19 unknown-key unknown key "progam" in dhis2.event | did you mean "program"?`},
		{"action", Rule, "actions:\n  - dhis2.evnt: {program: X}\n",
			`2:5 unknown-action unknown action "dhis2.evnt" | did you mean "dhis2.event"?`},
		{"an action that is a setting", Rule, "actions:\n  - dhis2.analytics: {}\n",
			`2:5 unknown-action unknown action "dhis2.analytics" | no record asks for it: write ` +
				"`analytics: {after: 15m}` at the server in culvert.yaml, and the analytics tables are made anew once a load is " +
				"over"},
		{"key beside an action", Rule, "actions:\n  - dhis2.event: {program: X}\n    stage: Y\n",
			`3:5 unknown-key the key "stage" stands beside the action instead of below it | indent it further, so that it ` +
				`belongs to the action`},
		{"two actions in one item", Rule, "actions:\n  - dhis2.event: {program: X}\n    dhis2.enroll: {program: X}\n",
			`3:5 wrong-shape item 1 of actions has more than one key | begin a new item with - for each`},
		{"trigger", Rule, "trigger: {webhok: {path: /x}}\n",
			`1:11 unknown-trigger unknown trigger "webhok" | did you mean "webhook"?`},
		{"shape", Rule, "lookups: [a]\n",
			`1:10 wrong-shape "lookups" must be a mapping, not a list | write lines of NAME: value below it, without ` +
				`dashes: objects of the synced metadata, and rows of ` +
				`reference tables, by the names that expressions use`},
		{"shape with its keys", Rule, "trigger: {schedule: {every: 1h, file: https://example.org/a.csv}}\n",
			`1:39 wrong-shape "trigger.schedule.file" must be a mapping, not text | write lines of ` +
				"NAME: value below it (url, params, auth, timeout and others): a table on the web, such as a published sheet " +
				"or an export as CSV, xlsx or JSON, that is read as a dropped file is, when it has changed; none when left out"},
		{"empty", Rule, "when:\nrule: x\n",
			`1:1 wrong-shape "when" is empty | write a value after the colon, or remove the key`},
		{"enum", Rule, "actions:\n  - dhis2.event: {data_values: {A: {from: x, blank: clera}}}\n",
			`2:53 not-allowed "dhis2.event.data_values.A.blank" must be "omit", "clear" or "fail", not "clera" | did you ` +
				`mean "clear"?`},
		{"long form", Rule, "actions:\n  - dhis2.event: {data_values: {A: {form: x}}}\n",
			`2:37 unknown-key unknown key "form" in dhis2.event.data_values.A | did you mean "from"?`},
		{"no actions", Rule, "actions: []\n",
			`1:10 wrong-shape "actions" is empty | give it at least one entry, or remove it`},
		{"test without a record", Rule, "tests:\n  - name: x\n",
			`2:5 missing-key item 1 of tests has no "given" | add given: (the record: a sample file of the project, or the ` +
				`record itself)`},
		{"not a mapping", Rule, "- a\n",
			`1:1 wrong-shape the file must be a mapping of keys to values, not a list | known keys: "actions", "defaults", ` +
				`"description", "enabled", "extends" and 14 more`},
		{"config", Config, "project: a\nservers: {x: {ulr: https://x}}\n",
			`2:11 missing-key servers.x has no "url" | write url: https://dhis2.example.org; ` +
				`2:15 unknown-key unknown key "ulr" in servers.x | did you mean "url"?`},
		{"config with variables", Config, "project: a\nservers: {x: {url: https://x, token: '${T}', password: {file: s}}}\n",
			""},
		{"small", Rule, "tests: [{given: x, row: 0}]\n", `1:25 not-allowed "row" is too small | the least it can be is 1`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var list diag.List
			doc := yamlnode.Parse("f.yaml", []byte(c.text), &list)
			ok := Check(doc, c.schema, &list)
			var got []string
			for _, d := range list {
				got = append(got, fmt.Sprintf("%d:%d %s %s | %s", d.Place.Range.Start.Line, d.Place.Range.Start.Column, d.Code,
					d.Message, d.Hint))
			}
			if d := cmp.Diff(c.want, strings.Join(got, "; ")); d != "" {
				t.Error(d)
			}
			if ok != (c.want == "") {
				t.Errorf("Check says %v", ok)
			}
		})
	}
}

// TestEverySchemaIsDescribed keeps the reference complete: the descriptions are its text.
func TestEverySchemaIsDescribed(t *testing.T) {
	for _, name := range []string{Rule, Config} {
		root := Root(name)
		var walk func(path string, s *Schema)
		seen := map[*Schema]bool{}
		walk = func(path string, s *Schema) {
			if s == nil || seen[s] {
				return
			}
			seen[s] = true
			if r := s.Resolve(root); r == nil {
				t.Errorf("%s: %s refers to nothing", name, path)
			}
			for _, key := range s.Properties.Names {
				child := s.Properties.ByKey[key]
				if r := child.Resolve(root); r == nil || r.Description == "" {
					t.Errorf("%s: %s.%s has no description", name, path, key)
				}
				walk(path+"."+key, child)
			}
			walk(path+".*", s.AdditionalProperties)
			walk(path+"[]", s.Items)
			for key, d := range s.Definitions {
				walk("#"+key, d)
			}
		}
		walk("", root)
	}
}

func BenchmarkCheck(b *testing.B) {
	var list diag.List
	doc := yamlnode.Parse("f.yaml",
		[]byte("rule: a\nwhen: x == 1\nlookups: {c: {in: organisationUnits, code: trigger.x}}\nmaps: {sex: {f: F, m: "+
			"M}}\nactions:\n"+
			"  - dhis2.event:\n      program: X\n      data_values: {A: trigger.a, B: trigger.b, C: {from: trigger.c, map: "+
			"sex}, D: trigger.d, E: trigger.e}\n"), &list)
	for b.Loop() {
		if !Check(doc, Rule, &list) {
			b.Fatal(list)
		}
	}
}
