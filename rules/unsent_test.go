package rules

import (
	"slices"
	"testing"
)

// TestFieldThatKoboDoesNotSend holds what is said of fields that only a sample written by hand has.
func TestFieldThatKoboDoesNotSend(t *testing.T) {
	const kobo = `{"_id": 1, "_submission_time": "2026-03-05T09:30:00", "_geolocation": [1, 100],
		"_geolocation_text": "1 2", "g/place": "1 2"}`
	for _, test := range []struct {
		field, sample string
		told          bool
	}{
		{"trigger._geolocation_text", kobo, true},
		{`join(trigger._geolocation, " ")`, kobo, false},
		{`trigger["g/place"]`, kobo, false},
		{"trigger._id", kobo, false},
		{"trigger._geolocation_text", `{"_id": 1, "_geolocation_text": "1 2"}`, false},
	} {
		text := "trigger: {webhook: {path: /k}, sample: samples/form.json}\nid: trigger._id\nactions:\n  - dhis2.event:\n" +
			"      program: Malaria case notification\n      data_values: {Case location: '" + test.field + "'}\n"
		got := codesOf(t, text, files{"samples/form.json": test.sample}, "")
		if slices.Contains(got, "unsent-field") != test.told {
			t.Errorf("%s of %s: %q", test.field, test.sample, got)
		}
	}
}
