package dhis2

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/rules"
)

const womanSample = `{"id": "form-1", "case": "case-1", "date": "2026-03-02", "first": "Fatou", "last": "Sarr",
 "sex": "f", "dob": "1996-01-09", "nid": "NID-1",
 "phone": "+221 77 123 45 67", "village": "Old", "place": "TM-010202", "weeks": "14", "weight": "61.5", "hiv": "yes",
  "iron": "no", "next": "2026-04-06",
 "gps": "-5.2 31.1 12 4", "visits": [{"id": "v1", "on": "2026-04-06", "weight": 60, "signs": "headache fever"},
  {"id": "v2", "on": "2026-05-04", "weight": "61", "signs": ""}]}`

const womanRule = `rule: test
trigger:
  webhook: {path: /test}
  sample: sample.json
id: trigger.id
lookups:
  clinic: {in: organisationUnits, code: trigger.place}
maps:
  sex: {f: Female, m: Male}
actions:
  - dhis2.create_and_enroll:
      id: woman
      program: Antenatal care
      external_id: trigger.case
      match_by: National ID
      org_unit: clinic
      enrolled_at: trigger.date
      attributes:
        First name: trigger.first
        Last name: trigger.last
        Sex: {from: trigger.sex, map: sex}
        Date of birth: trigger.dob
        National ID: trigger.nid
        CommCare case ID: trigger.case
        Phone number: trigger.phone
        Village: trigger.village
  - dhis2.event:
      program: Antenatal care
      stage: First visit
      external_id: trigger.case
      org_unit: clinic
      occurred_at: trigger.date
      geometry: trigger.gps
      data_values:
        Gestational age (weeks): trigger.weeks
        Weight (kg): trigger.weight
        HIV test done: trigger.hiv
        Iron tablets given: trigger.iron
        Next visit date: trigger.next
  - dhis2.event:
      for_each: trigger.visits
      program: Antenatal care
      stage: Follow-up visit
      external_id: trigger.case
      event_id: item.id
      org_unit: clinic
      occurred_at: item.on
      status: COMPLETED
      data_values:
        Weight (kg): item.weight
        Danger signs seen: {from: item.signs}
`

func TestPlanOfARegistration(t *testing.T) {
	rule := mustCompile(t, strings.ReplaceAll(womanRule, "{from: item.signs}",
		`{from: 'replace(replace(item.signs, "fever", "Fever"), "headache", "Severe headache,")'}`), womanSample)
	writes, err := rule.plan(decode(t, womanSample))
	if err != nil {
		t.Fatal(err)
	}
	want := []map[string]any{
		{"tracked_entity": "Person", "external_id": "case-1", "org_unit": "Coral Health Centre", "attributes": map[string]any{
			"First name": "Fatou", "Last name": "Sarr", "Sex": "FEMALE", "Date of birth": "1996-01-09", "National ID": "NID-1",
			"CommCare case ID": "case-1",
			"Phone number":     "+221 77 123 45 67", "Village": "Old"}},
		{"enrollment": "Antenatal care", "external_id": "case-1", "org_unit": "Coral Health Centre",
			"enrolled_at": "2026-03-02"},
		{"event": "First visit", "external_id": "case-1", "org_unit": "Coral Health Centre", "occurred_at": "2026-03-02",
			"geometry": map[string]any{"longitude": 31.1, "latitude": -5.2},
			"data_values": map[string]any{"Gestational age (weeks)": "14", "Weight (kg)": "61.5", "HIV test done": "true",
				"Next visit date": "2026-04-06"}},
		{"event": "Follow-up visit", "external_id": "case-1", "event_id": "v1", "org_unit": "Coral Health Centre",
			"occurred_at": "2026-04-06", "status": "COMPLETED",
			"data_values": map[string]any{"Weight (kg)": "60", "Danger signs seen": "HEADACHE,FEVER"}},
		{"event": "Follow-up visit", "external_id": "case-1", "event_id": "v2", "org_unit": "Coral Health Centre",
			"occurred_at": "2026-05-04", "status": "COMPLETED",
			"data_values": map[string]any{"Weight (kg)": "61"}},
	}
	if diff := cmp.Diff(want, describe(writes)); diff != "" {
		t.Error(diff)
	}
}

const reportSample = `{"id": "r1", "site": "TM-010202", "month": "2026-03", "tests_f": "12", "tests_m": 3, ` +
	`"deaths": "0", "out": "no", "on": "2026-04-03", "partner": "Global Fund", "hiv": "7"}`

func TestPlanOfAReport(t *testing.T) {
	rule := mustCompile(t, ruleText(`
  - dhis2.data_value_set:
      data_set: Malaria monthly report
      org_unit: trigger.site
      period: trigger.month
      complete_date: trigger.on
      values:
        Malaria tests done:
          Under 5, Females: trigger.tests_f
          Males, Under 5: trigger.tests_m
        Malaria deaths: trigger.deaths
        RDT stock-out this month: trigger.out
  - dhis2.data_value_set:
      data_set: HIV quarterly report
      org_unit: {value: Coral Health Centre}
      period: trigger.month + "-15"
      attribute_category_options: {Funding partner: trigger.partner}
      values: {HIV tests done: trigger.hiv}
`), reportSample)
	writes, err := rule.plan(decode(t, reportSample))
	if err != nil {
		t.Fatal(err)
	}
	base := func(m map[string]any) map[string]any {
		m["data_set"], m["period"], m["org_unit"] = "Malaria monthly report", "202603", "Coral Health Centre"
		return m
	}
	want := []map[string]any{
		base(map[string]any{"data_value": "Malaria tests done", "category_option_combo": "Under 5, Females", "value": "12"}),
		base(map[string]any{"data_value": "Malaria tests done", "category_option_combo": "Under 5, Males", "value": "3"}),
		base(map[string]any{"data_value": "Malaria deaths", "value": "0"}),
		base(map[string]any{"data_value": "RDT stock-out this month", "value": "false"}),
		{"completion": "Malaria monthly report", "period": "202603", "org_unit": "Coral Health Centre",
			"complete_date": "2026-04-03"},
		{"data_value": "HIV tests done", "data_set": "HIV quarterly report", "period": "2026Q1",
			"org_unit": "Coral Health Centre", "attribute_option_combo": "Global Fund", "value": "7"},
	}
	if diff := cmp.Diff(want, describe(writes)); diff != "" {
		t.Error(diff)
	}
}

// TestFailures holds that what DHIS2 would refuse never leaves: each change of the record makes it
// fail with the code, at the line of the rule.
func TestFailures(t *testing.T) {
	rule := mustCompile(t, womanRule, womanSample)
	tests := []struct {
		field string
		value any
		code  string
		line  int
	}{
		{"case", "", "blank-value", 14},
		{"date", "soon", "wrong-type", 17},
		{"date", "", "blank-value", 17},
		{"date", "2027-01-01", "future-date", 17},
		{"dob", "28", "wrong-type", 22},
		{"dob", "2031-01-01", "future-date", 22},
		{"phone", "call me", "wrong-type", 25},
		{"weight", "heavy", "wrong-type", 36},
		{"weeks", "14.5", "wrong-type", 35},
		{"weeks", "-1", "out-of-range", 35},
		{"first", strings.Repeat("x", 1201), "value-too-long", 19},
		{"gps", "95 31", "out-of-range", 33},
		{"gps", "5, 31", "position-order", 33},
		{"place", "TM-01", "org-unit-not-assigned", 16},
	}
	for _, test := range tests {
		t.Run(test.field+" "+test.code, func(t *testing.T) {
			body := decode(t, womanSample).(map[string]any)
			body[test.field] = test.value
			_, err := rule.plan(body)
			var f *rules.Failure
			if !errors.As(err, &f) {
				t.Fatalf("no failure: %v", err)
			}
			if f.Code != test.code || f.Place.Range.Start.Line != test.line {
				t.Errorf("%s at line %d: %s", f.Code, f.Place.Range.Start.Line, f.Message)
			}
			if f.Hint == "" || f.Field == "" {
				t.Errorf("no fix or field: %+v", f)
			}
			if s, ok := test.value.(string); ok && len(s) > 3 && strings.Contains(f.Message+f.Hint, s) {
				t.Errorf("the message tells the value: %s", f.Message)
			}
		})
	}
}

func BenchmarkPlan(b *testing.B) {
	rule := mustCompile(b, strings.Split(womanRule, "  - dhis2.event:\n      for_each")[0], womanSample)
	body := decode(b, womanSample)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := rule.plan(body); err != nil {
			b.Fatal(err)
		}
	}
}

// TestHalfAPosition holds that one of latitude and longitude is no position, and none of them is a blank.
func TestHalfAPosition(t *testing.T) {
	sample := strings.Replace(womanSample, "{", `{"lat": -5.2, "lon": 31.1, `, 1)
	rule := mustCompile(t, strings.Replace(womanRule, "geometry: trigger.gps",
		"geometry: {latitude: trigger.lat, longitude: trigger.lon}", 1), sample)
	for lat, fails := range map[string]bool{`"lat": -5.2`: false, `"lat": ""`: true, `"lat": "", "lon": ""`: false} {
		text := strings.Replace(sample, `"lat": -5.2`, lat, 1)
		if strings.Contains(lat, "lon") {
			text = strings.Replace(text, `, "lon": 31.1`, "", 1)
		}
		_, err := rule.plan(decode(t, text))
		if fails != (err != nil) || fails && !strings.Contains(err.Error(), "one of latitude and longitude") {
			t.Errorf("%s: %v", lat, err)
		}
	}
}
