package rules

import (
	"slices"
	"strings"

	"github.com/culvert/culvert/rules/settings"
)

// Vocabulary is what the kinds of triggers, actions and lookups add to the language.
type Vocabulary struct {
	Triggers []settings.Spec
	Actions  []settings.Spec
	Asked    AskedKind
}

// Keys declares the keys of a rule file.
func (v *Vocabulary) Keys() []settings.Field {
	keys := slices.Clone(ruleKeys)
	actions := make([]settings.Field, len(v.Actions))
	for i, spec := range v.Actions {
		actions[i] = settings.Field{Name: spec.Name, Ref: spec.Name}
	}
	for i := range keys {
		switch f := &keys[i]; f.Name {
		case "trigger":
			v.trigger(f)
		case "defaults":
			f.Fields = append(slices.Clone(actions), settings.Field{Name: "actions", Type: settings.Mapping,
				Doc: "keys for every action that takes them"})
		case "actions":
			each := *f.Each
			each.Fields = actions
			f.Each = &each
		}
	}
	return keys
}

func (v *Vocabulary) trigger(f *settings.Field) {
	var kinds []settings.Field
	names := make([]string, len(v.Triggers))
	for i, spec := range v.Triggers {
		names[i] = spec.Name
		kinds = append(kinds, settings.Field{Name: spec.Name, Type: settings.Mapping, Open: true, Doc: spec.Doc,
			Fields: spec.Fields})
	}
	f.Fields = append(kinds, triggerKeys...)
	f.Doc = "where records come from: exactly one of " + strings.Join(names, ", ") + "; and what is known of them"
}

// Definitions declares what the keys refer to by Ref, and the kinds of actions, each by its name.
func (v *Vocabulary) Definitions() []settings.Field {
	scalars := []string{"string", "number", "boolean"}
	list := []settings.Field{
		{Name: "expression", Type: settings.Free, Schema: scalars,
			Doc: "an expression over trigger, source, lookups, maps, item and results of earlier actions"},
		{Name: "name", Type: settings.Free, Schema: scalars[:2],
			Doc: "a name, code or UID of the synced metadata; never an expression"},
		{Name: "nameOrField", Type: settings.Mapping, Schema: []string{"string", "number", "object"}, Fields: fieldKeys,
			Doc: "a name, code or UID of the synced metadata; or the long form of a value, where the data name the object"},
		{Name: "invalid", Type: settings.Word, Words: invalidWords, Schema: scalars[:1],
			Doc: "what a value that does not fit does: fail the record (the default), or leave the field out, with a " +
				"remark in the results"},
		{Name: "blank", Type: settings.Word, Words: blankWords,
			Doc: "what a blank value does: leave the field out (the default), remove the value in DHIS2, or fail the record"},
		{Name: "field", Type: settings.Mapping, Schema: []string{"string", "number", "boolean", "null", "object"},
			Fields: fieldKeys, Doc: "a value: an expression, or the long form"},
		{Name: "fields", Type: settings.Named, Each: &settings.Field{Ref: "field"}, Doc: "names of DHIS2 and their values"},
		v.lookup(),
		{Name: "map", Type: settings.Named, Fields: mapKeys,
			Each: &settings.Field{Type: settings.Free, Schema: []string{"string", "number", "boolean", "null", "array"},
				Each: &settings.Field{Type: settings.Free, Schema: scalars}},
			Doc: `incoming value: DHIS2 value. A key may be a range ("0-4", ">=5") or several values ("a|b"); the ` +
				"answers of a multiple choice, with spaces between them, are mapped one by one; with a list on the " +
				"right, the key is the DHIS2 value and the list holds the incoming ones. `other` with default, pass, " +
				"blank or fail says what happens to a value that is not in the map. Long form: values or file, with " +
				"other and match"},
		{Name: "test", Type: settings.Mapping, Fields: testKeys, Doc: "a test of the rule, run by `culvert test`"},
	}
	for _, spec := range v.Actions {
		list = append(list, settings.Field{Name: spec.Name, Type: settings.Mapping, Doc: spec.Doc,
			Fields: slices.Concat(actionKeys, spec.Fields)})
	}
	return list
}

// lookup declares a lookup: the keys of the language, and those of what may be asked for, which say
// of which collections they are. Other keys are fields to search by.
func (v *Vocabulary) lookup() settings.Field {
	var asked []settings.Field
	of := map[string][]string{}
	for _, collection := range v.Asked.Collections() {
		for _, f := range v.Asked.Keys(collection) {
			if of[f.Name] == nil {
				asked = append(asked, f)
			}
			of[f.Name] = append(of[f.Name], collection)
		}
	}
	for i := range asked {
		asked[i].Doc = "with in: " + strings.Join(of[asked[i].Name], " or ") + ": " + asked[i].Doc
	}
	at := slices.IndexFunc(lookupKeys, func(f settings.Field) bool { return f.Name == "sample" })
	return settings.Field{Name: "lookup", Type: settings.Named, Each: &settings.Field{Ref: "expression"},
		Fields: slices.Concat(lookupKeys[:at], asked, lookupKeys[at:]),
		Doc: "finds one object in the synced metadata, or one row of a reference table. Keys that are not listed " +
			"here are fields to search by: id, code, name, or the name of a metadata attribute"}
}
