package analytics

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox/period"
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
)

// readPeriods finds the periods of a dimension, fixed and relative ones.
func (q *query) readPeriods(parts []string, s *Service) *rest.Problem {
	for _, part := range parts {
		list, ok := relative(part, s.Now().UTC())
		if ok {
			q.relative = append(q.relative, part)
		} else {
			p, fixed := period.Parse(part)
			if !fixed {
				return rest.Conflicting("E7611", "Period not valid: `%s`", part)
			}
			list = []period.Period{p}
		}
		for _, p := range list {
			if !slices.ContainsFunc(q.periods, func(o period.Period) bool { return o.ISO == p.ISO }) {
				q.periods = append(q.periods, p)
			}
		}
	}
	if len(q.periods) == 0 {
		return rest.Conflicting("E7124", "Dimension is present in query without any valid dimension options: `pe`")
	}
	return nil
}

var (
	units = map[string]string{"DAY": "Daily", "WEEK": "Weekly", "BIWEEK": "BiWeekly", "MONTH": "Monthly",
		"BIMONTH": "BiMonthly", "QUARTER": "Quarterly", "SIX_MONTH": "SixMonthly", "SIXMONTH": "SixMonthly", "YEAR": "Yearly",
		"FINANCIAL_YEAR": "FinancialOct"}
	lastSome = regexp.MustCompile(`^LAST_(\d+)_([A-Z_]+)S$`)
	oneOf    = regexp.MustCompile(`^(THIS|LAST)_([A-Z_]+)$`)
	ofAYear  = regexp.MustCompile(`^(WEEK|MONTH|BIMONTH|QUARTER)S_(THIS|LAST)_YEAR$`)

	// counts are the numbers of periods that there is a relative period for (RelativePeriodEnum).
	counts = map[string][]int{"DAY": {3, 7, 14, 30, 60, 90, 180}, "WEEK": {4, 12, 52}, "BIWEEK": {4}, "MONTH": {3, 6, 12},
		"BIMONTH": {6}, "QUARTER": {4}, "SIXMONTH": {2}, "YEAR": {5, 10}, "FINANCIAL_YEAR": {5, 10}}
)

// relative gives the periods of a relative one such as LAST_12_MONTHS, as of a day.
func relative(name string, now time.Time) ([]period.Period, bool) {
	switch name {
	case "TODAY":
		return run("Daily", now, 0, 1), true
	case "YESTERDAY":
		return run("Daily", now, 1, 1), true
	}
	if m := lastSome.FindStringSubmatch(name); m != nil {
		n, _ := strconv.Atoi(m[1]) // digits alone
		if !slices.Contains(counts[m[2]], n) {
			return nil, false
		}
		return run(units[m[2]], now, 1, n), true
	}
	if m := ofAYear.FindStringSubmatch(name); m != nil {
		year := now.Year()
		if m[2] == "LAST" {
			year--
		}
		return yearOf(units[m[1]], year), true
	}
	if m := oneOf.FindStringSubmatch(name); m != nil && units[m[2]] != "" && m[2] != "SIXMONTH" && m[2] != "DAY" {
		back := 0
		if m[1] == "LAST" {
			back = 1
		}
		return run(units[m[2]], now, back, 1), true
	}
	return nil, false
}

// run gives n periods of a type, of which the last lies so many before that of a day, the oldest first.
func run(kind string, now time.Time, back, n int) []period.Period {
	p, ok := period.At(kind, now)
	for i := 0; ok && i < back; i++ {
		p, ok = period.At(kind, p.Start.AddDate(0, 0, -1))
	}
	var list []period.Period
	for i := 0; ok && i < n; i++ {
		list = append(list, p)
		p, ok = period.At(kind, p.Start.AddDate(0, 0, -1))
	}
	slices.Reverse(list)
	return list
}

func yearOf(kind string, year int) []period.Period {
	var list []period.Period
	p, ok := period.At(kind, time.Date(year, 1, 4, 0, 0, 0, 0, time.UTC)) // in the first week
	for ok && strings.HasPrefix(p.ISO, strconv.Itoa(year)) {
		list = append(list, p)
		p, ok = period.At(kind, p.End.AddDate(0, 0, 1))
	}
	return list
}

// within tells whether a value of one period counts for another: of the same type, or of a longer one in which it
// lies. A week lies where its fourth day does.
func within(p, of period.Period) bool {
	if p.Kind == of.Kind {
		return p.ISO == of.ISO
	}
	at := p.Start
	if strings.HasPrefix(p.Kind, "Weekly") {
		at = at.AddDate(0, 0, 3)
	}
	return days(p.Kind) < days(of.Kind) && !at.Before(of.Start) && !at.After(of.End)
}

// days is about how long periods of a type are (PeriodType.getFrequencyOrder).
func days(kind string) int {
	switch {
	case kind == "Daily":
		return 1
	case kind == "BiWeekly":
		return 14
	case strings.HasPrefix(kind, "Weekly"):
		return 7
	case kind == "Monthly":
		return 30
	case kind == "BiMonthly":
		return 61
	case strings.HasPrefix(kind, "Quarterly"):
		return 91
	case strings.HasPrefix(kind, "SixMonthly"):
		return 182
	}
	return 365
}
