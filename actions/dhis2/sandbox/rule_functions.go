package sandbox

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"
)

type ruleFunction struct {
	min, max int
	run      func(s ruleScope, raw []ruleExpr, args []ruleValue) (ruleValue, error)
}

func pure(min, max int, f func(a []ruleValue) (ruleValue, error)) ruleFunction {
	return ruleFunction{min, max, func(_ ruleScope, _ []ruleExpr, args []ruleValue) (ruleValue, error) { return f(args) }}
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
