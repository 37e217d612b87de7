package dhis2

import (
	"regexp"
	"strings"
)

// kinds of periods by how DHIS2 writes them, and relative ones by what their names end in.
var (
	fixedPeriods = []struct {
		form *regexp.Regexp
		kind string
	}{
		{regexp.MustCompile(`^\d{8}$`), "Daily"},
		{regexp.MustCompile(`^\d{4}W\d{1,2}$`), "Weekly"},
		{regexp.MustCompile(`^\d{4}WedW\d{1,2}$`), "WeeklyWednesday"},
		{regexp.MustCompile(`^\d{4}ThuW\d{1,2}$`), "WeeklyThursday"},
		{regexp.MustCompile(`^\d{4}FriW\d{1,2}$`), "WeeklyFriday"},
		{regexp.MustCompile(`^\d{4}SatW\d{1,2}$`), "WeeklySaturday"},
		{regexp.MustCompile(`^\d{4}SunW\d{1,2}$`), "WeeklySunday"},
		{regexp.MustCompile(`^\d{4}BiW\d{1,2}$`), "BiWeekly"},
		{regexp.MustCompile(`^\d{6}$`), "Monthly"},
		{regexp.MustCompile(`^\d{6}B$`), "BiMonthly"},
		{regexp.MustCompile(`^\d{4}Q[1-4]$`), "Quarterly"},
		{regexp.MustCompile(`^\d{4}NovQ[1-4]$`), "QuarterlyNov"},
		{regexp.MustCompile(`^\d{4}S[12]$`), "SixMonthly"},
		{regexp.MustCompile(`^\d{4}AprilS[12]$`), "SixMonthlyApril"},
		{regexp.MustCompile(`^\d{4}NovS[12]$`), "SixMonthlyNov"},
		{regexp.MustCompile(`^\d{4}$`), "Yearly"},
	}
	financialPeriod = regexp.MustCompile(`^\d{4}(Feb|April|July|Aug|Sep|Oct|Nov)$`)

	// relativePeriods in this order: a BIWEEK is no WEEK.
	relativePeriods = []struct{ part, kind string }{
		{"FINANCIAL_YEAR", ""}, // which one is a setting of the server
		{"BIWEEK", "BiWeekly"}, {"BIMONTH", "BiMonthly"}, {"SIX_MONTH", "SixMonthly"}, {"SIXMONTH", "SixMonthly"},
		{"WEEKS_THIS_YEAR", "Weekly"},
		{"QUARTERS_THIS_YEAR", "Quarterly"}, {"QUARTERS_LAST_YEAR", "Quarterly"}, {"MONTHS_THIS_YEAR", "Monthly"},
		{"MONTHS_LAST_YEAR", "Monthly"}, {"WEEK", "Weekly"}, {"MONTH", "Monthly"}, {"QUARTER", "Quarterly"},
		{"YEAR", "Yearly"}, {"DAY", "Daily"}, // also YESTERDAY
	}
)

// kindOf gives the period type of a period as DHIS2 calls it; empty where it is not known.
func kindOf(period string) string {
	for _, f := range fixedPeriods {
		if f.form.MatchString(period) {
			return f.kind
		}
	}
	if m := financialPeriod.FindStringSubmatch(period); m != nil {
		return "Financial" + m[1]
	}
	if period != strings.ToUpper(period) {
		return ""
	}
	for _, r := range relativePeriods {
		if strings.Contains(period, r.part) {
			return r.kind
		}
	}
	return ""
}
