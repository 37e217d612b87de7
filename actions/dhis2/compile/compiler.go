package compile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/object"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/expression"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/rules/yamlnode"
)

// compiler reads one action's keys and reports what is wrong with them. A reader that reports an
// error gives nil or false; the others go on, so that one run finds everything.
type compiler struct {
	*env
	spec   *rules.ActionSpec
	keys   []settings.Field // that the kind declares
	uses   []actions.Use
	failed bool
	// whose people values of the type TRACKER_ASSOCIATE name; nil: not known
	associated *metadata.TrackedEntityType
	update     bool // the action changes a person who is there and registers nobody
}

// use notes that the rule names an object, for the effect of a sync on rules.
func (c *compiler) use(id string, place diag.Place) {
	c.uses = append(c.uses, actions.Use{ID: id, Place: place})
}

// errorAt reports a mistake that keeps the action from being used.
func (c *compiler) errorAt(place diag.Place, code, hint, format string, args ...any) {
	c.failed = true
	c.spec.Report(diag.Diagnostic{Problem: diag.Problem{Code: code, Place: place, Hint: hint,
		Message: fmt.Sprintf(format, args...)}})
}

func (c *compiler) warnAt(place diag.Place, code, hint, format string, args ...any) {
	c.spec.Report(diag.Diagnostic{Severity: diag.Warning, Problem: diag.Problem{Code: code, Place: place, Hint: hint,
		Message: fmt.Sprintf(format, args...)}})
}

// node gives the value of a key, or nil when it is absent.
func (c *compiler) node(key string) *yamlnode.Node {
	n := c.spec.Body.Get(key)
	if n.IsNull() {
		return nil
	}
	return n
}

// missing reports a key that the action cannot do without.
func (c *compiler) missing(key, hint string) {
	c.errorAt(c.spec.Place, "missing-key", hint, "%s needs %q", c.spec.Kind, key)
}

// name reads a key whose value is the name, code or uid of a DHIS2 object; nil when it is absent or no name.
func (c *compiler) name(key string) *yamlnode.Node {
	n := c.node(key)
	if n == nil {
		return nil
	}
	if n.Kind != yamlnode.Scalar || n.Value == "" {
		c.errorAt(n.Place(), "wrong-shape", "write the name, code or uid of one object; names are never expressions",
			"%q must be one name", key)
		return nil
	}
	return n
}

// requiredName is name for a key that must be there. known gives the names that exist, for the hint.
func (c *compiler) requiredName(key, what string, known func() []string) *yamlnode.Node {
	n := c.name(key)
	if n == nil && c.spec.Body.Get(key).IsNull() {
		hint := "name a " + what + " of the synced metadata"
		if known != nil {
			hint += ": " + diag.Known(known(), what+"s")
		}
		c.missing(key, hint)
	}
	return n
}

// expr reads a key whose value is an expression that gives text.
func (c *compiler) expr(key string) *rules.Expr {
	n := c.node(key)
	if n == nil {
		return nil
	}
	e := c.spec.Expression(n, expression.Text)
	if e == nil {
		c.failed = true
	}
	return e
}

// fieldOf compiles a value that is a bare expression or the long form.
func (c *compiler) fieldOf(name string, n *yamlnode.Node) *rules.Field {
	f := c.spec.Field(name, n)
	if f == nil {
		c.failed = true
	}
	return f
}

// flag reads a key that is plainly true or false.
func (c *compiler) flag(key string) bool {
	n := c.node(key)
	if n == nil {
		return false
	}
	switch {
	case n.Kind == yamlnode.Scalar && n.Value == "true":
		return true
	case n.Kind == yamlnode.Scalar && n.Value == "false":
		return false
	}
	c.errorAt(n.Place(), "wrong-shape", "write true or false", "%q is true or false", key)
	return false
}

// choice reads a key whose value is one of the words that are declared for it; empty when it is absent or wrong.
func (c *compiler) choice(key string) string {
	n, words := c.node(key), c.words(key)
	if n == nil {
		return ""
	}
	if n.Kind == yamlnode.Scalar && slices.Contains(words, n.Value) {
		return n.Value
	}
	c.errorAt(n.Place(), "wrong-choice", "write one of "+strings.Join(words, ", "), "%q is not understood for %q",
		n.Value, key)
	return ""
}

// words gives the words that are declared for a key.
func (c *compiler) words(key string) []string {
	if f := settings.Find(c.keys, key); f != nil {
		return f.Words
	}
	return nil
}

// mapping reads a key whose value is a mapping.
func (c *compiler) mapping(key string) *yamlnode.Node {
	n := c.node(key)
	if n == nil {
		return nil
	}
	if n.Kind != yamlnode.Mapping {
		c.errorAt(n.Place(), "wrong-shape", "write one line for each name, indented below it",
			"%q must be a mapping of names to values", key)
		return nil
	}
	return n
}

// importOptions reads the key import: what makes imports faster and gives up checks.
func (c *compiler) importOptions() object.ImportOptions {
	n := c.mapping("import")
	var o object.ImportOptions
	for _, skip := range []struct {
		key, gives string
		asked      *bool
	}{
		{"skip_rule_engine", "program rules do not run: nothing that they check, assign or send happens", &o.SkipRuleEngine},
		{"skip_side_effects", "no notification is sent", &o.SkipSideEffects},
		{"skip_pattern_validation", "generated attributes may hold values that do not fit their pattern",
			&o.SkipPatternValidation},
	} {
		v := n.Get(skip.key)
		if v == nil || v.Value != "true" {
			continue
		}
		*skip.asked = true
		c.warnAt(n.Key(skip.key).Place(), "checks-skipped", "leave it out unless the import is too slow",
			"%q gives something up: %s", skip.key, skip.gives)
	}
	return o
}

// unknownKeys reports keys that the kind does not declare.
func (c *compiler) unknownKeys() {
	known := append(settings.Keys(rules.ActionKeys()), settings.Keys(c.keys)...)
	for _, pair := range c.spec.Body.Pairs() {
		if slices.Contains(known, pair.Key.Value) {
			continue
		}
		c.errorAt(pair.Key.Place(), "unknown-key", diag.Suggest(pair.Key.Value, known, "keys"),
			"%s has no key %q", c.spec.Kind, pair.Key.Value)
	}
}
