package period

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Period is a span of time that data is for. end is its last day.
type Period struct {
	Kind       string // as a data set's periodType
	ISO        string // canonical form
	Start, End time.Time
}

var periodForms = []struct {
	form *regexp.Regexp
	read func(m []string) (Period, bool)
}{
	{regexp.MustCompile(`^(\d{4})-?(\d{2})-?(\d{2})$`), readDay},
	{regexp.MustCompile(`^(\d{4})(Wed|Thu|Fri|Sat|Sun|)W(\d{1,2})$`), readWeek},
	{regexp.MustCompile(`^(\d{4})BiW(\d{1,2})$`), readBiWeek},
	{regexp.MustCompile(`^(\d{4})-?(\d{2})$`), readMonth},
	{regexp.MustCompile(`^(\d{4})(\d{2})B$`), readBiMonth},
	{regexp.MustCompile(`^(\d{4})(Nov|)Q(\d)$`), readQuarter},
	{regexp.MustCompile(`^(\d{4})(April|Nov|)S(\d)$`), readHalf},
	{regexp.MustCompile(`^(\d{4})$`), readYear},
	{regexp.MustCompile(`^(\d{4})(Feb|April|July|Aug|Sep|Oct|Nov)$`), readFinancial},
}

// Parse reads a period in its ISO form, as DHIS2 writes it: 20240131, 2024W5, 202401, 2024Q1,
// 2024S1, 2024, 2024April and the like.
func Parse(s string) (Period, bool) {
	for _, f := range periodForms {
		if m := f.form.FindStringSubmatch(s); m != nil {
			return f.read(m)
		}
	}
	return Period{}, false
}

func num(s string) int {
	n, _ := strconv.Atoi(s) // the pattern has seen to it that these are digits
	return n
}

func at(year, month, day int) time.Time {
	return time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
}

func months(kind, iso string, year, month, count int) Period {
	start := at(year, month, 1)
	return Period{kind, iso, start, start.AddDate(0, count, -1)}
}

func readDay(m []string) (Period, bool) {
	t, err := time.Parse("20060102", m[1]+m[2]+m[3])
	return Period{"Daily", m[1] + m[2] + m[3], t, t}, err == nil
}

var weekStarts = map[string]time.Weekday{"": time.Monday, "Wed": time.Wednesday, "Thu": time.Thursday,
	"Fri": time.Friday, "Sat": time.Saturday, "Sun": time.Sunday}

var weekKinds = map[string]string{"": "Weekly", "Wed": "WeeklyWednesday", "Thu": "WeeklyThursday",
	"Fri": "WeeklyFriday", "Sat": "WeeklySaturday", "Sun": "WeeklySunday"}

// firstWeek gives the start of week 1: the week that has most of its days in the year.
func firstWeek(year int, start time.Weekday) time.Time {
	t := at(year, 1, 4)
	return t.AddDate(0, 0, -((int(t.Weekday()) - int(start) + 7) % 7))
}

func readWeek(m []string) (Period, bool) {
	year, n, first := num(m[1]), num(m[3]), weekStarts[m[2]]
	start := firstWeek(year, first).AddDate(0, 0, 7*(n-1))
	ok := n >= 1 && start.Before(firstWeek(year+1, first))
	return Period{weekKinds[m[2]], fmt.Sprintf("%04d%sW%d", year, m[2], n), start, start.AddDate(0, 0, 6)}, ok
}

func readBiWeek(m []string) (Period, bool) {
	year, n := num(m[1]), num(m[2])
	start := firstWeek(year, time.Monday).AddDate(0, 0, 14*(n-1))
	return Period{"BiWeekly", fmt.Sprintf("%04dBiW%d", year, n), start, start.AddDate(0, 0, 13)},
		n >= 1 && n <= 27 && start.Before(firstWeek(year+1, time.Monday))
}

func readMonth(m []string) (Period, bool) {
	year, n := num(m[1]), num(m[2])
	return months("Monthly", m[1]+m[2], year, n, 1), n >= 1 && n <= 12
}

func readBiMonth(m []string) (Period, bool) {
	year, n := num(m[1]), num(m[2])
	return months("BiMonthly", m[0], year, 2*n-1, 2), n >= 1 && n <= 6
}

func readQuarter(m []string) (Period, bool) {
	year, n := num(m[1]), num(m[3])
	if m[2] == "Nov" {
		return months("QuarterlyNov", m[0], year-1, 11+3*(n-1), 3), n >= 1 && n <= 4
	}
	return months("Quarterly", m[0], year, 3*n-2, 3), n >= 1 && n <= 4
}

func readHalf(m []string) (Period, bool) {
	year, n := num(m[1]), num(m[3])
	ok := n == 1 || n == 2
	switch m[2] {
	case "April":
		return months("SixMonthlyApril", m[0], year, 6*n-2, 6), ok
	case "Nov":
		return months("SixMonthlyNov", m[0], year-1, 11+6*(n-1), 6), ok
	}
	return months("SixMonthly", m[0], year, 6*n-5, 6), ok
}

func readYear(m []string) (Period, bool) {
	return months("Yearly", m[1], num(m[1]), 1, 12), true
}

var financialStart = map[string]int{"Feb": 2, "April": 4, "July": 7, "Aug": 8, "Sep": 9, "Oct": 10, "Nov": 11}

func readFinancial(m []string) (Period, bool) {
	year, month := num(m[1]), financialStart[m[2]]
	if month >= 9 { // a year that starts late is named after the one it ends in
		year--
	}
	return months("Financial"+m[2], m[0], year, month, 12), true
}

// At gives the period of a type that a time is in.
func At(kind string, t time.Time) (Period, bool) {
	t = t.UTC()
	y, mo := t.Year(), int(t.Month())
	var candidates []string
	switch {
	case kind == "Daily":
		candidates = []string{t.Format("20060102")}
	case strings.HasPrefix(kind, "Weekly"):
		for short, name := range weekKinds {
			if name != kind {
				continue
			}
			for year := y - 1; year <= y+1; year++ {
				if start := firstWeek(year, weekStarts[short]); !t.Before(start) && t.Before(firstWeek(year+1, weekStarts[short])) {
					candidates = []string{fmt.Sprintf("%d%sW%d", year, short, int(t.Sub(start).Hours()/24)/7+1)}
				}
			}
		}
	case kind == "BiWeekly":
		for n := 1; n <= 27; n++ {
			candidates = append(candidates, fmt.Sprintf("%dBiW%d", y, n), fmt.Sprintf("%dBiW%d", y-1, n),
				fmt.Sprintf("%dBiW%d", y+1, n))
		}
	case kind == "Monthly":
		candidates = []string{t.Format("200601")}
	case kind == "BiMonthly":
		candidates = []string{fmt.Sprintf("%d%02dB", y, (mo+1)/2)}
	case kind == "Yearly":
		candidates = []string{t.Format("2006")}
	default:
		suffixes := []string{"Q1", "Q2", "Q3", "Q4", "NovQ1", "NovQ2", "NovQ3", "NovQ4", "S1", "S2", "AprilS1", "AprilS2",
			"NovS1", "NovS2",
			"Feb", "April", "July", "Aug", "Sep", "Oct", "Nov"}
		for _, s := range suffixes {
			candidates = append(candidates, fmt.Sprintf("%d%s", y-1, s), fmt.Sprintf("%d%s", y, s), fmt.Sprintf("%d%s", y+1, s))
		}
	}
	for _, c := range candidates {
		if p, ok := Parse(c); ok && p.Kind == kind && !t.Before(p.Start) && t.Before(p.End.AddDate(0, 0, 1)) {
			return p, true
		}
	}
	return Period{}, false
}

// shift gives the period that lies some periods later, or earlier for a negative number.
func (p Period) shift(n int) Period {
	for ; n > 0; n-- {
		next, ok := At(p.Kind, p.End.AddDate(0, 0, 1))
		if !ok {
			return p
		}
		p = next
	}
	for ; n < 0; n++ {
		previous, ok := At(p.Kind, p.Start.AddDate(0, 0, -1))
		if !ok {
			return p
		}
		p = previous
	}
	return p
}

// LatestOpen gives the last period of a type that may be written to: the one before the current,
// and as many more as are open to the future.
func LatestOpen(kind string, openFuture int, now time.Time) (Period, bool) {
	current, ok := At(kind, now)
	if !ok {
		return Period{}, false
	}
	return current.shift(openFuture - 1), true
}
