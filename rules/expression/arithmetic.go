package expression

import (
	"math"
	"strings"
)

// add adds numbers and joins texts. A blank adds nothing to a text, and makes a sum of numbers blank.
func add(f *frame, a []any) (any, error) {
	x, y := a[0], a[1]
	xText, isText := x.(string)
	yText, isAlsoText := y.(string)
	switch {
	case isText && isAlsoText, isText && y == nil, isAlsoText && x == nil:
		if isBlankText(xText) && strings.TrimSpace(xText) != "" {
			xText = ""
		}
		if isBlankText(yText) && strings.TrimSpace(yText) != "" {
			yText = ""
		}
		return xText + yText, f.makes(len(xText) + len(yText))
	case kindOf(x)|kindOf(y) == kTime, kindOf(x) == kDate, kindOf(y) == kDate:
		return nil, fail(CodeWrongType, "dates cannot be added with +", `add(date, 7, "days") moves a date`)
	}
	return sum(f, a)
}

var sum = arithmetic(func(a, b int) (int, bool) { c := a + b; return c, (c > a) == (b > 0) },
	func(a, b float64) float64 { return a + b })

func multiplied(a, b int) (int, bool) {
	if a == 0 || b == 0 {
		return 0, true
	}
	c := a * b
	return c, c/b == a && !(a == -1 && b == math.MinInt) && !(b == -1 && a == math.MinInt)
}

// arithmetic computes with two numbers; blank if either is blank. Whole numbers stay whole unless
// they grow too large for that.
func arithmetic(whole func(a, b int) (int, bool), broken func(a, b float64) float64) operation {
	return func(_ *frame, a []any) (any, error) {
		if IsBlank(a[0]) || IsBlank(a[1]) {
			return nil, nil
		}
		if kindOf(a[0]) != kNumber || kindOf(a[1]) != kNumber {
			return nil, mismatch("computed with", kindOf(a[0]), kindOf(a[1]))
		}
		x, xWhole := a[0].(int)
		y, yWhole := a[1].(int)
		if whole != nil && xWhole && yWhole {
			if c, ok := whole(x, y); ok || y == 0 {
				return c, nil
			}
		}
		return finite(broken(float(a[0]), float(a[1])))
	}
}

func finite(n float64) (any, error) {
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return nil, fail(CodeWrongValue, "the result is not a number that can be written", "")
	}
	return n, nil
}

var errDivision = fail(CodeWrongValue, "a number is divided by zero",
	"check for zero first: n == 0 ? nil : total / n")

func divided(f *frame, a []any) (any, error) {
	if kindOf(a[1]) == kNumber && float(a[1]) == 0 {
		return nil, errDivision
	}
	x, xWhole := a[0].(int)
	y, yWhole := a[1].(int)
	if xWhole && yWhole && x%y == 0 && y != -1 {
		return x / y, nil
	}
	return arithmetic(nil, func(a, b float64) float64 { return a / b })(f, a)
}

func remainder(f *frame, a []any) (any, error) {
	if kindOf(a[1]) == kNumber && float(a[1]) == 0 {
		return nil, errDivision
	}
	return arithmetic(func(a, b int) (int, bool) { return a % b, true }, math.Mod)(f, a)
}

func negated(f *frame, v any) (any, error) {
	return arithmetic(func(a, b int) (int, bool) { return a - b, b != math.MinInt },
		func(a, b float64) float64 { return a - b })(f, []any{0, v})
}
