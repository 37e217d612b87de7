package sandbox

import (
	"net/url"
	"strings"
	"testing"
)

// TestAnalyticsNotComputed says what the sandbox does not compute, instead of giving a figure.
func TestAnalyticsNotComputed(t *testing.T) {
	t.Parallel()
	s := newSite(t, Options{Version: "2.43", More: []string{"testdata/indicator.json"}})
	if status, _ := s.do("POST", "/api/resourceTables/analytics", nil); status != 200 {
		t.Fatal(status)
	}
	for name, c := range map[string]struct{ query, want string }{
		"an indicator":             {"dx:InDicator01", "indicators"},
		"an element of a program":  {"dx:" + malaria + ".Gy8dw06me68", "of programs"},
		"a reporting rate":         {"dx:FSh2AafV4XC.REPORTING_RATE", "reports of data sets"},
		"an average of an element": {"dx:AverageDe01", "AVERAGE"},
		"a category":               {"dx:ht5dzHrMOFb&dimension=l5D9Tu3KknX", "the dimension"},
		"an aggregation":           {"dx:ht5dzHrMOFb&aggregationType=MAX", "aggregationType"},
		"days in place of periods": {"dx:ht5dzHrMOFb&startDate=2026-01-01", "startDate"},
	} {
		query := "dimension=" + c.query + "&dimension=pe:202603&dimension=ou:ygq0iefHYLW"
		for _, path := range []string{"/api/analytics", "/api/analytics/dataValueSet.json"} {
			status, answer := s.do("GET", path+"?"+query, nil)
			if text := flat(answer); status != 409 || !strings.Contains(text, "does not compute") ||
				!strings.Contains(text, c.want) {
				t.Errorf("%s: %d %s, not %s", name, status, text, c.want)
			}
		}
	}
}

// TestOutputPeriodTypes holds, as 2.43, the period types that it was told to.
func TestOutputPeriodTypes(t *testing.T) {
	t.Parallel()
	s := newSite(t, Options{Version: "2.43"})
	s.do("POST", "/api/dataValueSets", m{"dataValues": l(m{"dataElement": "hDcgGqsTAYb", "period": "202603",
		"orgUnit": "ygq0iefHYLW", "value": "4"})})
	s.do("POST", "/api/resourceTables/analytics", nil)
	ask := func(period string) string {
		_, answer := s.do("GET", "/api/analytics/dataValueSet.json?"+url.Values{"dimension": {"dx:hDcgGqsTAYb", "pe:" + period,
			"ou:ygq0iefHYLW"}}.Encode(), nil)
		return flat(answer)
	}
	for period, want := range map[string]bool{"202603": true, "2026Q1": true, "2026": true, "202604": false} {
		if got := strings.Contains(ask(period), `"4"`); got != want {
			t.Errorf("%s: %s", period, ask(period))
		}
	}
	s.do("POST", "/api/configuration/dataOutputPeriodTypes", []any{m{"name": "Quarterly"}})
	for period, want := range map[string]bool{"202603": false, "2026Q1": true, "2026": true} {
		if got := strings.Contains(ask(period), `"4"`); got != want {
			t.Errorf("told to hold quarters: %s: %s", period, ask(period))
		}
	}
}
