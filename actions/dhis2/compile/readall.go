package compile

import (
	"slices"

	"github.com/culvert/culvert/rules/yamlnode"
)

// notExpressions are keys whose values are names or choices.
var notExpressions = []string{
	"match_by", "several_ids", "when_deleted", "import", "status", "notes", "attribute_category_options",
	"attribute_option_combo", "reenroll", "completion", "aggregate",
	"program", "stage", "tracked_entity_type", "type", "from", "to", "data_set", "data_element",
}

// readAll marks keys as known where they cannot be checked for want of what they belong to. Their
// expressions are checked all the same, so that one wrong name does not hide the other mistakes of
// the action.
func (c *compiler) readAll(keys ...string) {
	c.known = append(c.known, keys...)
	for _, key := range keys {
		if !slices.Contains(notExpressions, key) {
			c.readField(key, c.spec.Body.Get(key), 0)
		}
	}
}

// deepest is how far fields lie in one another: values, data element, category option combo.
const deepest = 3

// readField compiles a field that belongs to nothing known, and all fields in it.
func (c *compiler) readField(name string, n *yamlnode.Node, depth int) {
	switch {
	case n == nil || depth > deepest:
	case n.Kind == yamlnode.Mapping && n.Get("from") == nil && n.Get("value") == nil:
		for _, pair := range n.Pairs() {
			c.readField(pair.Key.Value, pair.Value, depth+1)
		}
	case n.Kind != yamlnode.Sequence:
		c.spec.Field(name, n)
	}
}
