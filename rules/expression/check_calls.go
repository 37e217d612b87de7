package expression

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
)

func (c *checker) callNode(n *ast.CallNode) term {
	if m, ok := n.Callee.(*ast.MemberNode); ok {
		return c.method(n, m)
	}
	callee, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		return c.report(c.span(n), CodeSyntax, "only a function can be called", "")
	}
	if callee.Value == "coalesce" {
		defer c.needs.choice()()
	}
	args := make([]term, len(n.Arguments))
	var parts []file.Location
	for i, a := range n.Arguments {
		args[i] = c.check(a)
		parts = append(parts, args[i].span)
	}
	at := c.span(n, parts...)
	if added, ok := c.scope.functions[callee.Value]; ok {
		return c.addedCall(callee, added, at, args)
	}
	if d, ok := c.scope.defined[callee.Value]; ok {
		return c.definedCall(d, at, args)
	}
	fn, ok := library()[callee.Value]
	if !ok {
		return c.unknownFunction(callee)
	}
	if least, most := fn.arity(); len(args) < least || most >= 0 && len(args) > most {
		return c.report(at, CodeWrongArguments, fmt.Sprintf("%s takes %s, not %d", fn.name, countArguments(least, most),
			len(args)), "write "+fn.signature())
	}
	if fn.imply != nil {
		args = fn.imply(c, args)
	}
	bad := false
	for i := range args {
		args[i] = c.argument(fn, i, args[i])
		bad = bad || args[i].bad
	}
	if bad {
		return c.broken(at)
	}
	if fn.verify != nil {
		if err := fn.verify(args); err != nil {
			return c.reportError(at, err)
		}
	}
	shapes := make([]*Shape, len(args))
	for i := range args {
		shapes[i] = args[i].shape
	}
	given := slices.Clone(args)
	for i := len(args); i < len(fn.params) && !fn.params[i].rest; i++ {
		given = append(given, c.known(nil, Dynamic(), at))
	}
	t := c.operation(fn.name, fn.gives, at, given...)
	if fn.result != nil && !t.constant {
		t.shape = fn.result(shapes)
	}
	return t
}

func countArguments(least, most int) string {
	switch {
	case most < 0:
		return fmt.Sprintf("at least %d argument%s", least, plural(least))
	case most == 0:
		return "no arguments"
	case least == most:
		return fmt.Sprintf("%d argument%s", least, plural(least))
	}
	return fmt.Sprintf("%d to %d arguments", least, most)
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

// argument checks one argument and prepares it when it is written out.
func (c *checker) argument(fn *function, i int, t term) term {
	p := fn.param(i)
	may := t.shape.may()
	s, isText := t.value.(string)
	switch {
	case t.bad:
		return t
	case p.written && !(t.constant && isText):
		return c.report(t.span, CodeWrongValue, fmt.Sprintf("the %s of %s is written out, as text in quotes", p.name,
			fn.name), choicesHint("", p.choices))
	case may&p.accept == 0 && !(t.constant && t.value == nil):
		return c.report(t.span, CodeWrongType, fmt.Sprintf("%s needs %s, and %s is %s", fn.name, p.accept.needed(),
			c.call(t), may.article()), c.argumentHint(p, t))
	case !t.constant || !isText:
		return t
	case p.prepare != nil:
		if isBlankText(s) && p.optional {
			return c.known(nil, Dynamic(), t.span)
		}
		v, err := p.prepare(s)
		if err != nil {
			e := (&Program{}).runError(err, t.span, nil)
			hint := e.Hint
			if p.choices != nil {
				hint = choicesHint(s, p.choices)
			}
			return c.report(t.span, CodeWrongValue, e.Message, hint)
		}
		return c.known(v, t.shape, t.span)
	case p.accept == kTime && !p.raw && !isBlankText(s):
		d, err := parseISO(s, c.scope.options.Zone)
		if err != nil {
			return c.reportError(t.span, err)
		}
		return c.known(d, plain(kDate), t.span)
	}
	return t
}

// choicesHint names what can be written, nearest first.
func choicesHint(s string, choices []string) string {
	if len(choices) == 0 {
		return ""
	}
	if near := nearest(s, choices); s != "" && len(near) > 0 {
		return "did you mean " + orList(quoteAll(near)) + "?"
	}
	if len(choices) > 8 {
		return listKnown(choices, "values")
	}
	return "write " + orList(quoteAll(choices))
}

func (c *checker) argumentHint(p *parameter, t term) string {
	src := c.source(t)
	switch may := t.shape.may(); {
	case p.accept&kNumber != 0 && may&kText != 0:
		return fmt.Sprintf("write number(%s)", src)
	case p.accept&kList != 0 && may&kText != 0:
		return fmt.Sprintf(`write split(%s, " ") for the words of a text, or list_of(%s)`, src, src)
	case may&kList != 0 && p.accept&kText != 0:
		return fmt.Sprintf(`write first(%s) for one item, or join(%s, ", ") for all`, src, src)
	case p.accept&kDate != 0 && may&kNumber != 0:
		return fmt.Sprintf("write date(text(%s), format) with the format of the date", src)
	case p.accept&kText != 0 && may&kPlain != 0:
		return fmt.Sprintf("write text(%s)", src)
	}
	return ""
}

// addedCall calls a function of the scope, such as a value map.
func (c *checker) addedCall(callee *ast.IdentifierNode, fn func(any) (any, error), at file.Location, args []term) term {
	c.uses[callee.Value] = true
	if len(args) != 1 {
		return c.report(at, CodeWrongArguments, fmt.Sprintf("%s takes 1 argument, the value to map, not %d", callee.Value,
			len(args)), fmt.Sprintf("write %s(value)", callee.Value))
	}
	if args[0].bad {
		return c.broken(at)
	}
	if may := args[0].shape.may(); may&kPlain == 0 {
		return c.report(args[0].span, CodeWrongType, fmt.Sprintf("%s maps a single value, and %s is %s", callee.Value,
			c.call(args[0]), may.article()), "")
	}
	function := term{node: located(&ast.ConstantNode{Value: fn}, at)}
	t := c.operation(callAdded, kAny, at, function, args[0])
	t.shape = Dynamic()
	return t
}

// method is x.f(): the language has functions only.
func (c *checker) method(n *ast.CallNode, m *ast.MemberNode) term {
	base := c.check(m.Node)
	at := c.span(n, base.span)
	if base.bad {
		return c.broken(at)
	}
	name := ""
	if key, ok := m.Property.(*ast.StringNode); ok {
		name = key.Value
	}
	hint := "a function goes around its value: upper(trim(...))"
	known := c.functionNames()
	if near := nearest(name, known); slices.Contains(known, name) {
		hint = fmt.Sprintf("write %s(%s)", name, c.source(base))
	} else if known, ok := foreign[strings.ToLower(name)]; ok {
		hint = known
	} else if len(near) > 0 {
		hint = fmt.Sprintf("write %s(%s)", near[0], c.source(base))
	}
	return c.report(m.Property.Location(), CodeUnknownFunction,
		fmt.Sprintf("values have no functions of their own, such as .%s()", name), hint)
}

func (c *checker) functionNames() []string {
	names := slices.Collect(maps.Keys(library()))
	names = slices.AppendSeq(names, maps.Keys(predicates))
	names = slices.AppendSeq(names, maps.Keys(c.scope.functions))
	names = append(names, c.scope.definedNames()...)
	slices.Sort(names)
	return names
}

func (c *checker) unknownFunction(callee *ast.IdentifierNode) term {
	name := callee.Value
	hint := ""
	if known, ok := foreign[strings.ToLower(name)]; ok {
		hint = known
	} else if _, ok := c.scope.shapes[name]; ok {
		return c.report(callee.Location(), CodeUnknownFunction, fmt.Sprintf("%q is a value, not a function", name),
			fmt.Sprintf("write %s without brackets", name))
	} else if near := nearest(name, c.functionNames()); len(near) > 0 {
		hint = "did you mean " + orList(quoteAll(near)) + "?"
	} else {
		hint = "docs/functions.md lists all functions"
	}
	return c.report(callee.Location(), CodeUnknownFunction, fmt.Sprintf("unknown function %q", name), hint)
}

// foreign tells those who come from MOTECH, spreadsheets, XLSForms or programming what the function
// they know is called here.
var foreign = map[string]string{
	"toupper": "write upper(...)", "touppercase": "write upper(...)", "ucase": "write upper(...)",
	"tolower": "write lower(...)", "tolowercase": "write lower(...)", "lcase": "write lower(...)",
	"capitalize": "write title(...)", "capitalise": "write title(...)", "proper": "write title(...)",
	"urlencode": "write url_encode(...)", "encodeuri": "write url_encode(...)",
	"parsedate": "write date(text, format)", "todate": "write date(text, format)",
	"datetime": "write format_date(date, format)", "formatdate": "write format_date(date, format)",
	"beginningofmonth": `write start_of(date, "month")`, "startofmonth": `write start_of(date, "month")`,
	"endofmonth": `write end_of(date, "month")`,
	"plusdays":   `write add(date, n, "days")`, "plusmonths": `write add(date, n, "months")`,
	"plushours": `write add(date, n, "hours")`, "plusminutes": `write add(date, n, "minutes")`,
	"minusdays": `write add(date, -n, "days")`, "minusmonths": `write add(date, -n, "months")`,
	"minushours": `write add(date, -n, "hours")`, "minusminutes": `write add(date, -n, "minutes")`,
	"getvalue": `write value["name"]`, "concat": "join texts with +", "concatenate": "join texts with +",
	"len": "write length(...)", "size": "write length(...)", "substr": "write substring(text, from, to)",
	"mid":      "write substring(text, from, to)",
	"tostring": "write text(...)", "string": "write text(...)", "str": "write text(...)", "tonumber": "write number(...)",
	"float": "write number(...)", "integer": "write int(...)",
	"isempty": "write blank(...)", "isblank": "write blank(...)", "isnull": "write blank(...)",
	"exists": "write not_blank(...)", "exist": "write not_blank(...)",
	"ifnull": "write coalesce(value, otherwise)", "default": "write coalesce(value, otherwise)",
	"nvl": "write coalesce(value, otherwise)",
	"iif": "write condition ? one : other", "when": "write condition ? one : other", "if": "write condition ? one : other",
	"equalsignorecase": "write equals_ignore_case(a, b)", "startswith": "write starts_with(text, start)",
	"endswith": "write ends_with(text, end)",
	"contains": `write text contains "part"`, "matches": `write text matches "pattern"`,
	"regex":    `write text matches "pattern", or regex_extract(text, pattern)`,
	"datediff": "write days_between(from, to), or diff(from, to, unit)", "selectedat": "write selected_at(value, n)",
	"countselected": "write count_selected(value)",
	"sha256":        "write hash(...)", "md5": "write hash(...)", "ceiling": "write ceil(...)",
	"average": "write sum(list, ...) / count(list)",
	"isodate": "write format_date(date, \"yyyy-MM-dd\")", "year_of": "write year(date)", "uppercase": "write upper(...)",
	"lowercase":     "write lower(...)",
	"findlastindex": "use findLast(...), or filter(...)", "distinct": "write unique(...)",
	"group_by": "write groupBy(list, .field)", "groupby": "write groupBy(list, .field)",
	"json": "write parse_json(...)", "fromjson": "write parse_json(...)", "jsonparse": "write parse_json(...)",
	"uniq": "write unique(...)",
}
