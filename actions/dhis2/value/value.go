// Package value turns what records hold into the text that DHIS2 takes for a value type, and
// refuses what the server would refuse.
//
// The forms are those that DHIS2 2.40, 2.42 and 2.43 accept in tracker imports and data value sets;
// where the versions differ the strictest is followed, so that a rule behaves alike on every
// server.
package value

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/dateformat"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/expression"
	"github.com/culvert/culvert/rules/geo"
)

// The longest values that DHIS2 takes, in UTF-16 units as it counts them (E1077 for attributes; the
// column's width for data values).
const (
	MaxAttribute = 1200
	MaxDataValue = 50000
)

// Kind is what the values of one attribute or data element must be. It is read-only and safe for concurrent use.
type Kind struct {
	Type      string    // DHIS2 value type: INTEGER_POSITIVE
	Options   *Options  // nil when there is no option set
	Future    bool      // dates may lie in the future
	OneOption bool      // a MULTI_TEXT value may hold one option only (tracker imports before 2.41 refuse several)
	Order     geo.Order // of the two numbers of a position, where the field's name tells it
	Max       int       // longest value, 0 for MaxDataValue
	Files     bool      // files can be sent, as values of tracked entities and events
	People    bool      // tracked entities can be named, as values of tracked entities and events

	format string             // of numbers, an example such as 1.234,5
	layout *dateformat.Format // of dates; nil means ISO
}

// WithFormat gives the kind for values that the source writes in a format: a pattern such as
// dd/MM/yyyy for dates and times, an example such as 1.234,5 for numbers. The error says what is
// wrong with the format.
func (k Kind) WithFormat(format string) (Kind, error) {
	if format == "" {
		return k, nil
	}
	switch k.Type {
	case "DATE", "AGE", "DATETIME", "TIME":
		layout, err := dateformat.Compile(format)
		if err != nil {
			return k, err
		}
		if err := layout.Century(); err != nil {
			return k, err
		}
		k.layout = layout
	case "NUMBER", "INTEGER", "INTEGER_POSITIVE", "INTEGER_NEGATIVE", "INTEGER_ZERO_OR_POSITIVE", "UNIT_INTERVAL",
		"PERCENTAGE":
		if !numberFormat(format) {
			return k, errors.New("is no example of a number, such as 1.234,5")
		}
		k.format = format
	default:
		return k, errors.New("is of no use here: formats are for dates, times and numbers")
	}
	return k, nil
}

// Context is what conversions need besides the value.
type Context struct {
	Now  func() time.Time
	Zone *time.Location // where dates and times of day are meant; nil means UTC
	// OrgUnit finds an org unit by uid, code or name: its uid, or why there is not exactly one ("no
	// org unit", "several org units").
	OrgUnit func(ref string) (uid, problem string)
	Area    *geo.Area // where the country lies; nil when that is not known
}

// Result is a converted value. Blank: nothing is to be sent, as for a TRUE_ONLY that is false.
type Result struct {
	Text  string // of a file its sum, which stands for the file until it is uploaded
	Blank bool
	File  *File
	Found bool // of a person who is named: the text is the uid, not the external id
	// Remark is what is doubtful about a value that is sent all the same, or nil
	Remark *diag.Problem
}

// Convert gives the text that DHIS2 takes.
func (k *Kind) Convert(v any, c *Context) (Result, *diag.Problem) {
	if k.Type != "COORDINATE" && k.Type != "GEOJSON" {
		v = k.unwrap(v)
	}
	if k.HoldsFile() && k.Files && v != nil {
		return k.file(v)
	}
	if v == nil {
		return Result{Blank: true}, nil
	}
	r, p := k.convert(v, c)
	if p != nil || r.Blank {
		return r, p
	}
	limit := k.Max
	if limit == 0 {
		limit = MaxDataValue
	}
	if tooLong(r.Text, limit) {
		return Result{}, &diag.Problem{Code: "value-too-long",
			Message: fmt.Sprintf("is longer than the %d characters that DHIS2 takes", limit),
			Hint:    "shorten it in the expression, or use several fields"}
	}
	return r, nil
}

// Unwrap takes a single value out of what some sources put around it.
func (k *Kind) Unwrap(v any) any { return k.unwrap(v) }

// unwrap takes a single value out of what some sources put around it: an element of XML with
// attributes is {"#text": ..., "@xmlns": ...}, and a question that may be repeated is a list, also
// of one answer.
func (k *Kind) unwrap(v any) any {
	if list, ok := v.([]any); ok && len(list) == 1 && k.Type != "MULTI_TEXT" {
		v = list[0]
	}
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	for name := range m {
		if name != "#text" && !strings.HasPrefix(name, "@") {
			return v
		}
	}
	return m["#text"] // nil for an element with attributes only
}

func (k *Kind) convert(v any, c *Context) (Result, *diag.Problem) {
	if k.Type == "MULTI_TEXT" {
		return k.multi(v)
	}
	if k.Options != nil {
		return k.option(v)
	}
	switch k.Type {
	case "NUMBER":
		return number(v, k.format)
	case "UNIT_INTERVAL":
		return unitInterval(v, k.format)
	case "PERCENTAGE":
		return between(withoutPercent(v), k.format, 100, "between 0 and 100")
	case "INTEGER":
		return integer(v, k.format, math.MinInt32, math.MaxInt32, "a whole number")
	case "INTEGER_POSITIVE":
		return integer(v, k.format, 1, math.MaxInt32, "a whole number above 0")
	case "INTEGER_NEGATIVE":
		return integer(v, k.format, math.MinInt32, -1, "a whole number below 0")
	case "INTEGER_ZERO_OR_POSITIVE":
		return integer(v, k.format, 0, math.MaxInt32, "a whole number, 0 or above")
	case "BOOLEAN":
		return boolean(v)
	case "TRUE_ONLY":
		return trueOnly(v)
	case "DATE", "AGE":
		return k.date(v, c)
	case "DATETIME":
		return k.dateTime(v, c)
	case "TIME":
		return k.timeOfDay(v, c)
	case "COORDINATE":
		return k.coordinate(v, c)
	case "GEOJSON":
		return geoJSON(v, c)
	case "ORGANISATION_UNIT":
		return orgUnit(v, c)
	case "TRACKER_ASSOCIATE":
		return k.associate(v, c)
	}
	if p := k.Unsupported(); p != nil {
		return Result{}, p
	}
	return k.text(v, c)
}

// Unsupported says why no value of the type can be sent, nil where it can.
func (k *Kind) Unsupported() *diag.Problem {
	switch k.Type {
	case "FILE_RESOURCE", "IMAGE":
		if k.Files {
			return nil
		}
		return &diag.Problem{Code: "files-not-sent",
			Message: "holds a file, which is neither added up nor written where the data name the data element",
			Hint:    "leave the field out, or name the data element in the rule"}
	case "TRACKER_ASSOCIATE":
		if k.People {
			return nil
		}
		return &diag.Problem{Code: "unsupported-type",
			Message: "names a tracked entity, which aggregate data cannot",
			Hint:    "leave the field out; use dhis2.relationship to link two tracked entities"}
	}
	return nil
}

// NamesPerson tells whether the values name tracked entities.
func (k *Kind) NamesPerson() bool { return k.Type == "TRACKER_ASSOCIATE" }

// associate reads who is named: by an external id, or as what a lookup of people has found.
func (k *Kind) associate(v any, c *Context) (Result, *diag.Problem) {
	if found, ok := v.(map[string]any); ok {
		id, _ := found["id"].(string)
		if _, person := found["enrollments"]; !person || id == "" {
			return Result{}, &diag.Problem{Code: "wrong-type", Message: "is an object that is no person of DHIS2",
				Hint: "give the person's external id, or a lookup in trackedEntities"}
		}
		return Result{Text: id, Found: true}, nil
	}
	return k.text(v, c)
}

// text converts the types that DHIS2 checks by their characters.
func (k *Kind) text(v any, c *Context) (Result, *diag.Problem) {
	s, ok := Text(v, c)
	if !ok {
		return Result{}, notOne(v)
	}
	s = strings.TrimSpace(s)
	if s == "" {
		return Result{Blank: true}, nil
	}
	if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return Result{}, &diag.Problem{Code: "wrong-type", Message: "holds bytes that are not text",
			Hint: "check the encoding of the source; UTF-8 is expected"}
	}
	if strings.ContainsAny(s, "eE") && (k.Type == "TEXT" || k.Type == "LONG_TEXT" || k.Type == "PHONE_NUMBER") {
		if lost := expression.LostDigits(s); lost > 0 {
			return Result{}, lostProblem(lost)
		}
	}
	if rule, ok := textRules[k.Type]; ok && !rule.fits(s) {
		return Result{}, &diag.Problem{Code: "wrong-type", Message: rule.message, Hint: rule.hint}
	}
	return Result{Text: s}, nil
}

// Text gives a single value as text: numbers without exponent, dates in ISO form. It is false for lists and objects.
func Text(v any, c *Context) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case int:
		return strconv.Itoa(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	case time.Time:
		if isMidnight(v) {
			return v.Format(time.DateOnly), true
		}
		return v.In(zone(c)).Format(dateTimeLayout), true
	case rules.Object:
		return v.ID, true
	case *rules.Object:
		return v.ID, v != nil
	case fmt.Stringer:
		return v.String(), true
	case int32, int16, int8, uint, uint8, uint16, uint32, uint64, float32:
		return fmt.Sprint(v), true
	}
	return "", false
}

func notOne(v any) *diag.Problem {
	what := "an object"
	if isList(v) {
		what = "a list"
	}
	return &diag.Problem{Code: "wrong-type", Message: "is " + what + " where one value is needed",
		Hint: "pick one part of it in the expression, or use for_each"}
}

func isList(v any) bool {
	switch v.(type) {
	case []any, []string:
		return true
	}
	return false
}

// tooLong counts UTF-16 units, as Java does, without counting where it cannot matter.
func tooLong(s string, limit int) bool {
	if len(s) <= limit {
		return false
	}
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n > limit
}

func zone(c *Context) *time.Location {
	if c == nil || c.Zone == nil {
		return time.UTC
	}
	return c.Zone
}

func boolean(v any) (Result, *diag.Problem) {
	b, blank, ok := truth(v)
	if !ok {
		return Result{}, &diag.Problem{Code: "wrong-type", Message: "is not yes or no",
			Hint: "yes, no, true, false, y, n, t, f, 1 and 0 are understood; use a map for other words"}
	}
	if blank {
		return Result{Blank: true}, nil
	}
	return Result{Text: strconv.FormatBool(b)}, nil
}

func trueOnly(v any) (Result, *diag.Problem) {
	r, p := boolean(v)
	if p == nil && r.Text == "false" {
		return Result{Blank: true}, nil
	}
	return r, p
}

func truth(v any) (b, blank, ok bool) {
	if b, is := v.(bool); is {
		return b, false, true
	}
	s, one := Text(v, nil)
	if !one {
		return false, false, false
	}
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true", "yes", "y", "t", "1":
		return true, false, true
	case "false", "no", "n", "f", "0":
		return false, false, true
	case "":
		return false, true, true
	}
	return false, false, false
}

func orgUnit(v any, c *Context) (Result, *diag.Problem) {
	switch o := v.(type) {
	case *rules.Object:
		if o == nil {
			return Result{Blank: true}, nil
		}
		return Result{Text: o.ID}, nil
	case rules.Object:
		return Result{Text: o.ID}, nil
	}
	s, ok := Text(v, c)
	if !ok {
		return Result{}, notOne(v)
	}
	if s = strings.TrimSpace(s); s == "" {
		return Result{Blank: true}, nil
	}
	if c == nil || c.OrgUnit == nil {
		return Result{Text: s}, nil
	}
	uid, problem := c.OrgUnit(s)
	if problem != "" {
		return Result{}, &diag.Problem{Code: "unknown-org-unit", Message: "fits " + problem + " of the last sync",
			Hint: "give a uid, code or name that exists, or a lookup in organisationUnits; sync again when it is new"}
	}
	return Result{Text: uid}, nil
}
