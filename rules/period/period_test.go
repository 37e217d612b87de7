package period_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/culvert/culvert/rules/period"
)

func day(t testing.TB, s string) time.Time {
	t.Helper()
	d, err := time.Parse(time.DateOnly, s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// The answers are those of DHIS2, worked out by hand from a calendar.
func TestOf(t *testing.T) {
	for _, c := range []struct{ day, typ, iso, start, end string }{
		{"2024-01-31", "Daily", "20240131", "2024-01-31", "2024-01-31"},
		{"2024-01-01", "Weekly", "2024W1", "2024-01-01", "2024-01-07"},
		{"2021-01-03", "Weekly", "2020W53", "2020-12-28", "2021-01-03"},
		{"2021-01-04", "Weekly", "2021W1", "2021-01-04", "2021-01-10"},
		{"2019-12-30", "Weekly", "2020W1", "2019-12-30", "2020-01-05"},
		{"2018-12-31", "Weekly", "2019W1", "2018-12-31", "2019-01-06"},
		{"2023-01-01", "Weekly", "2022W52", "2022-12-26", "2023-01-01"},
		{"2026-12-31", "Weekly", "2026W53", "2026-12-28", "2027-01-03"},
		{"2024-01-03", "WeeklyWednesday", "2024WedW1", "2024-01-03", "2024-01-09"},
		{"2024-01-02", "WeeklyWednesday", "2023WedW52", "2023-12-27", "2024-01-02"},
		{"2024-01-04", "WeeklyThursday", "2024ThuW1", "2024-01-04", "2024-01-10"},
		{"2024-01-03", "WeeklyThursday", "2023ThuW53", "2023-12-28", "2024-01-03"},
		{"2024-01-04", "WeeklyFriday", "2024FriW1", "2023-12-29", "2024-01-04"},
		{"2024-01-05", "WeeklyFriday", "2024FriW2", "2024-01-05", "2024-01-11"},
		{"2024-01-05", "WeeklySaturday", "2024SatW1", "2023-12-30", "2024-01-05"},
		{"2024-01-06", "WeeklySunday", "2024SunW1", "2023-12-31", "2024-01-06"},
		{"2024-01-14", "BiWeekly", "2024BiW1", "2024-01-01", "2024-01-14"},
		{"2024-01-15", "BiWeekly", "2024BiW2", "2024-01-15", "2024-01-28"},
		{"2021-01-03", "BiWeekly", "2020BiW27", "2020-12-28", "2021-01-03"},
		{"2024-02-29", "Monthly", "202402", "2024-02-01", "2024-02-29"},
		{"2024-02-29", "BiMonthly", "202401B", "2024-01-01", "2024-02-29"},
		{"2024-12-01", "BiMonthly", "202406B", "2024-11-01", "2024-12-31"},
		{"2024-03-31", "Quarterly", "2024Q1", "2024-01-01", "2024-03-31"},
		{"2024-12-31", "Quarterly", "2024Q4", "2024-10-01", "2024-12-31"},
		{"2023-11-01", "QuarterlyNov", "2024NovQ1", "2023-11-01", "2024-01-31"},
		{"2024-01-31", "QuarterlyNov", "2024NovQ1", "2023-11-01", "2024-01-31"},
		{"2024-02-01", "QuarterlyNov", "2024NovQ2", "2024-02-01", "2024-04-30"},
		{"2024-10-31", "QuarterlyNov", "2024NovQ4", "2024-08-01", "2024-10-31"},
		{"2024-06-30", "SixMonthly", "2024S1", "2024-01-01", "2024-06-30"},
		{"2024-07-01", "SixMonthly", "2024S2", "2024-07-01", "2024-12-31"},
		{"2024-04-01", "SixMonthlyApril", "2024AprilS1", "2024-04-01", "2024-09-30"},
		{"2024-03-31", "SixMonthlyApril", "2023AprilS2", "2023-10-01", "2024-03-31"},
		{"2023-11-01", "SixMonthlyNov", "2024NovS1", "2023-11-01", "2024-04-30"},
		{"2024-05-01", "SixMonthlyNov", "2024NovS2", "2024-05-01", "2024-10-31"},
		{"2024-12-31", "Yearly", "2024", "2024-01-01", "2024-12-31"},
		{"2024-01-31", "FinancialFeb", "2023Feb", "2023-02-01", "2024-01-31"},
		{"2024-03-31", "FinancialApril", "2023April", "2023-04-01", "2024-03-31"},
		{"2024-07-01", "FinancialJuly", "2024July", "2024-07-01", "2025-06-30"},
		{"2024-08-01", "FinancialAug", "2024Aug", "2024-08-01", "2025-07-31"},
		{"2024-08-31", "FinancialSep", "2023Sep", "2023-09-01", "2024-08-31"},
		{"2024-10-01", "FinancialOct", "2024Oct", "2024-10-01", "2025-09-30"},
		{"2024-10-31", "FinancialNov", "2024Nov", "2023-11-01", "2024-10-31"},
		{"2024-11-01", "FinancialNov", "2025Nov", "2024-11-01", "2025-10-31"},
	} {
		p, err := period.Of(day(t, c.day), c.typ)
		if err != nil {
			t.Errorf("%s %s: %v", c.day, c.typ, err)
			continue
		}
		if got := p.ISO(); got != c.iso {
			t.Errorf("%s is in the %s period %s, want %s", c.day, c.typ, got, c.iso)
		}
		if !p.Start.Equal(day(t, c.start)) || !p.End.Equal(day(t, c.end)) {
			t.Errorf("%s goes from %s to %s, want %s to %s", c.iso, p.Start.Format(time.DateOnly), p.End.Format(time.DateOnly),
				c.start, c.end)
		}
	}
}

func TestOfUsesTheDayInItsZone(t *testing.T) {
	auckland := time.FixedZone("NZDT", 13*3600)
	p, err := period.Of(time.Date(2024, 2, 1, 0, 30, 0, 0, auckland), "Monthly")
	if err != nil || p.ISO() != "202402" {
		t.Errorf("got %s, %v", p, err)
	}
}

func TestParseAlsoTakes(t *testing.T) {
	for in, want := range map[string]string{"2024-01-31": "20240131", "2024-01": "202401", "2024W05": "2024W5"} {
		p, err := period.Parse(in)
		if err != nil || p.ISO() != want {
			t.Errorf("Parse(%q) = %s, %v, want %s", in, p, err, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, in := range []string{
		"", "24", "202413", "202400", "20240230", "2024-13-01", "2024W0", "2024W53", "2024W54", "2021BiW27", "2024Q0",
		"2024Q5", "2024Q01", "2024S3",
		"202407B", "202400B", "2024B", "2024april", "2024Nov1", "2024NovS3", "2024AprilQ1", "2024Mar", "2024 01", "2024W",
		"2024-1", "last month",
		"0000", "0001", "9999", "2024011", "２０２４", "2024Q1 ",
	} {
		if p, err := period.Parse(in); err == nil {
			t.Errorf("Parse(%q) = %s, want an error", in, p)
		}
	}
}

func TestOfRefuses(t *testing.T) {
	if _, err := period.Of(day(t, "2024-01-01"), "TwoYearly"); err == nil ||
		!strings.Contains(err.Error(), "no written form") {
		t.Errorf("TwoYearly: %v", err)
	}
	if _, err := period.Of(day(t, "2024-01-01"), "monthly"); err == nil || !strings.Contains(err.Error(), "Monthly") {
		t.Errorf("monthly: %v", err)
	}
	if _, err := period.Of(time.Time{}, "Monthly"); err == nil {
		t.Error("the year 1 is taken")
	}
	if p := (period.Period{}); p.ISO() != "" || p.Next() != p {
		t.Error("the zero period is a period")
	}
}

func TestProperties(t *testing.T) {
	for _, typ := range period.Types() {
		t.Run(typ, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				d := time.Unix(0, 0).UTC().AddDate(0, 0, rapid.IntRange(-100_000, 100_000).Draw(t, "days"))
				p, err := period.Of(d, typ)
				if err != nil {
					t.Fatal(err)
				}
				if p.Start.After(d) || p.End.Before(d) {
					t.Fatalf("%s from %s to %s does not hold %s", p, p.Start, p.End, d)
				}
				if read, err := period.Parse(p.ISO()); err != nil || read != p {
					t.Fatalf("%s is read as %+v, %v, not %+v", p, read, err, p)
				}
				if next := p.Next(); !next.Start.Equal(p.End.AddDate(0, 0, 1)) || next.Previous() != p {
					t.Fatalf("%s is followed by %+v", p, next)
				}
				if before := p.Previous(); !before.End.Equal(p.Start.AddDate(0, 0, -1)) || before.Next() != p {
					t.Fatalf("%s comes after %+v", p, before)
				}
				for _, edge := range []time.Time{p.Start, p.End} {
					if same, err := period.Of(edge, typ); err != nil || same != p {
						t.Fatalf("%s is in %s, not %s", edge, same, p)
					}
				}
			})
		})
	}
}

// Go's own ISO weeks are a second opinion on ours.
func TestWeeksAgreeWithGo(t *testing.T) {
	for d := day(t, "1990-01-01"); d.Year() < 2060; d = d.AddDate(0, 0, 1) {
		p, err := period.Of(d, "Weekly")
		if err != nil {
			t.Fatal(err)
		}
		year, week := d.ISOWeek()
		read, err := period.Parse(p.ISO())
		if err != nil {
			t.Fatal(err)
		}
		if y, w := read.Start.ISOWeek(); y != year || w != week {
			t.Fatalf("%s is in %s, want %dW%d", d, p, year, week)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, typ := range period.Types() {
		p, err := period.Of(day(f, "2024-12-31"), typ)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(p.ISO())
	}
	f.Add("2024-01")
	f.Add("2024W53")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := period.Parse(s)
		if err != nil {
			return
		}
		if !slices.Contains(period.Types(), p.Type) || p.End.Before(p.Start) {
			t.Fatalf("%q is read as %+v", s, p)
		}
		if again, err := period.Parse(p.ISO()); err != nil || again != p {
			t.Fatalf("%q is read as %s, which is read as %s, %v", s, p, again, err)
		}
	})
}
