package schemas

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/xeipuuv/gojsonschema"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
)

// Check compares a document with a schema and reports every difference at its place, in words for
// people. It tells whether there was none.
func Check(doc *yamlnode.Document, schema string, list *diag.List) bool {
	if doc == nil || doc.Root == nil {
		return true
	}
	c := lookup(schema)
	if doc.Root.Kind != yamlnode.Mapping {
		list.Add(diag.Diagnostic{Problem: diag.Problem{
			Code: "wrong-shape", Message: "the file must be a mapping of keys to values, not " + kindOf(doc.Root),
			Hint: diag.Known(c.root.Properties.Names, "keys"), Place: doc.Root.Place(),
		}})
		return false
	}
	result, err := c.validator.Validate(gojsonschema.NewRawLoader(doc.Root.Plain()))
	if err != nil {
		list.Add(diag.Diagnostic{Problem: diag.Problem{Code: "wrong-shape",
			Message: "the file cannot be checked: " + err.Error(),
			Hint:    "simplify the file", Place: doc.Root.Place()}})
		return false
	}
	t := translator{root: c.root, seen: map[diag.Place]bool{}}
	var found diag.List
	for _, e := range result.Errors() {
		if d, ok := t.finding(doc.Root, e); ok {
			found.Add(d)
		}
	}
	// The validator walks maps in no fixed order.
	found.Sort()
	for _, d := range found {
		if !t.seen[d.Place] {
			t.seen[d.Place] = true
			list.Add(d)
		}
	}
	return len(found) == 0
}

// translator turns the validator's results into findings.
type translator struct {
	root *Schema
	seen map[diag.Place]bool // one finding for a place: what follows from it is not reported
}

// separator joins the steps of a context path; it cannot stand in a YAML key.
const separator = "\x00"

// place is a node with what is known of it.
type place struct {
	node   *yamlnode.Node
	key    *yamlnode.Node // nil for items and for the file itself
	schema *Schema
	label  string // "lookups.clinic", or "the file"
	path   []string
}

// walk follows a context path through the document and the schema.
func (t *translator) walk(root *yamlnode.Node, context string) place {
	p := place{node: root, schema: t.root, label: "the file"}
	steps := strings.Split(context, separator)
	for _, step := range steps[1:] {
		var next, key *yamlnode.Node
		item := false
		switch p.node.Kind {
		case yamlnode.Mapping:
			next, key = p.node.Get(step), p.node.Key(step)
			if len(p.path) == 0 || strings.HasPrefix(p.label, "item ") {
				p.label = step
			} else {
				p.label += "." + step
			}
		case yamlnode.Sequence:
			item = true
			i, err := strconv.Atoi(step)
			if items := p.node.Items(); err == nil && i < len(items) {
				next = items[i]
				p.label = fmt.Sprintf("item %d of %s", i+1, p.label)
			}
		}
		if next == nil {
			break
		}
		p.node, p.key, p.schema = next, key, p.schema.Child(t.root, step, item)
		p.path = append(p.path, step)
	}
	return p
}

func (t *translator) finding(root *yamlnode.Node, e gojsonschema.ResultError) (diag.Diagnostic, bool) {
	p := t.walk(root, e.Context().String(separator))
	if p.node.Refused() {
		return diag.Diagnostic{}, false
	}
	d := diag.Diagnostic{Problem: diag.Problem{Code: "not-allowed", Place: p.node.Place()}}
	switch e.Type() {
	case "additional_property_not_allowed":
		t.unknownKey(&d, p, fmt.Sprint(e.Details()["property"]))
	case "required":
		property := fmt.Sprint(e.Details()["property"])
		d.Code, d.Message = "missing-key", fmt.Sprintf("%s has no %q", p.label, property)
		d.Hint = "add " + property + ":"
		switch child := p.schema.Child(t.root, property, false); {
		case child == nil:
		case child.Hint != "":
			d.Hint = child.Hint
		case child.Description != "":
			d.Hint += " (" + lowerFirst(strings.TrimSuffix(child.Description, ".")) + ")"
		}
		if p.key != nil {
			d.Place = p.key.Place()
		}
	case "invalid_type":
		d.Code = "wrong-shape"
		if p.node.IsNull() {
			d.Message, d.Hint = fmt.Sprintf("%q is empty", p.label), "write a value after the colon, or remove the key"
			break
		}
		d.Message = fmt.Sprintf("%q must be %s, not %s", p.label, typesOf(p.schema), kindOf(p.node))
		d.Hint = shapeHint(p)
	case "enum":
		options := enumOf(p.schema)
		d.Message = fmt.Sprintf("%q must be %s, not %s", p.label, diag.Names(options, "or"), written(p.node))
		d.Hint = "write one of these"
		if near := diag.Nearest(p.node.Value, options); len(near) > 0 {
			d.Hint = "did you mean " + diag.Names(near, "or") + "?"
		}
	case "array_min_properties", "array_min_items":
		d.Code, d.Message, d.Hint = "wrong-shape", fmt.Sprintf("%q is empty", p.label),
			"give it at least one entry, or remove it"
	case "array_max_properties":
		t.tooManyKeys(&d, p)
	case "number_gte", "number_gt":
		d.Message, d.Hint = fmt.Sprintf("%q is too small", p.label),
			fmt.Sprintf("the least it can be is %v", e.Details()["min"])
	case "number_lte", "number_lt":
		d.Message, d.Hint = fmt.Sprintf("%q is too large", p.label),
			fmt.Sprintf("the most it can be is %v", e.Details()["max"])
	default:
		d.Message, d.Hint = fmt.Sprintf("%q does not have the right form", p.label), describe(p.schema)
	}
	return d, true
}

// unknownKey says which keys exist. Actions and triggers have codes of their own, for they are what people add first.
func (t *translator) unknownKey(d *diag.Diagnostic, p place, property string) {
	known := p.schema.Properties.Names
	if key := p.node.Key(property); key != nil {
		d.Place = key.Place()
	}
	d.Code, d.Message = "unknown-key", fmt.Sprintf("unknown key %q in %s", property, p.label)
	if len(p.path) == 0 {
		d.Message = fmt.Sprintf("unknown key %q", property)
	}
	d.Hint = diag.Suggest(property, known, "keys")
	switch {
	case len(p.path) == 2 && p.path[0] == "actions":
		d.Code, d.Message, d.Hint = "unknown-action", fmt.Sprintf("unknown action %q", property),
			diag.Suggest(property, known, "actions")
		if hint := elsewhere[property]; hint != "" {
			d.Hint = hint
		}
		if k := len(p.node.Pairs()); k > 1 && slices.ContainsFunc(p.node.Pairs(),
			func(pair yamlnode.Pair) bool { return slices.Contains(known, pair.Key.Value) }) {
			d.Code, d.Message = "unknown-key", fmt.Sprintf("the key %q stands beside the action instead of below it", property)
			d.Hint = "indent it further, so that it belongs to the action"
		}
	case len(p.path) == 3 && p.path[0] == "actions" && insteadOf[p.path[2]][property] != "":
		d.Hint = insteadOf[p.path[2]][property]
	case len(p.path) == 1 && p.path[0] == "trigger":
		d.Code, d.Message, d.Hint = "unknown-trigger", fmt.Sprintf("unknown trigger %q", property),
			diag.Suggest(property, known, "triggers and keys")
	}
}

// elsewhere is where people find what they look for among the actions.
var elsewhere = map[string]string{
	"dhis2.analytics": "no record asks for it: write `analytics: {after: 15m}` at the server in culvert.yaml, and the " +
		"analytics tables are made anew once a load is over",
	"dhis2.approve": "an approval says that a person has looked, so that no rule approves; where data are approved " +
		"already, `culvert explain E7642` says who can take the approval back",
	"dhis2.merge": "whoever has the authority F_TRACKED_ENTITY_MERGE merges two people in DHIS2; `several_ids: " +
		"same_person` keeps a rule from making the second one",
	"dhis2.message": "no rule writes to people; `notify` in culvert.yaml tells them what is not well with " +
		"Culvert, in DHIS2 too",
	"dhis2.temporary_access": "it is a key of the action that writes into a protected program: " +
		"temporary_access, with the reason",
}

// insteadOf is what keys are called here that people know by other names from elsewhere, by the action.
var insteadOf = map[string]map[string]string{
	"http.request": {
		"url": "the host stands in culvert.yaml, at the connection: write path: with what comes behind it, such as " +
			"path: /Patient",
		"uri":    "write path: with what comes behind the connection's address",
		"body":   bodyKeys,
		"data":   bodyKeys,
		"params": "write query:",
		"auth":   authKeys,
		"token":  authKeys,
		"bearer": authKeys,
	},
}

const (
	bodyKeys = "write json: for a body in JSON, form: for a web form, or text:"
	authKeys = "credentials stand in culvert.yaml, at the connection, as bearer:, api_key: or username: and password:, " +
		"and are sent by themselves"
)

// tooManyKeys is about list items that must have one key.
func (t *translator) tooManyKeys(d *diag.Diagnostic, p place) {
	d.Code, d.Message = "wrong-shape", fmt.Sprintf("%s has more than one key", p.label)
	d.Hint = "begin a new item with - for each"
	pairs := p.node.Pairs()
	for _, pair := range pairs[1:] {
		if p.schema.Properties.ByKey[pair.Key.Value] == nil {
			// The key is unknown here, which is reported of itself.
			d.Place = pair.Key.Place()
			d.Code, d.Message = "unknown-key", fmt.Sprintf("the key %q stands beside the action instead of below it",
				pair.Key.Value)
			d.Hint = "indent it further, so that it belongs to the action"
			return
		}
	}
	d.Place = pairs[1].Key.Place()
}

var typeNames = map[string]string{
	"object": "a mapping", "array": "a list", "string": "text", "number": "a number", "integer": "a whole number",
	"boolean": "true or false", "null": "empty",
}

func typesOf(s *Schema) string {
	if s == nil {
		return "something else"
	}
	var names []string
	for _, t := range s.Type {
		if scalar := t == "number" || t == "boolean"; t != "null" && !(scalar && slices.Contains(s.Type, "string")) {
			names = append(names, typeNames[t])
		}
	}
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

func kindOf(n *yamlnode.Node) string {
	switch {
	case n.Kind == yamlnode.Mapping:
		return "a mapping"
	case n.Kind == yamlnode.Sequence:
		return "a list"
	case n.IsNull():
		return "empty"
	case n.Tag == "!!int" || n.Tag == "!!float":
		return "a number"
	case n.Tag == "!!bool":
		return "true or false"
	}
	return "text"
}

func enumOf(s *Schema) []string {
	if s == nil {
		return nil
	}
	var names []string
	for _, v := range s.Enum {
		names = append(names, fmt.Sprint(v))
	}
	return names
}

func written(n *yamlnode.Node) string {
	if n.Kind == yamlnode.Scalar && !n.IsNull() {
		return strconv.Quote(n.Value)
	}
	return kindOf(n)
}

// shapeHint says how a value of the shape that is wanted is written.
func shapeHint(p place) string {
	example := ""
	if len(p.schema.Type) > 0 {
		switch p.schema.Type[0] {
		case "object":
			example = "write lines of NAME: value below it, without dashes"
			if p.node.Kind == yamlnode.Scalar {
				example = fmt.Sprintf("write %s: with a colon, and its own lines below it, indented", p.node.Value)
				if p.node.Value == "" || len(p.node.Value) > 40 || strings.ContainsAny(p.node.Value, " :\n") {
					example = "write lines of NAME: value below it" + firstKeys(p.schema)
				}
			}
		case "array":
			example = "write each item on a line of its own below it, behind a dash"
		case "boolean":
			example = "write true or false"
		case "integer", "number":
			example = "write a number, without quotes"
		}
	}
	switch {
	case example == "":
		return describe(p.schema)
	case p.schema.Description == "":
		return example
	}
	return example + ": " + lowerFirst(describe(p.schema))
}

// firstKeys names the first keys that a mapping may have, which are the usual ones; "" when any may stand there.
func firstKeys(s *Schema) string {
	names := s.Properties.Names
	if len(names) > 4 {
		return " (" + strings.Join(names[:4], ", ") + " and others)"
	}
	if len(names) == 0 {
		return ""
	}
	return " (" + strings.Join(names, ", ") + ")"
}

// lowerFirst writes the first word of a sentence as within one, unless it is a name such as DHIS2.
func lowerFirst(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	second, _ := utf8.DecodeRuneInString(s[size:])
	if unicode.IsUpper(second) {
		return s
	}
	return string(unicode.ToLower(first)) + s[size:]
}

func describe(s *Schema) string {
	if s == nil || s.Description == "" {
		return "compare it with the reference of rule files"
	}
	first, _, _ := strings.Cut(s.Description, ". ")
	return strings.TrimSuffix(first, ".")
}
