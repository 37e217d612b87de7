package expression

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/culvert/culvert/rules/calendar"
	"github.com/culvert/culvert/rules/dateformat"
	"github.com/culvert/culvert/rules/period"
)

// readPeriodType takes a period type as DHIS2 names it.
func readPeriodType(s string) (any, error) {
	if slices.Contains(period.Types(), s) {
		return s, nil
	}
	if s == "TwoYearly" {
		return nil, fail(CodeWrongValue, "the period type TwoYearly has no written form, so nothing can be sent for it", "")
	}
	return nil, fail(CodeWrongValue, "there is no such period type",
		"period types are Daily, Weekly, Monthly, Quarterly, SixMonthly, Yearly, FinancialApril and so on, as DHIS2 names "+
			"them")
}

func periodFunctions() []function {
	const group = "Periods"
	periodParam := parameter{name: "period", accept: kWord}
	typeParam := parameter{name: "type", accept: kText, prepare: readPeriodType, choices: period.Types()}
	calendarParam := parameter{name: "calendar", accept: kText, written: true, optional: true, prepare: readCalendar,
		choices: calendar.Names()}
	edge := func(name, summary string, of func(period.Period) time.Time, examples ...Example) function {
		return function{
			name: name, group: group, summary: summary, gives: kDate, params: []parameter{periodParam}, examples: examples,
			call: func(f *frame, a []any) (any, error) {
				p, err := readPeriod(a[0])
				if err != nil || p == nil {
					return nil, err
				}
				t := of(*p)
				return dateformat.DayStart(t.Year(), t.Month(), t.Day(), f.options.Zone), nil
			},
		}
	}
	return []function{
		{
			name: "period", group: group, gives: kText, params: []parameter{{name: "date", accept: kTime}, typeParam,
				calendarParam},
			summary: "The period that a date falls into, as DHIS2 writes it. The types are " +
				strings.Join(period.Types(),
					", ") + ". A type that ends in Nov is named after the year in which its year ends: 2026Nov begins in November " +
				"2025. " +
				"A server whose calendar is ethiopian or nepali names its periods in that calendar: give it as third.",
			call: func(f *frame, a []any) (any, error) {
				if c, ok := a[2].(*calendar.Calendar); ok {
					return periodIn(c, a[0].(time.Time), a[1].(string))
				}
				p, err := period.Of(a[0].(time.Time), a[1].(string))
				if err != nil {
					return nil, fail(CodeWrongValue, "the date has no period: its year is not one that DHIS2 can take", "")
				}
				return p.ISO(), nil
			},
			examples: []Example{{`period("2026-08-20", "Monthly")`, `"202608"`}, {`period("2024-01-01", "Weekly")`, `"2024W1"`},
				{`period("2026-03-31", "FinancialApril")`, `"2025April"`},
				{`period("2024-05-09", "Monthly", "ethiopian")`, `"201609"`}, {`period("", "Monthly")`, `nil`}},
		},
		edge("period_start", "The first day of a period.", func(p period.Period) time.Time { return p.Start },
			Example{`period_start("2026Q1")`, `date("2026-01-01")`}),
		edge("period_end", "The last day of a period.", func(p period.Period) time.Time { return p.End },
			Example{`period_end("202402")`, `date("2024-02-29")`}),
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

func readCalendar(s string) (any, error) {
	if c := calendar.ByName(s); c != nil {
		return c, nil
	}
	return nil, fail(CodeWrongValue, "there is no such calendar",
		"calendars are "+orList(calendar.Names())+", as DHIS2 names them")
}

// periodIn gives a period as a server names it whose calendar is not the Gregorian one. DHIS2
// counts twelve months in every year, so that the days of Pagume belong to no period but their own.
func periodIn(c *calendar.Calendar, t time.Time, typ string) (any, error) {
	d, err := c.Of(t)
	if err != nil {
		return nil, fail(CodeWrongValue, err.Error(), "")
	}
	if typ == "Daily" {
		return fmt.Sprintf("%04d%02d%02d", d.Year, d.Month, d.Day), nil
	}
	if strings.Contains(typ, "Week") {
		return nil, fail(CodeWrongValue, "weeks are not counted in the "+c.Name()+" calendar",
			"send months, or the period as the source names it")
	}
	if d.Month > 12 {
		return nil, fail(CodeWrongValue, "DHIS2 has no month for the days of Pagume",
			"choose the month before or after by the rule, as in period(add(date, -6, \"days\"), ...)")
	}
	p, err := period.Of(time.Date(d.Year, time.Month(d.Month), 1, 0, 0, 0, 0, time.UTC), typ)
	if err != nil {
		return nil, fail(CodeWrongValue, "the date has no period: its year is not one that DHIS2 can take", "")
	}
	return p.ISO(), nil
}

// readPeriod reads a period from text; nil from a blank.
func readPeriod(v any) (*period.Period, error) {
	s := strings.TrimSpace(v.(string))
	if s == "" {
		return nil, nil
	}
	p, err := period.Parse(s)
	if err != nil {
		return nil, fail(CodeWrongValue, "the text is not a period as DHIS2 writes it, such as 202401 or 2024W5",
			"period(date, type) makes a period of a date")
	}
	return &p, nil
}
