package expression

import (
	"fmt"
	"slices"

	"github.com/expr-lang/expr/ast"
)

func (c *checker) conditional(n *ast.ConditionalNode) term {
	cond := c.check(n.Cond)
	then, otherwise := c.check(n.Exp1), c.check(n.Exp2)
	at := c.balance(join(join(cond.span, then.span), otherwise.span))
	if !cond.bad && cond.shape.may()&kBool == 0 {
		return c.report(cond.span, CodeWrongType, fmt.Sprintf("a condition is needed before the ?, and %s is %s",
			c.call(cond), cond.shape.may().article()), c.conditionHint(cond))
	}
	cond = c.truth(cond)
	if cond.constant && !then.bad && !otherwise.bad {
		if cond.value == true {
			return then
		}
		return otherwise
	}
	t := term{
		shape: merge(then.shape, otherwise.shape),
		node:  located(&ast.ConditionalNode{Cond: cond.node, Exp1: then.node, Exp2: otherwise.node}, at),
		span:  at,
		names: slices.Concat(cond.names, then.names, otherwise.names),
		bad:   cond.bad || then.bad || otherwise.bad,
	}
	if then.constant && then.value == nil {
		t.shape = otherwise.shape
	} else if otherwise.constant && otherwise.value == nil {
		t.shape = then.shape
	}
	return t
}

func (c *checker) let(n *ast.VariableDeclaratorNode) term {
	value := c.check(n.Value)
	at := c.span(n, value.span)
	if _, ok := c.scope.shapes[n.Name]; ok || IsReserved(n.Name) {
		return c.report(n.Location(), CodeWrongValue, fmt.Sprintf("the name %q has a meaning already", n.Name),
			"choose another name after let")
	}
	known := value
	known.read = nil
	c.lets = append(c.lets, letName{n.Name, known})
	body := c.check(n.Expr)
	c.lets = c.lets[:len(c.lets)-1]
	at = c.balance(join(at, body.span))
	if body.constant {
		return body
	}
	body.node = located(&ast.VariableDeclaratorNode{Name: n.Name, Value: value.node, Expr: body.node}, at)
	body.span, body.read, body.bad = at, nil, body.bad || value.bad
	return body
}

func (c *checker) array(n *ast.ArrayNode) term {
	at := c.span(n)
	t := term{shape: &Shape{kinds: kList}, constant: true}
	nodes, values := make([]ast.Node, 0, len(n.Nodes)), make([]any, 0, len(n.Nodes))
	for _, item := range n.Nodes {
		i := c.check(item)
		nodes, values = append(nodes, i.node), append(values, i.value)
		t.shape.elem = merge(t.shape.elem, i.shape)
		t.names = append(t.names, i.names...)
		t.constant, t.bad = t.constant && i.constant, t.bad || i.bad
		at = join(at, i.span)
	}
	t.span = c.balance(at)
	t.node = located(&ast.ArrayNode{Nodes: nodes}, t.span)
	if t.constant && !t.bad {
		return c.known(values, t.shape, t.span)
	}
	t.constant = false
	return t
}

func (c *checker) object(n *ast.MapNode) term {
	at := c.span(n)
	t := term{shape: &Shape{kinds: kObject, fields: map[string]*Shape{}}}
	var pairs []ast.Node
	for _, p := range n.Pairs {
		pair, ok := p.(*ast.PairNode)
		if !ok {
			continue
		}
		key, ok := pair.Key.(*ast.StringNode)
		if !ok {
			return c.report(c.span(pair.Key), CodeSyntax, "the name of a field is written out",
				`write {name: value} or {"name": value}`)
		}
		v := c.check(pair.Value)
		if _, twice := t.shape.fields[key.Value]; twice {
			c.report(key.Location(), CodeWrongValue, fmt.Sprintf("the field %q is given twice", key.Value), "")
		}
		t.shape.fields[key.Value] = v.shape
		t.names = append(t.names, v.names...)
		t.bad = t.bad || v.bad
		at = join(at, v.span)
		pairs = append(pairs, located(&ast.PairNode{Key: located(&ast.StringNode{Value: key.Value}, key.Location()),
			Value: v.node}, at))
	}
	t.span = c.balance(at)
	t.node = located(&ast.MapNode{Pairs: pairs}, t.span)
	return t
}
