package journaltest

import (
	"testing"

	"github.com/culvert/culvert/engine/journal"
)

// rowKeys are keys of rows that stand behind all records.
func rowKeys(keys ...string) []journal.RowKey {
	out := make([]journal.RowKey, len(keys))
	for i, key := range keys {
		out[i] = journal.RowKey{Key: key}
	}
	return out
}

// place makes a record of a row at the place that its file took.
func placed(f *journal.File, row int64, key string) *journal.Record {
	r := record("anc", name("row-", int(row)), key)
	r.Seq = f.Seq(row)
	r.Origin.FileID, r.Origin.DataRow = f.ID, row
	return r
}

func addFile(t testing.TB, j journal.Journal, f *journal.File) {
	t.Helper()
	duplicate, err := j.AddFile(t.Context(), f)
	must(t, err)
	if duplicate {
		t.Fatalf("%s was taken for a duplicate", f.ID)
	}
}

// testPlaces has rows of a file stand where the file was accepted, whenever they become records.
func testPlaces(t *testing.T, p Place) {
	j := open(t, p)
	appendAll(t, j, record("anc", "before", "A"))
	f := file("f1", "anc", "aaa")
	f.Places = 100
	addFile(t, j, f)
	appendAll(t, j, record("anc", "after", "A"), record("anc", "alone", "B"))
	all, err := j.Select(t.Context(), journal.Filter{})
	must(t, err)
	if all[0].Seq > f.Place || all[1].Seq <= f.Place+f.Places {
		t.Fatalf("records at %d and %d, the file took %d places behind %d", all[0].Seq, all[1].Seq, f.Places, f.Place)
	}
	commit(t, j, journal.Batch{New: []*journal.Record{placed(f, 7, "A"), placed(f, 9, "A"), placed(f, 11, "B")}})
	failed := placed(f, 12, "B")
	failed.State = journal.Failed
	commit(t, j, journal.Batch{New: []*journal.Record{failed}})
	// Whoever did not hear that this was recorded says it again.
	commit(t, j, journal.Batch{New: []*journal.Record{placed(f, 7, "A"), placed(f, 13, "C")}})
	sum, err := j.Summary(t.Context())
	must(t, err)
	if r := sum.Rules[0]; r.Pending != 7 || r.Failed != 1 {
		t.Errorf("%d are counted as pending, %d as failed", r.Pending, r.Failed)
	}
	check(t, j)
	must(t, j.Close())
	j = open(t, p)
	wantOrder(t, j, "before row-11 row-13", "row-7 alone", "row-9", "after")
	_, err = j.Replay(t.Context(), journal.Filter{}, "me", "", false)
	must(t, err)
	wantOrder(t, j, "row-12")
	if last := f.Seq(f.Places + 1); last != 0 {
		t.Errorf("the row behind the last place stands at %d", last)
	}
	diff(t, "the row before the first", f.Seq(0), int64(0))
	check(t, j)
}

// wantOrder claims and delivers until nothing is left, and compares the ids of each claim.
func wantOrder(t testing.TB, j journal.Journal, claims ...string) {
	t.Helper()
	for _, want := range claims {
		got := claim(t, j, 10)
		wantIDs(t, "claim", got, want)
		settle(t, j, journal.Delivered, got...)
		check(t, j)
	}
	wantIDs(t, "what is left", claim(t, j, 10), "")
}

// testPlacesOfKeys has a row take its key from records that were accepted later, and not from those
// before it or in flight.
func testPlacesOfKeys(t *testing.T, p Place) {
	j := open(t, p)
	appendAll(t, j, record("anc", "before", "A"))
	f := file("f1", "anc", "aaa")
	f.Places = 100
	addFile(t, j, f)
	appendAll(t, j, record("anc", "after", "B"), record("anc", "flying", "C"))
	wantIDs(t, "claim", claimAs(t, j, journal.Claim{Owner: "two", Limit: 1, Now: start, AfterSeq: f.Seq(100) + 1}),
		"flying")
	given, err := j.ClaimKeys(t.Context(), "one", []journal.RowKey{{Key: "A", Seq: f.Seq(1)}, {Key: "B", Seq: f.Seq(2)},
		{Key: "C", Seq: f.Seq(3)}, {Key: "D", Seq: f.Seq(4)},
		{Key: "B", Seq: f.Seq(5)}})
	must(t, err)
	diff(t, "keys given", given, []bool{false, true, false, true, false})
	wantIDs(t, "what is not behind a row", claim(t, j, 10), "before")
	// A row that must be tried again stays before the record that came while it was in flight.
	retry := placed(f, 2, "B")
	commit(t, j, journal.Batch{New: []*journal.Record{retry}, Keys: []string{"B", "D"}})
	wantOrder(t, j, "row-2", "after")
}
