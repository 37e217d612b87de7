package journaltest

import (
	"testing"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/rules/diag"
)

// CorrectionsPassOfEarlierFormats opens a journal of before corrections passed what waits for its
// parent, which age makes of one of today: the correction comes next, and nothing counts as damaged.
func CorrectionsPassOfEarlierFormats(t *testing.T, p Place, age func()) {
	t.Helper()
	j := p.Open(t, journal.Options{})
	mistake, correction := Form(1), Form(1)
	correction.Content++
	now := time.Now()
	appendAll(t, j, mistake)
	got := claimAs(t, j, journal.Claim{Owner: "one", Limit: 1, Now: now})
	diff(t, "claimed", len(got), 1)
	waits := journal.Settlement{Seq: got[0].Seq, State: journal.Pending, NextTry: now.Add(time.Hour), Attempts: 1,
		Problem: &journal.Problem{Class: actions.ClassParent, Problem: diag.Problem{Message: "not there yet"}}}
	commit(t, j, journal.Batch{Owner: "one", Server: "national", Settlements: []journal.Settlement{waits}})
	appendAll(t, j, correction)
	must(t, j.Close())
	age()
	j = p.Open(t, journal.Options{})
	check(t, j)
	got = claimAs(t, j, journal.Claim{Owner: "one", Limit: 9, Now: now})
	diff(t, "claimed", len(got), 1)
	diff(t, "the content that comes next", got[0].Content, correction.Content)
}
