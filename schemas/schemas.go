// Package schemas holds the JSON Schemas of the files that an implementer writes. They serve
// editors, the reference in docs/, and Check.
package schemas

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/xeipuuv/gojsonschema"
)

// Names of the schemas.
const (
	// Rule is the schema of rule files, of _defaults.yaml, and of files that rules extend.
	Rule = "rule"
	// Config is the schema of culvert.yaml.
	Config = "config"
	// Functions is the schema of files of functions and value maps that rules share.
	Functions = "functions"
)

//go:embed rule.schema.json
var ruleText []byte

//go:embed culvert.schema.json
var configText []byte

//go:embed functions.schema.json
var functionsText []byte

// Text gives a schema as JSON; nil for an unknown name.
func Text(name string) []byte {
	switch name {
	case Rule:
		return bytes.Clone(ruleText)
	case Config:
		return bytes.Clone(configText)
	case Functions:
		return bytes.Clone(functionsText)
	}
	return nil
}

// compiled is a schema in the two forms that are needed: for the validator, and for us to walk.
type compiled struct {
	validator *gojsonschema.Schema
	root      *Schema
}

var (
	compiledRule   = sync.OnceValue(func() compiled { return mustCompile(ruleText) })
	compiledConfig = sync.OnceValue(func() compiled { return mustCompile(configText) })

	compiledFunctions = sync.OnceValue(func() compiled { return mustCompile(functionsText) })
)

func lookup(name string) compiled {
	switch name {
	case Config:
		return compiledConfig()
	case Functions:
		return compiledFunctions()
	}
	return compiledRule()
}

// mustCompile panics when an embedded schema is broken, which the package's tests rule out.
func mustCompile(text []byte) compiled {
	validator, err := gojsonschema.NewSchema(gojsonschema.NewBytesLoader(text))
	if err != nil {
		panic(fmt.Sprintf("compile an embedded schema: %v", err))
	}
	root, err := Decode(text)
	if err != nil {
		panic(fmt.Sprintf("read an embedded schema: %v", err))
	}
	return compiled{validator: validator, root: root}
}

// Schema is the part of JSON Schema that ours use, to walk it: for hints, and for the reference in docs/.
type Schema struct {
	Ref                  string             `json:"$ref"`
	Description          string             `json:"description"`
	Hint                 string             `json:"x-hint"` // what to write where the key is missing
	Type                 oneOrMany          `json:"type"`
	Enum                 []any              `json:"enum"`
	Properties           Properties         `json:"properties"`
	AdditionalProperties *Schema            `json:"-"`
	Items                *Schema            `json:"items"`
	Required             []string           `json:"required"`
	Definitions          map[string]*Schema `json:"definitions"`
}

// Properties keeps the order in which a schema names its keys.
type Properties struct {
	Names []string
	ByKey map[string]*Schema
}

// Decode reads a schema for walking it.
func Decode(text []byte) (*Schema, error) {
	var s Schema
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, err
	}
	return &s, nil
}

// Root gives a schema of this package for walking it.
func Root(name string) *Schema { return lookup(name).root }

// UnmarshalJSON reads a schema, where additionalProperties may be true, false or a schema.
func (s *Schema) UnmarshalJSON(text []byte) error {
	type fields Schema
	aux := struct {
		*fields
		Additional json.RawMessage `json:"additionalProperties"`
	}{fields: (*fields)(s)}
	if err := json.Unmarshal(text, &aux); err != nil {
		return err
	}
	if len(aux.Additional) > 0 && aux.Additional[0] == '{' {
		s.AdditionalProperties = &Schema{}
		return json.Unmarshal(aux.Additional, s.AdditionalProperties)
	}
	return nil
}

// UnmarshalJSON reads properties in their order.
func (p *Properties) UnmarshalJSON(text []byte) error {
	if err := json.Unmarshal(text, &p.ByKey); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		p.Names = append(p.Names, fmt.Sprint(key))
		var skipped json.RawMessage
		if err := d.Decode(&skipped); err != nil {
			return err
		}
	}
	return nil
}

// oneOrMany is "type", which may be one name or several.
type oneOrMany []string

func (o *oneOrMany) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '[' {
		return json.Unmarshal(text, (*[]string)(o))
	}
	*o = make([]string, 1)
	return json.Unmarshal(text, &(*o)[0])
}

// Resolve follows a reference within the root schema; a description beside the reference wins.
func (s *Schema) Resolve(root *Schema) *Schema {
	const prefix = "#/definitions/"
	if s == nil || len(s.Ref) <= len(prefix) {
		return s
	}
	target := root.Definitions[s.Ref[len(prefix):]]
	if target == nil || s.Description == "" {
		return target
	}
	own := *target
	own.Description, own.Hint = s.Description, s.Hint
	return &own
}

// Child is the schema of a key of a mapping, or of the items of a list; nil when it is not known.
func (s *Schema) Child(root *Schema, key string, item bool) *Schema {
	s = s.Resolve(root)
	if s == nil {
		return nil
	}
	if item {
		return s.Items.Resolve(root)
	}
	if child := s.Properties.ByKey[key]; child != nil {
		return child.Resolve(root)
	}
	return s.AdditionalProperties.Resolve(root)
}
