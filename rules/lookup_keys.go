package rules

import (
	"fmt"
	"slices"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/rules/yamlnode"
)

// lookupWays are the keys of which a lookup has exactly one: where it looks. A lookup with in: whose
// collection is asked for goes another way than one of the snapshot.
var lookupWays = []string{"in", "table", "parent_of", "ancestor_of"}

// askedWay stands for the way of what is asked for, beside lookupWays.
const askedWay = "asked"

// lookupKeys declares the keys of lookups, each with the ways that it goes with. With in:, other keys
// are fields to search by, as attribute: is.
var lookupKeys = []settings.Field{
	{
		Name: "in",
		With: []string{"in", askedWay},
		Doc:  "what is searched in the synced metadata, such as organisationUnits",
	},
	{Name: "server", With: []string{"in", askedWay},
		Doc: "the server of culvert.yaml whose metadata, people or events are searched; the rule's own when left out"},
	{Name: "table", With: []string{"table"},
		Doc: "a CSV file of the project with a header row, searched instead of metadata"},
	{Name: "where", Type: settings.Named, Min: 1, Each: &settings.Field{Ref: "expression"},
		With: []string{"in", "table", askedWay},
		Doc: "fields or columns and the values they must have, all of them. The fields of metadata may also stand " +
			"beside `in`, such as code: trigger.facility"},
	{Name: "attribute", Type: settings.Named, Min: 1, Each: &settings.Field{Ref: "expression"}, With: []string{"in"},
		Doc: "metadata attributes by name, and the values they must have, such as {Facility registry ID: " +
			"trigger.facility}"},
	{Name: "any_of", Type: settings.List, Min: 1, With: []string{"in", "table"},
		Each: &settings.Field{Type: settings.Named, Min: 1, Each: &settings.Field{Ref: "expression"},
			Fields: []settings.Field{{Name: "attribute", Type: settings.Named, Min: 1,
				Each: &settings.Field{Ref: "expression"},
				Doc:  "metadata attributes by name, and the values they must have"}}},
		Doc: "several candidates, each written as `where` is; the first that finds something is taken"},
	{Name: "parent_of", Ref: "expression", With: []string{"parent_of"}, Doc: "an org unit; the lookup is its parent"},
	{Name: "ancestor_of", Ref: "expression", With: []string{"ancestor_of"},
		Doc: "an org unit; the lookup is its ancestor at `level`, or itself when it is at that level"},
	{Name: "level", Type: settings.Whole, Min: 1, With: []string{"in", "parent_of", "ancestor_of"},
		Doc: "level in the hierarchy: of the ancestor, or the only one at which org units are searched"},
	{Name: "within", Ref: "expression", With: []string{"in"}, Doc: "an org unit; only those below it are searched"},
	{Name: "among", Ref: "name", With: []string{"in"},
		Doc: "what the objects belong to, by name, code or UID: the option set of options, the program of " +
			"programStages, the category of categoryOptions, the category combo of categoryOptionCombos, an org unit " +
			"group of organisationUnits"},
	{Name: "match", Type: settings.Word, Words: []string{"exact", "ignore_case", "fuzzy"}, With: []string{"in", "table"},
		Doc: "how values are compared: exactly (the default), without regard to case and spaces, or by the " +
			"nearest name. A fuzzy match is taken only when no other name is as near"},
	{Name: "sample", Type: settings.Free, With: []string{askedWay},
		Doc: "what answers in `culvert test` and `culvert try`, where nobody is asked: an object, a list of " +
			"several, or null for nothing found"},
	{Name: "on_missing", Type: settings.Word, Words: []string{"fail", "skip", "blank", "wait"},
		Doc: "when nothing is found: fail the record (the default), skip it, go on with a blank value, or wait for " +
			"it (only what is asked of the server)"},
	{Name: "on_many", Type: settings.Word, Words: []string{"fail", "first", "skip", "blank"},
		With: []string{"in", "table", askedWay},
		Doc: "when several are found: fail the record (the default), take the first by name, skip the record, or " +
			"go on with a blank value"},
}

// keysOfLookup declares the keys of one lookup: with those of what it asks for.
func (c *compiler) keysOfLookup(n *yamlnode.Node) []settings.Field {
	if !c.isAsked(n) {
		return lookupKeys
	}
	return slices.Concat(settings.With(lookupKeys, askedWay), c.env.Asked.Keys(n.Get("in").Value))
}

// onlyKeys reports keys of a lookup that do not go together with the key that says where it looks.
func (c *compiler) onlyKeys(n *yamlnode.Node, way string, keys []settings.Field) {
	known := settings.Keys(keys)
	for _, p := range n.Pairs() {
		if !slices.Contains(known, p.Key.Value) {
			c.fault(p.Key.Place(), "unknown-key", fmt.Sprintf("%q does not go together with %s:", p.Key.Value, way),
				diag.Suggest(p.Key.Value, known, "keys"))
		}
	}
}

// lookupWords gives the words in the expressions of a lookup.
func (c *compiler) lookupWords(n *yamlnode.Node) []string {
	var words []string
	keys := c.keysOfLookup(n)
	for _, p := range n.Pairs() {
		if f := settings.Find(keys, p.Key.Value); f == nil || f.HoldsExpressions() {
			words = append(words, wordsIn(p.Value)...)
		}
	}
	return words
}
