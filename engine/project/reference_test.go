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

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/rules"
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
		if !f.Required && (f.Default != "" && f.LeftOut == "" || f.Type == settings.Word) {
			otherwise = "`" + otherwise + "`"
		}
		fmt.Fprintf(&b, "| `%s%s` | %s | %s |\n", prefix, f.Name, cell(f.Doc), cell(strings.TrimSuffix(otherwise, ",")))
		b.WriteString(keyTable(f.Fields, prefix+f.Name+"."))
		if f.Type == settings.Named {
			b.WriteString(keyTable(f.Each.Fields, prefix+f.Name+".NAME."))
		}
	}
	return b.String()
}

// TestRuleSchemaIsCurrent makes the parts of the rule schema that are about triggers and actions from what the kinds
// declare.
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
	got := actionSchemas(t, string(text[:begin])+b.String()+string(text[end:]))
	got = definitionOf(t, got, rules.DeclareLookup(AskedKind(nil)))
	intro := regexp.MustCompile(`"description": "Where records come from: exactly one of [^;]*;`)
	got = intro.ReplaceAllString(got, `"description": "Where records come from: exactly one of `+strings.Join(names,
		", ")+`;`)
	if !json.Valid([]byte(got)) {
		t.Fatal("what is made is no JSON")
	}
	current(t, path, got)
}

// definitionOf replaces a definition of the schema of rules.
func definitionOf(t *testing.T, text string, f settings.Field) string {
	var b bytes.Buffer
	if err := json.Indent(&b, encoded(t, actionSchema(&f)), "    ", "  "); err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?s)\n    "` + f.Name + `": \{.*?\n    \}`)
	return found.ReplaceAllLiteralString(text, fmt.Sprintf("\n    %q: %s", f.Name, b.String()))
}

// actionSchemas replaces what the schema of rules says of actions: the definitions of the kinds, which
// stand last, and the two lists of their names.
func actionSchemas(t *testing.T, text string) string {
	var definitions, names strings.Builder
	for _, k := range (&Loader{}).actionKinds(nil, actions.Options{}) {
		spec := k.Settings()
		if spec.Name != k.Name() {
			t.Errorf("%s declares keys of %q", k.Name(), spec.Name)
		}
		f := settings.Field{Type: settings.Mapping, Doc: spec.Doc, Fields: append(actions.CommonKeys(), spec.Fields...)}
		var b bytes.Buffer
		if err := json.Indent(&b, encoded(t, actionSchema(&f)), "    ", "  "); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&definitions, "    %q: %s,\n", spec.Name, b.String())
		fmt.Fprintf(&names, "%q: {\n  \"$ref\": \"#/definitions/%s\"\n},\n", spec.Name, spec.Name)
	}
	first := fmt.Sprintf("    %q: {\n      \"type\": \"object\"", (&Loader{}).actionKinds(nil, actions.Options{})[0].Name())
	at := strings.LastIndex(text, first)
	if at < 0 {
		t.Fatal("the schema has no actions")
	}
	text = text[:at] + strings.TrimSuffix(definitions.String(), ",\n") + "\n  }\n}\n"
	list := regexp.MustCompile(`(?m)^( *)"[a-z0-9_.]+": \{\n +"\$ref": "#/definitions/[a-z0-9]+\.[a-z_]+"\n +\}(,?\n *"[a-z0-9_.]+": ` +
		`\{\n +"\$ref": "#/definitions/[a-z0-9]+\.[a-z_]+"\n +\})*`)
	return list.ReplaceAllStringFunc(text, func(found string) string {
		indent := found[:strings.IndexByte(found, '"')]
		lines := strings.TrimSuffix(names.String(), ",\n")
		return indent + strings.ReplaceAll(lines, "\n", "\n"+indent)
	})
}

// actionSchema is the JSON Schema of a key of an action, with its text as it is declared.
func actionSchema(f *settings.Field) ordered {
	var s ordered
	switch {
	case f.Ref != "":
		s = ordered{{"$ref", "#/definitions/" + f.Ref}}
	case f.Type == settings.Word:
		s = ordered{{"enum", f.Words}}
	case f.Type == settings.Whole:
		s = ordered{{"type", "integer"}, {"minimum", f.Min}}
	case f.Type == settings.Mapping && len(f.Fields) > 0:
		s = ordered{{"type", "object"}, {"properties", actionProperties(f.Fields)}, {"additionalProperties", false}}
	case f.Type == settings.Named:
		s = bounded(ordered{{"type", "object"}}, f, "Properties")
		if len(f.Fields) > 0 {
			s = append(s, member{"properties", actionProperties(f.Fields)})
		}
		s = append(s, member{"additionalProperties", actionSchema(f.Each)})
	case f.Type == settings.List:
		s = append(bounded(ordered{{"type", "array"}}, f, "Items"), member{"items", actionSchema(f.Each)})
	case f.Type == settings.Free && f.Schema == nil:
		return ordered{{"description", sentence(f.Doc)}}
	default:
		s = ordered{{"type", schemaTypes(f)}}
		if len(schemaTypes(f)) == 1 {
			s = ordered{{"type", schemaTypes(f)[0]}}
		}
		if f.Each != nil && slices.Contains(f.Schema, "array") {
			s = append(s, member{"items", actionSchema(f.Each)})
		} else if f.Each != nil {
			s = append(s, member{"additionalProperties", actionSchema(f.Each)})
		}
	}
	if f.Doc == "" {
		return s
	}
	return slices.Insert(s, 1, member{"description", sentence(f.Doc)})
}

func actionProperties(fields []settings.Field) ordered {
	properties := ordered{}
	for i := range fields {
		properties = append(properties, member{fields[i].Name, actionSchema(&fields[i])})
	}
	return properties
}

func sentence(text string) string { return strings.ToUpper(text[:1]) + text[1:] + "." }

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
	bounds := true
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
			case bounds && (f.Type == settings.Duration && f.Most <= f.Least ||
				(f.Type == settings.Whole || f.Type == settings.Number) && f.Max <= f.Min):
				t.Errorf("%s has no bounds", name)
			case (f.Type == settings.Named || f.Type == settings.List) && f.Each == nil:
				t.Errorf("%s does not say what it holds", name)
			case f.Type == settings.Word && len(f.Words) < 2:
				t.Errorf("%s has no words", name)
			}
			if d, err := settings.ParseDuration(f.Default); f.Type == settings.Duration && f.Default != "" &&
				(err != nil || d < f.Least || bounds && d > f.Most) {
				t.Errorf("%s: its default %q is not within its bounds", name, f.Default)
			}
			seen[f.Name] = true
			check(name, f.Fields)
			if f.Each != nil {
				check(name+".NAME", f.Each.Fields)
			}
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
	bounds = false // of one's own file the limits are one's own
	check(ConfigFile, configKeys().Fields)
}

// TestConfigSchemaIsCurrent makes the schema of culvert.yaml from what configKeys declares.
func TestConfigSchemaIsCurrent(t *testing.T) {
	spec := configKeys()
	root := append(ordered{
		{"$schema", "http://json-schema.org/draft-07/schema#"},
		{"$id", "https://raw.githubusercontent.com/culvert/culvert/main/schemas/culvert.schema.json"},
		{"title", ConfigFile},
		{"description", spec.Doc},
	}, configMapping(&settings.Field{Type: settings.Mapping, Fields: spec.Fields})...)
	root = append(root, member{"definitions", ordered{{"text", ordered{
		{"type", []string{"string", "number", "object"}},
		{"description", "Text, ${NAME} from the environment, or {file: path}."},
		{"properties", ordered{{"file", ordered{{"type", "string"},
			{"description", "Path of a file that holds the value."}}}}},
		{"additionalProperties", false},
	}}}})
	var b bytes.Buffer
	if err := json.Indent(&b, encoded(t, root), "", "  "); err != nil {
		t.Fatal(err)
	}
	current(t, "../../schemas/culvert.schema.json", b.String()+"\n")
}

// ordered is an object of JSON whose members stand in their order.
type ordered []member

type member struct {
	name  string
	value any
}

// encoded writes JSON as people read it, without escapes of HTML.
func encoded(t *testing.T, v any) []byte {
	var b bytes.Buffer
	if o, ok := v.(ordered); ok {
		for i, m := range o {
			fmt.Fprintf(&b, "%s%q:%s", []string{"{", ","}[min(i, 1)], m.name, encoded(t, m.value))
		}
		b.WriteString("}")
		return b.Bytes()
	}
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSpace(b.Bytes())
}

// configSchema is the JSON Schema of what stands behind a key of culvert.yaml. It refuses what is not
// declared: it is the first check of the file.
func configSchema(f *settings.Field) ordered {
	var s ordered
	switch f.Type {
	case settings.Value:
		s = ordered{{"$ref", "#/definitions/text"}}
	case settings.Word:
		s = ordered{{"enum", f.Words}}
	case settings.Mapping:
		s = configMapping(f)
	case settings.Named:
		s = bounded(ordered{{"type", "object"}}, f, "Properties")
		s = append(s, member{"additionalProperties", configSchema(f.Each)})
	case settings.List:
		s = bounded(ordered{{"type", "array"}}, f, "Items")
		s = append(s, member{"items", configSchema(f.Each)})
	case settings.Texts:
		s = ordered{{"type", f.Schema}, {"items", ordered{{"type", []string{"string", "number"}}}}}
	case settings.Whole:
		s = ordered{{"type", "integer"}, {"minimum", f.Min}}
	case settings.Text:
		s = bounded(ordered{{"type", "string"}}, f, "Length")
	default:
		s = ordered{{"type", schemaTypes(f)[0]}}
	}
	if f.Doc == "" {
		return s
	}
	return slices.Insert(s, 1, member{"description", f.Description()})
}

func configMapping(f *settings.Field) ordered {
	s := bounded(ordered{{"type", "object"}}, f, "Properties")
	properties, required := ordered{}, []string{}
	for i := range f.Fields {
		properties = append(properties, member{f.Fields[i].Name, configSchema(&f.Fields[i])})
		if f.Fields[i].Required {
			required = append(required, f.Fields[i].Name)
		}
	}
	s = append(s, member{"properties", properties})
	if len(required) > 0 {
		s = append(s, member{"required", required})
	}
	return append(s, member{"additionalProperties", false})
}

// bounded adds how many there may be of something.
func bounded(s ordered, f *settings.Field, what string) ordered {
	if f.Min > 0 {
		s = append(s, member{"min" + what, f.Min})
	}
	if f.Max > 0 {
		s = append(s, member{"max" + what, f.Max})
	}
	return s
}

// TestConfigReferenceIsCurrent makes the table of docs/config.md from what configKeys declares.
func TestConfigReferenceIsCurrent(t *testing.T) {
	generated(t, "../../docs/config.md", map[string]string{ConfigFile: keyTable(configKeys().Fields, "")})
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
