package expression

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
)

func (c *checker) unary(n *ast.UnaryNode) term {
	t := c.check(n.Node)
	at := c.span(n, t.span)
	if t.bad {
		return c.broken(at)
	}
	switch n.Operator {
	case "!", "not":
		if t.shape.may()&kBool == 0 {
			return c.report(t.span, CodeWrongType, fmt.Sprintf("%s needs a condition, and %s is %s", n.Operator, c.call(t),
				t.shape.may().article()), c.conditionHint(t))
		}
		return c.operation("$not", kBool, at, t)
	}
	if !c.number(t, n.Operator) {
		return c.broken(at)
	}
	if n.Operator == "+" {
		return t
	}
	return c.operation("$negate", kNumber, at, t)
}

// number reports a part that cannot be a number.
func (c *checker) number(t term, operator string) bool {
	if t.bad || t.shape.may()&kNumber != 0 {
		return !t.bad
	}
	hint := ""
	switch {
	case t.shape.may()&kDate != 0:
		hint = fmt.Sprintf(`write add(%s, 7, "days") to move a date, days_between(from, to) for the days between two`,
			c.source(t))
	case t.shape.may()&kText != 0:
		hint = fmt.Sprintf("write number(%s)", c.source(t))
	}
	c.report(t.span, CodeWrongType, fmt.Sprintf("%s needs numbers, and %s is %s", operator, c.call(t),
		t.shape.may().article()), hint)
	return false
}

func (c *checker) binary(n *ast.BinaryNode) term {
	if t, ok := c.notBeforeComparison(n); ok {
		return t
	}
	if n.Operator == "??" {
		defer c.needs.choice()()
	}
	left := c.check(n.Left)
	right := c.check(n.Right)
	at := c.span(n, left.span, right.span)
	if left.bad || right.bad {
		return c.broken(at)
	}
	switch op := n.Operator; op {
	case "and", "&&", "or", "||":
		return c.logic(op, at, left, right)
	case "==", "!=":
		return c.equality(op, at, left, right)
	case "<", "<=", ">", ">=":
		return c.ordering(op, at, left, right)
	case "+":
		return c.plus(at, left, right)
	case "-", "*", "/", "%", "**", "^":
		if op == "-" && left.shape.may() == kDate && right.shape.may()&kDate != 0 {
			return c.report(at, CodeWrongType, "dates cannot be subtracted with -",
				fmt.Sprintf("write days_between(%s, %s), or diff(...) for another unit", c.source(right), c.source(left)))
		}
		l, r := c.number(left, op), c.number(right, op)
		if !l || !r {
			return c.broken(at)
		}
		if op == "^" {
			op = "**"
		}
		return c.operation(op, kNumber, at, left, right)
	case "in":
		return c.membership(at, left, right)
	case "contains", "startsWith", "endsWith":
		return c.partOfText(op, at, left, right)
	case "matches":
		return c.matching(at, left, right)
	case "..":
		l, r := c.number(left, op), c.number(right, op)
		if !l || !r {
			return c.broken(at)
		}
		t := c.operation("..", kList, at, left, right)
		t.shape = listOf(plain(kNumber))
		return t
	case "??":
		return c.either(at, left, right)
	}
	return c.report(at, CodeSyntax, fmt.Sprintf("%s cannot be used in an expression", n.Operator), "")
}

// notBeforeComparison finds not a == b, where not belongs to a alone and makes no sense there.
func (c *checker) notBeforeComparison(n *ast.BinaryNode) (term, bool) {
	not, ok := n.Left.(*ast.UnaryNode)
	if !ok || not.Operator != "not" && not.Operator != "!" ||
		!slices.Contains([]string{"==", "!=", "<", "<=", ">", ">="}, n.Operator) {
		return term{}, false
	}
	t := c.check(not.Node)
	if t.bad || t.shape.may()&kBool != 0 {
		return term{}, false
	}
	right := c.check(n.Right)
	return c.report(c.span(not, t.span), CodeWrongType,
		fmt.Sprintf("%s belongs to %s alone here, which is %s", not.Operator, c.call(t), t.shape.may().article()),
		fmt.Sprintf("write not (%s %s %s)", c.source(t), n.Operator, c.source(right))), true
}

// logic keeps expr's own and and or, which do not look at the right side when the left one decides.
func (c *checker) logic(op string, at file.Location, left, right term) term {
	ok := true
	for _, t := range []term{left, right} {
		if t.shape.may()&kBool == 0 {
			hint := c.conditionHint(t)
			if t.constant && op == "or" && len(left.pins) == 1 {
				hint = fmt.Sprintf("write %s in [%q, %s]", left.pins[0].field, left.pins[0].value, c.source(t))
			}
			c.report(t.span, CodeWrongType, fmt.Sprintf("%s needs conditions, and %s is %s", op, c.call(t),
				t.shape.may().article()), hint)
			ok = false
		}
	}
	if !ok {
		return c.broken(at)
	}
	left, right = c.truth(left), c.truth(right)
	word := "and"
	if op == "or" || op == "||" {
		word = "or"
	}
	decisive := word == "or"
	switch {
	case left.constant && left.value == decisive || right.constant && right.value == decisive:
		return c.known(decisive, plain(kBool), at)
	case left.constant:
		right.span = at
		return right
	case right.constant:
		left.span = at
		return left
	}
	var pins []pin
	if word == "and" {
		pins = slices.Concat(left.pins, right.pins)
		for i, p := range pins {
			if slices.ContainsFunc(pins[:i], func(q pin) bool { return q.field == p.field && q.value != p.value }) {
				return c.known(false, plain(kBool), at)
			}
		}
	}
	return term{
		pins:  pins,
		shape: plain(kBool),
		node:  located(&ast.BinaryNode{Operator: word, Left: left.node, Right: right.node}, at),
		span:  at,
		names: slices.Concat(left.names, right.names),
	}
}

// either is a ?? b: b when a is blank.
func (c *checker) either(at file.Location, left, right term) term {
	if left.constant {
		if IsBlank(left.value) {
			return right
		}
		return left
	}
	filled := c.operation("$filled", kAny, left.span, left)
	return term{
		shape: merge(left.shape, right.shape),
		node:  located(&ast.BinaryNode{Operator: "??", Left: filled.node, Right: right.node}, at),
		span:  at,
		names: slices.Concat(left.names, right.names),
	}
}

func (c *checker) equality(op string, at file.Location, left, right term) term {
	l, r := left.shape.may(), right.shape.may()
	left, right, ok := c.datesWritten(left, right)
	if !ok {
		return c.broken(at)
	}
	if l&r != 0 || isTime(l, r) || left.constant && IsBlank(left.value) || right.constant && IsBlank(right.value) {
		t := c.operation(op, kBool, at, left, right)
		if op == "==" {
			t.pins = pinned(left, right)
		}
		return t
	}
	return c.mismatched(op, left, right)
}

// pin is a field that must have a value for a condition to hold. A field cannot have two: such a condition never holds.
type pin struct{ field, value string }

func pinned(left, right term) []pin {
	if left.constant {
		left, right = right, left
	}
	value, ok := right.value.(string)
	if left.read == nil || !right.constant || !ok {
		return nil
	}
	if isBlankText(value) {
		value = ""
	}
	return []pin{{joinPath(left.read.names), value}}
}

// isTime tells that a date meets a text, which is then read as a date.
func isTime(l, r kind) bool { return l&kDate != 0 && r&kText != 0 || l&kText != 0 && r&kDate != 0 }

// datesWritten reads a text that is written out beside a date as a date.
func (c *checker) datesWritten(left, right term) (term, term, bool) {
	read := func(t, other term) (term, bool) {
		s, ok := t.value.(string)
		if !t.constant || !ok || other.shape.may() != kDate || IsBlank(s) {
			return t, true
		}
		d, err := parseISO(s, c.scope.options.Zone)
		if err != nil {
			return c.report(t.span, CodeWrongValue, fmt.Sprintf("%s is compared with a date, and is not one", c.call(t)),
				`write a date as "2026-08-20"`), false
		}
		return c.known(d, plain(kDate), t.span), true
	}
	l, ok := read(left, right)
	r, also := read(right, left)
	return l, r, ok && also
}

// mismatched reports two sides whose types have nothing in common, at the side that can be fixed.
func (c *checker) mismatched(op string, left, right term) term {
	one, other := left, right
	if one.constant || other.shape.may() == kText && one.shape.may() != kText && !other.constant {
		one, other = other, one
	}
	have, need := one.shape.may(), other.shape.may()
	hint := ""
	switch {
	case have == kText && need == kNumber:
		hint = fmt.Sprintf("write number(%s)", c.source(one))
	case have == kNumber && need == kText && other.constant:
		if _, err := strconv.ParseFloat(fmt.Sprint(other.value), 64); err == nil {
			hint = fmt.Sprintf("write %v without quotes", other.value)
		}
	case have == kText && need == kBool:
		hint = fmt.Sprintf(`compare with the text that the source sends, such as %s == "yes"`, c.source(one))
	case have == kBool && need == kText:
		hint = fmt.Sprintf("write %s alone, or not %s", c.source(one), c.source(one))
	case have&kList != 0 && need&kPlain != 0:
		hint = fmt.Sprintf("write %s in %s", c.source(other), c.source(one))
	}
	return c.report(one.span, CodeWrongType,
		fmt.Sprintf("%s compares two values of one type, and %s is %s while %s is %s", op, c.call(one), have.article(),
			c.call(other), need.article()), hint)
}

// dayFirst is a date that does not sort as text.
var dayFirst = regexp.MustCompile(`^[0-9]{1,2}[/. -]([0-9]{1,2}|[A-Za-z]{3,9})[/. -][0-9]{2,4}$`)

func (c *checker) ordering(op string, at file.Location, left, right term) term {
	const ordered = kNumber | kText | kDate
	for _, t := range []term{left, right} {
		if t.shape.may()&ordered == 0 {
			return c.report(t.span, CodeWrongType, fmt.Sprintf("%s compares numbers, dates or texts, and %s is %s", op,
				c.call(t), t.shape.may().article()), "")
		}
		if t.constant && IsBlank(t.value) {
			return c.report(t.span, CodeWrongValue, fmt.Sprintf("%s with nothing is never true", op),
				"write blank(...) or not_blank(...) to ask whether there is a value")
		}
	}
	left, right, ok := c.datesWritten(left, right)
	if !ok {
		return c.broken(at)
	}
	l, r := left.shape.may(), right.shape.may()
	if l&r&ordered == 0 && !isTime(l, r) {
		return c.mismatched(op, left, right)
	}
	for _, pair := range [][2]term{{left, right}, {right, left}} {
		if s, ok := pair[0].value.(string); ok && pair[1].shape.may() == kText && !pair[1].constant {
			if _, err := strconv.ParseFloat(s, 64); err == nil {
				return c.report(pair[1].span, CodeWrongType,
					fmt.Sprintf(`%s compares texts letter by letter, so "10" comes before "9"`, op),
					fmt.Sprintf("write number(%s), and %s without quotes", c.source(pair[1]), s))
			}
			if dayFirst.MatchString(s) {
				return c.report(pair[1].span, CodeWrongType,
					fmt.Sprintf("%s compares texts letter by letter, which is the order of dates only when the year comes first", op),
					fmt.Sprintf(`write date(%s, "dd/MM/yyyy"), with the format that the source sends, and the other date as `+
						`"2026-08-20"`, c.source(pair[1])))
			}
		}
	}
	return c.operation(op, kBool, at, left, right)
}
