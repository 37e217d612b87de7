package rules

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/schemas"
)

const reference = "../docs/rules.md"

// TestReferenceIsUpToDate makes the tables of the reference from the schemas and compares them with what stands there.
func TestReferenceIsUpToDate(t *testing.T) {
	text, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	section := regexp.MustCompile(`(?s)<!-- (keys: [a-zA-Z.]+|actions|triggers) -->\n.*?<!-- end -->`)
	made := 0
	got := section.ReplaceAllStringFunc(string(text), func(found string) string {
		made++
		mark := section.FindStringSubmatch(found)[1]
		return "<!-- " + mark + " -->\n" + generated(t, mark) + "<!-- end -->"
	})
	if made < 7 {
		t.Fatalf("only %d tables were found", made)
	}
	if *update {
		if err := os.WriteFile(reference, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(string(text), got); d != "" {
		t.Errorf("run the tests of this package with -update: %s", d)
	}
}

func generated(t *testing.T, mark string) string {
	root := schemas.Root(schemas.Rule)
	switch mark {
	case "actions":
		return actionTables(root)
	case "keys: rule":
		return keyTable(root, root, nil)
	case "keys: rule.trigger":
		return keyTable(root, root.Child(root, "trigger", false), nil)
	case "triggers":
		return triggerTables(root)
	case "keys: common":
		return keyTable(root, root.Definitions["dhis2.event"], func(key string) bool { return isCommon(key) })
	}
	name := strings.TrimPrefix(mark, "keys: ")
	if shared := schemas.Root(schemas.Functions); shared.Definitions[name] != nil && root.Definitions[name] == nil {
		return keyTable(shared, shared.Definitions[name], nil)
	}
	s := root.Definitions[name]
	if s == nil {
		t.Fatalf("no definition for %q", mark)
	}
	return keyTable(root, s, nil)
}

func isCommon(key string) bool {
	return slices.Contains([]string{"id", "for_each", "when", "blank", "invalid", "import"}, key)
}

func keyTable(root, s *schemas.Schema, keep func(string) bool) string {
	var b strings.Builder
	b.WriteString("| key | takes | meaning |\n| --- | --- | --- |\n")
	for _, key := range s.Properties.Names {
		if keep != nil && !keep(key) {
			continue
		}
		child := s.Properties.ByKey[key]
		resolved := child.Resolve(root)
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", key, takes(child, resolved),
			strings.ReplaceAll(resolved.Description, "|", `\|`))
	}
	return b.String()
}

// takes says in a word or two what stands after a key.
func takes(child, resolved *schemas.Schema) string {
	switch strings.TrimPrefix(child.Ref, "#/definitions/") {
	case "expression":
		return "expression"
	case "field":
		return "value"
	case "fields":
		return "names and values"
	case "name":
		return "name"
	case "nameOrField":
		return "name or value"
	}
	if len(resolved.Enum) > 0 {
		var words []string
		for _, v := range resolved.Enum {
			words = append(words, fmt.Sprintf("`%v`", v))
		}
		return strings.Join(words, ", ")
	}
	words := map[string]string{"object": "mapping", "array": "list", "string": "text", "boolean": "true, false",
		"integer": "number", "number": "number"}
	var names []string
	for _, typ := range resolved.Type {
		if name := words[typ]; name != "" && !slices.Contains(names, name) &&
			!(slices.Contains(resolved.Type, "string") && (typ == "number" || typ == "boolean")) {
			names = append(names, name)
		}
	}
	return strings.Join(names, " or ")
}

func triggerTables(root *schemas.Schema) string {
	var b strings.Builder
	trigger := root.Child(root, "trigger", false)
	for _, kind := range trigger.Properties.Names {
		if s := trigger.Child(root, kind, false); settings.Find(triggerKeys, kind) == nil && len(s.Properties.Names) > 0 {
			fmt.Fprintf(&b, "\nThe keys of `%s`:\n\n%s", kind, keyTable(root, s, nil))
		}
	}
	return b.String() + "\n"
}

func actionTables(root *schemas.Schema) string {
	var b strings.Builder
	for _, kind := range root.Properties.ByKey["actions"].Items.Properties.Names {
		s := root.Definitions[kind]
		fmt.Fprintf(&b, "\n### %s\n\n%s\n\n%s", kind, s.Description,
			keyTable(root, s, func(key string) bool { return !isCommon(key) }))
	}
	return b.String() + "\n"
}

// formWithChildren is a form with a repeat group inside of another.
const formWithChildren = `{"form": {"meta": {"instanceID": "uuid-1"}, "visits": [{"date": "2026-01-07", ` +
	`"children": [{"number": "1"}]}]}}`

// TestReferenceExamplesLoad loads every rule of the reference without a finding.
func TestReferenceExamplesLoad(t *testing.T) {
	text, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml title=\"rule\"\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) < 5 {
		t.Fatalf("only %d examples were found", len(blocks))
	}
	for _, block := range blocks {
		f := files{"samples/form.json": formSample, "samples/household.json": formWithChildren,
			"tables/prices.csv": "district,kind,amount\nNorthern,visit,5\n", "maps/villages.csv": "from,to\nKanyama,KANYAMA\n"}
		r, findings := Load("rules/example.yaml", []byte(block[1]), testEnvironment(f))
		if r != nil {
			compileFields(r)
			r.Finish()
		}
		for _, d := range findings.List {
			if d.Code != "map-not-covering" {
				t.Errorf("%s in\n%s", d, block[1])
			}
		}
	}
}
