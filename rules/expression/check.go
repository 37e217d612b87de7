package expression

import (
	"cmp"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser/lexer"

	"github.com/culvert/culvert/rules/diag"
)

// checker goes through the syntax tree once: it finds the type of every part, reports what is
// wrong, and makes the tree that the machine gets, in which every operation is one of ours.
type checker struct {
	text     []rune
	tokens   []lexer.Token
	scope    *Scope
	problems []Problem
	uses     map[string]bool
	paths    map[string]bool
	needs    reading
	names    map[file.Location][]string
	lets     []letName
	items    []predicateItem // of the predicates around
	hyphens  []file.Location // of names reported for their hyphens
	frame    frame           // for what is worked out while compiling; its limits hold for the whole expression
}

// predicateItem is what # is inside of a predicate, and whether there is an #acc.
type predicateItem struct {
	shape *Shape
	acc   bool
}

// letName is a name made by let.
type letName struct {
	name string
	term term
}

// term is a checked part of an expression.
type term struct {
	shape    *Shape
	node     ast.Node // for the machine
	span     file.Location
	names    []string    // the fields that it reads
	read     *staticPath // set when it is a name of the scope and fields below it, nothing else
	pins     []pin       // what fields must be for a condition to hold
	constant bool        // its value is known
	value    any
	bad      bool // it has been reported; whatever follows from it is not
}

func (c *checker) report(at file.Location, code, message, hint string) term {
	c.problems = append(c.problems, Problem{From: at.From, To: at.To, Problem: diag.Problem{Code: code,
		Message: message, Hint: hint}})
	return c.broken(at)
}

// broken stands for a part that has been reported.
func (c *checker) broken(at file.Location) term {
	return term{shape: Dynamic(), node: &ast.NilNode{}, span: at, bad: true}
}

func (c *checker) sorted() []Problem {
	slices.SortStableFunc(c.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.From, b.From),
			cmp.Compare(a.To, b.To))
	})
	return slices.Compact(c.problems)
}

// source is a part of the expression as it was written.
func (c *checker) source(t term) string {
	return string(c.text[max(t.span.From, 0):min(t.span.To, len(c.text))])
}

// call names a part in a message: its text, unless that is long.
func (c *checker) call(t term) string {
	s := c.source(t)
	if s == "." || s == "#" {
		return "the item"
	}
	if len(s) > 60 || strings.Contains(s, "\n") {
		return "this"
	}
	return s
}

// check goes through a node.
func (c *checker) check(n ast.Node) term {
	switch n := n.(type) {
	case *ast.NilNode:
		return c.literal(n, nil, kBlank)
	case *ast.BoolNode:
		return c.literal(n, n.Value, kBool)
	case *ast.IntegerNode:
		return c.literal(n, n.Value, kNumber)
	case *ast.FloatNode:
		return c.literal(n, n.Value, kNumber)
	case *ast.StringNode:
		return c.literal(n, n.Value, kText)
	case *ast.IdentifierNode:
		return c.identifier(n)
	case *ast.PointerNode:
		return c.pointer(n)
	case *ast.MemberNode:
		return c.memberNode(n)
	case *ast.ChainNode:
		return c.check(n.Node)
	case *ast.SliceNode:
		return c.sliceNode(n)
	case *ast.UnaryNode:
		return c.unary(n)
	case *ast.BinaryNode:
		return c.binary(n)
	case *ast.ConditionalNode:
		return c.conditional(n)
	case *ast.VariableDeclaratorNode:
		return c.let(n)
	case *ast.ArrayNode:
		return c.array(n)
	case *ast.MapNode:
		return c.object(n)
	case *ast.CallNode:
		return c.callNode(n)
	case *ast.BuiltinNode:
		return c.predicate(n)
	case *ast.SequenceNode:
		at := c.span(n)
		return c.report(at, CodeSyntax, "an expression has one value, and here are several, separated by ;", "")
	case *ast.BytesNode:
		return c.report(c.span(n), CodeSyntax, "bytes cannot be written in an expression",
			`write the text without the b in front`)
	}
	return c.report(c.span(n), CodeSyntax, "this cannot be used in an expression", "")
}

func (c *checker) literal(n ast.Node, v any, k kind) term {
	shape := plain(k)
	if v == nil {
		shape = Dynamic()
	}
	return c.known(v, shape, c.span(n))
}

// known is a part whose value is known.
func (c *checker) known(v any, shape *Shape, at file.Location) term {
	return term{shape: shape, node: located(&ast.ConstantNode{Value: v}, at), span: at, constant: true, value: v}
}

func located(n ast.Node, at file.Location) ast.Node {
	n.SetLocation(at)
	return n
}

// operation makes the call of an operation or function. Parts that are all known are worked out at
// once, unless the operation moves with time; what goes wrong then is reported.
func (c *checker) operation(name string, gives kind, at file.Location, args ...term) term {
	nodes := make([]ast.Node, 0, len(args)+1)
	nodes = append(nodes, located(envNode(), at))
	t := term{shape: plain(gives), span: at, constant: true}
	values := make([]any, 0, len(args))
	for _, a := range args {
		nodes = append(nodes, a.node)
		values = append(values, a.value)
		t.bad = t.bad || a.bad
		t.constant = t.constant && a.constant
		for _, name := range a.names {
			if !slices.Contains(t.names, name) {
				t.names = append(t.names, name)
			}
		}
	}
	t.node = located(&ast.CallNode{Callee: located(&ast.IdentifierNode{Value: name}, at), Arguments: nodes}, at)
	c.names[at] = t.names
	if !t.constant || t.bad {
		t.constant = false
		return t
	}
	if fn, ok := library()[name]; ok && fn.moves || name == "$items" {
		t.constant = false
		return t
	}
	return c.fold(t, name, values)
}

// fold works out an operation on known values.
func (c *checker) fold(t term, name string, values []any) term {
	op, ok := operations[name]
	if !ok {
		fn, ok := library()[name]
		if !ok {
			t.constant = false
			return t
		}
		op = fn.invoke
	}
	v, err := op(&c.frame, values)
	if err != nil {
		e := (&Program{}).runError(err, t.span, nil)
		code := e.Code
		if code != CodeWrongType {
			code = CodeWrongValue
		}
		return c.report(t.span, code, e.Message, e.Hint)
	}
	shape := t.shape
	if k := kindOf(v); k != kBlank {
		shape = plain(k)
		if k == kList {
			shape = shapeOf(v)
		}
	}
	return c.known(v, shape, t.span)
}

// truth makes sure that a condition is yes or no when it runs.
func (c *checker) truth(t term) term {
	if t.bad || t.shape.may() == kBool && t.read == nil && !t.mayBeBlank() {
		return t
	}
	return c.operation("$truth", kBool, t.span, t)
}

// mayBeBlank is false of what comparisons and logic give, which is always yes or no.
func (t term) mayBeBlank() bool {
	call, ok := t.node.(*ast.CallNode)
	if !ok {
		_, logic := t.node.(*ast.BinaryNode)
		return !logic && !t.constant
	}
	return !decides[call.Callee.(*ast.IdentifierNode).Value]
}

// decides are the operations that always give yes or no.
var decides = map[string]bool{
	"$truth": true, "$not": true, "==": true, "!=": true, "<": true, "<=": true, ">": true, ">=": true, "in": true,
	"contains": true, "startsWith": true, "endsWith": true, "matches": true,
}
