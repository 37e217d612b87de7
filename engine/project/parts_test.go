package project

import (
	"fmt"
	"slices"
	"testing"

	"github.com/culvert/culvert/rules"
)

// TestParts says which part of a rule comes after which.
func TestParts(t *testing.T) {
	c := &Config{
		Servers: []Server{{Name: "national"}, {Name: "other"}},
		Connections: []Connection{{Name: "emr", Kind: "http"},
			{Name: "sms", Kind: "http"}, {Name: "hq", Kind: "commcare"}},
	}
	for _, test := range []struct {
		name, actions string
		places        []string
		want, code    string
	}{
		{"one place", "  - dhis2.event: {id: w}\n  - dhis2.event: {when: w.x == 1}\n",
			[]string{"national", "national"}, "national[0 1]-1", ""},
		{"back to the source", "  - dhis2.event: {id: w}\n  - http.request: {when: w.x == 1}\n",
			[]string{"national", "hq"}, "national[0]-1 hq[1]0", ""},
		{"beside", "  - dhis2.event: {id: w}\n  - dhis2.event: {when: trigger.x == 1}\n",
			[]string{"national", "other"}, "national[0]-1 other[1]-1", ""},
		{"another server that reads", "  - dhis2.event: {id: w}\n  - dhis2.event: {when: w.x == 1}\n",
			[]string{"national", "other"},
			"national[0]-1 other[1]0", ""},
		{"reads both", "  - dhis2.event: {id: w}\n  - dhis2.event: {id: v}\n  - http.request: {when: w.x == v.x}\n",
			[]string{"national", "other", "hq"},
			"national[0]-1 other[1]0 hq[2]1", ""},
		{"chain", "  - dhis2.event: {id: w}\n  - http.request: {id: p, when: w.x == 1}\n  - http.request: {when: p.x == w.x}\n",
			[]string{"national", "emr", "sms"},
			"national[0]-1 emr[1]0 sms[2]1", ""},
		{"reads later", "  - dhis2.event: {when: true}\n  - http.request: {id: p}\n  - dhis2.event: {when: p.x == 1}\n",
			[]string{"national", "emr", "national"},
			"national[0 2]-1 emr[1]0", "reads-later"},
		{"after nothing", "  - dhis2.event: {after: failed}\n", []string{"national"}, "national[0]-1", "after-nothing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, findings := rules.Load(
				"rules/r.yaml",
				[]byte("rule: r\ntrigger: {webhook: {path: /x}}\nid: trigger.id\nactions:\n"+
					test.actions),
				rules.Environment{TriggerKinds: []rules.TriggerKind{{Name: "webhook"}},
					Samples: func(*rules.Trigger) ([]any, error) { return nil, nil }},
			)
			if r == nil || len(r.Actions) != len(test.places) {
				t.Fatal(findings.List)
			}
			got := ""
			for i, p := range partsOf(r, test.places, c) {
				if i > 0 {
					got += " "
				}
				got += fmt.Sprintf("%s%v%d", p.Place, p.Actions, p.Before)
			}
			if got != test.want {
				t.Errorf("the parts are %s, not %s", got, test.want)
			}
			var codes []string
			for _, d := range findings.List {
				codes = append(codes, d.Code)
			}
			if test.code != "" && !slices.Contains(codes, test.code) {
				t.Errorf("the findings are %q", codes)
			}
		})
	}
}
