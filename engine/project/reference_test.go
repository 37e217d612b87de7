package project

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/culvert/culvert/schemas"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/sources"
)

var update = flag.Bool("update", false, "write the generated parts of schemas and docs anew")

// current compares a file with what its generated parts are to be, and writes it with -update.
func current(t *testing.T, path, want string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if *update && string(text) != want {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(string(text), want); d != "" {
		t.Errorf("%s is not current; run the tests of this package with -update: %s", path, d)
	}
}

// generated replaces what stands between the marks of a document.
func generated(t *testing.T, path string, of map[string]string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	section := regexp.MustCompile(`(?s)<!-- keys: ([a-z0-9_.]+) -->\n.*?<!-- end -->`)
	seen := map[string]bool{}
	got := section.ReplaceAllStringFunc(string(text), func(found string) string {
		mark := section.FindStringSubmatch(found)[1]
		table, ok := of[mark]
		if !ok {
			t.Errorf("%s has a table of %q, which is nothing", path, mark)
			return found
		}
		seen[mark] = true
		return "<!-- keys: " + mark + " -->\n" + table + "<!-- end -->"
	})
	for mark := range of {
		if !seen[mark] {
			t.Errorf("%s has no table of %s: add <!-- keys: %s --> and <!-- end -->", path, mark, mark)
		}
	}
	current(t, path, got)
}

// TestTriggerReferenceIsCurrent makes the tables of docs/triggers.md from what the kinds declare.
func TestTriggerReferenceIsCurrent(t *testing.T) {
	tables := map[string]string{}
	for _, k := range SourceKinds() {
		spec := k.Settings()
		tables[spec.Name] = keyTable(spec.Fields, "")
	}
	generated(t, "../../docs/triggers.md", tables)
}

// keyTable is the table of keys, with those of mappings below them.
func keyTable(fields []settings.Field, prefix string) string {
	var b strings.Builder
	if prefix == "" {
		b.WriteString("| key | meaning | left out |\n| --- | --- | --- |\n")
	}
	cell := func(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
	for i := range fields {
		f := &fields[i]
		otherwise := f.Otherwise()
		if f.Default != "" && f.LeftOut == "" || f.Type == settings.Word {
			otherwise = "`" + otherwise + "`"
		}
		fmt.Fprintf(&b, "| `%s%s` | %s | %s |\n", prefix, f.Name, cell(f.Doc), cell(strings.TrimSuffix(otherwise, ",")))
		b.WriteString(keyTable(f.Fields, prefix+f.Name+"."))
	}
	return b.String()
}

// TestRuleSchemaIsCurrent makes the part of the rule schema that is about triggers from what the kinds declare.
func TestRuleSchemaIsCurrent(t *testing.T) {
	const path = "../../schemas/rule.schema.json"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// The kinds stand first in the properties of trigger, before what is known of the records.
	from := bytes.Index(text, []byte("    \"trigger\": {\n"))
	begin := from + bytes.Index(text[from:], []byte("      \"properties\": {\n")) + len("      \"properties\": {\n")
	end := from + bytes.Index(text[from:], []byte("        \"sample\": {\n"))
	if from < 0 || end < begin {
		t.Fatal("the schema has no trigger")
	}
	var b strings.Builder
	var names []string
	for _, k := range SourceKinds() {
		spec := k.Settings()
		names = append(names, spec.Name)
		fmt.Fprintf(&b, "        %q: %s,\n", spec.Name, schemaOf(t, spec.Doc, spec.Fields, "        "))
	}
	got := string(text[:begin]) + b.String() + string(text[end:])
	intro := regexp.MustCompile(`"description": "Where records come from: exactly one of [^;]*;`)
	got = intro.ReplaceAllString(got, `"description": "Where records come from: exactly one of `+strings.Join(names,
		", ")+`;`)
	if !json.Valid([]byte(got)) {
		t.Fatal("what is made is no JSON")
	}
	current(t, path, got)
}

// schemaOf is the JSON Schema of a mapping. Whatever else is wrong with it is for the kind to say,
// better than a schema can.
func schemaOf(t *testing.T, doc string, fields []settings.Field, indent string) string {
	var b strings.Builder
	in := indent + "  "
	fmt.Fprintf(&b, "{\n%s\"type\": \"object\",\n%s\"description\": %s", in, in, quoted(t, doc))
	if len(fields) > 0 {
		fmt.Fprintf(&b, ",\n%s\"properties\": {\n", in)
		for i := range fields {
			comma := ","
			if i == len(fields)-1 {
				comma = ""
			}
			fmt.Fprintf(&b, "%s  %q: %s%s\n", in, fields[i].Name, fieldSchema(t, &fields[i], in+"  "), comma)
		}
		fmt.Fprintf(&b, "%s}", in)
	}
	fmt.Fprintf(&b, "\n%s}", indent)
	return b.String()
}

func fieldSchema(t *testing.T, f *settings.Field, indent string) string {
	types := schemaTypes(f)
	if f.Type == settings.Mapping && len(types) == 1 {
		return schemaOf(t, f.Description(), f.Fields, indent)
	}
	in := indent + "  "
	var b strings.Builder
	b.WriteString("{\n")
	if len(types) == 1 {
		fmt.Fprintf(&b, "%s\"type\": %q,\n", in, types[0])
	} else {
		list, err := json.Marshal(types)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s\"type\": %s,\n", in, list)
	}
	if f.Type == settings.Texts {
		fmt.Fprintf(&b, "%s\"items\": {\"type\": \"string\"},\n", in)
	}
	if f.Type == settings.Word {
		list, err := json.Marshal(f.Words)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s\"enum\": %s,\n", in, list)
	}
	fmt.Fprintf(&b, "%s\"description\": %s\n%s}", in, quoted(t, f.Description()), indent)
	return b.String()
}

// quoted is a text as JSON, with the marks of code taken out: editors show descriptions as plain text.
func quoted(t *testing.T, text string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(b.String())
}

// TestEveryKeyIsDeclaredWhole keeps declarations complete: texts, words, bounds and defaults.
func TestEveryKeyIsDeclaredWhole(t *testing.T) {
	var check func(at string, fields []settings.Field)
	check = func(at string, fields []settings.Field) {
		seen := map[string]bool{}
		for i := range fields {
			f := &fields[i]
			name := at + "." + f.Name
			switch {
			case f.Name == "" || seen[f.Name]:
				t.Errorf("%s is declared twice, or has no name", name)
			case f.Doc == "" || strings.HasSuffix(f.Doc, "."):
				t.Errorf("%s: its text is %q", name, f.Doc)
			case f.Otherwise() == "":
				t.Errorf("%s does not say what holds when it is left out", name)
			case f.Required && f.Hint == "":
				t.Errorf("%s is needed and does not say how it is written", name)
			case f.Type == settings.Duration && f.Most <= f.Least,
				(f.Type == settings.Whole || f.Type == settings.Number) && f.Max <= f.Min:
				t.Errorf("%s has no bounds", name)
			case f.Type == settings.Word && len(f.Words) < 2:
				t.Errorf("%s has no words", name)
			}
			if d, err := settings.ParseDuration(f.Default); f.Type == settings.Duration && f.Default != "" &&
				(err != nil || d < f.Least || d > f.Most) {
				t.Errorf("%s: its default %q is not within its bounds", name, f.Default)
			}
			seen[f.Name] = true
			check(name, f.Fields)
		}
	}
	for _, k := range SourceKinds() {
		spec := k.Settings()
		if spec.Name != k.Name() || spec.Doc == "" || !strings.HasPrefix(spec.Example, spec.Name+": ") {
			t.Errorf("%s is declared as %q, %q, %q", k.Name(), spec.Name, spec.Doc, spec.Example)
		}
		check(spec.Name, spec.Fields)
		if c, ok := k.(sources.Connected); ok {
			check("connections."+c.Connection().Name, c.Connection().Keys)
		}
	}
}

// TestConfigSchemaIsCurrent makes the part of the schema of culvert.yaml that is about connections
// from what the kinds declare.
func TestConfigSchemaIsCurrent(t *testing.T) {
	const path = "../../schemas/culvert.schema.json"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const mark = "\"description\": \"One outside system.\",\n        \"properties\": {\n"
	begin := bytes.Index(text, []byte(mark)) + len(mark)
	end := begin + bytes.Index(text[begin:], []byte("\n        },\n"))
	if begin < len(mark) || end < begin {
		t.Fatal("the schema has no connections")
	}
	var lines []string
	property := func(name, doc string, secret bool) {
		takes := `"type": "string"`
		if secret {
			takes = `"$ref": "#/definitions/text"`
		}
		lines = append(lines, fmt.Sprintf("          %q: {\n            %s,\n            \"description\": %s\n          }",
			name, takes, quoted(t, doc)))
	}
	var names []string
	keys := map[string][]string{}
	declared := map[string]settings.Field{}
	for _, c := range ConnectionKinds() {
		property(c.Name, strings.ToUpper(c.Doc[:1])+c.Doc[1:]+", such as "+c.Example+".", true)
		for _, f := range c.Keys {
			if keys[f.Name] == nil {
				names = append(names, f.Name)
				declared[f.Name] = f
			}
			keys[f.Name] = append(keys[f.Name], c.Name)
		}
	}
	for _, name := range names {
		f := declared[name]
		doc := strings.ToUpper(f.Doc[:1]) + f.Doc[1:] + "; of " + strings.Join(keys[name], ", ") + "."
		property(name, doc, f.Type == settings.Secret || name == "username")
	}
	current(t, path, string(text[:begin])+strings.Join(lines, ",\n")+string(text[end:]))
}

// TestConfigReferenceIsCurrent makes the tables of docs/config.md from the schema of culvert.yaml.
func TestConfigReferenceIsCurrent(t *testing.T) {
	root := schemas.Root(schemas.Config)
	generated(t, "../../docs/config.md", map[string]string{"culvert.yaml": "| key | meaning |\n| --- | --- |\n" +
		schemaTable(root, root, "")})
}

func schemaTable(root, s *schemas.Schema, prefix string) string {
	var b strings.Builder
	needed := func(key string) string {
		if slices.Contains(s.Required, key) {
			return " Needed."
		}
		return ""
	}
	for _, key := range s.Properties.Names {
		child := s.Properties.ByKey[key].Resolve(root)
		fmt.Fprintf(&b, "| `%s%s` | %s%s |\n", prefix, key, strings.ReplaceAll(child.Description, "|", `\|`), needed(key))
		if s.Properties.ByKey[key].Ref == "#/definitions/text" {
			continue // a text, or {file: path}, as the page says
		}
		b.WriteString(schemaTable(root, child, prefix+key+"."))
		if each := child.AdditionalProperties.Resolve(root); each != nil && len(each.Properties.Names) > 0 &&
			child.AdditionalProperties.Ref != "#/definitions/text" {
			b.WriteString(schemaTable(root, each, prefix+key+".NAME."))
		}
	}
	return b.String()
}

// schemaTypes lists the types of JSON Schema that a value may have; the kind says more exactly what is wrong with it.
func schemaTypes(f *settings.Field) []string {
	switch {
	case len(f.Schema) > 0:
		return f.Schema
	case f.Type == settings.Texts:
		return []string{"string", "array"}
	case f.Type == settings.Whole:
		return []string{"integer"}
	case f.Type == settings.Number:
		return []string{"number"}
	case f.Type == settings.Switch:
		return []string{"boolean"}
	case f.Type == settings.Mapping:
		return []string{"object"}
	}
	return []string{"string"}
}
