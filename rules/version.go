package rules

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/culvert/culvert/rules/diag"
)

// Version is what tells a newer version of a record from an older one, as the rule says: a time, or
// a whole number. The zero Version is none.
type Version struct {
	Time     time.Time
	Number   int64
	IsNumber bool
}

// IsZero tells whether there is no version.
func (v Version) IsZero() bool { return v.Time.IsZero() && !v.IsNumber }

// maxVersion is the greatest number that is taken for a version.
const maxVersion = 1<<61 - 1

// RecordVersion evaluates `version`; blank is none. The error is a *Failure.
func (r *Rule) RecordVersion(s *Scope) (Version, error) {
	if r.Version == nil {
		return Version{}, nil
	}
	value, err := r.Version.Eval(s)
	v, ok := versionOf(value, r.zone)
	if err == nil && !ok {
		err = &Failure{Problem: diag.Problem{
			Code: "bad-version", Place: r.Version.Place, Field: "version", Value: textOf(value),
			Message: "the record's version is neither a time nor a whole number",
			Hint: "name a field in version: that counts up or says when the record was changed; date(…) with its format " +
				"reads a date of another form",
		}}
	}
	s.step(Step{What: "version", Expr: r.Version.Text, Out: value, Place: r.Version.Place}, err)
	return v, err
}

func versionOf(value any, zone *time.Location) (v Version, ok bool) {
	switch value := value.(type) {
	case time.Time:
		return Version{Time: value}, true
	case int:
		return numbered(int64(value))
	case int64:
		return numbered(value)
	case float64:
		if value != math.Trunc(value) || math.Abs(value) > 1<<53 {
			return v, false
		}
		return numbered(int64(value))
	}
	text := strings.TrimSpace(textOf(value))
	if text == "" {
		return v, true
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return numbered(n)
	}
	if zone == nil {
		zone = time.UTC
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04",
		"2006-01-02 15:04", time.DateOnly,
		"2006-01-02T15:04:05Z0700", "2006-01-02 15:04:05Z07:00"} {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil { // fractions of a second are read, too
			return Version{Time: t}, true
		}
	}
	return v, false
}

func numbered(n int64) (Version, bool) {
	return Version{Number: n, IsNumber: true}, n >= -maxVersion && n <= maxVersion
}
