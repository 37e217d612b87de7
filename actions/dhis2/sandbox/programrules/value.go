package programrules

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// During evaluation a value is nil, a bool, a float64, a string, a date, or a *held: the value of a
// variable before it is converted.

type valueType uint8

const (
	textType valueType = iota
	numberType
	booleanType
	dateType
)

// typeOf is the type that values of one of DHIS2's value types have in expressions.
func typeOf(valueType string) valueType {
	switch {
	case valueType == "BOOLEAN" || valueType == "TRUE_ONLY":
		return booleanType
	case valueType == "DATE" || valueType == "DATETIME" || valueType == "AGE":
		return dateType
	case valueType == "NUMBER" || valueType == "UNIT_INTERVAL" || valueType == "PERCENTAGE" ||
		strings.HasPrefix(valueType, "INTEGER"):
		return numberType
	}
	return textType
}

// held is the value of a variable, with all the values that it could have had and the date of the event it is of.
type held struct {
	kind       valueType
	text       string
	has        bool
	candidates []string
	eventDate  string
	noDate     string // the default of a date: none, but up to 2.40 oldDate
}

// oldDate is what a date without a value is up to 2.40.
const oldDate = "2020-01-01"

// orDefault is the value as text, or the default of its type; a date has none from 2.41 on.
func (h *held) orDefault() any {
	if h.has {
		return h.text
	}
	switch h.kind {
	case numberType:
		return 0.0
	case booleanType:
		return false
	case dateType:
		if h.noDate != "" {
			return h.noDate
		}
		return nil
	}
	return ""
}

// plain converts a variable's value to its type; other values stay.
func plain(v any) (any, error) {
	h, ok := v.(*held)
	if !ok {
		return v, nil
	}
	switch h.kind {
	case numberType:
		return orNil(toNumber(h.orDefault()))
	case booleanType:
		return orNil(toBool(h.orDefault()))
	case dateType:
		return orNil(toDate(h.orDefault()))
	}
	return orNil(toText(h.orDefault()))
}

func orNil[T any](v *T, err error) (any, error) {
	if v == nil || err != nil {
		return nil, err
	}
	return *v, nil
}

// The conversions give nil for no value.

func toNumber(v any) (*float64, error) {
	v, err := plain(v)
	if err != nil || v == nil {
		return nil, err
	}
	var f float64
	switch x := v.(type) {
	case float64:
		f = x
	case bool:
		if x {
			f = 1
		}
	case date:
		f = float64(x)
	case string:
		if f, err = parseDouble(x); err != nil {
			return nil, err
		}
	}
	return &f, nil
}

func toBool(v any) (*bool, error) {
	v, err := plain(v)
	if err != nil || v == nil {
		return nil, err
	}
	var b bool
	switch x := v.(type) {
	case bool:
		b = x
	case float64:
		if !whole(x) {
			return nil, fmt.Errorf("%s is neither true nor false", numberText(x))
		}
		b = toInt(x) != 0
	case string:
		b = strings.EqualFold(x, "true")
	}
	return &b, nil
}

func toDate(v any) (*date, error) {
	v, err := plain(v)
	if err != nil || v == nil {
		return nil, err
	}
	switch x := v.(type) {
	case date:
		return &x, nil
	case string:
		d, err := parseDate(x)
		return &d, err
	}
	return nil, fmt.Errorf("a number or a boolean is not a date")
}

func toText(v any) (*string, error) {
	v, err := plain(v)
	if err != nil || v == nil {
		return nil, err
	}
	var s string
	switch x := v.(type) {
	case string:
		s = x
	case float64:
		s = numberText(x)
	case bool:
		s = strconv.FormatBool(x)
	case date:
		s = x.String()
	}
	return &s, nil
}

// whole tells whether a number has no fraction; infinity and what is no number count as having one.
func whole(f float64) bool { return math.Mod(f, 1) == 0 }

// toInt is a Java int of a number: what is beyond its range is its end.
func toInt(f float64) int {
	switch {
	case math.IsNaN(f):
		return 0
	case f >= math.MaxInt32:
		return math.MaxInt32
	case f <= math.MinInt32:
		return math.MinInt32
	}
	return int(f)
}

// numberText writes a number as Java does, without the .0 of whole ones.
func numberText(f float64) string {
	if whole(f) {
		return strconv.Itoa(toInt(f))
	}
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	if a := math.Abs(f); a >= 1e-3 && a < 1e7 {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	n, _ := strconv.Atoi(exponent)
	return mantissa + "E" + strconv.Itoa(n)
}

// parseDouble reads a number as Java does.
func parseDouble(s string) (float64, error) {
	t := strings.Trim(s, "\x00\t\n\v\f\r ")
	bare := strings.TrimLeft(t, "+-")
	switch bare {
	case "NaN":
		return math.NaN(), nil
	case "Infinity":
		return math.Inf(1 - 2*strings.Count(t[:len(t)-len(bare)], "-")), nil
	}
	if n := len(bare); n > 1 && strings.IndexByte("dDfF", bare[n-1]) >= 0 &&
		!strings.HasPrefix(strings.ToLower(bare), "0x") {
		bare, t = bare[:n-1], t[:len(t)-1]
	}
	if strings.ContainsAny(strings.ToLower(bare), "in_") { // words and separators that Go knows and Java does not
		return 0, fmt.Errorf("%q is not a number", s)
	}
	f, err := strconv.ParseFloat(t, 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, fmt.Errorf("a text is not a number")
	}
	return f, nil
}

// date is a day, counted from 1970-01-01.
type date int

func parseDate(s string) (date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return 0, fmt.Errorf("a text is not a date")
	}
	return dateOf(t), nil
}

// dateOf is the day of a time in its own time zone.
func dateOf(t time.Time) date {
	y, m, d := t.Date()
	return date(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

func (d date) time() time.Time { return time.Unix(int64(d)*86400, 0).UTC() }

func (d date) String() string { return d.time().Format(time.DateOnly) }

// monthsTo counts whole months, towards zero.
func (d date) monthsTo(other date) int {
	a, b := d.time(), other.time()
	months := (b.Year()-a.Year())*12 + int(b.Month()) - int(a.Month())
	switch {
	case months > 0 && b.Day() < a.Day():
		months--
	case months < 0 && b.Day() > a.Day():
		months++
	}
	return months
}

// decimal gives a number with the sixteen digits that DHIS2 computes with.
func decimal(f float64) *big.Rat {
	r, _ := new(big.Rat).SetString(strconv.FormatFloat(f, 'e', 15, 64))
	return r
}

func fromDecimal(r *big.Rat) float64 {
	f, _ := strconv.ParseFloat(new(big.Float).SetPrec(256).SetRat(r).Text('e', 15), 64)
	return f
}

func special(f float64) bool { return math.IsNaN(f) || math.IsInf(f, 0) }

// decimalOf is a number with the digits that it is written with.
func decimalOf(f float64) *big.Rat {
	r, ok := new(big.Rat).SetString(strconv.FormatFloat(f, 'f', -1, 64))
	if !ok {
		return new(big.Rat)
	}
	return r
}
