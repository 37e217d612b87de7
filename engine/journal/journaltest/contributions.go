package journaltest

import (
	"testing"

	"github.com/culvert/culvert/actions"
)

func testContributions(t *testing.T, p Place) {
	j := open(t, p)
	ledger := func(server string) actions.Contributions {
		c, ok := j.Memory(server).(actions.Contributions)
		if !ok {
			t.Fatal("the journal keeps no contributions")
		}
		return c
	}
	give := func(what string, want map[string][]string, list ...actions.Contribution) {
		t.Helper()
		left, err := ledger("national").Contribute(t.Context(), list)
		must(t, err)
		diff(t, what, left, want)
	}
	tally := func(what, server string, want ...actions.Tally) {
		t.Helper()
		slots, all := []string{}, map[string]actions.Tally{}
		for _, w := range want {
			slots, all[w.Slot] = append(slots, w.Slot), w
		}
		got, err := ledger(server).Tallies(t.Context(), slots)
		must(t, err)
		diff(t, what, got, all)
	}
	give("first", nil,
		actions.Contribution{Contributor: "a", Slot: "march", Value: "2", At: "2026-03-01"},
		actions.Contribution{Contributor: "b", Slot: "march", Value: "1.5", At: "2026-03-02"},
		actions.Contribution{Contributor: "c", Slot: "march", Value: "many", At: "2026-03-02"},
		actions.Contribution{Contributor: "d", Slot: "april", Value: "7", At: "2026-04-01"})
	tally("first", "national", actions.Tally{Slot: "march", Count: 3, Sum: 3.5, Last: "many"},
		actions.Tally{Slot: "april", Count: 1, Sum: 7, Last: "7"},
		actions.Tally{Slot: "may"})
	tally("another server", "district", actions.Tally{Slot: "march"})
	give("corrected", nil, actions.Contribution{Contributor: "a", Slot: "march", Value: "4", At: "2026-03-09"})
	give("moved", map[string][]string{"a": {"march"}},
		actions.Contribution{Contributor: "a", Slot: "april", Value: "4", At: "2026-03-09"})
	give("moved again, before it was sent", map[string][]string{"a": {"april", "march"}},
		actions.Contribution{Contributor: "a", Slot: "may", Value: "4", At: "2026-03-09"})
	give("taken back", map[string][]string{"b": {"march"}}, actions.Contribution{Contributor: "b"})
	tally("then", "national", actions.Tally{Slot: "march", Count: 1, Last: "many"},
		actions.Tally{Slot: "april", Count: 1, Sum: 7, Last: "7"},
		actions.Tally{Slot: "may", Count: 1, Sum: 4, Last: "4"})
	must(t, ledger("national").Settle(t.Context(), []string{"a"}))
	must(t, j.Close())
	j = open(t, p)
	give("after it was sent", nil, actions.Contribution{Contributor: "a", Slot: "may", Value: "4", At: "2026-03-09"})
	give("what was not sent", map[string][]string{"b": {"march"}}, actions.Contribution{Contributor: "b"})
}
