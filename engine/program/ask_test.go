package program

import (
	"testing"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/rules"
)

// TestRecordOfPart holds that a further part of a rule asks for earlier records as the first part does:
// by the rule's name and the record's own key, which the records of other rules have, too.
func TestRecordOfPart(t *testing.T) {
	rule := &rules.Rule{Name: "visits"}
	for part, want := range map[string]rules.RecordRef{
		"":   {Rule: "visits", ID: "v1", Key: "k@hq", Seq: 7}, // a key of its own that ends so
		"hq": {Rule: "visits", ID: "v1", Key: "k", Seq: 7},
	} {
		flow := &Flow{Rule: rule, Part: part}
		a := &asking{plans: []actions.Plan{{Pending: &pending{flow: flow}, Order: actions.Order{Seq: 7},
			Record: actions.Ref{Rule: flow.Name(), RecordID: "v1", Key: "k@hq"}}}}
		if got := a.recordOf(0); got != want {
			t.Errorf("part %q asks as %+v, not %+v", part, got, want)
		}
	}
}
