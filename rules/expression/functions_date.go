package expression

import (
	"fmt"
	"strings"
	"time"

	"github.com/culvert/culvert/rules/dateformat"
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
	format := parameter{name: "format", accept: kText, written: true, prepare: readFormat}
	optional := func(p parameter) parameter { p.optional = true; return p }
	formatToRead := parameter{name: "format", accept: kText, written: true, optional: true, prepare: readFormatToRead}
	variant := parameter{name: "language or calendar", accept: kText, written: true, optional: true,
		choices: dateformat.Variants()}
	part := func(name, summary string, of func(time.Time) int, examples ...Example) function {
		return function{
			name: name, group: group, summary: summary, gives: kNumber, params: []parameter{date}, examples: examples,
			call: func(_ *frame, a []any) (any, error) { return of(a[0].(time.Time)), nil },
		}
	}
	return []function{
		{
			name: "date", group: group, gives: kDate, params: []parameter{{name: "text", accept: kTime, raw: true},
				formatToRead, variant}, verify: verifyVariant,
			summary: `A date read from text: 2026-08-20, with a time and zone or without, or in the format given. The ` +
				`format has y M d E H h m s S a Z X, as in dd/MM/yyyy; other letters stand between apostrophes. A blank gives ` +
				`a blank; what is not a date is a failure of the record. The names of months are English, or of the language ` +
				`given (en, es, fr, pt); years, months and days are Gregorian, or of the calendar given (ethiopian, nepali).`,
			call: readDate,
			examples: []Example{{`date("2026-08-20")`, `date("2026-08-20")`},
				{`date("20/08/2026", "dd/MM/yyyy")`, `date("2026-08-20")`},
				{`date("Aug 5, 2026 3:07 PM", "MMM d, yyyy h:mm a")`, `date("2026-08-05T15:07:00")`},
				{`date("5 août 2026", "d MMMM yyyy", "fr")`, `date("2026-08-05")`},
				{`date("2016-09-01", "yyyy-MM-dd", "ethiopian")`, `date("2024-05-09")`}, {`date("")`, `nil`}},
		},
		{
			name: "is_date", group: group, gives: kBool, params: []parameter{{name: "text", accept: kAny}, formatToRead,
				variant}, takesBlank: true, verify: verifyVariant,
			summary: "Whether date(...) can read a text.",
			call: func(f *frame, a []any) (any, error) {
				if IsBlank(a[0]) {
					return false, nil
				}
				s, isText := a[0].(string)
				if l, ok := a[1].(*dateformat.Format); ok && isText {
					l, err := inVariant(l, a[2])
					if err == nil {
						_, err = l.Parse(s, f.options.Zone)
					}
					return err == nil, nil
				}
				_, err := dateOf(f, a[0])
				return err == nil, nil
			},
			examples: []Example{{`is_date("2026-08-20")`, `true`}, {`is_date("2026-02-30")`, `false`},
				{`is_date("20/08/2026", "dd/MM/yyyy")`, `true`}},
		},
		{
			name: "epoch", group: group, gives: kDate, params: []parameter{{name: "number", accept: kNumber},
				{name: "unit", accept: kText, written: true, prepare: readTick, choices: ticks}},
			summary: "The moment that computers count as so many seconds or milliseconds since the beginning of 1970, such " +
				"as CHT's reported_date in milliseconds. A moment outside of the years 1971 to 2100 is a failure of the record.",
			call: ofEpoch,
			examples: []Example{{`epoch(1787211000, "seconds")`, `date("2026-08-20T10:30:00")`},
				{`epoch(1787211000000, "milliseconds")`, `date("2026-08-20T10:30:00")`}},
		},
		{
			name: "today", group: group, gives: kDate, moves: true,
			summary:  "The day on which the record is handled, in the project's time zone.",
			call:     func(f *frame, _ []any) (any, error) { return startOfDay(f.now()), nil },
			examples: []Example{{`today()`, `date("2026-08-20")`}},
		},
		{
			name: "now", group: group, gives: kDate, moves: true, summary: "The moment at which the record is handled.",
			call:     func(f *frame, _ []any) (any, error) { return f.now(), nil },
			examples: []Example{{`now()`, `date("2026-08-20T10:30:00")`}},
		},
		{
			name: "format_date", group: group, gives: kText, params: []parameter{date, format, variant}, verify: verifyVariant,
			summary: "A date written in a format, such as dd/MM/yyyy, also with the names of months of a language or in a " +
				"calendar, as for date(...).",
			call: func(f *frame, a []any) (any, error) {
				l, err := inVariant(a[1].(*dateformat.Format), a[2])
				if err != nil {
					return nil, err
				}
				s := l.Write(a[0].(time.Time))
				if s == "" {
					return nil, fail(CodeWrongValue, "the calendar is not known for that day", "")
				}
				return s, f.makes(len(s))
			},
			examples: []Example{{`format_date("2026-08-05", "d MMM yyyy")`, `"5 Aug 2026"`},
				{`format_date("2026-08-05T15:07:00", "yyyyMMdd'T'HHmm")`, `"20260805T1507"`},
				{`format_date("2026-08-05", "EEEE d MMMM yyyy", "pt")`, `"quarta-feira 5 agosto 2026"`},
				{`format_date("2024-05-09", "d MMMM yyyy", "ethiopian")`, `"1 Ginbot 2016"`},
				{`format_date("", "d MMM yyyy")`, `nil`}},
		},
		{
			name: "in_zone", group: group, gives: kDate, params: []parameter{date,
				{name: "zone", accept: kText, written: true, prepare: readZone}},
			summary:  "The same moment on the clocks of another time zone, such as Africa/Nairobi or UTC.",
			call:     func(_ *frame, a []any) (any, error) { return a[0].(time.Time).In(a[1].(*time.Location)), nil },
			examples: []Example{{`text(in_zone("2026-08-20T22:30:00Z", "Asia/Dhaka"))`, `"2026-08-21T04:30:00.000+06:00"`}},
		},
		{
			name: "add", group: group, gives: kDate, params: []parameter{date, {name: "number", accept: kNumber}, unitParam},
			summary: "The date so many units later, or earlier when the number is negative. A month after 31 January is the " +
				"last day of February. Days, weeks and longer keep the time on the clock; hours and shorter are exact.",
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
			examples: []Example{{`add("2026-01-31", 1, "month")`, `date("2026-02-28")`},
				{`add("2026-08-20", -2, "weeks")`, `date("2026-08-06")`},
				{`add(date("2026-08-20T10:00:00"), 90, "minutes")`, `date("2026-08-20T11:30:00")`}},
		},
		{
			name: "days_between", group: group, gives: kNumber,
			params:  []parameter{{name: "from", accept: kTime}, {name: "to", accept: kTime}},
			summary: "How many days one date is after another; negative when it is before. The time of day does not count.",
			call:    func(_ *frame, a []any) (any, error) { return daysBetween(a[0].(time.Time), a[1].(time.Time)), nil },
			examples: []Example{{`days_between("2026-08-01", "2026-08-20")`, `19`},
				{`days_between("2026-03-01", "2026-02-28")`, `-1`}},
		},
		{
			name: "diff", group: group, gives: kNumber, params: []parameter{{name: "from", accept: kTime},
				{name: "to", accept: kTime}, unitParam},
			summary: "How many whole units lie between two dates; negative when the second is before the first.",
			call: func(_ *frame, a []any) (any, error) {
				return between(a[0].(time.Time), a[1].(time.Time), a[2].(unit)), nil
			},
			examples: []Example{{`diff("2026-01-15", "2026-08-20", "months")`, `7`},
				{`diff("2026-08-20T10:00:00", "2026-08-20T12:30:00", "hours")`, `2`}},
		},
		{
			name: "age", group: group, gives: kNumber, moves: true,
			params: []parameter{{name: "birth date", accept: kTime}, optional(unitParam),
				optional(parameter{name: "at", accept: kTime})},
			summary: "The age in whole years, or in the unit given, today or at another date. A birth date after that date " +
				"is a failure of the record.",
			call: age,
			examples: []Example{{`age("1998-08-21")`, `27`}, {`age("2025-11-20", "months")`, `9`},
				{`age("2026-08-01", "days", "2026-08-20")`, `19`}, {`age("2026-07-01", "weeks")`, `7`}},
		},
		{
			name: "start_of", group: group, gives: kDate, params: []parameter{date, unitParam},
			summary: "The first day of the week (Monday), month, quarter or year, or the beginning of the day, hour or minute.",
			call:    func(_ *frame, a []any) (any, error) { return startOf(a[0].(time.Time), a[1].(unit)), nil },
			examples: []Example{{`start_of("2026-08-20", "month")`, `date("2026-08-01")`},
				{`start_of("2026-08-20", "week")`, `date("2026-08-17")`},
				{`start_of("2026-08-20", "quarter")`, `date("2026-07-01")`}},
		},
		{
			name: "end_of", group: group, gives: kDate, params: []parameter{date, unitParam},
			summary: "The last day of the week (Sunday), month, quarter or year; of a day, hour or minute its last millisecond.",
			call:    func(_ *frame, a []any) (any, error) { return endOf(a[0].(time.Time), a[1].(unit)), nil },
			examples: []Example{{`end_of("2024-02-10", "month")`, `date("2024-02-29")`},
				{`end_of("2026-08-20", "week")`, `date("2026-08-23")`},
				{`end_of("2026-08-20", "day")`, `date("2026-08-20T23:59:59.999")`}},
		},
		part("year", "The year of a date.", time.Time.Year, Example{`year("2026-08-20")`, `2026`}),
		part("quarter", "The quarter of a date, from 1 to 4.", func(t time.Time) int { return (int(t.Month())-1)/3 + 1 },
			Example{`quarter("2026-03-31")`, `1`}, Example{`format("Q{}-{}", quarter("2026-12-31"), year("2026-12-31"))`,
				`"Q4-2026"`}),
		part("month", "The month of a date, from 1 to 12.", func(t time.Time) int { return int(t.Month()) },
			Example{`month("2026-08-20")`, `8`}),
		part("week", "The ISO week of a date, from 1 to 53.", func(t time.Time) int { _, w := t.ISOWeek(); return w },
			Example{`week("2024-01-01")`, `1`}, Example{`week("2021-01-03")`, `53`}),
		part("day", "The day of the month of a date.", time.Time.Day, Example{`day("2026-08-20")`, `20`}),
		part("weekday", "The day of the week of a date, from 1 for Monday to 7 for Sunday.",
			func(t time.Time) int { return (int(t.Weekday())+6)%7 + 1 }, Example{`weekday("2026-08-20")`, `4`}),
		part("hour", "The hour of a date, from 0 to 23.", time.Time.Hour, Example{`hour("2026-08-20T15:07:00")`, `15`}),
		part("minute", "The minute of a date, from 0 to 59.", time.Time.Minute,
			Example{`minute("2026-08-20T15:07:00")`, `7`}),
	}
}

// tick is what a computer's clock counts.
type tick time.Duration

var ticks = []string{"seconds", "milliseconds"}

func readTick(s string) (any, error) {
	switch s {
	case "seconds":
		return tick(time.Second), nil
	case "milliseconds":
		return tick(time.Millisecond), nil
	}
	return nil, fail(CodeWrongValue, "the clock counts "+orList(ticks), "")
}

// ofEpoch gives a moment of a computer's clock. The bounds tell seconds from milliseconds: what is
// read as the other lies outside of them.
func ofEpoch(f *frame, a []any) (any, error) {
	n, unit := float(a[0]), time.Duration(a[1].(tick))
	t := time.UnixMilli(int64(n * float64(unit/time.Millisecond))).In(f.options.Zone)
	if n < 0 || n > 1e14 || t.Year() < 1971 || t.Year() > 2100 {
		return nil, fail(CodeWrongValue, "the moment is not in the years 1971 to 2100",
			"see whether the source counts seconds (ten digits now) or milliseconds (thirteen)")
	}
	return t, nil
}

func readDate(f *frame, a []any) (any, error) {
	if s, ok := a[0].(string); ok {
		if l, ok := a[1].(*dateformat.Format); ok {
			l, err := inVariant(l, a[2])
			if err != nil {
				return nil, err
			}
			return l.Parse(s, f.options.Zone)
		}
		return parseISO(s, f.options.Zone)
	}
	return a[0], nil
}

// inVariant gives the format in a language or calendar, where one is given.
func inVariant(l *dateformat.Format, variant any) (*dateformat.Format, error) {
	if s, ok := variant.(string); ok && s != "" {
		return l.In(s)
	}
	return l, nil
}

// verifyVariant checks the language or calendar, and the format with it.
func verifyVariant(args []term) error {
	if len(args) < 3 {
		return nil
	}
	variant, _ := args[2].value.(string)
	l, ok := args[1].value.(*dateformat.Format)
	if !ok {
		return fail(CodeWrongValue, "a language or calendar needs a format",
			`write the format before it, such as "yyyy-MM-dd"`)
	}
	_, err := l.In(variant)
	return err
}

func readFormat(s string) (any, error) { return dateformat.Compile(s) }

// readFormatToRead is readFormat for a function that reads dates.
func readFormatToRead(s string) (any, error) {
	f, err := dateformat.Compile(s)
	if err != nil {
		return nil, err
	}
	if err := f.Century(); err != nil {
		return nil, fail(CodeWrongValue, "the format "+err.Error(), err.(*dateformat.Error).Hint)
	}
	return f, nil
}

// readZone loads a zone when the expression is compiled; running it reads no files.
func readZone(s string) (any, error) {
	if s == "" || s == "Local" {
		return nil, fail(CodeWrongValue, "a time zone has a name such as Africa/Nairobi", "")
	}
	zone, err := time.LoadLocation(s)
	if err != nil {
		return nil, fail(CodeWrongValue, fmt.Sprintf("there is no time zone %q", s),
			"time zones have names such as Africa/Nairobi, Asia/Dhaka or UTC")
	}
	return zone, nil
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
