package lsp

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/culvert/culvert/rules/diag"
)

const registration = "rules/anc-registration.yaml"

// TestFindings: what the editor holds is checked, saved or not, in all files that it concerns.
func TestFindings(t *testing.T) {
	e := newEditor(t, ancProject(t, "anc"))
	e.open(registration)
	e.replace(registration, "First name: trigger", "Frist name: trigger")
	found := e.codes(registration, "mandatory-attribute", "unknown-attribute")
	for _, d := range found {
		if d.Code == "unknown-attribute" && (!strings.Contains(d.Message, `did you mean "First name"`) ||
			d.Range.Start != (Position{20, 8}) || d.Range.End != (Position{20, 18})) {
			t.Errorf("%+v", d)
		}
	}
	e.replace(registration, "Frist name: trigger", "First name: trigger")
	e.codes(registration)
	e.replace(registration, "actions:", "actions: [")
	e.codes(registration, "yaml-syntax")
	e.replace(registration, "actions: [", "actions:")
	e.codes(registration)

	// A new file with the name of another rule: the finding stands in the other's file or in this one,
	// and goes when it is closed unsaved.
	e.open("rules/zz.yaml", e.text[registration])
	e.codes("rules/zz.yaml", "duplicate-rule")
	e.notify("textDocument/didClose", map[string]any{"textDocument": map[string]any{"uri": e.uri("rules/zz.yaml")}})
	e.codes("rules/zz.yaml")

	// A sample that is being edited.
	e.open("samples/anc-registration.json")
	e.replace("samples/anc-registration.json", `"first_name"`, `"given_name"`)
	e.codes(registration, "unknown-field")
	e.replace("samples/anc-registration.json", `"given_name"`, `"first_name"`)
	e.codes(registration)

	// culvert.yaml.
	e.open("culvert.yaml")
	e.replace("culvert.yaml", "store:", "stroe:")
	e.codes("culvert.yaml", "unknown-key")
	e.replace("culvert.yaml", "stroe:", "store:")
	e.codes("culvert.yaml")

	// A file that changes on the disk.
	rule := filepath.Join(e.dir, "rules", "anc-visit.yaml")
	text, err := os.ReadFile(rule)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(rule, []byte(strings.Replace(string(text), "Follow-up visit", "Folow-up visit", 1)),
		0o600); err != nil {
		t.Fatal(err)
	}
	e.notify("workspace/didChangeWatchedFiles",
		map[string]any{"changes": []map[string]any{{"uri": e.uri("rules/anc-visit.yaml"), "type": 2}}})
	e.codes("rules/anc-visit.yaml", "unknown-stage")
}

// TestAFailedCheckEndsNothing: neither the check nor what takes its findings may end the server or
// keep its lock.
func TestAFailedCheckEndsNothing(t *testing.T) {
	var said strings.Builder
	s := &server{ctx: t.Context(), log: slog.New(slog.NewTextHandler(&said, nil))}
	s.settle(&workspace{}, 0, func() diag.List { panic("a mistake in a check") })
	s.settle(&workspace{}, 0, func() diag.List { return nil }) // there is no session to take it
	s.prepare(&workspace{}, 0)
	if !s.mu.TryLock() || strings.Count(said.String(), "level=ERROR") != 3 {
		t.Error(said.String())
	}
}

func TestCompletion(t *testing.T) {
	e := newEditor(t, ancProject(t, "anc"))
	e.open(registration)
	base := e.text[registration]
	for _, c := range []struct {
		name, old, text, mark string
		want, not             []string
		choose, result        string
	}{
		{name: "keys of a rule", old: "description:", text: "de\ndescription:", mark: "\nde|\n",
			want: []string{"namespace", "defaults", "version"}, not: []string{"trigger", "when"}, choose: "defaults",
			result: "\ndefaults:\n  \ndescription"},
		{name: "kinds of actions", old: "tests:", text: "  - \ntests:", mark: "next_visit\n  - |",
			want: []string{"dhis2.event", "dhis2.delete"}, choose: "dhis2.complete", result: "- dhis2.complete:"},
		{name: "programs", old: "program: Antenatal care\n      stage", text: "program: \n      stage", mark: "program: |\n",
			want: []string{"Antenatal care"}, choose: "Antenatal care", result: "program: Antenatal care\n      stage"},
		{name: "stages of the program", old: "stage: First visit", text: "stage: F", mark: "stage: F|",
			want: []string{"First visit", "Follow-up visit"}, not: []string{"Delivery outcome of another program"},
			choose: "Follow-up visit", result: "stage: Follow-up visit\n"},
		{name: "attributes that are not there yet", old: "Village:", text: "V\n        Village:", mark: "        V|",
			not: []string{"Village", "First name", "Gestational age (weeks)"}},
		{name: "data elements of the stage", old: "stage: First visit", text: "stage: Follow-up visit",
			mark: "next_visit\n|tests", not: []string{"Blood pressure"}},
		{name: "data elements of the stage that are not there yet", old: "MUAC (mm): trigger.form.muac", text: "B",
			mark: "        B|\n", want: []string{"MUAC (mm)"},
			not: []string{"Weight (kg)", "Blood pressure", "Birth weight (g)"}, choose: "MUAC (mm)",
			result: "\n        MUAC (mm): \n"},
		{name: "options in a map", old: "m: Male", text: "m: ", mark: "m: |", want: []string{"FEMALE", "MALE"},
			choose: "MALE", result: "m: MALE}"},
		{name: "maps", old: "map: sex", text: "map: ", mark: "map: |", want: []string{"sex"}, choose: "sex",
			result: "map: sex}"},
		{name: "values of the sample in a map", old: "{f: Female, m: Male}", text: "{}", mark: "sex: {|}",
			want: []string{"f", "other"}, choose: "f", result: "sex: {f: }"},
		{name: "what a map between servers maps", old: "{f: Female, m: Male}", text: "{in: , from: x}", mark: "sex: {in: |",
			want: []string{"organisationUnits", "options"}, choose: "options",
			result: "sex: {in: options, from: x}"},
		{name: "servers of a map", old: "{f: Female, m: Male}", text: "{in: options, from: }", mark: "from: |}",
			want: []string{"national"}, not: []string{"FEMALE"}},
		{name: "what the objects of a map belong to", old: "{f: Female, m: Male}", text: "{in: options, from: x, among: }",
			mark: "among: |}", want: []string{"Sex", "Malaria species"}},
		{name: "what counterparts have in common", old: "{f: Female, m: Male}", text: "{in: options, from: x, by: }",
			mark: "by: |}", want: []string{"code", "name"}},
		{name: "names in an expression", old: "title(trigger.form.village)", text: "t", mark: "Village: t|",
			want: []string{"trigger", "clinic", "sex", "title", "days_between"}, choose: "title", result: "Village: title(\n"},
		{name: "fields of the sample", old: "trigger.form.village", text: "trigger.form.", mark: "title(trigger.form.|",
			want: []string{"village", "first_name", "case", "@name"}, choose: "@name", result: `title(trigger.form["@name"])`},
		{name: "deeper fields", old: "trigger.form.visit_date\n      attributes",
			text: "trigger.form.case.u\n      attributes", mark: "case.u|", want: []string{"update", "@case_id"},
			choose: "update", result: "trigger.form.case.update\n"},
		{name: "fields in brackets", old: `external_id: trigger.form.case["@case_id"]`,
			text: `external_id: trigger.form.case["@`, mark: `case["@|`, want: []string{"@case_id"}, choose: "@case_id",
			result: `trigger.form.case["@case_id"]`},
		{name: "fields of a lookup", old: "org_unit: clinic\n      enrolled", text: "org_unit: clinic.\n      enrolled",
			mark: "clinic.|", want: []string{"parent", "code"}},
		{name: "org units", old: "org_unit: clinic\n      enrolled", text: "org_unit: {value: coral}\n      enrolled",
			mark: "coral|}", want: []string{"Coral Health Centre"}, choose: "Coral Health Centre",
			result: "org_unit: {value: Coral Health Centre}"},
		{name: "words of the language", old: "blank: omit", text: "blank: ", mark: "blank: |",
			want: []string{"omit", "clear", "fail"}},
		{name: "keys of the long form", old: "blank: omit", text: "b", mark: ", b|",
			want: []string{"blank", "default", "format"}, not: []string{"from"}},
		{name: "unique attributes", old: "match_by: National ID", text: "match_by: ", mark: "match_by: |",
			want: []string{"National ID"}, not: []string{"First name"}},
		{name: "collections", old: "in: organisationUnits", text: "in: ", mark: "in: |",
			want: []string{"organisationUnits", "dataElements"}},
		{name: "samples", old: "sample: samples/anc-registration.json", text: "sample: ", mark: "sample: |",
			want: []string{"samples/anc-visit.json", "samples/anc-visits.csv"},
			not:  []string{"culvert.yaml", "metadata/national/server.json"}},
	} {
		e.change(registration, base)
		e.replace(registration, c.old, c.text)
		items := e.complete(registration, c.mark)
		got := labels(items)
		for _, w := range c.want {
			if !slices.Contains(got, w) {
				t.Errorf("%s: %q is not among %q", c.name, w, got)
			}
		}
		for _, w := range c.not {
			if slices.Contains(got, w) {
				t.Errorf("%s: %q is among %q", c.name, w, got)
			}
		}
		if c.choose != "" && slices.Contains(got, c.choose) {
			e.choose(registration, items, c.choose)
			if !strings.Contains(e.text[registration], c.result) {
				t.Errorf("%s: choosing %q does not make %q:\n%s", c.name, c.choose, c.result, e.text[registration])
			}
		}
	}
	var help SignatureHelp
	e.change(registration, strings.Replace(base, "title(trigger.form.village)", "pad_left(trigger.form.village, ", 1))
	e.call("textDocument/signatureHelp", e.at(registration, "village, |"), &help)
	if len(help.Signatures) != 1 || !strings.HasPrefix(help.Signatures[0].Label, "pad_left(text, width") ||
		help.ActiveParameter != 1 {
		t.Errorf("signature: %+v", help)
	}
}

func TestAggregateCompletion(t *testing.T) {
	e := newEditor(t, ancProject(t, "anc"))
	const file = "rules/malaria-monthly.yaml"
	e.open(file)
	_, values, _ := strings.Cut(e.text[file], "      values:\n")
	first, _, _ := strings.Cut(values, "\n")
	e.replace(file, "      values:\n"+first, "      values:\n        ")
	if items := labels(e.complete(file, "      values:\n        |")); len(items) == 0 {
		t.Errorf("no data elements of the data set proposed in:\n%s", e.text[file])
	}
}

func TestHover(t *testing.T) {
	e := newEditor(t, ancProject(t, "anc"))
	e.open(registration)
	e.codes(registration)
	for _, c := range []struct{ mark, want string }{
		{"        S|ex: {from", "`MALE` Male"},
		{"        S|ex: {from", "sample: `\"f\"` → `\"Female\"`"},
		{"        First na|me: trigger", "mandatory"},
		{"stage: First| visit", "stage of Antenatal care"},
		{"program: Ante|natal", "tracker program"},
		{"ti|tle(trigger", "title(text)"},
		{"title(trigger.form.vil|lage", "kaolo"},
		{"title(trigger.form.vil|lage", "Kaolo"},
		{"org_unit: cli|nic", "Coral Health Centre"},
		{"ma|tch_by:", "unique attribute"},
		{"map: s|ex", "`f` → `Female`"},
		{"m: Ma|le}", "option of"},
		{"external_id: tri|gger", "8f8f5c3e-5c0e-4d43-9a55-6a1f3f0c1001"},
	} {
		var h Hover
		e.call("textDocument/hover", e.at(registration, c.mark), &h)
		if !strings.Contains(h.Contents.Value, c.want) {
			t.Errorf("%s: %q does not hold %q", c.mark, h.Contents.Value, c.want)
		}
	}
	var hints []InlayHint
	e.call("textDocument/inlayHint", map[string]any{"textDocument": map[string]any{"uri": e.uri(registration)},
		"range": Range{End: Position{100, 0}}}, &hints)
	var shown []string
	for _, h := range hints {
		shown = append(shown, h.Label)
	}
	for _, want := range []string{`= "Kaolo"`, `= "Fatou"`, "= true"} {
		if !slices.Contains(shown, want) {
			t.Errorf("%q is not shown: %q", want, shown)
		}
	}
}

func TestNavigation(t *testing.T) {
	e := newEditor(t, ancProject(t, "anc"))
	e.open(registration)
	e.codes(registration)
	line := func(locations []Location) []int {
		var out []int
		for _, l := range locations {
			out = append(out, l.Range.Start.Line+1)
		}
		slices.Sort(out)
		return out
	}
	var found []Location
	e.call("textDocument/definition", e.at(registration, "map: s|ex"), &found)
	if got := line(found); !slices.Equal(got, []int{12}) {
		t.Errorf("definition of the map: %v", got)
	}
	e.call("textDocument/definition", e.at(registration, "org_unit: cl|inic"), &found)
	if got := line(found); !slices.Equal(got, []int{10}) {
		t.Errorf("definition of the lookup: %v", got)
	}
	e.call("textDocument/definition", e.at(registration, "sample: sam|ples"), &found)
	if len(found) != 1 || !strings.HasSuffix(found[0].URI, "/samples/anc-registration.json") {
		t.Errorf("definition of the sample: %v", found)
	}
	e.call("textDocument/references", e.at(registration, "  cl|inic: {in"), &found)
	if got := line(found); !slices.Equal(got, []int{10, 18, 33}) {
		t.Errorf("references of the lookup: %v", got)
	}
	e.call("textDocument/references", e.at(registration, "stage: Fir|st visit"), &found)
	if len(found) == 0 {
		t.Error("no references of the stage")
	}
	var edit WorkspaceEdit
	e.call("textDocument/rename", with(e.at(registration, "org_unit: cl|inic"), "newName", "facility"), &edit)
	renamed := apply(e.text[registration], edit.Changes[e.uri(registration)])
	if strings.Contains(renamed, "clinic") || strings.Count(renamed, "facility:") != 1 ||
		strings.Count(renamed, "org_unit: facility") != 2 {
		t.Errorf("renamed:\n%s", renamed)
	}
	e.change(registration, renamed)
	e.codes(registration)
	e.call("textDocument/rename", with(e.at(registration, "map: s|ex"), "newName", "gender"), &edit)
	e.change(registration, apply(e.text[registration], edit.Changes[e.uri(registration)]))
	e.codes(registration)
	if !strings.Contains(e.text[registration], "map: gender") || !strings.Contains(e.text[registration], "  gender: {f:") {
		t.Errorf("renamed:\n%s", e.text[registration])
	}
	var symbols []DocumentSymbol
	e.call("textDocument/documentSymbol", map[string]any{"textDocument": map[string]any{"uri": e.uri(registration)}},
		&symbols)
	if len(symbols) < 8 {
		t.Errorf("symbols: %+v", symbols)
	}
}

// TestExtends: keys come from files several levels up, and what is shown in a rule is shown there too.
func TestExtends(t *testing.T) {
	dir := ancProject(t, "anc")
	write := func(file, text string) {
		t.Helper()
		full := filepath.Join(dir, filepath.FromSlash(file))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const top, middle, rule = "shared/top.yaml", "shared/middle.yaml", "rules/extending.yaml"
	write(
		top,
		"lookups:\n  clinic: {in: organisationUnits, code: trigger.form.facility_code}\nmaps:\n  gender: {f: Female}\n"+
			"defaults:\n  dhis2.event: {program: Malaria case notification, org_unit: clinic}\n",
	)
	write(middle, "extends: shared/top.yaml\nmaps:\n  gender: {m: Male}\nid: trigger.form.meta.instanceID\n")
	write(
		rule,
		"extends: shared/middle.yaml\ntrigger:\n  webhook: {path: /extending}\n  sample: samples/anc-registration.json\n"+
			"actions:\n  - dhis2.event:\n      stage: Malaria case\n      occurred_at: trigger.form.visit_date\n"+
			"      data_values:\n        Case age (years): {value: 4}\n"+
			"        Case sex: {from: trigger.form.gender, map: gender}\n",
	)
	write("rules/second.yaml", strings.NewReplacer("/extending", "/second").Replace(readFile(t, dir, rule)))
	e := newEditor(t, dir)
	for _, file := range []string{top, middle, rule} {
		e.open(file)
	}
	e.codes(rule)

	where := func(method, file, mark string) []string {
		t.Helper()
		var found []Location
		e.call(method, with(e.at(file, mark), "context", map[string]any{"includeDeclaration": true}), &found)
		var out []string
		for _, l := range found {
			rel, _ := filepath.Rel(dir, pathOf(l.URI))
			out = append(out, filepath.ToSlash(rel))
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	for _, c := range []struct {
		method, file, mark string
		want               []string
	}{
		{"definition", rule, "map: gen|der", []string{middle, top}},
		{"definition", middle, "id: tri|gger", nil},
		{"definition", top, "org_unit: cli|nic", []string{top}},
		{"definition", rule, "extends: sha|red", []string{middle}},
		{"definition", middle, "extends: sha|red", []string{top}},
		{"references", top, "  gen|der", []string{rule, "rules/second.yaml", middle, top}},
		{"references", middle, "  gen|der", []string{rule, "rules/second.yaml", middle, top}},
		{"references", top, "  cli|nic", []string{top}},
	} {
		if got := where("textDocument/"+c.method, c.file, c.mark); !slices.Equal(got, c.want) {
			t.Errorf("%s of %q in %s: %q, want %q", c.method, c.mark, c.file, got, c.want)
		}
	}
	var edit WorkspaceEdit
	e.call("textDocument/rename", with(e.at(top, "  gen|der"), "newName", "sex"), &edit)
	if len(edit.Changes) != 4 || !strings.Contains(apply(e.text[rule], edit.Changes[e.uri(rule)]), "map: sex}") ||
		!strings.Contains(apply(e.text[middle], edit.Changes[e.uri(middle)]), "  sex: {m") {
		t.Errorf("renamed: %+v", edit.Changes)
	}

	// The program comes from two levels up; the sample of the rule serves the files that it takes keys from.
	base := e.text[rule]
	e.change(rule, strings.Replace(base, "stage: Malaria case", "stage: ", 1))
	if got := labels(e.complete(rule, "stage: |")); !slices.Contains(got, "Malaria case") {
		t.Errorf("stages: %q", got)
	}
	e.change(rule, base)
	text := e.text[top]
	e.change(top, strings.Replace(text, "trigger.form.facility_code", "trigger.form.", 1))
	if got := labels(e.complete(top, "trigger.form.|")); !slices.Contains(got, "facility_code") {
		t.Errorf("fields of the sample: %q", got)
	}
	e.change(top, strings.Replace(text, "{f: Female}", "{f: }", 1))
	if got := labels(e.complete(top, "{f: |")); !slices.Contains(got, "FEMALE") {
		t.Errorf("options: %q", got)
	}

	// A mistake two levels up is shown there once, whoever takes it.
	e.change(top, strings.Replace(text, "facility_code", "facilty_code", 1))
	if found := e.codes(top, "unknown-field"); found[0].Range.Start.Line != 1 {
		t.Errorf("%+v", found)
	}
	e.change(top, text)
	e.codes(top)
	e.codes(rule)
}

// TestTexts: what a text in quotes may say.
func TestTexts(t *testing.T) {
	e := newEditor(t, ancProject(t, "anc"))
	e.open(registration)
	e.codes(registration)
	base := e.text[registration]
	for _, c := range []struct{ old, text, mark, want, result string }{
		{`== "ANC registration"`, `== ""`, `== "|"`, "ANC registration", `== "ANC registration"`},
		{`== "ANC registration"`, `in ["x", "AN"]`, `"AN|"]`, "ANC registration", `in ["x", "ANC registration"]`},
		{"Sex: {from: trigger.form.gender, map: sex}", `Sex: 'trigger.form.gender == "f" ? "" : "MALE"'`, `? "|"`, "FEMALE",
			`? "FEMALE" : "MALE"`},
		{"Sex: {from: trigger.form.gender, map: sex}", `Sex: 'trigger.form.gender == "" ? "FEMALE" : "MALE"'`, `== "|"`, "f",
			`== "f" ?`},
	} {
		e.change(registration, strings.Replace(base, c.old, c.text, 1))
		e.choose(registration, e.complete(registration, c.mark), c.want)
		if !strings.Contains(e.text[registration], c.result) {
			t.Errorf("%s: %s", c.text, e.text[registration])
		}
	}
	e.change(registration, strings.Replace(base, "Sex: {from: trigger.form.gender, map: sex}",
		`Sex: 'trigger.form.gender == "x" ? "FEMALE" : "MALE"'`, 1))
	for mark, want := range map[string]string{`== "ANC regi|stration"`: "in the sample", `== "|x"`: "not in the sample",
		`? "FEM|ALE"`: "option of"} {
		var h Hover
		e.call("textDocument/hover", e.at(registration, mark), &h)
		if !strings.Contains(h.Contents.Value, want) {
			t.Errorf("%s: %q", mark, h.Contents.Value)
		}
	}
}

func readFile(t *testing.T, dir, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(file)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func with(params map[string]any, key string, value any) map[string]any {
	params[key] = value
	return params
}

func TestCodeActions(t *testing.T) {
	e := newEditor(t, ancProject(t, "anc"))
	e.open(registration)
	base := e.text[registration]
	for _, c := range []struct {
		name, old, text, mark string
		title, result         string
		codes                 []string
	}{
		{"the nearest key", "when:", "wehn:", "we|hn", `Change to "when"`, "\nwhen: trigger", nil},
		{"the nearest attribute", "Village: title", "Vilage: title", "Vil|age: ", `Change to "Village"`,
			"        Village: title", nil},
		{"the nearest field", "form.village", "form.vilage", "form.vil|age", `Change to "village"`, "form.village)", nil},
		{"the nearest function", "title(", "titel(", "tit|el(", `Change to "title"`, "title(trigger", nil},
		{"missing mandatory attributes", "        First name: trigger.form.first_name\n", "", "attri|butes",
			"Add the mandatory attributes: First name", "        First name: ", nil},
		{"missing keys of a map", "{f: Female, m: Male}", "{m: Male}", "map: s|ex", "Add f to the map", "{m: Male, f: }",
			nil},
		{"a code for a name", "m: Male}", "m: Male}", "m: Ma|le", "Use the option code MALE (Male)", "m: MALE}", []string{}},
	} {
		e.change(registration, base)
		e.replace(registration, c.old, c.text)
		at := e.at(registration, c.mark)
		var actions []CodeAction
		e.call("textDocument/codeAction", map[string]any{"textDocument": at["textDocument"],
			"range":   Range{at["position"].(Position), at["position"].(Position)},
			"context": map[string]any{"diagnostics": []any{}}}, &actions)
		var titles []string
		done := false
		for _, a := range actions {
			titles = append(titles, a.Title)
			if a.Title != c.title {
				continue
			}
			done = true
			text := apply(e.text[registration], a.Edit.Changes[e.uri(registration)])
			if !strings.Contains(text, c.result) {
				t.Errorf("%s: the result does not hold %q:\n%s", c.name, c.result, text)
			}
		}
		if !done {
			t.Errorf("%s: %q is not offered: %q", c.name, c.title, titles)
		}
	}
	e.change(registration, strings.Replace(base, "  clinic: {in", "     clinic:   {in", 1))
	var edits []TextEdit
	e.call("textDocument/formatting", map[string]any{"textDocument": map[string]any{"uri": e.uri(registration)},
		"options": map[string]any{}}, &edits)
	if got := apply(e.text[registration], edits); got != base {
		t.Errorf("laid out:\n%s", got)
	}
}
