package rules

import (
	"slices"
	"testing"
)

// TestMappedElementWithAttributes holds that a value map takes the text of an element of XML with attributes.
func TestMappedElementWithAttributes(t *testing.T) {
	const sample = `{"id": "1", "sex": {"#text": "f", "@xmlns": "x"}}`
	text := "trigger: {webhook: {path: /k}, sample: samples/form.json}\nid: trigger.id\nactions:\n  - dhis2.event:\n" +
		"      program: Malaria case notification\n      data_values: {Case sex: {from: trigger.sex, map: {f: Female}}}\n"
	got := codesOf(t, text, files{"samples/form.json": sample}, sample)
	if slices.Contains(got, "map-not-covering") || slices.Contains(got, "unmapped-value") {
		t.Errorf("the rule has %q", got)
	}
	got = codesOf(t, text, files{"samples/form.json": sample}, `{"id": "1", "sex": {"#text": "x", "@xmlns": "x"}}`)
	if !slices.Contains(got, "unmapped-value") {
		t.Errorf("another value has %q", got)
	}
}
