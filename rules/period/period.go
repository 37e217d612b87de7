// Package period is the arithmetic of reporting periods: which month, week or financial year a date
// belongs to, and how it is written.
//
// Types and spellings are those of DHIS2 (its period types and ISO period identifiers, up to
// version 2.43), in the Gregorian calendar.
package period

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Period is one period. Start and End are its first and last day, at midnight UTC. Two periods are
// the same when they are ==.
type Period struct {
	Type       string // as DHIS2 names it: Monthly, WeeklySunday, FinancialApril
	Start, End time.Time
}

// family is the way in which a type divides time.
type family int

const (
	days family = iota
	weeks
	months
)

// definition says how a type divides time and how it is written: year, mark, number within the year.
type definition struct {
	name    string
	family  family
	length  int          // in days, weeks or months
	weekday time.Weekday // weeks: the first day
	month   time.Month   // months: where the year of the type begins
	ends    bool         // months: named after the year in which the type's year ends, not where it begins
	mark    string       // between the year and the number
	number  string       // how the number is written: "" when there is none, %d, %02d, %02dB
}

// definitions in the order of DHIS2's documentation. A type that ends in Nov is named after the
// year in which its year ends: 2024Nov is November 2023 to October 2024. All others are named after
// the year in which they begin.
var definitions = []definition{
	{name: "Daily", family: days, length: 1},
	{name: "Weekly", family: weeks, length: 1, weekday: time.Monday, mark: "W", number: "%d"},
	{name: "WeeklyWednesday", family: weeks, length: 1, weekday: time.Wednesday, mark: "WedW", number: "%d"},
	{name: "WeeklyThursday", family: weeks, length: 1, weekday: time.Thursday, mark: "ThuW", number: "%d"},
	{name: "WeeklyFriday", family: weeks, length: 1, weekday: time.Friday, mark: "FriW", number: "%d"},
	{name: "WeeklySaturday", family: weeks, length: 1, weekday: time.Saturday, mark: "SatW", number: "%d"},
	{name: "WeeklySunday", family: weeks, length: 1, weekday: time.Sunday, mark: "SunW", number: "%d"},
	{name: "BiWeekly", family: weeks, length: 2, weekday: time.Monday, mark: "BiW", number: "%d"},
	{name: "Monthly", family: months, length: 1, month: time.January, number: "%02d"},
	{name: "BiMonthly", family: months, length: 2, month: time.January, number: "%02dB"},
	{name: "Quarterly", family: months, length: 3, month: time.January, mark: "Q", number: "%d"},
	{name: "QuarterlyNov", family: months, length: 3, month: time.November, ends: true, mark: "NovQ", number: "%d"},
	{name: "SixMonthly", family: months, length: 6, month: time.January, mark: "S", number: "%d"},
	{name: "SixMonthlyApril", family: months, length: 6, month: time.April, mark: "AprilS", number: "%d"},
	{name: "SixMonthlyNov", family: months, length: 6, month: time.November, ends: true, mark: "NovS", number: "%d"},
	{name: "Yearly", family: months, length: 12, month: time.January},
	{name: "FinancialFeb", family: months, length: 12, month: time.February, mark: "Feb"},
	{name: "FinancialApril", family: months, length: 12, month: time.April, mark: "April"},
	{name: "FinancialJuly", family: months, length: 12, month: time.July, mark: "July"},
	{name: "FinancialAug", family: months, length: 12, month: time.August, mark: "Aug"},
	{name: "FinancialSep", family: months, length: 12, month: time.September, mark: "Sep"},
	{name: "FinancialOct", family: months, length: 12, month: time.October, mark: "Oct"},
	{name: "FinancialNov", family: months, length: 12, month: time.November, ends: true, mark: "Nov"},
}

// Years that periods can have: those with four digits, less one at either end so that every period has neighbours.
const (
	firstYear = 2
	lastYear  = 9997
)

// Types lists the period types that have a spelling, as DHIS2 names them. TwoYearly is not among
// them: no value can be imported for it.
func Types() []string {
	names := make([]string, len(definitions))
	for i, d := range definitions {
		names[i] = d.name
	}
	return names
}

func define(typ string) (*definition, error) {
	i := slices.IndexFunc(definitions, func(d definition) bool { return d.name == typ })
	if i >= 0 {
		return &definitions[i], nil
	}
	if typ == "TwoYearly" {
		return nil, fmt.Errorf("the period type TwoYearly has no written form, so nothing can be sent for it")
	}
	return nil, fmt.Errorf("%q is not a period type; they are %s", typ, strings.Join(Types(), ", "))
}

// Of gives the period of a type to which a day belongs: the day that t shows in its own time zone.
func Of(t time.Time, typ string) (Period, error) {
	d, err := define(typ)
	if err != nil {
		return Period{}, err
	}
	if t.Year() < firstYear || t.Year() > lastYear {
		return Period{}, fmt.Errorf("the year %d is outside of %d to %d", t.Year(), firstYear, lastYear)
	}
	return d.of(date(t.Year(), t.Month(), t.Day())), nil
}

func (d *definition) of(day time.Time) Period {
	switch d.family {
	case weeks:
		year, week := d.week(day)
		return d.weekly(year, (week-1)/d.length+1)
	case months:
		base := date(day.Year(), d.month, 1)
		if day.Before(base) {
			base = date(day.Year()-1, d.month, 1)
		}
		since := (day.Year()-base.Year())*12 + int(day.Month()-base.Month())
		return d.monthly(base.Year(), since/d.length+1)
	}
	return Period{d.name, day, day}
}

// monthly gives the n-th period, from 1, of the type's year that begins in a year.
func (d *definition) monthly(year, n int) Period {
	start := date(year, d.month+time.Month((n-1)*d.length), 1)
	return Period{d.name, start, start.AddDate(0, d.length, -1)}
}

// weekly gives the n-th period, from 1, of a year. In a year of 53 weeks the last bi-week is a
// single week, since the next year's begins after it.
func (d *definition) weekly(year, n int) Period {
	start := d.firstWeek(year).AddDate(0, 0, (n-1)*d.length*7)
	end := start.AddDate(0, 0, d.length*7-1)
	if next := d.firstWeek(year + 1); !end.Before(next) {
		end = next.AddDate(0, 0, -1)
	}
	return Period{d.name, start, end}
}

// firstWeek is the first day of week 1 of a year: the week that has 4 January in it, and so most of
// its days in the year.
func (d *definition) firstWeek(year int) time.Time {
	fourth := date(year, time.January, 4)
	return fourth.AddDate(0, 0, -((int(fourth.Weekday()) - int(d.weekday) + 7) % 7))
}

// week gives the number of the week a day is in, and the year that the week belongs to.
func (d *definition) week(day time.Time) (year, week int) {
	year = day.Year()
	switch {
	case day.Before(d.firstWeek(year)):
		year--
	case !day.Before(d.firstWeek(year + 1)):
		year++
	}
	return year, int(day.Sub(d.firstWeek(year))/(24*time.Hour))/7 + 1
}

// date is a day at midnight UTC.
func date(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// ISO writes the period as DHIS2 does: 20240131, 2024W5, 202401, 2024Q1, 2024April. It is empty for the zero Period.
func (p Period) ISO() string {
	d, err := define(p.Type)
	if err != nil {
		return ""
	}
	year, n := p.Start.Year(), 1
	switch d.family {
	case days:
		return p.Start.Format("20060102")
	case weeks:
		year, n = d.week(p.Start)
		n = (n-1)/d.length + 1
	case months:
		if p.Start.Month() < d.month {
			year--
		}
		n = ((p.Start.Year()-year)*12+int(p.Start.Month()-d.month))/d.length + 1
		if d.ends {
			year++
		}
	}
	text := fmt.Sprintf("%04d%s", year, d.mark)
	if d.number != "" {
		text += fmt.Sprintf(d.number, n)
	}
	return text
}

// String is ISO.
func (p Period) String() string { return p.ISO() }

// Next is the period of the same type that begins the day after this one ends.
func (p Period) Next() Period { return p.neighbour(p.End.AddDate(0, 0, 1)) }

// Previous is the period of the same type that ends the day before this one begins.
func (p Period) Previous() Period { return p.neighbour(p.Start.AddDate(0, 0, -1)) }

func (p Period) neighbour(day time.Time) Period {
	d, err := define(p.Type)
	if err != nil {
		return Period{}
	}
	return d.of(day)
}

var (
	dayForm    = regexp.MustCompile(`^(\d{4})(\d{2})(\d{2})$|^(\d{4})-(\d{2})-(\d{2})$`)
	monthForm  = regexp.MustCompile(`^(\d{4})-(\d{2})$`)
	periodForm = regexp.MustCompile(`^(\d{4})([A-Za-z]*)(\d{0,2})(B?)$`)
)

// Parse reads a period as DHIS2 writes it. Like DHIS2 it also takes 2024-01-31 and 2024-01.
func Parse(s string) (Period, error) {
	if m := dayForm.FindStringSubmatch(s); m != nil {
		day, err := time.Parse("20060102", strings.Join(m[1:], ""))
		if err != nil || day.Year() < firstYear || day.Year() > lastYear {
			return Period{}, fmt.Errorf("the period has the form of a day, and there is no such day")
		}
		return Period{"Daily", day, day}, nil
	}
	if m := monthForm.FindStringSubmatch(s); m != nil {
		s = m[1] + m[2]
	}
	m := periodForm.FindStringSubmatch(s)
	if m == nil {
		return Period{}, errForm
	}
	mark, digits, suffix := m[2], m[3], m[4]
	for i := range definitions {
		if d := &definitions[i]; d.family != days && d.mark == mark && d.takes(digits, suffix) {
			return d.parse(m[1], digits)
		}
	}
	return Period{}, errForm
}

var errForm = fmt.Errorf("not a period as DHIS2 writes it, such as 202401, 2024W5, 2024Q1, 2024April or 20240131")

// takes tells whether the number of a period is written as the type writes it. Weeks below ten may
// have a zero in front.
func (d *definition) takes(digits, suffix string) bool {
	switch d.number {
	case "":
		return digits == "" && suffix == ""
	case "%02d":
		return len(digits) == 2 && suffix == ""
	case "%02dB":
		return len(digits) == 2 && suffix == "B"
	}
	return suffix == "" && (len(digits) == 1 || d.family == weeks && len(digits) == 2)
}

func (d *definition) parse(yearText, digits string) (Period, error) {
	year, err := strconv.Atoi(yearText)
	if err != nil || year < firstYear || year > lastYear {
		return Period{}, fmt.Errorf("the year of the period is outside of %d to %d", firstYear, lastYear)
	}
	n := 1
	if digits != "" {
		if n, err = strconv.Atoi(digits); err != nil {
			return Period{}, errForm
		}
	}
	var p Period
	if d.family == weeks {
		_, count := d.week(d.firstWeek(year+1).AddDate(0, 0, -1))
		if n < 1 || n > (count+d.length-1)/d.length {
			return Period{}, fmt.Errorf("the year %d has no %s period with that number: it has %d", year, d.name,
				(count+d.length-1)/d.length)
		}
		p = d.weekly(year, n)
	} else {
		if n < 1 || n > 12/d.length {
			return Period{}, fmt.Errorf("a year has %d %s periods, and none with that number", 12/d.length, d.name)
		}
		if d.ends {
			year--
		}
		p = d.monthly(year, n)
	}
	return p, nil
}
