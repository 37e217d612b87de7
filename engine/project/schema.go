package project

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/schemas"
)

// object is a piece of JSON Schema.
type object = map[string]any

// SchemaFromMetadata gives the JSON Schema of rule files with the names of a server's own programs,
// stages, attributes, data elements and data sets, so that an editor completes them. Codes and uids
// stay allowed, and so does any other text: validate is what judges.
func SchemaFromMetadata(x *metadata.Index) ([]byte, error) {
	var root object
	if err := json.Unmarshal(schemas.Text(schemas.Rule), &root); err != nil {
		return nil, fmt.Errorf("read the rule schema: %w", err)
	}
	definitions, ok := root["definitions"].(object)
	if !ok {
		return nil, fmt.Errorf("read the rule schema: it has no definitions")
	}
	c := completer{x: x}
	for _, v := range definitions {
		action, ok := v.(object)
		if !ok {
			continue
		}
		properties, ok := action["properties"].(object)
		if !ok {
			continue
		}
		c.action(action, properties)
	}
	text, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the rule schema: %w", err)
	}
	return append(text, '\n'), nil
}

type completer struct{ x *metadata.Index }

// action adds names to the keys of one action kind.
func (c completer) action(action, properties object) {
	s := c.x.Snapshot
	if has(properties, "program") {
		suggest(properties, "program", names(s.Programs, func(p metadata.Program) string { return p.Name }))
		if has(properties, "stage") {
			var stages []string
			for _, p := range s.Programs {
				stages = append(stages, names(p.Stages, func(s metadata.ProgramStage) string { return s.Name })...)
			}
			suggest(properties, "stage", stages)
		}
		c.narrow(action, properties)
	}
	if has(properties, "tracked_entity_type") {
		suggest(properties, "tracked_entity_type", names(s.TrackedEntityTypes,
			func(t metadata.TrackedEntityType) string { return t.Name }))
	}
	if has(properties, "relationship_type") {
		suggest(properties, "relationship_type", names(s.RelationshipTypes,
			func(t metadata.RelationshipType) string { return t.Name }))
	}
	if has(properties, "match_by") {
		var unique []string
		for _, a := range s.TrackedEntityAttributes {
			if a.Unique {
				unique = append(unique, a.Name)
			}
		}
		suggest(properties, "match_by", unique)
	}
	if has(properties, "data_set") {
		suggest(properties, "data_set", names(s.DataSets, func(d metadata.DataSet) string { return d.Name }))
		c.narrowDataSets(action, properties)
	}
}

// narrow completes attributes and data elements by the program that the action names.
func (c completer) narrow(action, properties object) {
	var rules []any
	for i := range c.x.Snapshot.Programs {
		p := &c.x.Snapshot.Programs[i]
		then := object{}
		if has(properties, "attributes") {
			fields := object{}
			for _, a := range p.Attributes {
				if attribute := c.x.AttributeByID(a.Attribute.ID); attribute != nil {
					fields[attribute.Name] = field(attribute.ValueType, a.Mandatory)
				}
			}
			then["attributes"] = object{"properties": fields}
		}
		if has(properties, "data_values") {
			fields := object{}
			for _, s := range p.Stages {
				for _, e := range s.DataElements {
					if element := c.x.DataElementByID(e.DataElement.ID); element != nil {
						fields[element.Name] = field(element.ValueType, e.Compulsory)
					}
				}
			}
			then["data_values"] = object{"properties": fields}
		}
		rules = append(rules, when("program", p.Named, then))
	}
	add(action, rules)
}

// narrowDataSets completes data elements by the data set that the action names.
func (c completer) narrowDataSets(action, properties object) {
	if !has(properties, "values") {
		return
	}
	var rules []any
	for i := range c.x.Snapshot.DataSets {
		d := &c.x.Snapshot.DataSets[i]
		fields := object{}
		for _, e := range d.Elements {
			if element := c.x.DataElementByID(e.DataElement.ID); element != nil {
				fields[element.Name] = field(element.ValueType, false)
			}
		}
		rules = append(rules, when("data_set", d.Named, object{"values": object{"properties": fields}}))
	}
	add(action, rules)
}

// when applies properties where a key names an object by name, code or uid.
func when(key string, n metadata.Named, then object) object {
	known := []string{n.Name, n.ID}
	if n.Code != "" {
		known = append(known, n.Code)
	}
	return object{
		"if":   object{"properties": object{key: object{"enum": known}}, "required": []string{key}},
		"then": object{"properties": then},
	}
}

func add(action object, rules []any) {
	all, _ := action["allOf"].([]any)
	action["allOf"] = append(all, rules...)
}

func has(properties object, key string) bool {
	_, ok := properties[key]
	return ok
}

// suggest offers names for a key and still takes any other value that the key took before.
func suggest(properties object, key string, known []string) {
	before, _ := properties[key].(object)
	merged := object{"anyOf": []any{object{"enum": known}, object{}}}
	for k, v := range before {
		merged[k] = v
	}
	if ref, ok := merged["$ref"]; ok { // a $ref hides its siblings in draft 7
		delete(merged, "$ref")
		merged["allOf"] = []any{object{"$ref": ref}}
	}
	properties[key] = merged
}

// field describes an attribute or data element for the editor's hover.
func field(valueType string, mandatory bool) object {
	text := valueType
	if mandatory {
		text += ", mandatory"
	}
	return object{"description": text}
}

func names[T any](list []T, name func(T) string) []string {
	out := make([]string, 0, len(list))
	for _, v := range list {
		out = append(out, name(v))
	}
	slices.Sort(out)
	return slices.Compact(out)
}
