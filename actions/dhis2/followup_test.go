package dhis2

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
)

// marks are the follow-up marks of the monthly malaria report of a facility, by data element.
func (s *site) marks(orgUnit, period string) map[string]bool {
	s.t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/api/dataValueSets?dataSet=FSh2AafV4XC&orgUnit="+orgUnit+"&period="+period,
		nil)
	r.SetBasicAuth("admin", "district")
	w := httptest.NewRecorder()
	s.sandbox.ServeHTTP(w, r)
	var held struct {
		DataValues []struct {
			DataElement string
			FollowUp    bool `json:"followup"`
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &held); err != nil {
		s.t.Fatal(err, w.Body)
	}
	out := map[string]bool{}
	for _, v := range held.DataValues {
		out[s.index.DataElementByID(v.DataElement).Name] = v.FollowUp
	}
	return out
}

// TestFollowUpOfAValue holds that the mark of an aggregate value is set, kept and taken away on
// every version, though those up to 2.42 pass over a mark that comes with the value.
func TestFollowUpOfAValue(t *testing.T) {
	const text = `
  - dhis2.data_value:
      data_element: Malaria deaths
      data_set: Malaria monthly report
      org_unit: trigger.place
      period: trigger.month
      value: trigger.deaths
      follow_up: trigger.doubtful
`
	const sample = `{"id": "r", "place": "TM-010202", "month": "2026-02", "deaths": 3, "doubtful": "yes"}`
	record := func(deaths, doubtful string) string {
		return `{"id": "r", "place": "TM-010202", "month": "2026-02", "deaths": ` + deaths + `, "doubtful": ` + doubtful + `}`
	}
	everyVersion(t, func(t *testing.T, s *site) {
		rule := s.loadRule(ruleText(text), sample)
		for n, step := range []struct {
			record, want string
			marked       bool
		}{
			{record("3", `"yes"`), "D", true},
			{record("3", `"yes"`), "U", true},
			{record("4", `"yes"`), "D", true},
			{record("4", `"no"`), "D", false},
			{record("4", `"no"`), "U", false},
			{record("5", `""`), "D", false},
		} {
			want(t, s.deliver(rule.plans(t, step.record)...), step.want)
			unit, _, _ := s.index.OrgUnit("TM-010202")
			if held := s.marks(unit.ID, "202602"); len(held) != 1 || held["Malaria deaths"] != step.marked {
				t.Errorf("step %d: %v", n, held)
			}
		}
	})
}

// TestFollowUpOfAnAggregate holds that what many records make together is not marked by one of them.
func TestFollowUpOfAnAggregate(t *testing.T) {
	list := findings(t, country(), `
  - dhis2.data_value:
      data_element: Malaria deaths
      data_set: Malaria monthly report
      org_unit: trigger.place
      period: trigger.date
      aggregate: count
      value: trigger.first
      follow_up: {value: yes}
`)
	if len(list) != 1 || list[0].Code != "wrong-choice" {
		t.Error(printed(list))
	}
}
