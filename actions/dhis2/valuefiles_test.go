package dhis2

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

const valueFileRule = `
  - dhis2.data_value_set:
      data_set: DATA_SET
      org_unit: trigger.place
      period: trigger.date
      values: {ELEMENT: {from: trigger.report, blank: clear}}
`

// TestFilesOfAggregateData sends a file as a value, once, replaces it and takes it away again.
func TestFilesOfAggregateData(t *testing.T) {
	text, err := os.ReadFile("sandbox/testdata/tamala.json")
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	element, set := "", ""
	for _, d := range m["dataSets"].([]any) {
		d := d.(map[string]any)
		if d["name"] != "Facility stock" && element != "" {
			continue
		}
		members := d["dataSetElements"].([]any)
		element = members[0].(map[string]any)["dataElement"].(map[string]any)["id"].(string)
		set = d["id"].(string)
	}
	for _, e := range m["dataElements"].([]any) {
		if e := e.(map[string]any); e["id"] == element {
			e["valueType"], e["aggregationType"] = "FILE_RESOURCE", "NONE"
			delete(e, "optionSet")
			delete(e, "categoryCombo")
		}
	}
	path := keptMetadata(t, m)
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			s := newSiteWith(t, version, path)
			rule := s.loadRule(ruleText(strings.NewReplacer("DATA_SET", set, "ELEMENT", element).Replace(valueFileRule)),
				`{"id": "x", "place": "TM-010202", "date": "2026-03-02", "report": "data:text/plain;base64,aGVsbG8="}`)
			record := func(n int, report string) string {
				return fmt.Sprintf(`{"id": "r%d", "place": "TM-010202", "date": "2026-03-02", "report": %q}`, n, report)
			}
			const one, two = "data:text/plain;base64,aGVsbG8=", "data:text/plain;base64,d29ybGQ="
			value := func() string {
				held := string(s.sandbox.Dump())
				at := strings.LastIndex(held, element)
				return held[at:min(len(held), at+400)]
			}
			want(t, s.target.Rehearse(t.Context(), rule.plans(t, record(1, one))), "D")
			want(t, s.deliver(rule.plans(t, record(1, one))...), "D")
			first := value()
			want(t, s.deliver(rule.plans(t, record(2, one))...), "U")
			want(t, s.deliver(rule.plans(t, record(3, two))...), "D")
			if second := value(); second == first {
				t.Error("another file is not written")
			}
			if f := rule.failure(t, record(4, strings.Replace(one, "plain", "html", 1))); f == nil ||
				f.Code != "file-wrong-type" {
				t.Errorf("a page: %v", f)
			}
			want(t, s.deliver(rule.plans(t, record(5, ""))...), "D")
		})
	}
}
