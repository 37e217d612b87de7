package service

import (
	"strings"
	"testing"

	"github.com/culvert/culvert/engine/journal"
)

// TestShares tells of rules of which too many in a hundred failed, when there are enough to say so.
func TestShares(t *testing.T) {
	lately := map[string]journal.Figures{
		"few": {
			Delivered: 1,
			Failed:    8,
		}, "fine": {Delivered: 96, Failed: 4}, "bad": {Received: 500, Delivered: 90, Failed: 10},
		"all": {Failed: 10}, "idle": {Received: 100},
	}
	for most, want := range map[int]string{0: "", 10: "all bad", 5: "all bad", 4: "all bad fine", 100: "all"} {
		var list found
		list.ofShares(most, lately)
		var rules []string
		for _, c := range list {
			rules = append(rules, c.Subject)
		}
		if got := strings.Join(rules, " "); got != want {
			t.Errorf("%d percent: told of %q, want %q", most, got, want)
		}
	}
	var list found
	list.ofShares(10, lately)
	if want := "10% of the last hour's records of rule bad failed (10 of 100)"; list[1].Text != want {
		t.Errorf("it says %q, want %q", list[1].Text, want)
	}
}
