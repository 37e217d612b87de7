package expression

import (
	"fmt"
	"slices"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
)

// predicateDoc describes a function of expr's grammar that goes through a list with a condition or
// a value for each item.
type predicateDoc struct {
	signature, summary string
	examples           []Example
	needs              kind // of the condition or value; 0 means any
	gives              kind
	optional           bool // the condition may be left out
}

// predicates are those that the language offers. Inside, # is the item, .name a field of it, and #index its position.
var predicates = map[string]predicateDoc{
	"all": {"all(list, condition)", "Whether the condition holds for every item; true of an empty list.",
		[]Example{{`all([1, 2], # > 0)`, `true`}, {`all([1, -2], # > 0)`, `false`}}, kBool, kBool, false},
	"any": {"any(list, condition)", "Whether the condition holds for at least one item.",
		[]Example{{`any([{age: 2}, {age: 7}], .age > 5)`, `true`}, {`any([], # > 5)`, `false`}}, kBool, kBool, false},
	"none": {"none(list, condition)", "Whether the condition holds for no item.",
		[]Example{{`none([1, 2], # > 5)`, `true`}}, kBool, kBool, false},
	"one": {"one(list, condition)", "Whether the condition holds for exactly one item.",
		[]Example{{`one([1, 7], # > 5)`, `true`}}, kBool, kBool, false},
	"filter": {"filter(list, condition)", "The items for which the condition holds. One object counts as a list of one.",
		[]Example{{`filter([1, 7, 9], # > 5)`, `[7, 9]`}, {`filter({kept: "no"}, .kept == "yes")`, `[]`}}, kBool, kList,
		false},
	"map": {"map(list, value)", "A value worked out from every item.",
		[]Example{{`map([{name: "A"}, {name: "B"}], lower(.name))`, `["a", "b"]`}, {`map(["x", "y"], #index)`, `[0, 1]`}}, 0,
		kList, false},
	"count": {"count(list[, condition])", "How many items there are, or for how many the condition holds.",
		[]Example{{`count([1, 7, 9], # > 5)`, `2`}, {`count([1, 7, 9])`, `3`}}, kBool, kNumber, true},
	"sum": {"sum(list[, number])",
		"The sum of the items, or of a number worked out from every item. A blank adds nothing.",
		[]Example{{`sum([1, 2, 3])`, `6`}, {`sum([{kg: "2,5"}, {kg: ""}, {kg: "1"}], number(.kg, ","))`, `3.5`}}, kNumber,
		kNumber, true},
	"find": {"find(list, condition)", "The first item for which the condition holds; blank if there is none.",
		[]Example{{`find([1, 7, 9], # > 5)`, `7`}, {`find([1], # > 5)`, `nil`}}, kBool, kAny, false},
	"findLast": {"findLast(list, condition)", "The last item for which the condition holds; blank if there is none.",
		[]Example{{`findLast([1, 7, 9], # > 5)`, `9`}}, kBool, kAny, false},
	"sortBy": {"sortBy(list, value[, order])",
		`The items in the order of a value worked out from each: blanks, then numbers, dates, texts. The order is "asc" ` +
			`or "desc".`,
		[]Example{{`sortBy([{d: "2026-03-01"}, {d: "2026-01-01"}], .d)[0].d`, `"2026-01-01"`},
			{`sortBy([2, 10, 1], #, "desc")`, `[10, 2, 1]`}}, kPlain, kList, false},
	"groupBy": {"groupBy(list, value)",
		"The items in groups that have the same value, in the order in which the groups first come: a list of {key, " +
			"items}. With for_each it makes one event of all rows of a visit.",
		[]Example{{`map(groupBy([{d: "1", n: 2}, {d: "2", n: 3}, {d: "1", n: 4}], .d), .key)`, `["1", "2"]`},
			{`map(groupBy([{d: "1", n: 2}, {d: "2", n: 3}, {d: "1", n: 4}], .d), sum(.items, .n))`, `[6, 3]`}}, kPlain, kList,
		false},
	"reduce": {"reduce(list, value, first)",
		"A value that is carried through the items: inside, #acc is what came of the items before, and of the first item " +
			"what is given as third.",
		[]Example{{`reduce([3, 9, 4], # > #acc ? # : #acc, 0)`, `9`}, {`reduce(["a", "b"], #acc + "/" + #, "")`, `"/a/b"`}},
		0, kAny, false},
}

// predicate is filter, map, all and the like.
func (c *checker) predicate(n *ast.BuiltinNode) term {
	p, ok := predicates[n.Name]
	if !ok {
		return c.unknownFunction(located(&ast.IdentifierNode{Value: n.Name}, n.Location()).(*ast.IdentifierNode))
	}
	list := c.check(n.Arguments[0])
	at := c.span(n, list.span)
	if len(c.items) >= maxNesting {
		return c.report(n.Location(), CodeTooComplex,
			fmt.Sprintf("%s is inside of %d others of its kind; more than that takes too long on long lists", n.Name,
				maxNesting), "use for_each, or a simpler condition")
	}
	if !list.bad && list.shape.may()&kItems == 0 {
		hint := ""
		if list.shape.may()&kText != 0 {
			hint = fmt.Sprintf(`write split(%s, " ") for the words of a text`, c.source(list))
		}
		return c.report(list.span, CodeWrongType, fmt.Sprintf("%s needs a list, and %s is %s", n.Name, c.call(list),
			list.shape.may().article()), hint)
	}
	items := c.operation("$items", kList, list.span, list)
	item := Dynamic()
	if !list.bad {
		item = list.shape.item()
	}
	args := []ast.Node{items.node}
	t := term{names: list.names, bad: list.bad}
	var body term
	if len(n.Arguments) > 1 {
		body = c.predicateBody(n, p, item)
		args = append(args, located(&ast.PredicateNode{Node: body.node}, body.span))
		t.bad = t.bad || body.bad
		t.names = append(slices.Clone(t.names), body.names...)
		at = join(at, body.span)
	} else if n.Name == "sum" {
		each := c.operation("$addend", kNumber, at, term{node: located(&ast.PointerNode{}, at)})
		args = append(args, located(&ast.PredicateNode{Node: each.node}, at))
		if !t.bad && item.may()&kNumber == 0 {
			return c.report(list.span, CodeWrongType, fmt.Sprintf("sum needs numbers, and an item of %s is %s", c.call(list),
				item.may().article()), c.sumHint(list, item))
		}
	} else {
		args = append(args, located(&ast.PredicateNode{Node: located(&ast.BoolNode{Value: true}, at)}, at))
	}
	if n.Name == "reduce" {
		return c.reduced(n, t, args, at)
	}
	if len(n.Arguments) > 2 {
		order := c.check(n.Arguments[2])
		at = join(at, order.span)
		if order.value != "asc" && order.value != "desc" {
			return c.report(order.span, CodeWrongValue, "the order is written out", `write "asc" or "desc"`)
		}
		args = append(args, located(&ast.StringNode{Value: order.value.(string)}, order.span))
	}
	t.span = c.balance(at)
	t.node = located(&ast.BuiltinNode{Name: n.Name, Arguments: args}, t.span)
	switch n.Name {
	case "groupBy":
		return c.grouped(t, list, item, body, args)
	case "map":
		t.shape = listOf(body.shape)
	case "filter", "sortBy":
		t.shape = listOf(item)
	case "find", "findLast":
		t.shape = item
	default:
		t.shape = plain(p.gives)
	}
	return t
}

// grouped is groupBy: the items, and beside them what is worked out for each, are put together afterwards.
func (c *checker) grouped(t, list term, item *Shape, body term, args []ast.Node) term {
	keys := t
	keys.node = located(&ast.BuiltinNode{Name: "map", Arguments: args}, t.span)
	items := list
	items.node = args[0]
	items.constant, keys.constant = false, false
	group := c.operation("$group", kList, t.span, items, keys)
	group.bad = group.bad || t.bad
	group.shape = listOf(&Shape{kinds: kObject, fields: map[string]*Shape{"key": body.shape, "items": listOf(item)}})
	return group
}

// reduced is reduce, whose third argument is what the first item finds as #acc.
func (c *checker) reduced(n *ast.BuiltinNode, t term, args []ast.Node, at file.Location) term {
	if len(n.Arguments) < 3 {
		return c.report(at, CodeWrongArguments, "reduce takes 3 arguments, not 2",
			"write "+predicates["reduce"].signature+": what an empty list gives")
	}
	first := c.check(n.Arguments[2])
	t.bad = t.bad || first.bad
	t.names = append(slices.Clone(t.names), first.names...)
	t.span = c.balance(join(at, first.span))
	t.node = located(&ast.BuiltinNode{Name: "reduce", Arguments: append(args, first.node)}, t.span)
	t.shape = Dynamic()
	return t
}

func (c *checker) sumHint(list term, item *Shape) string {
	if item.may()&kText != 0 {
		return fmt.Sprintf("write sum(%s, number(#))", c.source(list))
	}
	return fmt.Sprintf("say what to sum, as in sum(%s, number(.weight))", c.source(list))
}

// predicateBody checks what is worked out for every item.
func (c *checker) predicateBody(n *ast.BuiltinNode, p predicateDoc, item *Shape) term {
	node := n.Arguments[1]
	if pn, ok := node.(*ast.PredicateNode); ok {
		node = pn.Node
	}
	c.items = append(c.items, predicateItem{item, n.Name == "reduce"})
	body := c.check(node)
	c.items = c.items[:len(c.items)-1]
	if body.bad {
		return body
	}
	if may := body.shape.may(); p.needs != 0 && may&p.needs == 0 {
		hint := c.conditionHint(body)
		if p.needs == kNumber && may&kText != 0 {
			hint = fmt.Sprintf("write number(%s)", c.source(body))
		}
		return c.report(body.span, CodeWrongType, fmt.Sprintf("%s needs %s for every item, and %s is %s", n.Name,
			p.needs.article(), c.call(body), may.article()), hint)
	}
	switch {
	case p.needs == kBool:
		return c.truth(body)
	case n.Name == "sum":
		return c.operation("$addend", kNumber, body.span, body)
	case n.Name == "sortBy":
		return c.operation("$sortkey", kText, body.span, body)
	}
	return body
}
