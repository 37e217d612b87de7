package expression

import (
	"fmt"
	"math"
	"regexp"
	"strings"
)

// operation is what the machine calls for an operator or a function. The arguments must not be kept.
type operation func(f *frame, a []any) (any, error)

// operations are the operators of the language and what the compiler puts in by itself. Their names
// cannot be written in an expression.
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
			return nil, fail(CodeWrongType, fmt.Sprintf("only numbers can be summed, and an item is %s", kindOf(v).article()),
				"sum(list, number(...)) reads numbers from text")
		}
	},
	"$declared": func(f *frame, a []any) (any, error) { return readAs(f, a[0], a[1].(kind)) },
	"$group":    grouped,
	"$sortkey":  func(f *frame, a []any) (any, error) { return sortKey(f, a[0]) },
	"==":        func(f *frame, a []any) (any, error) { return equal(f, a[0], a[1]) },
	"!=":        func(f *frame, a []any) (any, error) { b, err := equal(f, a[0], a[1]); return !b, err },
	"<":         comparison(func(c int) bool { return c < 0 }),
	"<=":        comparison(func(c int) bool { return c <= 0 }),
	">":         comparison(func(c int) bool { return c > 0 }),
	">=":        comparison(func(c int) bool { return c >= 0 }),
	"+":         add,
	"-": arithmetic(func(a, b int) (int, bool) { c := a - b; return c, (c < a) == (b > 0) },
		func(a, b float64) float64 { return a - b }),
	"*":        arithmetic(multiplied, func(a, b float64) float64 { return a * b }),
	"/":        divided,
	"%":        remainder,
	"**":       arithmetic(nil, math.Pow),
	"$negate":  func(f *frame, a []any) (any, error) { return negated(f, a[0]) },
	"in":       in,
	"contains": onTexts(strings.Contains),
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
	return nil, fail(CodeWrongType, fmt.Sprintf("the field is declared as %s, and this is %s that cannot be read so", as,
		kindOf(v).article()), "correct the value in the source, or the type that the rule declares")
}

func truth(v any) (bool, error) {
	if b, ok := v.(bool); ok {
		return b, nil
	}
	if IsBlank(v) {
		return false, nil
	}
	return false, fail(CodeWrongType, fmt.Sprintf("yes/no is needed, and this is %s", kindOf(v).article()),
		`compare it with something, such as == "yes"`)
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
