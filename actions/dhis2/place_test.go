package dhis2

import (
	"strings"
	"testing"

	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/rules"
)

const placeRule = `rule: places
trigger: {webhook: {path: /places}, sample: sample.json}
id: trigger.id
actions:
  - dhis2.event:
      program: Malaria case notification
      org_unit: {value: Coral Health Centre}
      occurred_at: {value: 2026-01-07}
      geometry: {latitude: trigger.lat, longitude: trigger.lon}
      data_values: {Case age (years): {value: 4}, Case sex: {value: Male}, Case location: trigger.place}
`

// TestPlacesOutside holds that a position far outside the country is sent with a remark.
func TestPlacesOutside(t *testing.T) {
	rule := mustCompile(t, placeRule, `{"id": "1", "place": "-5.2 31.1", "lat": "-5.2", "lon": "31.1"}`)
	for _, test := range []struct{ body, want string }{
		{`{"id": "1", "place": "-5.2 31.1", "lat": "-5.2", "lon": "31.1"}`, ""},
		{`{"id": "1", "place": "-7 34.9", "lat": "", "lon": ""}`, ""}, // not far
		{`{"id": "1", "place": "31.1 -5.2", "lat": "-5.2", "lon": "31.1"}`, "Case location: looks exchanged"},
		{`{"id": "1", "place": "", "lat": "31.1", "lon": "-5.2"}`, "geometry: looks exchanged"},
		{`{"id": "1", "place": "5.2 31.1", "lat": "0", "lon": "0"}`,
			"Case location: a minus looks lost; geometry: is 0, 0"},
		{`{"id": "1", "place": "51.5 -0.1", "lat": "", "lon": ""}`, "Case location: lies far outside the country"},
	} {
		s := rule.rule.Begin(rules.Input{Body: decode(t, test.body)})
		for _, a := range rule.actions {
			if writes, err := a.Plan(s); err != nil || len(writes) != 1 {
				t.Fatalf("%s: %d writes, %v", test.body, len(writes), err)
			}
		}
		said := ""
		for _, f := range s.Left() {
			said += f.Field + ": " + f.Message + "\n"
			if f.Code != "outside-country" || !f.Note || f.Hint == "" || f.Value == "" ||
				strings.Contains(f.Message, "31.1") {
				t.Errorf("%s: %+v", test.body, f)
			}
		}
		for _, part := range strings.Split(test.want, "; ") {
			field, words, _ := strings.Cut(part, ": ")
			if (test.want == "") != (said == "") || !strings.Contains(said, field) || !strings.Contains(said, words) {
				t.Errorf("%s: said %q, want %q", test.body, said, part)
			}
		}
	}
}

// TestPlacesOutsideInRule holds what validate says of positions in a rule and in its sample.
func TestPlacesOutsideInRule(t *testing.T) {
	away := `{"id": "1", "place": "31.1 -5.2", "lat": "-5.2", "lon": "31.1"}`
	other := func(old, new string) string { return strings.Replace(placeRule, old, new, 1) }
	for _, test := range []struct{ rule, sample, code, want string }{
		{placeRule, away, "outside-country", `in record 1 of the sample, "Case location"`},
		{other("trigger.place", `{value: "[-5.2,31.1]"}`), away, "outside-country", `the value of "Case location" lies`},
		{other("latitude: trigger.lat, longitude: trigger.lon", "latitude: {value: 5.2}, longitude: {value: 31.1}"), away,
			"outside-country", `the value of "geometry" lies`},
		{other("{latitude: trigger.lat, longitude: trigger.lon}", `{value: "near the market"}`), away,
			"wrong-literal", `the value of "geometry" is not a position`},
		{other("trigger.place", "{from: trigger.id, map: {a: '[31.1,5.2]', other: blank}}"), away, "outside-country",
			`in the map lies far outside`},
		{placeRule, `{"id": "1", "place": "-5.2, 31.1", "lat": "", "lon": ""}`, "position-order", "in record 1 of the sample"},
		{other("trigger.place", "coordinate(trigger.place)"), `{"id": "1", "place": "-5.2, 31.1", "lat": "", "lon": ""}`,
			"position-order", "in record 1 of the sample"},
	} {
		found := ""
		for _, d := range loadRule(t, country(), test.rule, test.sample).findings.List {
			found += d.Code + ": " + d.Message + "\n"
		}
		if !strings.Contains(found, test.code+": ") || !strings.Contains(found, test.want) {
			t.Errorf("want %s, %s; findings of %s:\n%s", test.code, test.want, test.rule, found)
		}
	}
	// Of a server that does not say where its org units lie nothing is said.
	s := snapshot(t)
	s.Server.Area = nil
	if list := loadRule(t, metadata.NewIndex(s), placeRule, away).findings.List; len(list) > 0 {
		t.Errorf("without an area: %s", printed(list))
	}
}

// TestNoPlace holds that a form without GPS is sent without a position, in each way in which sources say so.
func TestNoPlace(t *testing.T) {
	text := strings.Replace(placeRule, "{latitude: trigger.lat, longitude: trigger.lon}", "trigger._geolocation", 1)
	rule := mustCompile(t, text, `{"id": "1", "_geolocation": [-5.21, 31.15], "place": "-5.2 31.1"}`)
	for _, nowhere := range []string{`[null, null]`, `null`, `""`, `"---"`, `[]`, `"POINT EMPTY"`, `[null]`,
		`{"type": "Point", "coordinates": [null, null]}`} {
		s := rule.rule.Begin(rules.Input{Body: decode(t, `{"id": "1", "place": "", "_geolocation": `+nowhere+`}`)})
		for _, a := range rule.actions {
			writes, err := a.Plan(s)
			if err != nil {
				t.Errorf("%s: %v", nowhere, err)
			} else if len(writes) != 1 || writes[0].Object.Describe()["geometry"] != nil {
				t.Errorf("%s: %v", nowhere, writes)
			}
		}
	}
}
