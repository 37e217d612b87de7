package value

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/expression"
)

// number gives the plain decimal form that DHIS2 takes for NUMBER: no exponent, no plus sign, no leading zeros.
func number(v any, format string) (Result, *diag.Problem) {
	s, blank, p := decimal(v, format, "a number")
	if p != nil || blank {
		return Result{Blank: blank}, p
	}
	return Result{Text: s}, nil
}

func between(v any, format string, high float64, words string) (Result, *diag.Problem) {
	s, blank, p := decimal(v, format, "a number "+words)
	if p != nil || blank {
		return Result{Blank: blank}, p
	}
	if f, err := strconv.ParseFloat(s, 64); err != nil || f < 0 || f > high {
		return Result{}, &diag.Problem{Code: "out-of-range", Message: "is not " + words,
			Hint: "check the value in the source, or convert its unit in the expression"}
	}
	return Result{Text: s}, nil
}

func integer(v any, format string, low, high int64, words string) (Result, *diag.Problem) {
	s, blank, p := decimal(v, format, words)
	if p != nil || blank {
		return Result{Blank: blank}, p
	}
	whole, fraction, _ := strings.Cut(s, ".")
	if strings.Trim(fraction, "0") != "" {
		return Result{}, &diag.Problem{Code: "wrong-type", Message: "is not " + words + ": it has a fraction",
			Hint: "round it in the expression: round(...)"}
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n < low || n > high {
		return Result{}, &diag.Problem{Code: "out-of-range", Message: "is not " + words + " that DHIS2 can hold",
			Hint: "check the value in the source"}
	}
	return Result{Text: strconv.FormatInt(n, 10)}, nil
}

func withoutPercent(v any) any {
	if s, ok := v.(string); ok {
		return strings.TrimSuffix(strings.TrimSpace(s), "%")
	}
	return v
}

// unitInterval reads a share of one: 0.25, or 25%.
func unitInterval(v any, format string) (Result, *diag.Problem) {
	const words = "between 0 and 1"
	s, ok := v.(string)
	if !ok || !strings.HasSuffix(strings.TrimSpace(s), "%") {
		return between(v, format, 1, words)
	}
	r, p := between(withoutPercent(v), format, 100, words)
	if p != nil || r.Blank {
		return r, p
	}
	f, _ := strconv.ParseFloat(r.Text, 64) // between has made it a number
	f, _ = strconv.ParseFloat(strconv.FormatFloat(f/100, 'g', 15, 64), 64)
	return Result{Text: strconv.FormatFloat(f, 'f', -1, 64)}, nil
}

func decimal(v any, format, words string) (s string, blank bool, p *diag.Problem) {
	refused := &diag.Problem{Code: "wrong-type", Message: "is not " + words,
		Hint: "digits with a decimal point are understood; say format: for a decimal comma or thousands separators"}
	if s, ok := v.(string); ok && !strings.ContainsFunc(s, unicode.IsDigit) {
		refused.Hint = "write a number there, or map such words to numbers with a value map"
	}
	switch n := v.(type) {
	case int:
		return strconv.Itoa(n), false, nil
	case int64:
		return strconv.FormatInt(n, 10), false, nil
	case float64:
		if math.IsNaN(n) || math.IsInf(n, 0) || math.Abs(n) > 1e60 {
			return "", false, refused
		}
		return noMinusZero(strconv.FormatFloat(n, 'f', -1, 64)), false, nil
	case bool:
		return "", false, refused
	}
	text, ok := Text(v, nil)
	if !ok {
		return "", false, notOne(v)
	}
	text = strings.TrimSpace(text)
	if text == "" {
		return "", true, nil
	}
	if format != "" {
		text, ok = separators(text, format)
		if !ok {
			return "", false, &diag.Problem{Code: "wrong-type", Message: "is not " + words + " in the format given",
				Hint: "check the format: it shows one number as the source writes it, such as 1.234,5"}
		}
	}
	if lost := expression.LostDigits(text); lost > 0 {
		return "", false, lostProblem(lost)
	}
	if s, ok = canonical(text); !ok {
		return "", false, refused
	}
	return s, false, nil
}

func lostProblem(lost int) *diag.Problem {
	return &diag.Problem{Code: "lost-digits",
		Message: fmt.Sprintf("is written with an exponent, as spreadsheets do, and its last %d digits are lost", lost),
		Hint:    "format the column as text in the spreadsheet and enter the number again"}
}

// separators reads a number by an example such as "1.234,5" or "1 234.5": the last separator of the
// example, when digits follow it that are not exactly three, is the decimal mark; the others
// separate thousands.
func separators(text, format string) (string, bool) {
	mark, thousands := marks(format)
	var b strings.Builder
	whole, fraction, cut := text, "", false
	if mark != 0 {
		whole, fraction, cut = strings.Cut(text, string(mark))
	}
	groups := strings.FieldsFunc(whole, func(r rune) bool {
		return r == thousands || thousands == ' ' &&
			(r == '\u00a0' || r == '\u202f')
	})
	for i, g := range groups {
		if i > 0 && len(g) != 3 {
			return "", false
		}
		b.WriteString(g)
	}
	if cut {
		b.WriteByte('.')
		b.WriteString(fraction)
	}
	return b.String(), true
}

// numberFormat tells whether a format is an example of a number.
func numberFormat(format string) bool {
	digit := false
	for _, r := range format {
		switch {
		case r >= '0' && r <= '9' || r == '#':
			digit = true
		case r == ',' || r == '.' || r == ' ' || r == '\'' || r == '\u00a0':
		default:
			return false
		}
	}
	return digit
}

// marks finds the decimal mark and the thousands separator of an example number; 0 when it has none.
func marks(format string) (decimal, thousands rune) {
	last, count := rune(0), 0
	for _, r := range format {
		if r == ',' || r == '.' || r == ' ' || r == '\'' || r == '\u00a0' {
			if last != 0 && r != last {
				thousands = last
			}
			if r == last {
				thousands = r
			}
			last, count = r, 0
			continue
		}
		count++
	}
	if last == 0 || last == thousands {
		return 0, thousands
	}
	if count == 3 && thousands == 0 {
		return 0, last
	}
	return last, thousands
}

// canonical rewrites a decimal number, also with a plus sign, leading zeros or an exponent, to the
// form that DHIS2 takes. It is false for what is not a number or would be absurdly long.
func canonical(s string) (string, bool) {
	if len(s) > 100 {
		return "", false
	}
	negative := false
	if s != "" && (s[0] == '-' || s[0] == '+') {
		negative = s[0] == '-'
		s = s[1:]
	}
	s, exponent, ok := cutExponent(s)
	if !ok {
		return "", false
	}
	whole, fraction, _ := strings.Cut(s, ".")
	if whole+fraction == "" || !digits(whole) || !digits(fraction) {
		return "", false
	}
	for ; exponent > 0; exponent-- {
		if fraction == "" {
			whole += "0"
			continue
		}
		whole, fraction = whole+fraction[:1], fraction[1:]
	}
	for ; exponent < 0; exponent++ {
		if whole == "" {
			whole = "0"
		}
		whole, fraction = whole[:len(whole)-1], whole[len(whole)-1:]+fraction
	}
	if whole = strings.TrimLeft(whole, "0"); whole == "" {
		whole = "0"
	}
	out := whole
	if fraction != "" {
		out += "." + fraction
	}
	if negative {
		out = noMinusZero("-" + out)
	}
	return out, true
}

func cutExponent(s string) (mantissa string, exponent int, ok bool) {
	i := strings.IndexAny(s, "eE")
	if i < 0 {
		return s, 0, true
	}
	e, err := strconv.Atoi(s[i+1:])
	if err != nil || e > 60 || e < -60 {
		return "", 0, false
	}
	return s[:i], e, true
}

func noMinusZero(s string) string {
	if strings.HasPrefix(s, "-") && strings.Trim(s, "-0.") == "" {
		return s[1:]
	}
	return s
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
