package project

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/settings"
)

const schemaHome = "https://raw.githubusercontent.com/culvert/culvert/main/schemas/"

// TestRuleSchemaIsCurrent makes the schema of rule files from what the language and the kinds declare.
func TestRuleSchemaIsCurrent(t *testing.T) {
	v := rules.Vocabulary{Asked: AskedKind(nil)}
	for _, k := range SourceKinds() {
		v.Triggers = append(v.Triggers, k.Settings())
	}
	for _, k := range (&Loader{}).actionKinds(nil, actions.Options{}) {
		spec := k.Settings()
		if spec.Name != k.Name() {
			t.Errorf("%s declares keys of %q", k.Name(), spec.Name)
		}
		v.Actions = append(v.Actions, spec)
	}
	language := writer{text: func(f *settings.Field) string { return f.Doc }}
	root := append(ordered{
		{"$schema", "http://json-schema.org/draft-07/schema#"},
		{"$id", schemaHome + "rule.schema.json"},
		{"title", "Culvert rule file"},
		{"description", "One flow of records into DHIS2. The same keys may stand in _defaults.yaml and in files that " +
			"extends: names."},
	}, language.schema(&settings.Field{Type: settings.Mapping, Fields: v.Keys()})...)
	definitions := ordered{}
	for _, f := range v.Definitions() {
		definitions = append(definitions, member{f.Name, language.schema(&f)})
	}
	currentSchema(t, "rule.schema.json", append(root, member{"definitions", definitions}))
}

// TestFunctionsSchemaIsCurrent makes the schema of files of functions from what the language declares.
func TestFunctionsSchemaIsCurrent(t *testing.T) {
	v := rules.Vocabulary{Asked: AskedKind(nil)}
	language := writer{text: func(f *settings.Field) string { return f.Doc }}
	root := append(ordered{
		{"$schema", "http://json-schema.org/draft-07/schema#"},
		{"$id", schemaHome + "functions.schema.json"},
		{"title", "Culvert functions"},
		{"description", "Functions and value maps that all rules of a project share."},
	}, language.schema(&settings.Field{Type: settings.Mapping, Fields: rules.LibraryKeys()})...)
	definitions := ordered{}
	for _, f := range slices.Concat(v.Definitions(), rules.LibraryDefinitions()) {
		if slices.Contains([]string{"expression", "map", "function", "functionTest"}, f.Name) {
			definitions = append(definitions, member{f.Name, language.schema(&f)})
		}
	}
	currentSchema(t, "functions.schema.json", append(root, member{"definitions", definitions}))
}

// TestConfigSchemaIsCurrent makes the schema of culvert.yaml from what configKeys declares.
func TestConfigSchemaIsCurrent(t *testing.T) {
	spec := configKeys()
	config := writer{text: (*settings.Field).Description}
	root := append(ordered{
		{"$schema", "http://json-schema.org/draft-07/schema#"},
		{"$id", schemaHome + "culvert.schema.json"},
		{"title", ConfigFile},
		{"description", spec.Doc},
	}, config.schema(&settings.Field{Type: settings.Mapping, Fields: spec.Fields})...)
	currentSchema(t, "culvert.schema.json", append(root, member{"definitions", ordered{{"text", ordered{
		{"type", []string{"string", "number", "object"}},
		{"description", "Text, ${NAME} from the environment, or {file: path}."},
		{"properties", ordered{{"file", ordered{{"type", "string"},
			{"description", "Path of a file that holds the value."}}}}},
		{"additionalProperties", false},
	}}}}))
}

func currentSchema(t *testing.T, name string, root ordered) {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, encoded(t, root), "", "  "); err != nil {
		t.Fatal(err)
	}
	current(t, "../../schemas/"+name, b.String()+"\n")
}

// writer makes JSON Schema of declarations.
type writer struct {
	text func(*settings.Field) string // what a key says
	open bool                         // what is wrong is for whoever reads the mapping to say, better than a schema can
}

// schema is the JSON Schema of what stands behind a key. It refuses what is not declared: it is the
// first check of a file.
func (w writer) schema(f *settings.Field) ordered {
	if f.Open {
		w.open, w.text = true, (*settings.Field).Description
	}
	s := w.shape(f)
	if f.Required && f.Hint != "" {
		s = append(s, member{"x-hint", f.Hint})
	}
	text := f.Doc
	if text == "" {
		return s
	}
	if !f.Open {
		text = w.text(f)
	}
	text = strings.ToUpper(text[:1]) + text[1:]
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	return slices.Insert(s, min(1, len(s)), member{"description", text})
}

func (w writer) shape(f *settings.Field) ordered {
	s := typed(f)
	switch {
	case f.Ref != "":
		return ordered{{"$ref", "#/definitions/" + f.Ref}}
	case f.Type == settings.Value && !w.open:
		return ordered{{"$ref", "#/definitions/text"}}
	case f.Type == settings.Word && len(f.Schema) == 0 && !w.open:
		return ordered{{"enum", f.Words}}
	case f.Type == settings.Word:
		return append(s, member{"enum", f.Words})
	case f.Type == settings.Whole && !w.open:
		return append(s, member{"minimum", f.Min})
	case f.Type == settings.Text && !w.open:
		return bounded(s, f, "Length")
	case f.Type == settings.Texts:
		return append(s, member{"items", typed(&settings.Field{Type: settings.Free, Schema: scalars(f)})})
	case f.Type == settings.List:
		return append(bounded(s, f, "Items"), member{"items", w.schema(f.Each)})
	case f.Type == settings.Mapping:
		return w.mapping(s, f)
	case f.Type == settings.Named:
		return w.named(s, f)
	case f.Each != nil && slices.Contains(f.Schema, "array"):
		return append(s, member{"items", w.schema(f.Each)})
	case f.Each != nil:
		return append(s, member{"additionalProperties", w.schema(f.Each)})
	}
	return s
}

func (w writer) mapping(s ordered, f *settings.Field) ordered {
	if !w.open {
		s = bounded(s, f, "Properties")
	}
	if len(f.Fields) == 0 {
		return s
	}
	s = append(s, member{"properties", w.properties(f.Fields)})
	var required []string
	for _, field := range f.Fields {
		if field.Required {
			required = append(required, field.Name)
		}
	}
	if w.open {
		return s
	}
	if required != nil {
		s = append(s, member{"required", required})
	}
	return append(s, member{"additionalProperties", false})
}

func (w writer) named(s ordered, f *settings.Field) ordered {
	s = bounded(s, f, "Properties")
	if slices.Contains(f.Schema, "array") {
		s = append(s, member{"items", ordered{{"type", "string"}}})
	}
	if len(f.Fields) > 0 {
		s = append(s, member{"properties", w.properties(f.Fields)})
	}
	return append(s, member{"additionalProperties", w.schema(f.Each)})
}

func (w writer) properties(fields []settings.Field) ordered {
	properties := ordered{}
	for i := range fields {
		properties = append(properties, member{fields[i].Name, w.schema(&fields[i])})
	}
	return properties
}

// typed gives the types of JSON Schema that a value may have: one, or several; none where it may be anything.
func typed(f *settings.Field) ordered {
	switch types := schemaTypes(f); len(types) {
	case 0:
		return ordered{}
	case 1:
		return ordered{{"type", types[0]}}
	default:
		return ordered{{"type", types}}
	}
}

// scalars are the types of one of several texts.
func scalars(f *settings.Field) []string {
	if slices.Contains(schemaTypes(f), "number") {
		return []string{"string", "number"}
	}
	return []string{"string"}
}

// schemaTypes lists the types of JSON Schema that a value may have; none: any.
func schemaTypes(f *settings.Field) []string {
	if len(f.Schema) > 0 {
		return f.Schema
	}
	switch f.Type {
	case settings.Texts:
		return []string{"string", "array"}
	case settings.Whole:
		return []string{"integer"}
	case settings.Number:
		return []string{"number"}
	case settings.Switch:
		return []string{"boolean"}
	case settings.Mapping, settings.Named:
		return []string{"object"}
	case settings.List:
		return []string{"array"}
	case settings.Free:
		return nil
	}
	return []string{"string"}
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
		if len(o) == 0 {
			b.WriteString("{")
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
