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
	tally := func(what, server string, want ...actions.CellTotal) {
		t.Helper()
		cells, all := []string{}, map[string]actions.CellTotal{}
		for _, w := range want {
			cells, all[w.Cell] = append(cells, w.Cell), w
		}
		got, err := ledger(server).Totals(t.Context(), cells)
		must(t, err)
		diff(t, what, got, all)
	}
	give("first", nil,
		actions.Contribution{Contributor: "a", Cell: "march", Value: "2", At: "2026-03-01"},
		actions.Contribution{Contributor: "b", Cell: "march", Value: "1.5", At: "2026-03-02"},
		actions.Contribution{Contributor: "c", Cell: "march", Value: "many", At: "2026-03-02"},
		actions.Contribution{Contributor: "d", Cell: "april", Value: "7", At: "2026-04-01"})
	tally("first", "national", actions.CellTotal{Cell: "march", Count: 3, Sum: 3.5, Last: "many"},
		actions.CellTotal{Cell: "april", Count: 1, Sum: 7, Last: "7"},
		actions.CellTotal{Cell: "may"})
	tally("another server", "district", actions.CellTotal{Cell: "march"})
	give("corrected", nil, actions.Contribution{Contributor: "a", Cell: "march", Value: "4", At: "2026-03-09"})
	give("moved", map[string][]string{"a": {"march"}},
		actions.Contribution{Contributor: "a", Cell: "april", Value: "4", At: "2026-03-09"})
	give("moved again, before it was sent", map[string][]string{"a": {"april", "march"}},
		actions.Contribution{Contributor: "a", Cell: "may", Value: "4", At: "2026-03-09"})
	give("taken back", map[string][]string{"b": {"march"}}, actions.Contribution{Contributor: "b"})
	tally("then", "national", actions.CellTotal{Cell: "march", Count: 1, Last: "many"},
		actions.CellTotal{Cell: "april", Count: 1, Sum: 7, Last: "7"},
		actions.CellTotal{Cell: "may", Count: 1, Sum: 4, Last: "4"})
	must(t, ledger("national").Settle(t.Context(), []string{"a"}))
	must(t, j.Close())
	j = open(t, p)
	give("after it was sent", nil, actions.Contribution{Contributor: "a", Cell: "may", Value: "4", At: "2026-03-09"})
	give("what was not sent", map[string][]string{"b": {"march"}}, actions.Contribution{Contributor: "b"})
}
