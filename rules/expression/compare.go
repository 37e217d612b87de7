package expression

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"
)

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
	hint := ""
	switch {
	case a|b == kText|kNumber:
		hint = "number(...) reads a number from text, text(...) writes a number as text"
	case a|b == kText|kBool:
		hint = `compare with a text, such as == "yes"`
	}
	return fail(CodeWrongType, fmt.Sprintf("%s and %s cannot be %s", a.article(), b.article(), done), hint)
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
		return nil, fail(CodeWrongType, "in needs a list, and this is text",
			`use contains for a part of a text, selected(...) for a multiple choice`)
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
		return nil, fail(CodeWrongType, fmt.Sprintf("a list cannot be sorted by %s", kindOf(v).article()),
			"sort by a text, a number or a date")
	}
}
