package journaltest

import (
	"errors"
	"testing"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/internal/await/awaittest"
)

// Stores measure leases by a clock of their own, so that tests have to wait for them to end.
const (
	shortLease = 300 * time.Millisecond
	// takeoverLease leaves a test time to ask between the end of a lease and the end of what is kept for rows.
	takeoverLease = 2 * time.Second
)

// leased gives a journal with a short lease that holds records and a file. They are written before,
// for a write has to be done within a lease.
func leased(t *testing.T, p Place, lease time.Duration, f *journal.File, records ...*journal.Record) *leasedJournal {
	t.Helper()
	j := open(t, p)
	if f != nil {
		addFile(t, j, f)
	}
	if len(records) > 0 {
		appendAll(t, j, records...)
	}
	must(t, j.Close())
	return &leasedJournal{Journal: p.Open(t, journal.Options{Lease: lease}), lease: lease}
}

// leasedJournal knows when its owner was last heard of for certain.
type leasedJournal struct {
	journal.Journal
	lease time.Duration
	heard time.Time
}

// hear notes that an owner is about to be heard of.
func (j *leasedJournal) hear() { j.heard = time.Now() }

// others says what another owner must not have been given, unless the machine was so busy that the
// lease may have ended meanwhile.
func (j *leasedJournal) others(t *testing.T, what string, given bool) {
	t.Helper()
	if given && time.Since(j.heard) < j.lease {
		t.Fatalf("%s was given to another within the lease", what)
	}
}

// takeOver waits until the record of a silent owner is given to the other.
func takeOver(t *testing.T, j *leasedJournal, got []*journal.Record) []*journal.Record {
	t.Helper()
	awaittest.Until(t, "the silent owner's record is given to the other", func() bool {
		if len(got) == 0 {
			got = claimAs(t, j, journal.Claim{Owner: "two", Limit: 10, Now: start})
		}
		return len(got) > 0
	})
	return got
}

func testLease(t *testing.T, p Place) {
	j := leased(t, p, shortLease, nil, record("anc", "a1", "A"), record("anc", "a2", "A"))
	must(t, j.Heartbeat(t.Context(), "two"))
	j.hear()
	wantIDs(t, "first claim", claim(t, j, 10), "a1")
	got := claimAs(t, j, journal.Claim{Owner: "two", Limit: 10, Now: start})
	j.others(t, "the record", len(got) > 0)
	wantIDs(t, "taken over", takeOver(t, j, got), "a1")
	check(t, j)
}

func testLateCommit(t *testing.T, p Place) {
	j := leased(t, p, shortLease, nil, record("anc", "a1", "A"), record("anc", "a2", "A"))
	late := claim(t, j, 10)
	got := takeOver(t, j, nil)
	commit(t, j, journal.Batch{Owner: "two", Server: "national", Digests: []actions.Digest{{Object: "event x", Sum: 2}},
		Settlements: []journal.Settlement{{Seq: got[0].Seq, State: journal.Delivered, Attempts: 1}}})
	commit(t, j, journal.Batch{Owner: "one", Server: "national", Digests: []actions.Digest{{Object: "event x", Sum: 1}},
		Settlements: []journal.Settlement{{Seq: late[0].Seq, State: journal.Failed, Attempts: 1}}})
	diff(t, "the late outcome does not count", get(t, j, late[0].Seq).State, journal.Delivered)
	sums, err := j.Memory("national").Digests(t.Context(), []string{"event x"})
	must(t, err)
	diff(t, "what the late delivery wrote is not known any more", sums, map[string]actions.Digest{})
	check(t, j)
}

func testFileTakeover(t *testing.T, p Place) {
	f := file("f1", "anc", "aaa")
	j := leased(t, p, shortLease, f)
	take := func(owner string) bool {
		t.Helper()
		ok, err := j.TakeFile(t.Context(), owner, "f1")
		must(t, err)
		return ok
	}
	j.hear()
	if !take("one") {
		t.Fatal("the file is nobody's, and is not given")
	}
	given := take("two")
	j.others(t, "the file", given)
	awaittest.Until(t, "the silent owner's file is given to the other", func() bool { return take("two") })
	f.Next = 5
	row := record("anc", "row-4", "A")
	err := j.Commit(t.Context(), &journal.Batch{Owner: "one", Files: []journal.File{*f}, New: []*journal.Record{row}})
	if !errors.Is(err, journal.ErrNotOwner) {
		t.Fatalf("progress of a file that was taken over: %v", err)
	}
	all, err := j.Select(t.Context(), journal.Filter{})
	must(t, err)
	diff(t, "rows of a refused batch", len(all), 0)
	commit(t, j, journal.Batch{Owner: "two", Files: []journal.File{*f}, New: []*journal.Record{row}})
	if ok, err := j.TakeFile(t.Context(), "two", "nowhere"); ok || err != nil {
		t.Fatalf("an unknown file: %v %v", ok, err)
	}
}

// testPlacesTakenOver keeps what a dead runner's rows had in flight from later records until its
// file is read by another.
func testPlacesTakenOver(t *testing.T, p Place) {
	f := file("f1", "anc", "aaa")
	f.Places = 10
	j := leased(t, p, takeoverLease, f, record("anc", "after", "A"))
	row := []journal.RowKey{{Key: "A", Seq: f.Seq(1)}}
	given, err := j.ClaimKeys(t.Context(), "one", row)
	must(t, err)
	diff(t, "the key of the row", given, []bool{true})
	awaittest.Until(t, "the silent owner's key is given to a row", func() bool {
		wantIDs(t, "a later record", claimAs(t, j, journal.Claim{Owner: "two", Limit: 10, Now: start}), "")
		given, err := j.ClaimKeys(t.Context(), "two", row)
		must(t, err)
		return given[0]
	})
	commit(t, j, journal.Batch{Owner: "two", Server: "national", Keys: []string{"A"},
		Digests: []actions.Digest{{Object: "event x", Sum: 2}}})
	commit(t, j, journal.Batch{Owner: "one", Server: "national", Keys: []string{"A"},
		Digests: []actions.Digest{{Object: "event x", Sum: 1}}})
	sums, err := j.Memory("national").Digests(t.Context(), []string{"event x"})
	must(t, err)
	diff(t, "what the late row wrote is not known any more", sums, map[string]actions.Digest{})
	wantIDs(t, "behind the row", claimAs(t, j, journal.Claim{Owner: "two", Limit: 10, Now: start}), "after")
}

func testLead(t *testing.T, p Place) {
	j := open(t, p)
	lead := func(owner string) bool {
		ok, err := j.Lead(t.Context(), owner)
		must(t, err)
		return ok
	}
	if !lead("one") || lead("two") || !lead("one") {
		t.Fatal("not exactly the first leads")
	}
}
