package calendar_test

import (
	"testing"
	"time"

	"github.com/culvert/culvert/rules/calendar"
)

// The pairs are those of DHIS2's own tests and of tables of the Ethiopian year.
func TestKnownDays(t *testing.T) {
	for _, c := range []struct {
		calendar string
		date     calendar.Date
		want     string
	}{
		{"ethiopian", calendar.Date{2007, 1, 1}, "2014-09-11"},
		{"ethiopian", calendar.Date{2015, 13, 6}, "2023-09-11"},
		{"ethiopian", calendar.Date{2016, 1, 1}, "2023-09-12"},
		{"ethiopian", calendar.Date{2016, 9, 1}, "2024-05-09"},
		{"ethiopian", calendar.Date{2016, 13, 5}, "2024-09-10"},
		{"ethiopian", calendar.Date{2017, 1, 1}, "2024-09-11"},
		{"ethiopian", calendar.Date{2017, 13, 1}, "2025-09-06"},
		{"ethiopian", calendar.Date{2018, 1, 1}, "2025-09-11"},
		{"nepali", calendar.Date{2000, 1, 1}, "1943-04-14"},
		{"nepali", calendar.Date{2071, 1, 1}, "2014-04-14"},
		{"nepali", calendar.Date{2081, 12, 31}, "2025-04-13"},
	} {
		kept := calendar.ByName(c.calendar)
		got, err := kept.Gregorian(c.date)
		if err != nil || got.Format(time.DateOnly) != c.want {
			t.Errorf("%s %v is %s, not %s (%v)", c.calendar, c.date, got.Format(time.DateOnly), c.want, err)
		}
		back, err := kept.Of(got)
		if err != nil || back != c.date {
			t.Errorf("%s is %v, not %v (%v)", c.want, back, c.date, err)
		}
	}
}

// Every day of more than a century comes back, and the next day is the next one.
func TestEveryDay(t *testing.T) {
	for _, name := range calendar.Names() {
		c := calendar.ByName(name)
		for day := time.Date(1914, 5, 1, 0, 0, 0, 0, time.UTC); day.Year() < 2043; day = day.AddDate(0, 0, 1) {
			d, err := c.Of(day)
			if err != nil {
				t.Fatalf("%s of %v: %v", name, day, err)
			}
			if back, err := c.Gregorian(d); err != nil || !back.Equal(day) {
				t.Fatalf("%s: %v became %v and then %v (%v)", name, day, d, back, err)
			}
		}
	}
}

func TestNoSuchDay(t *testing.T) {
	for _, c := range []struct {
		calendar string
		date     calendar.Date
	}{
		{"ethiopian", calendar.Date{2016, 13, 6}}, {"ethiopian", calendar.Date{2016, 14, 1}},
		{"ethiopian", calendar.Date{2016, 1, 31}},
		{"ethiopian", calendar.Date{0, 1, 1}}, {"nepali", calendar.Date{2080, 9, 30}}, {"nepali", calendar.Date{1969, 1, 1}},
		{"nepali", calendar.Date{2101, 1, 1}}, {"nepali", calendar.Date{2080, 13, 1}},
	} {
		if got, err := calendar.ByName(c.calendar).Gregorian(c.date); err == nil {
			t.Errorf("%s %v is %v", c.calendar, c.date, got)
		}
	}
	if calendar.ByName("gregorian") != nil {
		t.Error("a calendar that needs no reckoning")
	}
}
