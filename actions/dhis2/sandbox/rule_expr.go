package sandbox

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ruleValue is a value inside a program rule: a float64, a string or a bool.
type ruleValue = any

// ruleScope gives a rule its variables.
type ruleScope interface {
	// variable gives the value of #{name}, A{name}, V{name} or C{name}, and whether there is one; without one the value is the default of its type.
	variable(kind byte, name string) (v ruleValue, has bool, err error)
	// all gives every value of a data element variable over the events of an enrollment.
	all(name string) []string
}

// ruleExpr is a compiled expression.
type ruleExpr interface {
	eval(s ruleScope) (ruleValue, error)
}

// compileRule reads an expression of DHIS2's program rule language. An error says what the sandbox cannot evaluate.
func compileRule(text string) (ruleExpr, error) {
	p := ruleParser{text: text}
	e, err := p.or(0)
	if err != nil {
		return nil, err
	}
	if p.space(); p.at < len(p.text) {
		return nil, fmt.Errorf("unexpected %q at position %d", p.text[p.at], p.at+1)
	}
	return e, nil
}

const maxRuleDepth = 100

type ruleParser struct {
	text string
	at   int
}

func (p *ruleParser) space() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
}

// take moves past the first of some words that comes next.
func (p *ruleParser) take(words ...string) string {
	p.space()
	for _, w := range words {
		if !strings.HasPrefix(p.text[p.at:], w) {
			continue
		}
		end := p.at + len(w)
		if isWord(w[0]) && end < len(p.text) && isWord(p.text[end]) {
			continue
		}
		p.at = end
		return w
	}
	return ""
}

type operation struct {
	op   string
	a, b ruleExpr
}

type unary struct {
	op string
	a  ruleExpr
}

type literal struct{ v ruleValue }

type ruleVar struct {
	kind byte
	name string
}

type ruleCall struct {
	name string
	run  func(s ruleScope, raw []ruleExpr, args []ruleValue) (ruleValue, error)
	args []ruleExpr
}

// levels are the operators from those that bind least to those that bind most.
var levels = [][]string{{"||", "or"}, {"&&", "and"}, {"==", "!="}, {"<=", ">=", "<", ">"}, {"+", "-"}, {"*", "/", "%"}}

func (p *ruleParser) or(depth int) (ruleExpr, error) { return p.level(0, depth) }

func (p *ruleParser) level(n, depth int) (ruleExpr, error) {
	if depth > maxRuleDepth {
		return nil, fmt.Errorf("the expression nests too deep")
	}
	if n == len(levels) {
		return p.unary(depth + 1)
	}
	a, err := p.level(n+1, depth)
	if err != nil {
		return nil, err
	}
	for {
		op := p.take(levels[n]...)
		if op == "" {
			return a, nil
		}
		b, err := p.level(n+1, depth)
		if err != nil {
			return nil, err
		}
		a = operation{op, a, b}
	}
}

func (p *ruleParser) unary(depth int) (ruleExpr, error) {
	if op := p.take("!", "not", "-", "+"); op != "" {
		if depth > maxRuleDepth {
			return nil, fmt.Errorf("the expression nests too deep")
		}
		a, err := p.unary(depth + 1)
		return unary{op, a}, err
	}
	return p.primary(depth)
}

func (p *ruleParser) primary(depth int) (ruleExpr, error) {
	p.space()
	if p.at >= len(p.text) {
		return nil, fmt.Errorf("the expression ends too early")
	}
	c := p.text[p.at]
	switch {
	case c == '(':
		p.at++
		e, err := p.or(depth + 1)
		if err == nil && p.take(")") == "" {
			err = fmt.Errorf("a ) is missing")
		}
		return e, err
	case c == '\'' || c == '"':
		return p.quoted(c)
	case c >= '0' && c <= '9' || c == '.':
		start := p.at
		for p.at < len(p.text) && (p.text[p.at] >= '0' && p.text[p.at] <= '9' || p.text[p.at] == '.') {
			p.at++
		}
		f, err := strconv.ParseFloat(p.text[start:p.at], 64)
		return literal{f}, err
	case strings.IndexByte("#AVC", c) >= 0 && strings.HasPrefix(p.text[p.at+1:], "{"):
		end := strings.IndexByte(p.text[p.at:], '}')
		if end < 0 {
			return nil, fmt.Errorf("a } is missing")
		}
		v := ruleVar{c, p.text[p.at+2 : p.at+end]}
		p.at += end + 1
		return v, nil
	case strings.HasPrefix(p.text[p.at:], "d2:"):
		return p.call(depth)
	}
	switch p.take("true", "false") {
	case "true":
		return literal{true}, nil
	case "false":
		return literal{false}, nil
	}
	return nil, fmt.Errorf("unexpected %q at position %d", c, p.at+1)
}

func (p *ruleParser) quoted(q byte) (ruleExpr, error) {
	var b strings.Builder
	for p.at++; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; {
		case c == q:
			p.at++
			return literal{b.String()}, nil
		case c == '\\' && p.at+1 < len(p.text):
			p.at++
			b.WriteByte(p.text[p.at])
		default:
			b.WriteByte(c)
		}
	}
	return nil, fmt.Errorf("a %c is missing", q)
}

func (p *ruleParser) call(depth int) (ruleExpr, error) {
	p.at += 3
	start := p.at
	for p.at < len(p.text) && isWord(p.text[p.at]) {
		p.at++
	}
	f := ruleCall{name: p.text[start:p.at]}
	spec, ok := ruleFunctions[f.name]
	if !ok {
		return nil, fmt.Errorf("the function d2:%s is not evaluated here", f.name)
	}
	f.run = spec.run
	if p.take("(") == "" {
		return nil, fmt.Errorf("a ( is missing after d2:%s", f.name)
	}
	for p.take(")") == "" {
		if len(f.args) > 0 && p.take(",") == "" {
			return nil, fmt.Errorf("a comma is missing among the arguments of d2:%s", f.name)
		}
		a, err := p.or(depth + 1)
		if err != nil {
			return nil, err
		}
		f.args = append(f.args, a)
	}
	if len(f.args) < spec.min || len(f.args) > spec.max {
		return nil, fmt.Errorf("d2:%s takes %d to %d arguments, not %d", f.name, spec.min, spec.max, len(f.args))
	}
	return f, nil
}

func (l literal) eval(ruleScope) (ruleValue, error) { return l.v, nil }

func (v ruleVar) eval(s ruleScope) (ruleValue, error) {
	x, _, err := s.variable(v.kind, v.name)
	return x, err
}

func (u unary) eval(s ruleScope) (ruleValue, error) {
	a, err := u.a.eval(s)
	if err != nil {
		return nil, err
	}
	switch u.op {
	case "!", "not":
		return !truth(a), nil
	case "-":
		return -float(a), nil
	}
	return float(a), nil
}

func (b operation) eval(s ruleScope) (ruleValue, error) {
	x, err := b.a.eval(s)
	if err != nil {
		return nil, err
	}
	switch b.op {
	case "&&", "and":
		if !truth(x) {
			return false, nil
		}
	case "||", "or":
		if truth(x) {
			return true, nil
		}
	}
	y, err := b.b.eval(s)
	if err != nil {
		return nil, err
	}
	switch b.op {
	case "&&", "and", "||", "or":
		return truth(y), nil
	case "==":
		return order(x, y) == 0, nil
	case "!=":
		return order(x, y) != 0, nil
	case "<":
		return order(x, y) < 0, nil
	case "<=":
		return order(x, y) <= 0, nil
	case ">":
		return order(x, y) > 0, nil
	case ">=":
		return order(x, y) >= 0, nil
	case "+":
		_, xs := x.(string)
		_, ys := y.(string)
		if xs && !isNumber(x.(string)) || ys && !isNumber(y.(string)) {
			return plainText(x) + plainText(y), nil
		}
		return float(x) + float(y), nil
	case "-":
		return float(x) - float(y), nil
	case "*":
		return float(x) * float(y), nil
	case "/":
		return float(x) / float(y), nil
	}
	return math.Mod(float(x), float(y)), nil
}

func truth(v ruleValue) bool {
	switch x := v.(type) {
	case bool:
		return x
	case string:
		return strings.EqualFold(x, "true") || x == "1"
	case float64:
		return x != 0
	}
	return false
}

func float(v ruleValue) float64 {
	switch x := v.(type) {
	case float64:
		return x
	case bool:
		if x {
			return 1
		}
	case string:
		f, _ := strconv.ParseFloat(strings.TrimSpace(x), 64) // what is no number counts as zero
		return f
	}
	return 0
}

func plainText(v ruleValue) string {
	switch x := v.(type) {
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64)
	case bool:
		return strconv.FormatBool(x)
	case string:
		return x
	}
	return ""
}

// order compares two values: as numbers where both are, else as text.
func order(a, b ruleValue) int { return compare(plainText(a), plainText(b)) }

func (c ruleCall) eval(s ruleScope) (ruleValue, error) {
	args := make([]ruleValue, len(c.args))
	for i, a := range c.args {
		v, err := a.eval(s)
		if err != nil {
			return nil, err
		}
		args[i] = v
	}
	return c.run(s, c.args, args)
}
