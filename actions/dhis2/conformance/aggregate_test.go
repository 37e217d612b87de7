package conformance

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/culvert/culvert/actions/dhis2/client"
)

// cells are the data sets and periods that the suite writes to at Coral Health Centre.
var cells = []struct{ dataSet, period string }{{malariaMonthly, "201503"}, {malariaMonthly, "201504"},
	{hivQuarterly, "2015Q3"}}

// readValues reads what a data set holds for a period, without the times and names.
func (s *suite) readValues(t *testing.T, dataSet, period string) []client.DataValue {
	t.Helper()
	var answer client.DataValueSet
	query := url.Values{"dataSet": {dataSet}, "period": {period}, "orgUnit": {coral}}
	if err := s.client.Get(context.Background(), "dataValueSets", query, &answer); err != nil {
		t.Fatal(err)
	}
	for i := range answer.Values { // 2.43 says once what all values share
		v := &answer.Values[i]
		v.Period, v.OrgUnit = period, coral
		if v.AttributeOptionCombo == "" {
			v.AttributeOptionCombo = answer.AttributeOptionCombo
		}
	}
	return answer.Values
}

// readTexts gives values by the names of data element and category option combo.
func (s *suite) readTexts(t *testing.T, dataSet, period string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, v := range s.readValues(t, dataSet, period) {
		name := s.index.DataElementByID(v.DataElement).Name
		if c := s.index.CategoryOptionComboByID(v.CategoryOptionCombo); c != nil && c.Name != "default" {
			name += " / " + c.Name
		}
		if c := s.index.CategoryOptionComboByID(v.AttributeOptionCombo); c != nil && c.Name != "default" {
			name += " / " + c.Name
		}
		out[name] = v.Value
	}
	return out
}

func (s *suite) completed(t *testing.T, dataSet, period string) bool {
	t.Helper()
	var answer struct {
		List []struct {
			Period    string `json:"period"`
			Completed *bool  `json:"completed"`
		} `json:"completeDataSetRegistrations"`
	}
	query := url.Values{"dataSet": {dataSet}, "period": {period}, "orgUnit": {coral}}
	if err := s.client.Get(context.Background(), "completeDataSetRegistrations", query, &answer); err != nil {
		t.Fatal(err)
	}
	for _, r := range answer.List {
		if r.Completed == nil || *r.Completed {
			return true
		}
	}
	return false
}

// refuseOthersValues keeps away from values that somebody else has entered.
func (s *suite) refuseOthersValues(t *testing.T) {
	t.Helper()
	for _, c := range cells {
		if n := len(s.readValues(t, c.dataSet, c.period)); n > 0 || s.completed(t, c.dataSet, c.period) {
			t.Fatalf("the server holds %d values of data set %s for %s at Coral Health Centre, or a completion, which the "+
				"suite would overwrite and delete: use a server for tests, or remove them first", n, c.dataSet, c.period)
		}
	}
}

func (s *suite) dataValue(t *testing.T) {
	sample := fields{"id": "d", "place": "TM-010202", "month": "2015-03", "deaths": "3", "word": "few"}
	f := s.compile(t, `
  - dhis2.data_value:
      data_element: Malaria deaths
      data_set: Malaria monthly report
      org_unit: trigger.place
      period: trigger.month
      value: trigger.deaths
      comment: trigger.word
`, sample)
	f.twice(t, 0,
		sent{"ok", sample},
		sent{"future-period", sample.with("id", "d2", "month", "2099-01")},
		sent{"wrong-type", sample.with("id", "d3", "deaths", "few")},
		sent{"org-unit-closed", sample.with("id", "d4", "place", "TM-040306", "month", "2024-03")},
		sent{"wrong-period|wrong-period-type", sample.with("id", "d5", "month", "2015Q1")},
		sent{"unknown-org-unit", sample.with("id", "d6", "place", "nowhere")},
		sent{"ok", sample.with("id", "d7", "month", "2015-04-17", "deaths", "0")},
	)
	values := s.readValues(t, malariaMonthly, "201503")
	if len(values) != 1 || values[0].Value != "3" || values[0].Comment != "few" {
		t.Errorf("March holds %+v", values)
	}
	f.send(t, sent{"ok", sample.with("deaths", "5")})
	if got := s.readTexts(t, malariaMonthly, "201503"); !maps.Equal(got, map[string]string{"Malaria deaths": "5"}) {
		t.Errorf("after the correction March holds %v", got)
	}
}

func (s *suite) dataValueSet(t *testing.T) {
	sample := fields{"id": "s", "place": "TM-010202", "month": "2015-03", "done": "2015-04-02", "deaths": "4", "f": "11",
		"m": "12", "out": "no"}
	text := `
  - dhis2.data_value_set:
      data_set: Malaria monthly report
      org_unit: trigger.place
      period: trigger.month
      COMPLETION
      values:
        Malaria deaths: trigger.deaths
        RDT stock-out this month: trigger.out
        Malaria tests done:
          Under 5, Females: trigger.f
          Under 5, Males: {from: trigger.m, blank: clear}
`
	f := s.compile(t, strings.Replace(text, "COMPLETION", "complete_date: trigger.done", 1), sample)
	f.twice(t, 0,
		sent{"ok", sample},
		sent{"wrong-type", sample.with("id", "s2", "month", "2015-04", "deaths", "x")},
		sent{"org-unit-closed", sample.with("id", "s3", "place", "TM-040306", "month", "2024-03")},
	)
	want := map[string]string{"Malaria deaths": "4", "RDT stock-out this month": "false",
		"Malaria tests done / Under 5, Females": "11", "Malaria tests done / Under 5, Males": "12"}
	if got := s.readTexts(t, malariaMonthly, "201503"); !maps.Equal(got, want) {
		t.Errorf("March holds %v", got)
	}
	if !s.completed(t, malariaMonthly, "201503") {
		t.Error("March is not complete")
	}
	f.send(t, sent{"ok", sample.with("m", "")})
	delete(want, "Malaria tests done / Under 5, Males")
	if got := s.readTexts(t, malariaMonthly, "201503"); !maps.Equal(got, want) {
		t.Errorf("after a value was cleared March holds %v", got)
	}
	undo := s.compile(t, strings.Replace(text, "COMPLETION", "completion: undo", 1), sample)
	undo.twice(t, 0, sent{"ok", sample.with("m", "")})
	if s.completed(t, malariaMonthly, "201503") {
		t.Error("March is still complete")
	}
}

func (s *suite) dataValueSetByPartner(t *testing.T) {
	sample := fields{"id": "h", "place": "TM-010202", "quarter": "2015Q3", "tests": "40", "partner": "Global Fund"}
	f := s.compile(t, `
  - dhis2.data_value_set:
      data_set: HIV quarterly report
      org_unit: trigger.place
      period: trigger.quarter
      completion: complete
      attribute_category_options: {Funding partner: trigger.partner}
      values: {HIV tests done: trigger.tests}
`, sample)
	f.twice(t, 0,
		sent{"ok", sample},
		sent{"ok", sample.with("id", "h2", "partner", "Government", "tests", "2")},
		sent{"unknown-category-option", sample.with("id", "h3", "partner", "Nobody")},
	)
	got := slices.Sorted(maps.Values(s.readTexts(t, hivQuarterly, "2015Q3")))
	if !slices.Equal(got, []string{"2", "40"}) {
		t.Errorf("the quarter holds %v", got)
	}
	f.twice(t, 0, sent{"ok", sample.with("tests", "41")},
		sent{"ok", sample.with("id", "h2", "partner", "Government", "tests", "3")})
	got = slices.Sorted(maps.Values(s.readTexts(t, hivQuarterly, "2015Q3")))
	if !slices.Equal(got, []string{"3", "41"}) {
		t.Errorf("the corrected quarter holds %v", got)
	}
}
