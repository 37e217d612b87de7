package httpreq

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/culvert/culvert/actions/remote"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/expression"
	"github.com/culvert/culvert/rules/yamlnode"
)

// maxDepth bounds how deep a body is written.
const maxDepth = 20

// node is a piece of a body in JSON.
type node struct {
	literal any // of kind literal
	field   *rules.Field
	names   []string // of an object
	items   []*node  // of an object or a list
	kind    int
}

const (
	isLiteral = iota
	isField
	isObject
	isList
)

// longForm are the keys of a value that is not an expression alone.
var longForm = []string{"from", "value", "map", "missing", "default", "blank", "invalid", "format"}

// readJSON compiles a body, or a piece of it.
func readJSON(r *remote.Reader, name string, n *yamlnode.Node, depth int) *node {
	switch {
	case depth > maxDepth:
		r.Fault(n.Place(), "too-complex", "write a smaller body", "the body is deeper than %d levels", maxDepth)
		return nil
	case n.Kind == yamlnode.Scalar && n.Tag == "!!null":
		return &node{kind: isLiteral}
	case n.Kind == yamlnode.Sequence:
		out := &node{kind: isList}
		for i, item := range n.Items() {
			out.items = append(out.items, readJSON(r, fmt.Sprintf("%s[%d]", name, i), item, depth+1))
		}
		return out
	case n.Kind == yamlnode.Mapping && !isLongForm(n):
		out := &node{kind: isObject}
		for _, pair := range n.Pairs() {
			out.names = append(out.names, pair.Key.Value)
			out.items = append(out.items, readJSON(r, name+"."+pair.Key.Value, pair.Value, depth+1))
		}
		return out
	}
	if v := n.Get("value"); v != nil && len(n.Pairs()) == 1 {
		return &node{kind: isLiteral, literal: literal(v)}
	}
	return &node{kind: isField, field: r.Field(name, n)}
}

// isLongForm tells {from: ...} and {value: text} from an object of the body.
func isLongForm(n *yamlnode.Node) bool {
	given := false
	for _, pair := range n.Pairs() {
		if !slices.Contains(longForm, pair.Key.Value) {
			return false
		}
		given = given || (pair.Key.Value == "from" || pair.Key.Value == "value") && pair.Value.Kind == yamlnode.Scalar
	}
	return given
}

// literal gives a value as YAML means it: a number, yes or no, or text.
func literal(n *yamlnode.Node) any {
	switch n.Tag {
	case "!!null":
		return nil
	case "!!bool":
		return n.Value == "true"
	case "!!int", "!!float":
		return number(n.Value)
	}
	return n.Value
}

// eval gives the value of a piece; ok is false where it is blank and left out. The error is a *rules.Failure.
func (n *node) eval(s *rules.Scope) (v any, ok bool, err error) {
	switch n.kind {
	case isLiteral:
		return n.literal, true, nil
	case isObject:
		out := map[string]any{}
		for i, item := range n.items {
			v, ok, err := item.eval(s)
			if err != nil {
				return nil, false, err
			}
			if ok {
				out[n.names[i]] = v
			}
		}
		return out, len(out) > 0 || len(n.items) == 0, nil
	case isList:
		out := []any{}
		for _, item := range n.items {
			v, ok, err := item.eval(s)
			if err != nil {
				return nil, false, err
			}
			if ok {
				out = append(out, v)
			}
		}
		return out, len(out) > 0 || len(n.items) == 0, nil
	}
	r, err := n.field.Eval(s)
	if err != nil {
		return nil, false, err
	}
	if r.Blank {
		return nil, r.Clear, nil
	}
	return plain(r.Value), true, nil
}

// plain makes a value of an expression one of JSON.
func plain(v any) any {
	switch x := v.(type) {
	case nil, string, bool:
		return x
	case *rules.Object:
		return x.ID
	case time.Time:
		return expression.AsText(x)
	case float64:
		if x == math.Trunc(x) && math.Abs(x) < 1e15 {
			return int64(x)
		}
		return x
	case []any:
		out := make([]any, len(x))
		for i := range x {
			out[i] = plain(x[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(x))
		for k := range x {
			out[k] = plain(x[k])
		}
		return out
	}
	return v
}
