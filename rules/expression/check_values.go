package expression

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"

	"github.com/culvert/culvert/rules/diag"
)

// identifier is a name: made by let, or of the scope.
func (c *checker) identifier(n *ast.IdentifierNode) term {
	at := c.span(n)
	for _, l := range slices.Backward(c.lets) {
		if l.name == n.Value {
			t := l.term
			t.span = at
			if !t.constant {
				t.node = located(&ast.IdentifierNode{Value: n.Value}, at)
			}
			return t
		}
	}
	shape, ok := c.scope.shapes[n.Value]
	if !ok && c.ofHyphenated(at) {
		return c.broken(at)
	}
	if !ok {
		return c.unknownName(n.Value, at)
	}
	c.uses[n.Value] = true
	return c.pathTerm(&staticPath{names: []string{n.Value}}, shape, at)
}

// pathTerm is the reading of a field by names only.
func (c *checker) pathTerm(s *staticPath, shape *Shape, at file.Location) term {
	name := joinPath(s.names)
	c.paths[name] = true
	c.needs.note(s.names)
	t := c.operation("$path", kAny, at, term{node: located(&ast.ConstantNode{Value: s}, at), names: []string{name}})
	t.shape, t.read = shape, s
	return c.declared(t)
}

// declared reads a value as the type that its field was declared with.
func (c *checker) declared(t term) term {
	if t.bad || t.shape.isDynamic() || t.shape.as == 0 {
		return t
	}
	shape := t.shape
	t = c.operation("$declared", shape.as, t.span, t, c.known(shape.as, Dynamic(), t.span))
	t.shape = shape
	return t
}

func (c *checker) unknownName(name string, at file.Location) term {
	if _, ok := library()[name]; ok {
		return c.report(at, CodeUnknownName, fmt.Sprintf("%q is a function, not a value", name),
			"write "+library()[name].signature())
	}
	if _, ok := c.scope.functions[name]; ok {
		return c.report(at, CodeUnknownName, fmt.Sprintf("%q is a value map, which is used as a function", name),
			fmt.Sprintf("write %s(...) with the value to map", name))
	}
	if d, ok := c.scope.defined[name]; ok {
		return c.report(at, CodeUnknownName, fmt.Sprintf("%q is a function, not a value", name), "write "+d.Signature())
	}
	hint := ""
	switch strings.ToLower(name) {
	case "null", "none", "undefined", "nil":
		hint = "write nil, or blank(...) to ask whether there is a value"
	case "true":
		hint = "write true"
	case "false":
		hint = "write false"
	case "yes", "no":
		hint = fmt.Sprintf("write %q in quotes for the text; what is yes or no by itself is true or false", name)
	default:
		near := nearest(name, c.scope.names())
		places := c.fieldsNamed(name)
		switch {
		case len(near) == 0 && len(places) > 0:
			hint = "did you mean " + orList(places[:min(3, len(places))]) + "?"
		default:
			hint = suggest(name, c.scope.names(), "names")
		}
		if len(near) == 0 && len(places) == 0 && !strings.ContainsFunc(hint, func(r rune) bool { return r == '?' }) {
			hint = strings.TrimSuffix(fmt.Sprintf("a text is written in quotes: %q; %s", name, hint), "; ")
		}
	}
	return c.report(at, CodeUnknownName, fmt.Sprintf("unknown name %q", name), hint)
}

// names lists the values of the scope.
func (s *Scope) names() []string {
	names := make([]string, 0, len(s.shapes))
	for name := range s.shapes {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b)) })
	return names
}

// rank puts the record first among the names of a scope.
func rank(name string) int {
	if i := slices.Index(recordNames, name); i >= 0 {
		return i
	}
	return len(recordNames)
}

// recordNames are the names under which fields of the record are found.
var recordNames = []string{"trigger", "item", "source"}

// fieldsNamed finds fields with a name anywhere below the names of the scope, as paths, shortest first.
func (c *checker) fieldsNamed(name string) []string {
	var found []string
	var search func(path []string, s *Shape)
	search = func(path []string, s *Shape) {
		if len(path) > 6 || s == nil || s.kinds&kObject == 0 {
			return
		}
		for field, shape := range s.fields {
			here := append(slices.Clone(path), field)
			if field == name {
				found = append(found, joinPath(here))
			}
			search(here, shape)
		}
	}
	for root, shape := range c.scope.shapes {
		if slices.Contains(recordNames, root) {
			search([]string{root}, shape)
		}
	}
	slices.SortFunc(found, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
	return found
}

// pointer is # and #index inside filter, map, all and the like.
func (c *checker) pointer(n *ast.PointerNode) term {
	at := c.span(n)
	if n.Name != "" {
		at = c.span(n, file.Location{From: at.From, To: at.To + len([]rune(n.Name))})
	}
	if len(c.items) == 0 {
		return c.report(at, CodeSyntax, "# is an item of a list, and can be used only inside filter, map, all and the like",
			"")
	}
	switch n.Name {
	case "":
		t := c.operation("$item", kAny, at, term{node: located(&ast.PointerNode{}, at)})
		t.shape = c.items[len(c.items)-1].shape
		return c.declared(t)
	case "acc":
		if c.items[len(c.items)-1].acc {
			return term{shape: Dynamic(), node: located(&ast.PointerNode{Name: "acc"}, at), span: at}
		}
		return c.report(at, CodeSyntax,
			"#acc is what reduce carries, and can be used only there, not inside of another filter, map or the like",
			"give it a name: let sum = #acc; ...")
	case "index":
		return term{shape: plain(kNumber), node: located(&ast.PointerNode{Name: "index"}, at), span: at}
	}
	return c.report(at, CodeUnknownName, fmt.Sprintf("unknown name %q", "#"+n.Name),
		`known names: "#" for the item, "#index" for its position`)
}

func (c *checker) memberNode(n *ast.MemberNode) term {
	if root, members := c.chain(n); root != nil {
		return c.readChain(root, members)
	}
	base := c.check(n.Node)
	key, written := n.Property.(*ast.StringNode)
	if !written {
		return c.indexed(n, base)
	}
	at := c.span(n, base.span, key.Location())
	if base.bad {
		return c.broken(at)
	}
	shape := Dynamic()
	if !base.shape.isDynamic() {
		field, problem := c.field(base, key.Value)
		if problem != nil {
			return c.report(key.Location(), problem.Code, problem.Message, problem.Hint)
		}
		shape = field
	}
	t := c.operation("$member", kAny, at, base, c.known(key.Value, plain(kText), key.Location()))
	if !t.constant {
		t.shape = shape
	}
	return c.declared(t)
}

// chain is a name of the scope and the fields below it, when that is all a node is.
func (c *checker) chain(n *ast.MemberNode) (root *ast.IdentifierNode, members []*ast.MemberNode) {
	for {
		if _, written := n.Property.(*ast.StringNode); !written {
			return nil, nil
		}
		members = append(members, n)
		below := n.Node
		if chain, ok := below.(*ast.ChainNode); ok {
			below = chain.Node
		}
		switch below := below.(type) {
		case *ast.MemberNode:
			n = below
		case *ast.IdentifierNode:
			if c.scope.shapes[below.Value] == nil || slices.ContainsFunc(c.lets,
				func(l letName) bool { return l.name == below.Value }) {
				return nil, nil
			}
			slices.Reverse(members)
			return below, members
		default:
			return nil, nil
		}
	}
}

// readChain checks every field of a chain, and reads the last one at once.
func (c *checker) readChain(root *ast.IdentifierNode, members []*ast.MemberNode) term {
	c.uses[root.Value] = true
	names := make([]string, 1, len(members)+1)
	names[0] = root.Value
	t := term{shape: c.scope.shapes[root.Value], span: root.Location()}
	for _, m := range members {
		key := m.Property.(*ast.StringNode)
		shape := Dynamic()
		if !t.shape.isDynamic() {
			if found, ok := c.hyphenated(t, key.Location()); ok {
				return found
			}
			field, problem := c.field(t, key.Value)
			if problem != nil {
				return c.report(key.Location(), problem.Code, problem.Message, problem.Hint)
			}
			shape = field
		}
		names = append(names, key.Value)
		t = term{shape: shape, span: c.span(m, t.span, key.Location())}
	}
	return c.pathTerm(&staticPath{names: names}, t.shape, t.span)
}

// field is the shape of a field of a value whose shape is known.
func (c *checker) field(base term, name string) (*Shape, *Problem) {
	s := base.shape
	if s.kinds&kList != 0 {
		hint := fmt.Sprintf("use for_each to handle every item, or write first(%s).%s", c.source(base), name)
		if !isIdentifier(name) {
			hint = fmt.Sprintf("use for_each to handle every item, or write first(%s)[%q]", c.source(base), name)
		}
		what := "is a list"
		if s.kinds&kObject != 0 {
			what = "is a list when there is more than one"
		}
		return nil, &Problem{Problem: diag.Problem{Code: CodeWrongType,
			Message: fmt.Sprintf("%s %s, so a field of it cannot be read",
				c.call(base), what), Hint: hint}}
	}
	if s.kinds&kObject == 0 {
		return nil, &Problem{Problem: diag.Problem{Code: CodeWrongType,
			Message: fmt.Sprintf("%s is %s, so it has no field %q", c.call(base),
				s.kinds.article(), name)}}
	}
	if f, ok := s.fields[name]; ok {
		return f, nil
	}
	if s.open {
		if s.rest != nil {
			return s.rest, nil
		}
		return Dynamic(), nil
	}
	hint := suggest(name, s.fieldNames(), "fields")
	if len(nearest(name, s.fieldNames())) == 0 {
		if places := c.fieldsNamed(name); len(places) > 0 {
			hint = "did you mean " + orList(places[:min(3, len(places))]) + "?"
		}
	}
	return nil, &Problem{Problem: diag.Problem{Code: CodeUnknownField,
		Message: fmt.Sprintf("unknown field %q of %s", name, c.call(base)),
		Hint:    hint}}
}

// indexed is x[i] where i is not a text that is written out.
func (c *checker) indexed(n *ast.MemberNode, base term) term {
	key := c.check(n.Property)
	at := c.span(n, base.span, key.span)
	if base.bad || key.bad {
		return c.broken(at)
	}
	may, index := base.shape.may(), key.shape.may()
	switch {
	case may&kItems == 0:
		hint := ""
		if may&kText != 0 {
			hint = fmt.Sprintf("write substring(%s, ...) for a part of a text, or split(%s, \" \")[0] for a word",
				c.source(base), c.source(base))
		}
		return c.report(at, CodeWrongType, fmt.Sprintf("%s is %s, so it has no items", c.call(base), may.article()), hint)
	case index&kWord == 0:
		return c.report(key.span, CodeWrongType, fmt.Sprintf("an index is a number or the name of a field, and %s is %s",
			c.call(key), index.article()), "")
	case may&kList == 0 && index&kText == 0 && !base.shape.isDynamic() && base.shape.kinds == kObject &&
		len(base.shape.fields) == 0 && base.shape.rest != nil:
		return c.report(key.span, CodeWrongType, fmt.Sprintf("the fields of %s have names, and %s is a number", c.call(base),
			c.call(key)), "write the name in quotes")
	}
	t := c.operation("$member", kAny, at, base, key)
	if !t.constant {
		switch {
		case index == kNumber:
			t.shape = base.shape.item()
		case base.shape.rest != nil && len(base.shape.fields) == 0:
			t.shape = base.shape.rest
		default:
			t.shape = Dynamic()
		}
	}
	return c.declared(t)
}

func (c *checker) sliceNode(n *ast.SliceNode) term {
	base := c.check(n.Node)
	at := c.span(n, base.span)
	ends := []term{c.known(nil, Dynamic(), at), c.known(nil, Dynamic(), at)}
	for i, end := range []ast.Node{n.From, n.To} {
		if end == nil {
			continue
		}
		ends[i] = c.check(end)
		if !ends[i].bad && ends[i].shape.may()&kNumber == 0 {
			return c.report(ends[i].span, CodeWrongType, fmt.Sprintf("a position is a number, and %s is %s", c.call(ends[i]),
				ends[i].shape.may().article()), "")
		}
		at = join(at, ends[i].span)
	}
	at = c.balance(at)
	if !base.bad && base.shape.may()&(kText|kItems) == 0 {
		return c.report(base.span, CodeWrongType, fmt.Sprintf("a part is taken of a list or a text, and %s is %s",
			c.call(base), base.shape.may().article()), "")
	}
	t := c.operation("$slice", kAny, at, base, ends[0], ends[1])
	if !t.constant {
		t.shape = base.shape
	}
	return t
}
