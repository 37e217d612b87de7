package dates

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Forms in which DHIS2 writes times: without a zone in most places, with one in data values.
const (
	Format = "2006-01-02T15:04:05.000"
	Zoned  = "2006-01-02T15:04:05.000-0700"
)

func Stamp(t time.Time) string { return t.UTC().Format(Format) }

// dateForms are those that DHIS2 reads (DateUtils): a date as a whole or in part, with a time as a
// whole or in part, with a zone or without.
var dateForms = []string{
	"2006-01-02T15:04:05.999999999Z07:00", "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05.999999999Z07",
	"2006-01-02T15:04:05.999999999",
	"2006-01-02T15:04Z07:00", "2006-01-02T15:04Z0700", "2006-01-02T15:04Z07", "2006-01-02T15:04",
	"2006-01-02T15Z07:00", "2006-01-02T15Z0700", "2006-01-02T15Z07", "2006-01-02T15",
	"2006-01-02", "20060102", "2006-01", "2006",
}

// Parse reads a date in any of DHIS2's forms; a form without a zone is in that of the server, which is UTC.
func Parse(s string) (time.Time, bool) {
	for _, form := range dateForms {
		if t, err := time.Parse(form, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// ParseLoose reads a date of a body or a query, in which months, days and the like may have one digit.
func ParseLoose(s string) (time.Time, bool) {
	if t, ok := Parse(s); ok {
		return t, true
	}
	one := strings.NewReplacer("01", "1", "02", "2", "04", "4", "05", "5")
	for _, form := range dateForms {
		if !strings.Contains(form, "-") {
			continue
		}
		year, rest, _ := strings.Cut(form, "-")
		zone := strings.IndexByte(rest, 'Z')
		if zone < 0 {
			zone = len(rest)
		}
		if t, err := time.Parse(year+"-"+one.Replace(rest[:zone])+rest[zone:], s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// BeyondStorage tells whether a text is a date to DHIS2 in a year that its database does not take:
// before the first, or of more than four digits.
func BeyondStorage(s string) bool {
	year := strings.TrimPrefix(s, "-")
	if at := strings.IndexByte(year, '-'); at >= 0 {
		year = year[:at]
	}
	n, err := strconv.Atoi(year)
	return err == nil && len(year) <= 9 && (n == 0 || strings.HasPrefix(s, "-") || n > 9999 && strings.Contains(s, "-"))
}

// ParseEpoch reads milliseconds since 1970, which bodies may give in place of a date, as a number or
// as text (ParseInstantStdDeserializer). Up to nine digits are a year or a day to DHIS2.
func ParseEpoch(s string) (time.Time, bool) {
	const shortest, longest = 10, 15 // up to the year 33658
	if len(s) < shortest || len(s) > longest || strings.Trim(s, "0123456789") != "" {
		return time.Time{}, false
	}
	ms, err := strconv.ParseInt(s, 10, 64)
	return time.UnixMilli(ms).UTC(), err == nil
}

func Day(s string) time.Time {
	if len(s) < 10 {
		return time.Time{}
	}
	t, err := time.Parse("2006-01-02", s[:10])
	if err != nil {
		return time.Time{}
	}
	return t
}

// ParseDuration reads 5d, 3h, 30m, 10s.
func ParseDuration(s string) (time.Duration, error) {
	units := map[byte]time.Duration{'d': 24 * time.Hour, 'h': time.Hour, 'm': time.Minute, 's': time.Second}
	if s == "" {
		return 0, fmt.Errorf("no duration")
	}
	unit, ok := units[s[len(s)-1]]
	n, err := strconv.Atoi(s[:len(s)-1])
	if !ok || err != nil || n < 0 {
		return 0, fmt.Errorf("no duration: %s", s)
	}
	return time.Duration(n) * unit, nil
}
