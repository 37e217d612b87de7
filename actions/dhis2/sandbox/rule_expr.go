package sandbox

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
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

type ruleFunction struct {
	min, max int
	run      func(s ruleScope, raw []ruleExpr, args []ruleValue) (ruleValue, error)
}

func pure(min, max int, f func(a []ruleValue) (ruleValue, error)) ruleFunction {
	return ruleFunction{min, max, func(_ ruleScope, _ []ruleExpr, args []ruleValue) (ruleValue, error) { return f(args) }}
}

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

// named gives the variable that an argument stands for: #{x} or 'x'.
func named(e ruleExpr) (kind byte, name string) {
	switch x := e.(type) {
	case ruleVar:
		return x.kind, x.name
	case literal:
		if t, ok := x.v.(string); ok {
			return '#', t
		}
	}
	return '#', ""
}

func ruleDate(v ruleValue) (time.Time, error) {
	t, ok := parseDate(plainText(v))
	if !ok {
		return t, fmt.Errorf("a date is missing or has another form")
	}
	return t, nil
}

// between makes a function of two dates; an empty date gives zero, as DHIS2 does.
func between(f func(a, b time.Time) float64) ruleFunction {
	return pure(2, 2, func(a []ruleValue) (ruleValue, error) {
		if plainText(a[0]) == "" || plainText(a[1]) == "" {
			return 0.0, nil
		}
		x, err := ruleDate(a[0])
		if err != nil {
			return nil, err
		}
		y, err := ruleDate(a[1])
		if err != nil {
			return nil, err
		}
		return f(x, y), nil
	})
}

func wholeMonths(a, b time.Time) float64 {
	sign := 1.0
	if b.Before(a) {
		a, b, sign = b, a, -1
	}
	n := (b.Year()-a.Year())*12 + int(b.Month()) - int(a.Month())
	if b.Day() < a.Day() {
		n--
	}
	return sign * float64(n)
}

func cut(s string, from, to int) string {
	r := []rune(s)
	from, to = max(min(from, len(r)), 0), max(min(to, len(r)), 0)
	if from > to {
		return ""
	}
	return string(r[from:to])
}

func math1(f func(float64) float64) ruleFunction {
	return pure(1, 1, func(a []ruleValue) (ruleValue, error) { return f(float(a[0])), nil })
}

// counting makes a function over all values of a variable.
func counting(min, max int, f func(values []string, args []ruleValue) float64) ruleFunction {
	return ruleFunction{min, max, func(s ruleScope, raw []ruleExpr, args []ruleValue) (ruleValue, error) {
		_, name := named(raw[0])
		return f(s.all(name), args), nil
	}}
}

func countIf(values []string, keep func(string) bool) float64 {
	n := 0
	for _, v := range values {
		if keep(v) {
			n++
		}
	}
	return float64(n)
}

// ruleFunctions are the functions that can be evaluated; a rule that uses another one is reported and passed over.
var ruleFunctions = functionTable()

func functionTable() map[string]ruleFunction {
	return map[string]ruleFunction{
		"hasValue": {1, 1, func(s ruleScope, raw []ruleExpr, _ []ruleValue) (ruleValue, error) {
			kind, name := named(raw[0])
			_, has, err := s.variable(kind, name)
			return has, err
		}},
		"count": counting(1, 1, func(v []string, _ []ruleValue) float64 { return float64(len(v)) }),
		"countIfValue": counting(2, 2, func(v []string, a []ruleValue) float64 {
			return countIf(v, func(x string) bool { return order(x, a[1]) == 0 })
		}),
		"countIfZeroPos": counting(1, 1, func(v []string, _ []ruleValue) float64 {
			return countIf(v, func(x string) bool { return float(x) >= 0 })
		}),
		"maxValue": counting(1, 1, func(v []string, _ []ruleValue) float64 {
			best := math.Inf(-1)
			for _, x := range v {
				best = math.Max(best, float(x))
			}
			return best
		}),
		"minValue": counting(1, 1, func(v []string, _ []ruleValue) float64 {
			best := math.Inf(1)
			for _, x := range v {
				best = math.Min(best, float(x))
			}
			return best
		}),
		"floor": math1(math.Floor), "ceil": math1(math.Ceil), "oizp": math1(func(f float64) float64 { return bit(f >= 0) }),
		"zing": math1(func(f float64) float64 { return math.Max(f, 0) }),
		"round": pure(1, 2, func(a []ruleValue) (ruleValue, error) {
			scale := 1.0
			if len(a) > 1 {
				scale = math.Pow(10, float(a[1]))
			}
			return math.Round(float(a[0])*scale) / scale, nil
		}),
		"modulus": pure(2, 2, func(a []ruleValue) (ruleValue, error) { return math.Mod(float(a[0]), float(a[1])), nil }),
		"zpvc": pure(1, 50, func(a []ruleValue) (ruleValue, error) {
			n := 0.0
			for _, v := range a {
				n += bit(float(v) >= 0 && plainText(v) != "")
			}
			return n, nil
		}),
		"length": pure(1, 1, func(a []ruleValue) (ruleValue, error) { return float64(len([]rune(plainText(a[0])))), nil }),
		"left":   pure(2, 2, func(a []ruleValue) (ruleValue, error) { return cut(plainText(a[0]), 0, int(float(a[1]))), nil }),
		"right": pure(2, 2, func(a []ruleValue) (ruleValue, error) {
			n := len([]rune(plainText(a[0])))
			return cut(plainText(a[0]), n-int(float(a[1])), n), nil
		}),
		"substring": pure(3, 3, func(a []ruleValue) (ruleValue, error) {
			return cut(plainText(a[0]), int(float(a[1])), int(float(a[2]))), nil
		}),
		"split": pure(3, 3, func(a []ruleValue) (ruleValue, error) {
			parts, n := strings.Split(plainText(a[0]), plainText(a[1])), int(float(a[2]))
			if n < 0 || n >= len(parts) {
				return "", nil
			}
			return parts[n], nil
		}),
		"concatenate": pure(0, 50, func(a []ruleValue) (ruleValue, error) {
			var b strings.Builder
			for _, v := range a {
				b.WriteString(plainText(v))
			}
			return b.String(), nil
		}),
		"validatePattern": pure(2, 2, func(a []ruleValue) (ruleValue, error) {
			re, err := regexp.Compile("^(?:" + plainText(a[1]) + ")$")
			if err != nil {
				return nil, fmt.Errorf("the pattern cannot be read")
			}
			return re.MatchString(plainText(a[0])), nil
		}),
		"daysBetween":    between(func(a, b time.Time) float64 { return math.Trunc(b.Sub(a).Hours() / 24) }),
		"weeksBetween":   between(func(a, b time.Time) float64 { return math.Trunc(b.Sub(a).Hours() / 24 / 7) }),
		"monthsBetween":  between(wholeMonths),
		"yearsBetween":   between(func(a, b time.Time) float64 { return math.Trunc(wholeMonths(a, b) / 12) }),
		"minutesBetween": between(func(a, b time.Time) float64 { return math.Trunc(b.Sub(a).Minutes()) }),
		"addDays": pure(2, 2, func(a []ruleValue) (ruleValue, error) {
			t, err := ruleDate(a[0])
			return t.AddDate(0, 0, int(float(a[1]))).Format("2006-01-02"), err
		}),
	}
}

func bit(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
