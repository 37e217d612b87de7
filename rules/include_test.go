package rules

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/culvert/culvert/rules/settings"
)

// including loads a rule whose action includes files, and gives its fields and what is wrong.
func including(t *testing.T, attributes string, files map[string]string) (fields string, rule *Rule, found []string) {
	t.Helper()
	text := "rule: a\ntrigger: {webhook: {path: /a}, fields: {id: text, name: text}}\nid: trigger.id\nactions:\n" +
		"  - dhis2.event:\n      data_values: " + attributes + "\n"
	rule, findings := Load("rules/a.yaml", []byte(text), Environment{
		Kinds:        []settings.Spec{{Name: "dhis2.event", Fields: []settings.Field{{Name: "data_values", Ref: "fields"}}}},
		TriggerKinds: []TriggerKind{{Name: "webhook"}},
		ReadFile: func(name string) ([]byte, error) {
			if text, ok := files[name]; ok {
				return []byte(text), nil
			}
			return nil, fmt.Errorf("no %s: %w", name, fs.ErrNotExist)
		},
	})
	var parts []string
	for _, p := range rule.Actions[0].Body.Get("data_values").Pairs() {
		rule.Actions[0].Field(p.Key.Value, p.Value)
		parts = append(parts, p.Key.Value+"="+p.Value.Value+"@"+p.Value.Place().File)
	}
	for _, d := range findings.List {
		about := ""
		if len(d.Related) > 0 {
			about = " for " + d.Related[0].Place.File
		}
		found = append(found, fmt.Sprintf("%s:%d %s%s", d.Place.File, d.Place.Range.Start.Line, d.Code, about))
	}
	slices.Sort(parts)
	return strings.Join(parts, " "), rule, found
}

func TestInclude(t *testing.T) {
	files := map[string]string{
		"snippets/person.yaml": "First: trigger.name\nLast: trigger.name\n",
		"snippets/more.yaml":   "include: snippets/person.yaml\nLast: trigger.id\n",
		"snippets/wrong.yaml":  "First: trigge.name\n",
		"snippets/list.yaml":   "- a\n",
		"snippets/a.yaml":      "include: snippets/b.yaml\n",
		"snippets/b.yaml":      "include: snippets/a.yaml\n",
	}
	for attributes, want := range map[string]struct{ fields, found string }{
		"{include: snippets/person.yaml}": {"First=trigger.name@snippets/person.yaml Last=trigger.name@snippets/person.yaml", ""},
		"{include: snippets/person.yaml, Last: trigger.id}": {
			"First=trigger.name@snippets/person.yaml Last=trigger.id@rules/a.yaml", ""},
		"{include: snippets/more.yaml}": {"First=trigger.name@snippets/person.yaml Last=trigger.id@snippets/more.yaml", ""},
		"{include: snippets/wrong.yaml}": {"First=trigge.name@snippets/wrong.yaml",
			"snippets/wrong.yaml:1 unknown-name for rules/a.yaml"},
		"{include: snippets/list.yaml}": {"", "rules/a.yaml:6 wrong-shape"},
		"{include: snippets/none.yaml}": {"", "rules/a.yaml:6 missing-file"},
		"{include: ../person.yaml}":     {"", "rules/a.yaml:6 path-outside"},
		"{include: snippets/a.yaml}":    {"", "snippets/b.yaml:1 include-cycle for rules/a.yaml"},
	} {
		fields, rule, found := including(t, attributes, files)
		if fields != want.fields || strings.Join(found, "; ") != want.found {
			t.Errorf("%s\n%s\n%v", attributes, fields, found)
		}
		if want.found == "" && !strings.Contains(string(rule.Text()), "snippets/person.yaml") {
			t.Error("a change of the file does not change the rule")
		}
	}
}

// TestIncludesAreBounded ends soon where each file includes the next one many times over.
func TestIncludesAreBounded(t *testing.T) {
	files := map[string]string{"snippets/9.yaml": "First: trigger.name\n"}
	for n := range 9 {
		next := fmt.Sprintf("snippets/%d.yaml, ", n+1)
		files[fmt.Sprintf("snippets/%d.yaml", n)] = "include: [" + strings.Repeat(next, 20) + "]\n"
	}
	if _, _, found := including(t, "{include: snippets/0.yaml}", files); len(found) != 1 ||
		!strings.Contains(found[0], "too-complex") {
		t.Errorf("found %v", found)
	}
	files = map[string]string{"snippets/11.yaml": "First: trigger.name\n"}
	for n := range 11 {
		files[fmt.Sprintf("snippets/%d.yaml", n)] = fmt.Sprintf("include: snippets/%d.yaml\n", n+1)
	}
	if _, _, found := including(t, "{include: snippets/0.yaml}", files); len(found) != 1 ||
		!strings.Contains(found[0], "too-complex") {
		t.Errorf("found %v", found)
	}
}

// TestExtendsAreBounded ends soon where each file extends the next one many times over.
func TestExtendsAreBounded(t *testing.T) {
	_, findings := Load("rules/a.yaml", []byte("extends: bases/0.yaml\ntrigger: {webhook: {path: /a}}\n"), Environment{
		TriggerKinds: []TriggerKind{{Name: "webhook"}},
		ReadFile: func(name string) ([]byte, error) {
			var n int
			if _, err := fmt.Sscanf(name, "bases/%d.yaml", &n); err != nil || n > 8 {
				return []byte("description: the last one\n"), nil
			}
			return fmt.Appendf(nil, "extends: [%s]\n", strings.Repeat(fmt.Sprintf("bases/%d.yaml, ", n+1), 20)), nil
		},
	})
	n := 0
	for _, d := range findings.List {
		if d.Code == "too-complex" {
			n++
		}
	}
	if n != 1 {
		t.Errorf("found %v", findings.List)
	}
}
