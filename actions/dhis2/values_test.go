package dhis2

import (
	"fmt"
	"strings"
	"testing"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
)

var reportText = ruleText(`
  - dhis2.data_value_set:
      data_set: Malaria monthly report
      org_unit: trigger.site
      period: trigger.month
      completion: complete
      values:
        Malaria deaths: {from: trigger.deaths, blank: clear}
        RDT stock-out this month: trigger.out
`)

func reportRule(t testing.TB) *compiled { return mustCompile(t, reportText, reportSample) }

func report(site, month, deaths string) string {
	return fmt.Sprintf(`{"id": "%s %s", "site": %q, "month": %q, "deaths": %q, "out": "no"}`, site, month, site, month,
		deaths)
}

func TestReports(t *testing.T) {
	b, rule := newBench(t), reportRule(t)
	plans := rule.plans(t, report("TM-010202", "2026-01", "1"), report("TM-010202", "2026-02", "2"),
		report("TM-010304", "2026-01", "3"))
	want(t, b.deliver(plans...), "DDD DDD DDD")
	if len(b.server.groups) != 1 || len(b.server.values) != 6 || len(b.server.completions) != 3 {
		t.Errorf("%d requests, %d values, %d completions", len(b.server.groups), len(b.server.values),
			len(b.server.completions))
	}
	want(t, b.deliver(plans...), "UUU UUU UUU")
	want(t, b.deliver(rule.plans(t, report("TM-010202", "2026-01", ""))...), "DUU")
	if len(b.server.values) != 5 {
		t.Errorf("%d values after one was cleared", len(b.server.values))
	}
}

// TestComputedCompletion has the record say whether the report is complete: by a word or by yes or no.
func TestComputedCompletion(t *testing.T) {
	text := strings.Replace(reportText, "completion: complete", "completion: trigger.out", 1)
	text = strings.Replace(text, "        RDT stock-out this month: trigger.out\n", "", 1)
	rule := mustCompile(t, text, reportSample)
	record := func(said string) string {
		return strings.Replace(report("TM-010202", "2026-01", "1"), `"no"`, said, 1)
	}
	b := newBench(t)
	want(t, b.deliver(rule.plans(t, record(`"no"`))...), "D")
	want(t, b.deliver(rule.plans(t, record(`""`))...), "U")
	want(t, b.deliver(rule.plans(t, record(`"Complete"`))...), "UD")
	want(t, b.deliver(rule.plans(t, record(`true`))...), "UU")
	want(t, b.deliver(rule.plans(t, record(`"undo"`))...), "UD")
	want(t, b.deliver(rule.plans(t, record(`"yes"`))...), "UD")
	want(t, b.deliver(rule.plans(t, record(`"leave"`))...), "U")
	if len(b.server.completions) != 1 {
		t.Errorf("%d completions", len(b.server.completions))
	}
	if f := rule.failure(t, record(`"perhaps"`)); f == nil || f.Code != "wrong-choice" {
		t.Error(f)
	}
	for said, code := range map[string]string{"completed": "wrong-choice", "{value: done}": "wrong-choice",
		"{from: trigger.out, map: {no: undone}}": "map-wrong-value", "trigger.nothing": "unknown-field"} {
		text := strings.Replace(text, "completion: trigger.out", "completion: "+said, 1)
		if list := loadRule(t, country(), text, reportSample).findings.List; len(list) != 1 || list[0].Code != code {
			t.Errorf("%s: %s", said, printed(list))
		}
	}
}

// TestABadValueTakesNoneWithIt is how 2.43 refuses: the whole group, naming the value or not.
func TestABadValueTakesNoneWithIt(t *testing.T) {
	for _, names := range []bool{true, false} {
		b, rule := newBench(t), reportRule(t)
		b.server.beforeValues = func(s *client.DataValueSet) (*client.DataValueReport, error) {
			for n, v := range s.Values {
				if v.Value != "666" {
					continue
				}
				r := &client.DataValueReport{Refused: true, Issues: map[int][]client.Issue{}}
				if issue := (client.Issue{Code: "E8022", Message: "org unit"}); names {
					r.Issues[n] = []client.Issue{issue}
				} else {
					r.General = []client.Issue{issue}
				}
				return r, nil
			}
			return nil, nil
		}
		plans := rule.plans(t, report("TM-010202", "2026-01", "1"), report("TM-010202", "2026-02", "666"),
			report("TM-010304", "2026-01", "3"))
		results := b.deliver(plans...)
		want(t, results, "DDD FDN DDD")
		if o := results[1].Outcomes[0]; o.Code != "E8022" || o.Class != actions.ClassMetadata &&
			o.Class != actions.ClassData || o.Place.Range.Start.Line != 14 {
			t.Errorf("%+v", o)
		}
		if len(b.server.completions) != 2 {
			t.Errorf("%d completions", len(b.server.completions))
		}
	}
}
