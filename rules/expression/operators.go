package expression

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strings"
	"time"
)

// operation is what the machine calls for an operator or a function. The arguments must not be kept.
type operation func(f *frame, a []any) (any, error)

// operations are the operators of the language and what the compiler puts in by itself. Their names cannot be written in an expression.
var operations = map[string]operation{
	"$path": func(f *frame, a []any) (any, error) {
		s := a[0].(*staticPath)
		v, i, err := s.value(f.env, f.options.Zone)
		if err != nil {
			return nil, &readError{joinPath(s.names[:i]), err}
		}
		return v, nil
	},
	"$member": func(f *frame, a []any) (any, error) {
		key := a[1]
		if n, ok := key.(float64); ok && n == math.Trunc(n) {
			key = int(n)
		}
		return member(a[0], key, f.options.Zone)
	},
	"$slice":  sliced,
	"$truth":  func(_ *frame, a []any) (any, error) { return truth(a[0]) },
	"$not":    func(_ *frame, a []any) (any, error) { b, err := truth(a[0]); return !b, err },
	"$filled": func(_ *frame, a []any) (any, error) { return filled(a[0]), nil },
	"$list": func(f *frame, a []any) (any, error) {
		list, err := asList(a[0], f.options.Zone)
		if err != nil {
			return nil, err
		}
		if list == nil {
			list = []any{}
		}
		return list, nil
	},
	"$items": func(f *frame, a []any) (any, error) {
		list, err := asList(a[0], f.options.Zone)
		if err != nil {
			return nil, err
		}
		if list == nil {
			list = []any{}
		}
		return list, f.goesThrough(len(list))
	},
	"$item": func(f *frame, a []any) (any, error) { return normal(a[0], f.options.Zone), nil },
	"$addend": func(_ *frame, a []any) (any, error) {
		switch v := filled(a[0]).(type) {
		case nil:
			return 0, nil
		case int, float64:
			return v, nil
		default:
			return nil, fail(CodeWrongType, fmt.Sprintf("only numbers can be summed, and an item is %s", kindOf(v).article()), "sum(list, number(...)) reads numbers from text")
		}
	},
	"$declared": func(f *frame, a []any) (any, error) { return readAs(f, a[0], a[1].(kind)) },
	"$sortkey":  func(f *frame, a []any) (any, error) { return sortKey(f, a[0]) },
	"==":        func(f *frame, a []any) (any, error) { return equal(f, a[0], a[1]) },
	"!=":        func(f *frame, a []any) (any, error) { b, err := equal(f, a[0], a[1]); return !b, err },
	"<":         comparison(func(c int) bool { return c < 0 }),
	"<=":        comparison(func(c int) bool { return c <= 0 }),
	">":         comparison(func(c int) bool { return c > 0 }),
	">=":        comparison(func(c int) bool { return c >= 0 }),
	"+":         add,
	"-":         arithmetic(func(a, b int) (int, bool) { c := a - b; return c, (c < a) == (b > 0) }, func(a, b float64) float64 { return a - b }),
	"*":         arithmetic(multiplied, func(a, b float64) float64 { return a * b }),
	"/":         divided,
	"%":         remainder,
	"**":        arithmetic(nil, math.Pow),
	"$negate":   func(f *frame, a []any) (any, error) { return negated(f, a[0]) },
	"in":        in,
	"contains":  onTexts(strings.Contains),
	// The names of these two are expr's; the functions starts_with and ends_with do the same.
	"startsWith": onTexts(strings.HasPrefix),
	"endsWith":   onTexts(strings.HasSuffix),
	"matches": func(f *frame, a []any) (any, error) {
		s, err := textOf(a[0])
		if err == nil {
			err = f.reads(len(s))
		}
		return err == nil && s != "" && a[1].(*regexp.Regexp).MatchString(s), err
	},
	"..": ranged,
}

// filled gives nil for every blank.
func filled(v any) any {
	if IsBlank(v) {
		return nil
	}
	return v
}

// readAs reads what arrives as text as the type that its field was declared with.
func readAs(f *frame, v any, as kind) (any, error) {
	if IsBlank(v) {
		return nil, nil
	}
	s, isText := v.(string)
	switch {
	case as == kText && kindOf(v)&kPlain != 0:
		return AsText(v), nil
	case kindOf(v) == as:
		return v, nil
	case isText && as == kNumber:
		return readNumber(s, 0)
	case isText && as == kDate:
		return parseISO(s, f.options.Zone)
	case isText && as == kBool:
		switch strings.ToLower(strings.TrimSpace(s)) {
		case "true", "yes", "1":
			return true, nil
		case "false", "no", "0":
			return false, nil
		}
	}
	return nil, fail(CodeWrongType, fmt.Sprintf("the field is declared as %s, and this is %s that cannot be read so", as, kindOf(v).article()), "correct the value in the source, or the type that the rule declares")
}

func truth(v any) (bool, error) {
	if b, ok := v.(bool); ok {
		return b, nil
	}
	if IsBlank(v) {
		return false, nil
	}
	return false, fail(CodeWrongType, fmt.Sprintf("yes/no is needed, and this is %s", kindOf(v).article()), `compare it with something, such as == "yes"`)
}

func equal(f *frame, a, b any) (bool, error) {
	if a, ok := a.(string); ok {
		if b, ok := b.(string); ok && a == b {
			return true, nil
		}
	}
	if IsBlank(a) || IsBlank(b) {
		return IsBlank(a) && IsBlank(b), nil
	}
	ka, kb := kindOf(a), kindOf(b)
	switch {
	case ka == kText && kb == kText:
		return false, nil
	case ka == kBool && kb == kBool:
		return a.(bool) == b.(bool), nil
	case ka == kNumber && kb == kNumber, ka == kDate && kb == kDate, ka|kb == kTime:
		c, err := compare(f, a, b)
		return c == 0, err
	case ka == kb:
		return reflect.DeepEqual(a, b), nil
	}
	return false, mismatch("compared", ka, kb)
}

func mismatch(done string, a, b kind) error {
	mend := ""
	switch {
	case a|b == kText|kNumber:
		mend = "number(...) reads a number from text, text(...) writes a number as text"
	case a|b == kText|kBool:
		mend = `compare with a text, such as == "yes"`
	}
	return fail(CodeWrongType, fmt.Sprintf("%s and %s cannot be %s", a.article(), b.article(), done), mend)
}

// compare orders two values that are not blank.
func compare(f *frame, a, b any) (int, error) {
	ka, kb := kindOf(a), kindOf(b)
	switch {
	case ka == kNumber && kb == kNumber:
		if x, ok := a.(int); ok {
			if y, ok := b.(int); ok {
				return cmp.Compare(x, y), nil
			}
		}
		return cmp.Compare(float(a), float(b)), nil
	case ka == kText && kb == kText:
		return strings.Compare(a.(string), b.(string)), nil
	case ka|kb == kDate, ka|kb == kTime:
		x, err := dateOf(f, a)
		if err != nil {
			return 0, err
		}
		y, err := dateOf(f, b)
		if err != nil {
			return 0, err
		}
		return x.Compare(y), nil
	}
	return 0, mismatch("compared", ka, kb)
}

func comparison(holds func(int) bool) operation {
	return func(f *frame, a []any) (any, error) {
		if IsBlank(a[0]) || IsBlank(a[1]) {
			return false, nil
		}
		c, err := compare(f, a[0], a[1])
		return err == nil && holds(c), err
	}
}

func float(v any) float64 {
	if i, ok := v.(int); ok {
		return float64(i)
	}
	return v.(float64)
}

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

var sum = arithmetic(func(a, b int) (int, bool) { c := a + b; return c, (c > a) == (b > 0) }, func(a, b float64) float64 { return a + b })

func multiplied(a, b int) (int, bool) {
	if a == 0 || b == 0 {
		return 0, true
	}
	c := a * b
	return c, c/b == a && !(a == -1 && b == math.MinInt) && !(b == -1 && a == math.MinInt)
}

// arithmetic computes with two numbers; blank if either is blank. Whole numbers stay whole unless they grow too large for that.
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

var errDivision = &fault{CodeWrongValue, "a number is divided by zero", "check for zero first: n == 0 ? nil : total / n"}

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
	return arithmetic(func(a, b int) (int, bool) { return a - b, b != math.MinInt }, func(a, b float64) float64 { return a - b })(f, []any{0, v})
}

// in tells whether a list has a value, or an object a field.
func in(f *frame, a []any) (any, error) {
	if IsBlank(a[0]) || IsBlank(a[1]) {
		return false, nil
	}
	if kindOf(a[1]) == kObject {
		v, err := member(a[1], a[0], f.options.Zone)
		return err == nil && v != nil, err
	}
	if kindOf(a[1]) == kText {
		return nil, fail(CodeWrongType, "in needs a list, and this is text", `use contains for a part of a text, selected(...) for a multiple choice`)
	}
	list, err := asList(a[1], f.options.Zone)
	if err != nil {
		return nil, err
	}
	if err := f.goesThrough(len(list)); err != nil {
		return nil, err
	}
	for _, item := range list {
		if kindOf(item) != kindOf(a[0]) && kindOf(item)|kindOf(a[0]) != kTime {
			continue
		}
		if same, err := equal(f, a[0], item); err != nil || same {
			return same, err
		}
	}
	return false, nil
}

// onTexts compares two texts; false when the first is blank.
func onTexts(holds func(s, part string) bool) operation {
	return func(_ *frame, a []any) (any, error) {
		s, err := textOf(a[0])
		if err != nil {
			return nil, err
		}
		part, err := textOf(a[1])
		return err == nil && s != "" && part != "" && holds(s, part), err
	}
}

func ranged(f *frame, a []any) (any, error) {
	from, ok := a[0].(int)
	to, also := a[1].(int)
	if !ok || !also {
		return nil, fail(CodeWrongType, "a range goes from one whole number to another", "")
	}
	if to < from {
		return []any{}, nil
	}
	if uint(to)-uint(from) >= maxItems {
		return nil, fail(CodeTooLarge, fmt.Sprintf("a range of more than %d numbers", maxItems), "")
	}
	list := make([]any, 0, to-from+1)
	for i := from; i <= to; i++ {
		list = append(list, i)
	}
	return list, f.goesThrough(len(list))
}

// sliced is x[from:to] of a list or, in characters, of a text.
func sliced(f *frame, a []any) (any, error) {
	if IsBlank(a[0]) {
		return nil, nil
	}
	if s, ok := a[0].(string); ok {
		runes := []rune(s)
		from, to, err := bounds(len(runes), a[1], a[2])
		return string(runes[from:to]), err
	}
	list, err := asList(a[0], f.options.Zone)
	if err != nil {
		return nil, err
	}
	from, to, err := bounds(len(list), a[1], a[2])
	return list[from:to], err
}

// bounds fits from and to into the length; negative numbers count from the end, nil means the end itself.
func bounds(length int, from, to any) (int, int, error) {
	place := func(v any, otherwise int) (int, error) {
		switch v := v.(type) {
		case nil:
			return otherwise, nil
		case int:
			if v < 0 {
				v += length
			}
			return min(max(v, 0), length), nil
		}
		return 0, fail(CodeWrongType, "a position is a whole number", "")
	}
	start, err := place(from, 0)
	if err != nil {
		return 0, 0, err
	}
	end, err := place(to, length)
	return min(start, end), end, err
}

// sortKey turns a value into text that sorts as the value does: blanks first, then numbers, dates, texts.
func sortKey(f *frame, v any) (any, error) {
	switch v := filled(v).(type) {
	case nil:
		return "", nil
	case int, float64:
		bits := math.Float64bits(float(v) + 0) // +0 makes minus zero zero
		if bits>>63 == 1 {
			bits = ^bits
		} else {
			bits |= 1 << 63
		}
		return fmt.Sprintf("1%016x", bits), f.makes(17)
	case time.Time:
		return "2" + v.UTC().Format("2006-01-02T15:04:05.000000000"), f.makes(32)
	case bool:
		return fmt.Sprintf("1%t", v), f.makes(6)
	case string:
		return "3" + v, f.makes(len(v))
	default:
		return nil, fail(CodeWrongType, fmt.Sprintf("a list cannot be sorted by %s", kindOf(v).article()), "sort by a text, a number or a date")
	}
}
