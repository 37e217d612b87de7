// Package calendar turns days of the calendars that health ministries keep their registers in into
// days of the Gregorian one, and back.
//
// DHIS2 keeps dates of tracked entities and events in the Gregorian calendar, and names periods in
// the calendar of the server: 201609 on an Ethiopian server is Ginbot 2016. The rules here are
// those of its classes EthiopianCalendar and NepaliCalendar.
package calendar

import (
	"fmt"
	"time"
)

// Date is a day of a calendar.
type Date struct{ Year, Month, Day int }

// Calendar is one way of counting days.
type Calendar struct {
	name   string
	months []string
	from   func(day int) (Date, bool)
	day    func(Date) (int, bool)
}

// Names lists the calendars that ByName knows.
func Names() []string { return []string{"ethiopian", "nepali"} }

// ByName gives a calendar by its name as DHIS2 writes it: ethiopian or nepali. It is nil where there is none.
func ByName(name string) *Calendar {
	switch name {
	case "ethiopian":
		return &Calendar{name, ethiopianMonths, ethiopianFrom, ethiopianDay}
	case "nepali":
		return &Calendar{name, nepaliMonthNames, nepaliFrom, nepaliDay}
	}
	return nil
}

// Name is how DHIS2 writes the calendar.
func (c *Calendar) Name() string { return c.name }

// Months are the names of the months in Latin letters.
func (c *Calendar) Months() []string { return c.months }

// Of gives the day that a time shows on its own clock.
func (c *Calendar) Of(t time.Time) (Date, error) {
	d, ok := c.from(gregorianDay(t.Year(), int(t.Month()), t.Day()))
	if !ok {
		return Date{}, fmt.Errorf("the %s calendar is not known for that day", c.name)
	}
	return d, nil
}

// Gregorian gives the Gregorian day of a date, at midnight UTC; an error where the calendar has no such day.
func (c *Calendar) Gregorian(d Date) (time.Time, error) {
	day, ok := c.day(d)
	if !ok {
		return time.Time{}, fmt.Errorf("the %s calendar has no such day", c.name)
	}
	return time.Unix(int64(day)*24*60*60, 0).UTC(), nil
}

// gregorianDay counts days since 1 January 1970.
func gregorianDay(year, month, day int) int {
	return int(time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC).Unix() / (24 * 60 * 60))
}

// floorDiv rounds down also below zero.
func floorDiv(a, b int) int {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

var (
	ethiopianMonths = []string{"Meskerem", "Tikimt", "Hidar", "Tahsas", "Tir", "Yekatit", "Megabit", "Miyazya", "Ginbot",
		"Sene", "Hamle",
		"Nehase", "Pagume"}
	nepaliMonthNames = []string{"Baisakh", "Jestha", "Ashadh", "Shrawan", "Bhadra", "Ashwin", "Kartik", "Mangsir",
		"Poush", "Magh", "Falgun",
		"Chaitra"}
)

// ethiopianEpoch is the Julian day number of 1 Meskerem of the year 1, and unixEpoch that of 1 January 1970.
const (
	ethiopianEpoch = 1724221
	unixEpoch      = 2440588
)

// ethiopianFrom goes by years of 365 days with a leap day every fourth year: twelve months of 30
// days, and Pagume with the rest.
func ethiopianFrom(day int) (Date, bool) {
	n := day + unixEpoch - ethiopianEpoch
	if n < 0 {
		return Date{}, false
	}
	// The leap day is the last one of the third of four years.
	cycle, left := floorDiv(n, 1461), n%1461
	year := min(left/365, 3)
	if left == 1095 { // the 366th day of the third year
		year = 2
	}
	rest := left - 365*year
	if year == 3 {
		rest--
	}
	return Date{4*cycle + year + 1, rest/30 + 1, rest%30 + 1}, true
}

func ethiopianDay(d Date) (int, bool) {
	last := 30
	if d.Month == 13 {
		last = 5
		if d.Year%4 == 3 {
			last = 6
		}
	}
	if d.Year < 1 || d.Year > 9999 || d.Month < 1 || d.Month > 13 || d.Day < 1 || d.Day > last {
		return 0, false
	}
	return ethiopianEpoch - unixEpoch + 365*(d.Year-1) + d.Year/4 + 30*(d.Month-1) + d.Day - 1, true
}
