package value

import (
	"strconv"
	"strings"
	"time"

	"github.com/culvert/culvert/rules/dateformat"
	"github.com/culvert/culvert/rules/diag"
)

// dateTimeLayout has no zone: DHIS2 keeps the text as it is and shows it as local time.
const dateTimeLayout = "2006-01-02T15:04:05"

// Date reads a date: ISO, also with a time of day, or by a layout. ok is false for what is not a date.
func Date(v any, layout *dateformat.Format, c *Context) (t time.Time, blank, ok bool) {
	if t, is := v.(time.Time); is {
		if !isMidnight(t) {
			t = t.In(zone(c))
		}
		return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC), false, true
	}
	s, one := v.(string)
	if !one {
		// A number is the day of a spreadsheet: its cell was exported without the format of a date.
		if n, isNumber := Text(v, nil); isNumber && v != true && v != false {
			t, ok = serial(n)
		}
		return t, false, ok
	}
	if s = strings.TrimSpace(s); s == "" {
		return t, true, true
	}
	if t, ok = serial(s); ok && (layout == nil || !layout.Reads(s)) {
		return t, false, true
	}
	if layout != nil {
		t, err := layout.Parse(s, zone(c))
		if err != nil {
			// Cells that are dates come in ISO from a workbook, beside texts in the format of the rule.
			t, ok = isoDay(s)
			return t, false, ok
		}
		return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC), false, true
	}
	if i := strings.IndexAny(s, "T "); i > 0 {
		t, _, ok := instant(s, c)
		return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC), false, ok
	}
	t, ok = isoDate(s)
	return t, false, ok
}

// serial reads the day count of a spreadsheet (ECMA-376 part 1, 18.17.4.1), of five digits: 1927 to
// 2099. Shorter numbers may be years or ages.
func serial(s string) (time.Time, bool) {
	day, fraction, _ := strings.Cut(s, ".")
	if len(day) != 5 || !digits(day) || !digits(fraction) {
		return time.Time{}, false
	}
	n, err := strconv.Atoi(day)
	const first, last = 10000, 73050
	if err != nil || n < first || n > last {
		return time.Time{}, false
	}
	return time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n), true
}

// isoDay reads a date as workbooks give it, yyyy-MM-dd, also with a time of day behind it.
func isoDay(s string) (time.Time, bool) {
	day, _, _ := strings.Cut(s, "T")
	if len(day) != 10 || day[4] != '-' {
		return time.Time{}, false
	}
	if _, _, ok := instant(s, nil); !ok {
		return time.Time{}, false
	}
	return isoDate(day)
}

// isoDate reads 2026-01-31, 2026-1-5 and 20260131.
func isoDate(s string) (time.Time, bool) {
	var parts [3]string
	if len(s) == 8 && digits(s) {
		parts = [3]string{s[:4], s[4:6], s[6:]}
	} else if split := strings.Split(s, "-"); len(split) == 3 && len(split[0]) == 4 {
		parts = [3]string(split)
	} else {
		return time.Time{}, false
	}
	var n [3]int
	for i, p := range parts {
		if p == "" || len(p) > 4 || i > 0 && len(p) > 2 || !digits(p) {
			return time.Time{}, false
		}
		n[i], _ = strconv.Atoi(p)
	}
	t := time.Date(n[0], time.Month(n[1]), n[2], 0, 0, 0, 0, time.UTC)
	return t, n[0] > 0 && t.Year() == n[0] && int(t.Month()) == n[1] && t.Day() == n[2]
}

// instant reads an ISO date with a time of day, in the context's zone unless it names its own.
// hasTime is false for a date alone.
func instant(s string, c *Context) (t time.Time, hasTime, ok bool) {
	day, rest := s, ""
	if i := strings.IndexAny(s, "T "); i > 0 {
		day, rest = s[:i], strings.TrimSpace(s[i+1:])
	}
	d, ok := isoDate(day)
	if !ok {
		return t, false, false
	}
	if rest == "" {
		return d, false, true
	}
	clock, offset, has := splitZone(rest)
	h, m, sec, ok := clockOf(clock)
	if !ok {
		return t, false, false
	}
	if !has {
		return time.Date(d.Year(), d.Month(), d.Day(), h, m, sec, 0, zone(c)), true, true
	}
	seconds, ok := offsetOf(offset)
	t = time.Date(d.Year(), d.Month(), d.Day(), h, m, sec, 0, time.FixedZone("", seconds))
	return t.In(zone(c)), true, ok
}

func splitZone(s string) (clock, offset string, has bool) {
	i := strings.IndexAny(s, "Zz+-")
	if i < 0 {
		return s, "", false
	}
	return strings.TrimSpace(s[:i]), s[i:], true
}

// offsetOf reads Z, +02, +0200 and +02:00 as seconds.
func offsetOf(s string) (int, bool) {
	if s == "Z" || s == "z" {
		return 0, true
	}
	body := strings.Replace(s[1:], ":", "", 1)
	if !digits(body) || len(body) != 2 && len(body) != 4 {
		return 0, false
	}
	h, _ := strconv.Atoi(body[:2])
	m := 0
	if len(body) == 4 {
		m, _ = strconv.Atoi(body[2:])
	}
	seconds := h*3600 + m*60
	if s[0] == '-' {
		seconds = -seconds
	}
	return seconds, h <= 18 && m < 60
}

// clockOf reads 9:05, 10:15:00 and 10:15:00.123.
func clockOf(s string) (h, m, sec int, ok bool) {
	s, _, _ = strings.Cut(s, ".")
	parts := strings.Split(s, ":")
	if len(parts) < 2 || len(parts) > 3 || len(parts[0]) > 2 {
		return 0, 0, 0, false
	}
	var n [3]int
	for i, p := range parts {
		if p == "" || len(p) > 2 || i > 0 && len(p) != 2 || !digits(p) {
			return 0, 0, 0, false
		}
		n[i], _ = strconv.Atoi(p)
	}
	return n[0], n[1], n[2], n[0] < 24 && n[1] < 60 && n[2] < 60
}

func isMidnight(t time.Time) bool {
	h, m, s := t.Clock()
	return h == 0 && m == 0 && s == 0 && t.Nanosecond() == 0
}

func (k *Kind) date(v any, c *Context) (Result, *diag.Problem) {
	t, blank, ok := Date(v, k.layout, c)
	switch {
	case blank:
		return Result{Blank: true}, nil
	case !ok && k.layout != nil:
		return Result{}, &diag.Problem{Code: "wrong-type", Message: "is not a date in the format given",
			Hint: "write the format as the source writes its dates, such as dd/MM/yyyy"}
	case !ok && k.Type == "AGE":
		return Result{}, &diag.Problem{Code: "wrong-type", Message: "is not a date of birth",
			Hint: "DHIS2 keeps an age as the date of birth, 1990-01-31; compute it from an age in the expression"}
	case !ok:
		return Result{}, &diag.Problem{Code: "wrong-type", Message: "is not a date",
			Hint: "2026-01-31 is understood; say format: for any other form, such as dd/MM/yyyy"}
	}
	if p := k.future(t, c); p != nil {
		return Result{}, p
	}
	return Result{Text: t.Format(time.DateOnly)}, nil
}

// future refuses dates after today where the metadata says so. A day of grace covers sources east of the zone.
func (k *Kind) future(t time.Time, c *Context) *diag.Problem {
	if k.Future || c == nil || c.Now == nil {
		return nil
	}
	now := c.Now().In(zone(c))
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
	if !t.After(today.AddDate(0, 0, 1)) {
		return nil
	}
	return &diag.Problem{Code: "future-date", Message: "lies in the future, which DHIS2 does not allow here",
		Hint: "check the date in the source, or allow future dates for it in DHIS2 and sync"}
}

func (k *Kind) dateTime(v any, c *Context) (Result, *diag.Problem) {
	t, hasTime, ok := time.Time{}, true, true
	switch v := v.(type) {
	case time.Time:
		t = v.In(zone(c))
	case string:
		s := strings.TrimSpace(v)
		if s == "" {
			return Result{Blank: true}, nil
		}
		if k.layout != nil {
			parsed, err := k.layout.Parse(s, zone(c))
			t, ok = parsed.In(zone(c)), err == nil
		} else {
			t, hasTime, ok = instant(s, c)
		}
	default:
		ok = false
	}
	if !ok {
		return Result{}, &diag.Problem{Code: "wrong-type", Message: "is not a date with a time",
			Hint: "2026-01-31T10:15:00 is understood; say format: for any other form"}
	}
	if !hasTime {
		return Result{}, &diag.Problem{Code: "wrong-type",
			Message: "is a date without a time of day, which DHIS2 refuses here",
			Hint:    "add the time in the expression, or send it to a data element of the type DATE"}
	}
	if p := k.future(time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC), c); p != nil {
		return Result{}, p
	}
	return Result{Text: t.Format(dateTimeLayout)}, nil
}

func (k *Kind) timeOfDay(v any, c *Context) (Result, *diag.Problem) {
	refused := &diag.Problem{Code: "wrong-type", Message: "is not a time of day",
		Hint: "10:15 is understood; say format: for any other form"}
	switch v := v.(type) {
	case time.Time:
		return Result{Text: v.In(zone(c)).Format("15:04")}, nil
	case string:
		s := strings.TrimSpace(v)
		if s == "" {
			return Result{Blank: true}, nil
		}
		if k.layout != nil {
			t, err := k.layout.Parse(s, zone(c))
			if err != nil {
				return Result{}, refused
			}
			return Result{Text: t.Format("15:04")}, nil
		}
		clock, _, _ := splitZone(s)
		if h, m, _, ok := clockOf(clock); ok {
			return Result{Text: time.Date(0, 1, 1, h, m, 0, 0, time.UTC).Format("15:04")}, nil
		}
	}
	return Result{}, refused
}
