package expression

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/parser/lexer"

	"github.com/culvert/culvert/rules/diag"
)

// Compile checks an expression against the names of a scope and compiles it. It reports every
// mistake that does not follow from another one, in the order of their places; the program is nil
// when there is any.
func Compile(text string, s *Scope, w Want) (*Program, []Problem) {
	length := utf8.RuneCountInString(text)
	if length > maxText {
		return nil, []Problem{{From: 0, To: length, Problem: diag.Problem{Code: CodeTooComplex,
			Message: fmt.Sprintf("the expression is longer than %d characters", maxText),
			Hint:    "work part of it out in a lookup or a value map, or send it from the source"}}}
	}
	if !utf8.ValidString(text) {
		return nil, []Problem{{From: 0, To: length, Problem: diag.Problem{Code: CodeSyntax,
			Message: "the expression is not valid UTF-8 text", Hint: "save the file as UTF-8"}}}
	}
	root, tokens, problem := parse(text, s)
	if problem != nil {
		return nil, []Problem{*problem}
	}
	c := &checker{text: []rune(text), tokens: tokens, scope: s, uses: map[string]bool{}, paths: map[string]bool{},
		names: map[file.Location][]string{}, frame: frame{options: &s.options}}
	result := c.wanted(c.check(root), w)
	if len(c.problems) > 0 {
		return nil, c.sorted()
	}
	p := &Program{
		text:    text,
		options: s.options,
		want:    w,
		shape:   result.shape,
		uses:    slices.Sorted(maps.Keys(c.uses)),
		paths:   slices.Sorted(maps.Keys(c.paths)),
		needs:   c.needs.all,
		span:    result.span,
		names:   c.names,
	}
	if w == List {
		p.shape = p.shape.item()
	}
	if result.constant {
		p.constant, p.value = true, result.value
		return p, nil
	}
	if result.read != nil {
		p.read = result.read
		return p, nil
	}
	var err error
	p.code, err = compiler.Compile(&parser.Tree{Node: result.node, Source: file.NewSource(text)}, machineConfig())
	if err != nil {
		return nil, []Problem{{From: 0, To: length, Problem: diag.Problem{Code: CodeInternal,
			Message: "the expression cannot be compiled",
			Hint:    "write it in another way, and report it as a defect with the expression"}}}
	}
	return p, nil
}

// parse gives the syntax tree, and the tokens for places.
func parse(text string, s *Scope) (ast.Node, []lexer.Token, *Problem) {
	if chain := plainChain(text); chain != nil {
		return chain, nil, nil
	}
	tokens, err := lexed(text)
	if err == nil {
		var tree *parser.Tree
		if tree, err = parser.ParseWithConfig(text, parserConfig()); err == nil {
			return tree.Node, tokens, nil
		}
	}
	problem := syntaxProblem(text, tokens, err, s)
	return nil, nil, &problem
}

// plainChain reads names with dots between them, such as trigger.form.visit_date, without the
// parser: most expressions are no more than that, and checking thousands of rules must stay fast.
// nil when the text is anything else.
func plainChain(text string) ast.Node {
	var node ast.Node
	for from := 0; from <= len(text); {
		to := from
		for to < len(text) && text[to] != '.' {
			if text[to] >= utf8.RuneSelf {
				return nil
			}
			to++
		}
		name, at := text[from:to], file.Location{From: from, To: to}
		switch {
		case !isIdentifier(name) || slices.Contains(reservedWords, name):
			return nil
		case node == nil:
			node = located(&ast.IdentifierNode{Value: name}, at)
		default:
			node = located(&ast.MemberNode{Node: node, Property: located(&ast.StringNode{Value: name}, at)}, at)
		}
		from = to + 1
	}
	return node
}

// parserConfig turns off expr's own functions, so that a name means what the library says.
func parserConfig() *conf.Config {
	return &conf.Config{MaxNodes: maxNodes, Disabled: disabledBuiltins()}
}

var disabledBuiltins = sync.OnceValue(func() map[string]bool {
	disabled := map[string]bool{}
	for _, f := range builtin.Builtins {
		disabled[f.Name] = true
	}
	return disabled
})

// machineConfig offers the operations and functions to the machine.
func machineConfig() *conf.Config {
	return &conf.Config{ShortCircuit: true, Functions: machineFunctions()}
}

var machineFunctions = sync.OnceValue(func() conf.FunctionsTable {
	table := conf.FunctionsTable{}
	offer := func(name string, op operation) {
		table[name] = &builtin.Function{Name: name, Func: func(a ...any) (any, error) { return op(a[0].(*frame), a[1:]) }}
	}
	for name, op := range operations {
		offer(name, op)
	}
	for name, fn := range library() {
		offer(name, fn.invoke)
	}
	offer(callAdded, func(_ *frame, a []any) (any, error) {
		v, err := a[0].(func(any) (any, error))(a[1])
		if err != nil {
			return nil, &addedError{err}
		}
		return v, nil
	})
	offer(callDefined, func(f *frame, a []any) (any, error) { return a[0].(*Defined).call(f, a[1:]) })
	return table
})

// callAdded is the operation that calls a function of the scope, its first argument.
const callAdded = "$added"

// wanted checks the type of the whole expression.
func (c *checker) wanted(t term, w Want) term {
	may := t.shape.may()
	switch {
	case t.bad:
	case w == Condition:
		if may&kBool == 0 {
			c.report(t.span, CodeWrongType, fmt.Sprintf("a condition is needed, and %s is %s", c.call(t), may.article()),
				c.conditionHint(t))
			break
		}
		return c.truth(t)
	case w == List:
		if may&kItems == 0 {
			hint := ""
			if may&kText != 0 {
				hint = fmt.Sprintf(`write split(%s, " ") for the choices of a multiple choice`, c.source(t))
			}
			c.report(t.span, CodeWrongType, fmt.Sprintf("a list is needed, and %s is %s", c.call(t), may.article()), hint)
			break
		}
		list := c.operation("$list", kList, t.span, t)
		list.shape = t.shape
		return list
	case w == Text:
		if may&kPlain == 0 {
			hint := ""
			if may&kList != 0 {
				hint = fmt.Sprintf(`write join(%s, ", ") for all items, or first(%s) for one`, c.source(t), c.source(t))
			} else if fields := t.shape.fieldNames(); len(fields) > 0 {
				hint = listKnown(fields, "fields")
			}
			c.report(t.span, CodeWrongType, fmt.Sprintf("a single value is needed, and %s is %s", c.call(t), may.article()),
				hint)
		}
	}
	return t
}

func (c *checker) conditionHint(t term) string {
	if t.shape.may()&kText != 0 && !t.constant {
		return fmt.Sprintf(`compare it, such as %s == "yes", or write not_blank(%s)`, c.source(t), c.source(t))
	}
	return ""
}

// envNode is the frame, as the machine passes it to operations.
func envNode() ast.Node { return &ast.IdentifierNode{Value: "$env"} }
