package journaltest

import (
	"testing"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/rules/diag"
)

// awaitParent settles records as waiting for their parents for some time.
func awaitParent(t testing.TB, j journal.Journal, d time.Duration, records ...*journal.Record) {
	t.Helper()
	b := journal.Batch{Server: "national"}
	for _, r := range records {
		b.Settlements = append(b.Settlements, journal.Settlement{Seq: r.Seq, State: journal.Pending, NextTry: start.Add(d),
			Attempts: r.Attempts + 1,
			Problem: &journal.Problem{Class: actions.ClassParent, Problem: diag.Problem{Code: "E1313",
				Message: "the woman is not registered"}}})
	}
	commit(t, j, b)
	check(t, j)
}

// testWaiters has a record that waits for its parent let those of other rules pass, its parent
// among them, and come back to its old place once something of its key was delivered.
func testWaiters(t *testing.T, p Place) {
	j := open(t, p)
	appendAll(t, j, record("visit", "v1", "A"), record("visit", "v2", "A"), record("register", "r1", "A"),
		record("outcome", "o1", "A"))
	first := claim(t, j, 10)
	wantIDs(t, "first claim", first, "v1")
	wantIDs(t, "while it is in flight", claim(t, j, 10), "")
	awaitParent(t, j, time.Hour, first...)
	parent := claim(t, j, 10)
	wantIDs(t, "what passes it, but not of its own rule", parent, "r1")
	wantIDs(t, "one of the key at a time", claim(t, j, 10), "")
	settle(t, j, journal.Delivered, parent...)
	diff(t, "tries of the record that waits, but for the one that comes now", get(t, j, first[0].Seq).Attempts, 0)
	must(t, j.Close())
	j = open(t, p)
	wantOrder(t, j, "v1", "v2", "o1")
}

// testWaitersAlone has the parent of a record accepted while that waits alone, or is being tried.
func testWaitersAlone(t *testing.T, p Place) {
	j := open(t, p)
	appendAll(t, j, record("visit", "v1", "A"), record("visit", "v2", "B"), record("other", "o1", "C"),
		record("visit", "v3", "C"))
	awaitParent(t, j, 0, claim(t, j, 10)...)
	wantIDs(t, "v3 passes o1", claimAs(t, j, journal.Claim{Owner: "two", Limit: 10, Now: start, AfterSeq: 3}), "v3")
	again := claimAs(t, j, journal.Claim{Owner: "one", Limit: 1, Now: start})
	wantIDs(t, "they are tried again, in order", again, "v1")
	appendAll(t, j, record("register", "r1", "A"), record("visit", "v4", "B"), record("register", "r2", "B"))
	check(t, j)
	wantIDs(t, "what passes v2, and waits for the try of v1", claim(t, j, 10), "r2")
	awaitParent(t, j, time.Hour, again...)
	got := claim(t, j, 10)
	wantIDs(t, "what passes v1", got, "r1")
	settle(t, j, journal.Failed, got...)
	wantIDs(t, "a failure brings nothing back", claim(t, j, 10), "")
	check(t, j)
	wantIDs(t, "until it is due", claimAs(t, j, journal.Claim{Owner: "one", Limit: 10, Now: start.Add(time.Hour)}), "v1")
}

// testWaitersChanged has people change records that wait and those that stand behind them.
func testWaitersChanged(t *testing.T, p Place) {
	j := open(t, p)
	appendAll(t, j, record("visit", "v1", "A"), record("visit", "v2", "A"), record("register", "r1", "A"),
		record("visit", "v3", "B"), record("register", "r2", "B"))
	got := claim(t, j, 10)
	wantIDs(t, "first claim", got, "v1 v3")
	awaitParent(t, j, time.Hour, got...)
	n, err := j.Hold(t.Context(), "visit", &journal.Problem{Problem: diag.Problem{Code: "paused",
		Message: "the rule is paused"}})
	must(t, err)
	diff(t, "held", n, int64(3))
	check(t, j)
	pass := claim(t, j, 10)
	wantIDs(t, "what passes held ones that wait", pass, "r1 r2")
	must(t, j.Release(t.Context(), "one", []int64{pass[0].Seq, pass[1].Seq}))
	_, err = j.Unhold(t.Context(), "visit")
	must(t, err)
	check(t, j)
	n, err = j.Dismiss(t.Context(), journal.Filter{ID: "v1", States: []journal.State{journal.Pending}}, "asha",
		"a mistake")
	must(t, err)
	diff(t, "dismissed", n, int64(1))
	check(t, j)
	pass = claim(t, j, 10)
	wantIDs(t, "nothing stands before v2 any more", pass, "v2 r2")
	settle(t, j, journal.Delivered, pass...)
	wantOrder(t, j, "r1 v3")
	given, err := j.ClaimKeys(t.Context(), "one", rowKeys("A", "B"))
	must(t, err)
	diff(t, "keys given", given, []bool{true, true})
}

// testWaitingRows has rows of files wait for their parents, and not be passed by later rows.
func testWaitingRows(t *testing.T, p Place) {
	j := open(t, p)
	f := file("f1", "anc", "aaa")
	f.Places = 10
	addFile(t, j, f)
	appendAll(t, j, record("register", "r1", "A"))
	row := placed(f, 2, "A")
	row.Attempts, row.NextTry, row.Problem = 1, start.Add(time.Hour),
		&journal.Problem{Class: actions.ClassParent, Problem: diag.Problem{Code: "E1313",
			Message: "the woman is not registered"}}
	commit(t, j, journal.Batch{New: []*journal.Record{row}})
	check(t, j)
	given, err := j.ClaimKeys(t.Context(), "one", []journal.RowKey{{Key: "A", Seq: f.Seq(3)}})
	must(t, err)
	diff(t, "the key of a later row", given, []bool{false})
	commit(t, j, journal.Batch{New: []*journal.Record{placed(f, 3, "A")}})
	check(t, j)
	wantOrder(t, j, "r1", "row-2", "row-3")
}
