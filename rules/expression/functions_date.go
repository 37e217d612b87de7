package expression

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/culvert/culvert/rules/period"
)

// unit is a unit of time, by the singular of its name.
type unit string

var units = []string{"seconds", "minutes", "hours", "days", "weeks", "months", "quarters", "years"}

// readUnit takes the singular and the plural.
func readUnit(s string) (any, error) {
	for _, u := range units {
		if s == u || s+"s" == u {
			return unit(strings.TrimSuffix(u, "s")), nil
		}
	}
	return nil, fail(CodeWrongValue, fmt.Sprintf("a unit of time is %s", orList(units)), "")
}

func dateFunctions() []function {
	const group = "Dates"
	date := parameter{name: "date", accept: kTime}
	unitParam := parameter{name: "unit", accept: kText, prepare: readUnit, choices: units}
	format := parameter{name: "format", accept: kText, written: true, prepare: compileLayout}
	optional := func(p parameter) parameter { p.optional = true; return p }
	part := func(name, summary string, of func(time.Time) int, examples ...Example) function {
		return function{
			name: name, group: group, summary: summary, gives: kNumber, params: []parameter{date}, examples: examples,
			call: func(_ *frame, a []any) (any, error) { return of(a[0].(time.Time)), nil },
		}
	}
	return []function{
		{
			name: "date", group: group, gives: kDate, params: []parameter{{name: "text", accept: kTime, raw: true}, optional(format)},
			summary: `A date read from text: 2026-08-20, with a time and zone or without, or in the format given. The format has y M d E H h m s S a Z X, as in dd/MM/yyyy; other letters stand between apostrophes. A blank gives a blank; what is not a date is a failure of the record.`,
			call:    readDate,
			examples: []Example{{`date("2026-08-20")`, `date("2026-08-20")`}, {`date("20/08/2026", "dd/MM/yyyy")`, `date("2026-08-20")`},
				{`date("Aug 5, 2026 3:07 PM", "MMM d, yyyy h:mm a")`, `date("2026-08-05T15:07:00")`}, {`date("")`, `nil`}},
		},
		{
			name: "is_date", group: group, gives: kBool, params: []parameter{{name: "text", accept: kAny}, optional(format)}, takesBlank: true,
			summary: "Whether date(...) can read a text.",
			call: func(f *frame, a []any) (any, error) {
				if IsBlank(a[0]) {
					return false, nil
				}
				s, isText := a[0].(string)
				if l, ok := a[1].(*layout); ok && isText {
					_, err := l.parse(s, f.options.Zone)
					return err == nil, nil
				}
				_, err := dateOf(f, a[0])
				return err == nil, nil
			},
			examples: []Example{{`is_date("2026-08-20")`, `true`}, {`is_date("2026-02-30")`, `false`}, {`is_date("20/08/2026", "dd/MM/yyyy")`, `true`}},
		},
		{
			name: "today", group: group, gives: kDate, moves: true, summary: "The day on which the record is handled, in the project's time zone.",
			call:     func(f *frame, _ []any) (any, error) { return startOfDay(f.now()), nil },
			examples: []Example{{`today()`, `date("2026-08-20")`}},
		},
		{
			name: "now", group: group, gives: kDate, moves: true, summary: "The moment at which the record is handled.",
			call:     func(f *frame, _ []any) (any, error) { return f.now(), nil },
			examples: []Example{{`now()`, `date("2026-08-20T10:30:00")`}},
		},
		{
			name: "format_date", group: group, gives: kText, params: []parameter{date, format}, summary: "A date written in a format, such as dd/MM/yyyy.",
			call: func(f *frame, a []any) (any, error) {
				s := a[1].(*layout).format(a[0].(time.Time))
				return s, f.makes(len(s))
			},
			examples: []Example{{`format_date("2026-08-05", "d MMM yyyy")`, `"5 Aug 2026"`}, {`format_date("2026-08-05T15:07:00", "yyyyMMdd'T'HHmm")`, `"20260805T1507"`}, {`format_date("", "d MMM yyyy")`, `nil`}},
		},
		{
			name: "in_zone", group: group, gives: kDate, params: []parameter{date, {name: "zone", accept: kText, written: true, prepare: readZone}},
			summary:  "The same moment on the clocks of another time zone, such as Africa/Nairobi or UTC.",
			call:     func(_ *frame, a []any) (any, error) { return a[0].(time.Time).In(a[1].(*time.Location)), nil },
			examples: []Example{{`text(in_zone("2026-08-20T22:30:00Z", "Asia/Dhaka"))`, `"2026-08-21T04:30:00.000+06:00"`}},
		},
		{
			name: "add", group: group, gives: kDate, params: []parameter{date, {name: "number", accept: kNumber}, unitParam},
			summary: "The date so many units later, or earlier when the number is negative. A month after 31 January is the last day of February. Days, weeks and longer keep the time on the clock; hours and shorter are exact.",
			call: func(_ *frame, a []any) (any, error) {
				n, ok := a[1].(int)
				if !ok || n > 1_000_000_000 || n < -1_000_000_000 {
					return nil, fail(CodeWrongValue, "a whole number of units is added to a date", "round(...) makes a number whole")
				}
				t := moved(a[0].(time.Time), n, a[2].(unit))
				if t.Year() < 1 || t.Year() > 9999 {
					return nil, fail(CodeWrongValue, "the date is beyond the years 1 to 9999", "")
				}
				return t, nil
			},
			examples: []Example{{`add("2026-01-31", 1, "month")`, `date("2026-02-28")`}, {`add("2026-08-20", -2, "weeks")`, `date("2026-08-06")`}, {`add(date("2026-08-20T10:00:00"), 90, "minutes")`, `date("2026-08-20T11:30:00")`}},
		},
		{
			name: "days_between", group: group, gives: kNumber, params: []parameter{{name: "from", accept: kTime}, {name: "to", accept: kTime}},
			summary:  "How many days one date is after another; negative when it is before. The time of day does not count.",
			call:     func(_ *frame, a []any) (any, error) { return daysBetween(a[0].(time.Time), a[1].(time.Time)), nil },
			examples: []Example{{`days_between("2026-08-01", "2026-08-20")`, `19`}, {`days_between("2026-03-01", "2026-02-28")`, `-1`}},
		},
		{
			name: "diff", group: group, gives: kNumber, params: []parameter{{name: "from", accept: kTime}, {name: "to", accept: kTime}, unitParam},
			summary: "How many whole units lie between two dates; negative when the second is before the first.",
			call: func(_ *frame, a []any) (any, error) {
				return between(a[0].(time.Time), a[1].(time.Time), a[2].(unit)), nil
			},
			examples: []Example{{`diff("2026-01-15", "2026-08-20", "months")`, `7`}, {`diff("2026-08-20T10:00:00", "2026-08-20T12:30:00", "hours")`, `2`}},
		},
		{
			name: "age", group: group, gives: kNumber, moves: true, params: []parameter{{name: "birth date", accept: kTime}, optional(unitParam), optional(parameter{name: "at", accept: kTime})},
			summary:  "The age in whole years, or in the unit given, today or at another date. A birth date after that date is a failure of the record.",
			call:     age,
			examples: []Example{{`age("1998-08-21")`, `27`}, {`age("2025-11-20", "months")`, `9`}, {`age("2026-08-01", "days", "2026-08-20")`, `19`}, {`age("2026-07-01", "weeks")`, `7`}},
		},
		{
			name: "start_of", group: group, gives: kDate, params: []parameter{date, unitParam},
			summary:  "The first day of the week (Monday), month, quarter or year, or the beginning of the day, hour or minute.",
			call:     func(_ *frame, a []any) (any, error) { return startOf(a[0].(time.Time), a[1].(unit)), nil },
			examples: []Example{{`start_of("2026-08-20", "month")`, `date("2026-08-01")`}, {`start_of("2026-08-20", "week")`, `date("2026-08-17")`}, {`start_of("2026-08-20", "quarter")`, `date("2026-07-01")`}},
		},
		{
			name: "end_of", group: group, gives: kDate, params: []parameter{date, unitParam},
			summary:  "The last day of the week (Sunday), month, quarter or year; of a day, hour or minute its last millisecond.",
			call:     func(_ *frame, a []any) (any, error) { return endOf(a[0].(time.Time), a[1].(unit)), nil },
			examples: []Example{{`end_of("2024-02-10", "month")`, `date("2024-02-29")`}, {`end_of("2026-08-20", "week")`, `date("2026-08-23")`}, {`end_of("2026-08-20", "day")`, `date("2026-08-20T23:59:59.999")`}},
		},
		part("year", "The year of a date.", time.Time.Year, Example{`year("2026-08-20")`, `2026`}),
		part("quarter", "The quarter of a date, from 1 to 4.", func(t time.Time) int { return (int(t.Month())-1)/3 + 1 }, Example{`quarter("2026-03-31")`, `1`}, Example{`format("Q{}-{}", quarter("2026-12-31"), year("2026-12-31"))`, `"Q4-2026"`}),
		part("month", "The month of a date, from 1 to 12.", func(t time.Time) int { return int(t.Month()) }, Example{`month("2026-08-20")`, `8`}),
		part("week", "The ISO week of a date, from 1 to 53.", func(t time.Time) int { _, w := t.ISOWeek(); return w }, Example{`week("2024-01-01")`, `1`}, Example{`week("2021-01-03")`, `53`}),
		part("day", "The day of the month of a date.", time.Time.Day, Example{`day("2026-08-20")`, `20`}),
		part("weekday", "The day of the week of a date, from 1 for Monday to 7 for Sunday.", func(t time.Time) int { return (int(t.Weekday())+6)%7 + 1 }, Example{`weekday("2026-08-20")`, `4`}),
		part("hour", "The hour of a date, from 0 to 23.", time.Time.Hour, Example{`hour("2026-08-20T15:07:00")`, `15`}),
		part("minute", "The minute of a date, from 0 to 59.", time.Time.Minute, Example{`minute("2026-08-20T15:07:00")`, `7`}),
	}
}

func readDate(f *frame, a []any) (any, error) {
	if s, ok := a[0].(string); ok {
		if l, ok := a[1].(*layout); ok {
			return l.parse(s, f.options.Zone)
		}
		return parseISO(s, f.options.Zone)
	}
	return a[0], nil
}

// readZone loads a zone when the expression is compiled; running it reads no files.
func readZone(s string) (any, error) {
	if s == "" || s == "Local" {
		return nil, fail(CodeWrongValue, "a time zone has a name such as Africa/Nairobi", "")
	}
	zone, err := time.LoadLocation(s)
	if err != nil {
		return nil, fail(CodeWrongValue, fmt.Sprintf("there is no time zone %q", s), "time zones have names such as Africa/Nairobi, Asia/Dhaka or UTC")
	}
	return zone, nil
}

// moved is a date n units later. Units of a day and longer go by the calendar; a date without a time stays one.
func moved(t time.Time, n int, u unit) time.Time {
	switch u {
	case "second":
		return later(t, n)
	case "minute":
		return later(t, n*60)
	case "hour":
		return later(t, n*3600)
	case "day":
		return civil(t, 0, n)
	case "week":
		return civil(t, 0, 7*n)
	case "quarter":
		return civil(t, 3*n, 0)
	case "year":
		return civil(t, 12*n, 0)
	}
	return civil(t, n, 0)
}

// later is exact, and does not overflow as durations do after 292 years.
func later(t time.Time, seconds int) time.Time {
	return time.Unix(t.Unix()+int64(seconds), int64(t.Nanosecond())).In(t.Location())
}

// civil adds months, then days, on the calendar. A month that is too short gives its last day.
func civil(t time.Time, months, days int) time.Time {
	y, m, d := t.Date()
	first := time.Date(y, m+time.Month(months), 1, 0, 0, 0, 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	day := first.AddDate(0, 0, min(d, last)-1+days)
	if isStartOfDay(t) {
		return dayStart(day.Year(), day.Month(), day.Day(), t.Location())
	}
	return time.Date(day.Year(), day.Month(), day.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), t.Location())
}

// daysBetween counts midnights on the calendar, whatever clocks did in between.
func daysBetween(from, to time.Time) int {
	return int((civilDay(to).Unix() - civilDay(from).Unix()) / (24 * 3600))
}

func civilDay(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// between counts whole units from one date to another. Months and years are whole when the day of the month is reached again, as DHIS2's own
// functions count them.
func between(from, to time.Time, u unit) int {
	switch u {
	case "second":
		return int((to.UnixMilli() - from.UnixMilli()) / 1000)
	case "minute":
		return int((to.UnixMilli() - from.UnixMilli()) / 60_000)
	case "hour":
		return int((to.UnixMilli() - from.UnixMilli()) / 3_600_000)
	case "day":
		return wholeDays(from, to)
	case "week":
		return wholeDays(from, to) / 7
	case "quarter":
		return monthsBetween(from, to) / 3
	case "year":
		return monthsBetween(from, to) / 12
	}
	return monthsBetween(from, to)
}

func wholeDays(from, to time.Time) int {
	n := daysBetween(from, to)
	switch c := clock(to) - clock(from); {
	case n > 0 && c < 0:
		n--
	case n < 0 && c > 0:
		n++
	}
	return n
}

// clock is the time of day; none for a date without a time, also where its day begins at one o'clock.
func clock(t time.Time) time.Duration {
	if isStartOfDay(t) {
		return 0
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second + time.Duration(t.Nanosecond())
}

func monthsBetween(from, to time.Time) int {
	n := (to.Year()-from.Year())*12 + int(to.Month()) - int(from.Month())
	c := to.Day() - from.Day()
	if c == 0 {
		c = int(clock(to) - clock(from))
	}
	switch {
	case n > 0 && c < 0:
		n--
	case n < 0 && c > 0:
		n++
	}
	return n
}

func age(f *frame, a []any) (any, error) {
	birth, at, u := a[0].(time.Time), startOfDay(f.now()), unit("year")
	if given, ok := a[1].(unit); ok {
		u = given
	}
	if given, ok := a[2].(time.Time); ok {
		at = given
	}
	if daysBetween(birth, at) < 0 {
		return nil, fail(CodeWrongValue, "the birth date is after the day on which the age is asked", "")
	}
	return between(birth, at, u), nil
}

func startOf(t time.Time, u unit) time.Time {
	y, m, d := t.Date()
	switch u {
	case "second":
		return t.Truncate(time.Second)
	case "minute":
		return t.Truncate(time.Minute)
	case "hour":
		return t.Add(-time.Duration(t.Minute())*time.Minute - time.Duration(t.Second())*time.Second - time.Duration(t.Nanosecond()))
	case "week":
		d -= (int(t.Weekday()) + 6) % 7
	case "month":
		d = 1
	case "quarter":
		m, d = m-(m-1)%3, 1
	case "year":
		m, d = time.January, 1
	}
	return dayStart(y, m, d, t.Location())
}

func endOf(t time.Time, u unit) time.Time {
	start := startOf(t, u)
	switch u {
	case "second", "minute", "hour", "day":
		return moved(start, 1, u).Add(-time.Millisecond)
	}
	return civil(moved(start, 1, u), 0, -1)
}

// readPeriodType takes a period type as DHIS2 names it.
func readPeriodType(s string) (any, error) {
	if slices.Contains(period.Types(), s) {
		return s, nil
	}
	if s == "TwoYearly" {
		return nil, fail(CodeWrongValue, "the period type TwoYearly has no written form, so nothing can be sent for it", "")
	}
	return nil, fail(CodeWrongValue, "there is no such period type", "period types are Daily, Weekly, Monthly, Quarterly, SixMonthly, Yearly, FinancialApril and so on, as DHIS2 names them")
}

func periodFunctions() []function {
	const group = "Periods"
	periodParam := parameter{name: "period", accept: kWord}
	typeParam := parameter{name: "type", accept: kText, prepare: readPeriodType, choices: period.Types()}
	edge := func(name, summary string, of func(period.Period) time.Time, examples ...Example) function {
		return function{
			name: name, group: group, summary: summary, gives: kDate, params: []parameter{periodParam}, examples: examples,
			call: func(f *frame, a []any) (any, error) {
				p, err := readPeriod(a[0])
				if err != nil || p == nil {
					return nil, err
				}
				t := of(*p)
				return dayStart(t.Year(), t.Month(), t.Day(), f.options.Zone), nil
			},
		}
	}
	return []function{
		{
			name: "period", group: group, gives: kText, params: []parameter{{name: "date", accept: kTime}, typeParam},
			summary: "The period that a date falls into, as DHIS2 writes it. The types are " + strings.Join(period.Types(), ", ") + ".",
			call: func(f *frame, a []any) (any, error) {
				p, err := period.Of(a[0].(time.Time), a[1].(string))
				if err != nil {
					return nil, fail(CodeWrongValue, "the date has no period: its year is not one that DHIS2 can take", "")
				}
				return p.ISO(), nil
			},
			examples: []Example{{`period("2026-08-20", "Monthly")`, `"202608"`}, {`period("2024-01-01", "Weekly")`, `"2024W1"`}, {`period("2026-03-31", "FinancialApril")`, `"2025April"`}, {`period("", "Monthly")`, `nil`}},
		},
		edge("period_start", "The first day of a period.", func(p period.Period) time.Time { return p.Start }, Example{`period_start("2026Q1")`, `date("2026-01-01")`}),
		edge("period_end", "The last day of a period.", func(p period.Period) time.Time { return p.End }, Example{`period_end("202402")`, `date("2024-02-29")`}),
		{
			name: "period_type", group: group, gives: kText, params: []parameter{periodParam},
			summary: "The type of a period.",
			call: func(_ *frame, a []any) (any, error) {
				p, err := readPeriod(a[0])
				if err != nil || p == nil {
					return nil, err
				}
				return p.Type, nil
			},
			examples: []Example{{`period_type("2026W9")`, `"Weekly"`}},
		},
		{
			name: "period_add", group: group, gives: kText, params: []parameter{periodParam, {name: "number", accept: kNumber}},
			summary: "The period so many periods later, or earlier when the number is negative.",
			call: func(_ *frame, a []any) (any, error) {
				p, err := readPeriod(a[0])
				if err != nil || p == nil {
					return nil, err
				}
				n, ok := a[1].(int)
				if !ok || n > 10_000 || n < -10_000 {
					return nil, fail(CodeWrongValue, "a whole number of periods is added, 10,000 at most", "")
				}
				for ; n > 0; n-- {
					*p = p.Next()
				}
				for ; n < 0; n++ {
					*p = p.Previous()
				}
				if p.Start.Year() < 1 || p.End.Year() > 9999 {
					return nil, fail(CodeWrongValue, "the period is beyond the years 1 to 9999", "")
				}
				return p.ISO(), nil
			},
			examples: []Example{{`period_add("202612", 1)`, `"202701"`}, {`period_add("2021W1", -1)`, `"2020W53"`}},
		},
	}
}

// readPeriod reads a period from text; nil from a blank.
func readPeriod(v any) (*period.Period, error) {
	s := strings.TrimSpace(v.(string))
	if s == "" {
		return nil, nil
	}
	p, err := period.Parse(s)
	if err != nil {
		return nil, fail(CodeWrongValue, "the text is not a period as DHIS2 writes it, such as 202401 or 2024W5", "period(date, type) makes a period of a date")
	}
	return &p, nil
}
