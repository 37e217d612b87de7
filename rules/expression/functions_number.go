package expression

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

func numberFunctions() []function {
	const group = "Numbers"
	number := parameter{name: "number", accept: kNumber}
	rounding := func(name, summary string, do func(float64) float64, examples ...Example) function {
		return function{
			name: name, group: group, summary: summary, gives: kNumber, params: []parameter{number}, examples: examples,
			call: func(_ *frame, a []any) (any, error) { return whole(do(float(a[0]))) },
		}
	}
	extreme := func(name, summary string, better func(c int) bool, examples ...Example) function {
		return function{
			name: name, group: group, summary: summary, gives: kNumber | kDate,
			params: []parameter{{name: "value", accept: kNumber | kDate, rest: true}}, takesBlank: true, examples: examples,
			result: func(args []*Shape) *Shape { return plain(args[0].may() & (kNumber | kDate)) },
			call: func(f *frame, a []any) (any, error) {
				var best any
				for _, v := range a {
					if v == nil {
						continue
					}
					if best == nil {
						best = v
						continue
					}
					c, err := compare(f, v, best)
					if err != nil {
						return nil, err
					}
					if better(c) {
						best = v
					}
				}
				return best, nil
			},
		}
	}
	mark := parameter{name: "decimal mark", accept: kText, optional: true, written: true, prepare: decimalMark,
		choices: []string{".", ","}}
	return []function{
		{
			name: "number", group: group, gives: kNumber, params: []parameter{{name: "text", accept: kWord}, mark},
			summary: `A number read from text. Spaces between digits are skipped. A decimal comma, and marks between ` +
				`thousands, are read only when the decimal mark is given: "1,234" could be either. A blank gives a blank; what ` +
				`is not a number is a failure of the record.`,
			call: func(_ *frame, a []any) (any, error) {
				m, _ := a[1].(decimal)
				return readNumber(a[0].(string), m)
			},
			examples: []Example{{`number("12.50")`, `12.5`}, {`number("1.234,5", ",")`, `1234.5`},
				{`number("1,234.5", ".")`, `1234.5`}, {`number("007")`, `7`}, {`number("")`, `nil`}},
		},
		{
			name: "is_number", group: group, gives: kBool, params: []parameter{{name: "text", accept: kWord}, mark},
			summary: "Whether number(...) can read a text.",
			call: func(_ *frame, a []any) (any, error) {
				m, _ := a[1].(decimal)
				n, err := readNumber(a[0].(string), m)
				return err == nil && n != nil, nil
			},
			examples: []Example{{`is_number("12")`, `true`}, {`is_number("twelve")`, `false`}, {`is_number("")`, `false`}},
		},
		{
			name: "int", group: group, gives: kNumber, params: []parameter{{name: "number or text", accept: kWord}},
			summary: "A whole number. 12.5 is a failure of the record: use round, floor or ceil to say what becomes of the " +
				"rest.",
			call: func(_ *frame, a []any) (any, error) {
				n, err := readNumber(a[0].(string), 0)
				if f, broken := n.(float64); broken && err == nil {
					if f != math.Trunc(f) {
						return nil, fail(CodeWrongValue, "the number is not whole", "use round(...), floor(...) or ceil(...)")
					}
					return whole(f)
				}
				return n, err
			},
			examples: []Example{{`int("12")`, `12`}, {`int(12.0)`, `12`}},
		},
		{
			name: "round", group: group, gives: kNumber, params: []parameter{number,
				{name: "digits", accept: kNumber, optional: true}},
			summary: "The nearest number with so many digits after the decimal mark (0 unless given). Halves go away from zero.",
			call: func(_ *frame, a []any) (any, error) {
				digits, ok := 0, true
				if a[1] != nil {
					digits, ok = a[1].(int)
				}
				if !ok || digits < 0 || digits > 12 {
					return nil, fail(CodeWrongValue, "a number is rounded to 0 to 12 digits", "")
				}
				return rounded(float(a[0]), digits)
			},
			examples: []Example{{`round(2.5)`, `3`}, {`round(36.6666, 1)`, `36.7`}, {`round(-2.5)`, `-3`},
				{`round(1.005, 2)`, `1.01`}},
		},
		rounding("floor", "The largest whole number that is not larger.", math.Floor, Example{`floor(2.9)`, `2`},
			Example{`floor(-2.1)`, `-3`}),
		rounding("ceil", "The smallest whole number that is not smaller.", math.Ceil, Example{`ceil(2.1)`, `3`}),
		{
			name: "abs", group: group, gives: kNumber, params: []parameter{number}, summary: "The number without its sign.",
			call: func(f *frame, a []any) (any, error) {
				if float(a[0]) < 0 {
					return negated(f, a[0])
				}
				return a[0], nil
			},
			examples: []Example{{`abs(-3)`, `3`}},
		},
		extreme("min", "The smallest of several numbers, or the earliest of several dates; blanks do not count.",
			func(c int) bool { return c < 0 }, Example{`min(3, nil, 2)`, `2`}),
		extreme("max", "The largest of several numbers, or the latest of several dates; blanks do not count.",
			func(c int) bool { return c > 0 }, Example{`max(3, 7, 2)`, `7`},
			Example{`max(date("2026-08-01"), date("2026-08-20"))`, `date("2026-08-20")`}),
		{
			name: "between", group: group, gives: kBool, params: []parameter{{name: "value", accept: kAny},
				{name: "low", accept: kAny}, {name: "high", accept: kAny}}, takesBlank: true,
			summary: "Whether a number or date lies between two others or is one of them; false when any of them is blank.",
			call: func(f *frame, a []any) (any, error) {
				if IsBlank(a[0]) || IsBlank(a[1]) || IsBlank(a[2]) {
					return false, nil
				}
				if kindOf(a[0])|kindOf(a[1])|kindOf(a[2]) == kText {
					for i := range a {
						d, err := dateOf(f, a[i])
						if err != nil {
							return nil, fail(CodeWrongType, "between compares numbers or dates, and this is text",
								"number(...) reads a number from text")
						}
						a[i] = d
					}
				}
				low, err := compare(f, a[0], a[1])
				if err != nil {
					return nil, err
				}
				high, err := compare(f, a[0], a[2])
				return low >= 0 && high <= 0, err
			},
			examples: []Example{{`between(5, 1, 5)`, `true`}, {`between("2026-08-20", "2026-08-01", "2026-08-31")`, `true`},
				{`between(date("2026-09-01"), "2026-08-01", "2026-08-31")`, `false`}},
		},
	}
}

// whole gives a float that has no fraction as an int, if it is not too large. On machines of 32
// bits telephone numbers are: they stay floats, and whole.
func whole(f float64) (any, error) {
	if f == math.Trunc(f) && math.Abs(f) < min(1<<53, float64(math.MaxInt)) {
		return int(f), nil
	}
	return finite(f)
}

// rounded rounds the number as it is written in decimal, not the binary fraction that stands for it: 1.005 gives 1.01.
func rounded(f float64, digits int) (any, error) {
	s := strconv.FormatFloat(math.Abs(f), 'f', -1, 64)
	point := strings.IndexByte(s, '.')
	if point < 0 || len(s)-point-1 <= digits {
		return whole(f)
	}
	up := s[point+1+digits] >= '5'
	scaled, err := strconv.ParseFloat(s[:point]+s[point+1:point+1+digits], 64)
	if err != nil {
		return nil, fail(CodeWrongValue, "the number is too large to be rounded", "")
	}
	if up {
		scaled++
	}
	result, err := strconv.ParseFloat(fmt.Sprintf("%.0fe-%d", scaled, digits), 64)
	if err != nil {
		return nil, fail(CodeWrongValue, "the number is too large to be rounded", "")
	}
	return whole(math.Copysign(result, f) + 0)
}

// decimal is the decimal mark of a number in text; 0 stands for a point.
type decimal byte

func decimalMark(s string) (any, error) {
	if s != "." && s != "," {
		return nil, fail(CodeWrongValue, "the decimal mark is a point or a comma", "")
	}
	return decimal(s[0]), nil
}

var (
	plainForm = regexp.MustCompile(`^[+-]?[0-9]*(\.[0-9]*)?([eE][+-]?[0-9]{1,3})?$`)
	pointForm = regexp.MustCompile(`^[+-]?([0-9]+|[0-9]{1,3}(,[0-9]{3})+)?(\.[0-9]*)?$`)
	commaForm = regexp.MustCompile(`^[+-]?([0-9]+|[0-9]{1,3}(\.[0-9]{3})+)?(,[0-9]*)?$`)
)

// readNumber reads a number from text; nil from a blank.
func readNumber(s string, mark decimal) (any, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return nil, nil
	}
	if n, err := strconv.Atoi(s); err == nil {
		return n, nil
	}
	s = withoutSpaces(s)
	form, thousands, point := plainForm, ",", "."
	switch mark {
	case ',':
		form, thousands, point = commaForm, ".", ","
	case '.':
		form = pointForm
	}
	if !form.MatchString(s) || !strings.ContainsAny(s, "0123456789") {
		hint := "is_number(...) tells whether a text is a number"
		if mark == 0 && (commaForm.MatchString(s) || pointForm.MatchString(s)) {
			hint = `say what the comma means: number(text, ",") reads a decimal comma, number(text, ".") a comma between ` +
				`thousands`
		}
		return nil, fail(CodeWrongValue, "the text is not a number", hint)
	}
	s = strings.ReplaceAll(strings.ReplaceAll(s, thousands, ""), point, ".")
	if n, err := strconv.Atoi(s); err == nil {
		return n, nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return nil, fail(CodeWrongValue, "the number is too large", "")
	}
	return f, nil
}

// withoutSpaces takes out spaces, also the narrow and fixed ones, that stand between digits.
func withoutSpaces(s string) string {
	return strings.NewReplacer(" ", "", "\u00a0", "", "\u202f", "", "\u2009", "").Replace(s)
}
