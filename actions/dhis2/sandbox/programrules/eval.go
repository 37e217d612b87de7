package programrules

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
)

// machine evaluates expressions for one enrollment or event.
type machine struct {
	version int
	scope   *scope
}

var errIncomplete = errors.New("an operator lacks an operand")

// result evaluates an expression to the text that rules go on with; nil is no value.
func (m *machine) result(n *node) (*string, error) {
	if n == nil {
		return new(string), nil
	}
	v, err := m.eval(n)
	if err != nil {
		return nil, err
	}
	if h, ok := v.(*held); ok {
		v = h.orDefault()
	}
	if v == nil && m.old() {
		return nil, errors.New("it gives no value")
	}
	return toText(v)
}

// old tells whether the engine is that of 2.38 to 2.40.
func (m *machine) old() bool { return m.version <= 40 }

func (m *machine) child(n *node, i int) (any, error) {
	if i >= len(n.children) {
		return nil, errIncomplete
	}
	return m.eval(n.children[i])
}

func (m *machine) eval(n *node) (any, error) {
	switch n.kind {
	case group:
		return m.child(n, 0)
	case number:
		return n.num, nil
	case quoted:
		return n.text, nil
	case boolean:
		return n.text == "true", nil
	case null:
		return nil, nil
	case variable:
		h := m.scope.lookup(n.text)
		if h == nil {
			return nil, fmt.Errorf("unknown variable: %s", n.text)
		}
		return h, nil
	case item:
		if h := m.scope.lookup(n.text); h != nil {
			return h, nil
		}
		return nil, nil
	case unary:
		return m.unary(n)
	case call:
		return n.fn.run(m, n)
	}
	return m.binary(n)
}

func (m *machine) unary(n *node) (any, error) {
	v, err := m.child(n, 0)
	if err != nil {
		return nil, err
	}
	if n.text == "!" {
		b, err := toBool(v)
		if err != nil || b == nil {
			return nil, missing(err, "the operand of !")
		}
		return !*b, nil
	}
	f, err := toNumber(v)
	if err != nil || f == nil {
		return nil, missing(err, "the operand of "+n.text)
	}
	if n.text == "-" {
		return -*f, nil
	}
	return *f, nil
}

// missing is the error of something that needs a value and has none.
func missing(err error, what string) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("%s has no value", what)
}

func (m *machine) binary(n *node) (any, error) {
	if n.text == "&&" || n.text == "||" {
		return m.logic(n)
	}
	a, err := m.child(n, 0)
	if err != nil {
		return nil, err
	}
	if a, err = plain(a); err != nil {
		return nil, err
	}
	b, err := m.child(n, 1)
	if err != nil {
		return nil, err
	}
	if b, err = plain(b); err != nil {
		return nil, err
	}
	switch n.text {
	case "==":
		return m.equal(a, b)
	case "!=":
		same, err := m.equal(a, b)
		return !same, err
	case "<", "<=", ">", ">=":
		return m.compare(n.text, a, b)
	}
	return calculate(n.text, a, b)
}

// logic: the right side counts only where the left one does not decide; no value with a value that
// does not decide is no value.
func (m *machine) logic(n *node) (any, error) {
	decides := n.text == "||"
	var sides [2]*bool
	for i := range sides {
		v, err := m.child(n, i)
		if err != nil {
			return nil, err
		}
		if sides[i], err = toBool(v); err != nil {
			return nil, err
		}
		if i == 0 && sides[0] != nil && *sides[0] == decides {
			return decides, nil
		}
	}
	a, b := sides[0], sides[1]
	if decides && (a == nil || b == nil) {
		if b != nil && *b {
			return true, nil
		}
		return nil, nil
	}
	if a == nil || b == nil {
		return nil, nil
	}
	return *b, nil
}

// equal: up to 2.40 and on 2.42 a boolean makes a boolean of the other side, so that 2 == true;
// else numbers come first, and what is no number is not equal to one.
func (m *machine) equal(a, b any) (bool, error) {
	if a == nil || b == nil {
		return a == nil && b == nil, nil
	}
	_, aBool := a.(bool)
	_, bBool := b.(bool)
	_, aNumber := a.(float64)
	_, bNumber := b.(float64)
	booleans := aBool || bBool
	if numbersFirst := m.version == 41 || m.version >= 43; numbersFirst && (aNumber || bNumber) {
		x, err := toNumber(a)
		if err != nil {
			return false, nil
		}
		y, err := toNumber(b)
		return err == nil && sameDouble(*x, *y), nil
	}
	switch {
	case booleans:
		x, err := toBool(a)
		if err != nil {
			return false, err
		}
		y, err := toBool(b)
		return err == nil && *x == *y, err
	case aNumber || bNumber:
		x, err := toNumber(a)
		if err != nil {
			return false, err
		}
		y, err := toNumber(b)
		return err == nil && sameDouble(*x, *y), err
	}
	return a == b, nil
}

// sameDouble compares as boxed numbers of the JVM do: NaN equals itself, zero is not minus zero.
func sameDouble(a, b float64) bool {
	return math.IsNaN(a) && math.IsNaN(b) || a == b && math.Signbit(a) == math.Signbit(b)
}

// compare orders texts as texts and everything else as numbers, days among it, which up to 2.40 cannot be compared.
func (m *machine) compare(op string, a, b any) (any, error) {
	s, aText := a.(string)
	t, bText := b.(string)
	_, aDate := a.(date)
	_, bDate := b.(date)
	if m.old() && (aDate || bDate) {
		return nil, fmt.Errorf("a date is not a number")
	}
	var less, more bool
	if aText && bText {
		less, more = s < t, s > t
	} else {
		x, err := toNumber(a)
		if err != nil || x == nil {
			return nil, missing(err, "the left side of "+op)
		}
		y, err := toNumber(b)
		if err != nil || y == nil {
			return nil, missing(err, "the right side of "+op)
		}
		if math.IsNaN(*x) || math.IsNaN(*y) {
			return false, nil
		}
		less, more = *x < *y, *x > *y
	}
	switch op {
	case "<":
		return less, nil
	case "<=":
		return !more, nil
	case ">":
		return more, nil
	}
	return !less, nil
}

func calculate(op string, a, b any) (any, error) {
	x, err := toNumber(a)
	if err != nil || x == nil {
		return nil, missing(err, "the left side of "+op)
	}
	y, err := toNumber(b)
	if err != nil || y == nil {
		return nil, missing(err, "the right side of "+op)
	}
	return arithmetic(op, *x, *y), nil
}

func arithmetic(op string, x, y float64) float64 {
	if special(x) || special(y) || y == 0 && (op == "/" || op == "%") {
		switch op {
		case "+":
			return x + y
		case "-":
			return x - y
		case "*":
			return x * y
		case "/":
			return x / y
		case "%":
			return math.Mod(x, y)
		}
		return math.Pow(x, y)
	}
	a, b := decimal(x), decimal(y)
	switch op {
	case "+":
		return fromDecimal(a.Add(a, b))
	case "-":
		return fromDecimal(a.Sub(a, b))
	case "*":
		return fromDecimal(a.Mul(a, b))
	case "/":
		return fromDecimal(a.Quo(a, b))
	case "%":
		return remainder(x, y)
	}
	return math.Pow(x, float64(toInt(y)))
}

// remainder computes with the digits as they are written, so that 0.3 % 0.1 is 0.
func remainder(x, y float64) float64 {
	a, okA := new(big.Rat).SetString(strconv.FormatFloat(x, 'e', -1, 64))
	b, okB := new(big.Rat).SetString(strconv.FormatFloat(y, 'e', -1, 64))
	if !okA || !okB || math.Abs(x/y) > 1e15 {
		return math.Mod(x, y)
	}
	q := new(big.Rat).Quo(a, b)
	n := new(big.Int).Quo(q.Num(), q.Denom())
	f, _ := a.Sub(a, b.Mul(b, new(big.Rat).SetInt(n))).Float64()
	return f
}
