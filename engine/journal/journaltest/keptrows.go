package journaltest

import (
	"testing"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/sources"
)

// testKeptRows keeps rows of a file that went through, at their places: lookups find those before a place by key.
func testKeptRows(t *testing.T, p Place) {
	j := open(t, p)
	f := journal.File{
		File:   sources.File{ID: "f1", Rule: "anc", Name: "march.csv"},
		State:  journal.FileOpen,
		Next:   1,
		Owner:  "one",
		Places: 5,
	}
	_, err := j.AddFile(t.Context(), &f)
	must(t, err)
	later := record("anc", "form-1", "A")
	appendAll(t, j, later)
	var rows []*journal.Record
	for i := range 3 {
		r := record("anc", name("row-", i), "A")
		r.State, r.Seq, r.Settled = journal.Delivered, f.Seq(int64(i+1)), start
		r.Origin.FileID, r.Origin.DataRow, r.Origin.Kept = "f1", int64(i+1), true
		rows = append(rows, r)
	}
	commit(t, j, journal.Batch{New: rows[:2]})
	commit(t, j, journal.Batch{New: rows}) // the first two once more, as after a crash
	check(t, j)
	must(t, j.Close())
	j = open(t, p)
	found, err := j.Search(t.Context(), journal.Filter{Rule: "anc", Key: "A", States: []journal.State{journal.Delivered},
		Before: later.Seq, Limit: 10, WithBody: true})
	must(t, err)
	wantIDs(t, "before the form", found.Records, "row-2 row-1 row-0")
	if !found.Records[0].Origin.Kept || found.Records[0].Body == nil {
		t.Errorf("a kept row is %+v", found.Records[0])
	}
	before, err := j.Search(t.Context(), journal.Filter{Rule: "anc", Key: "A", States: []journal.State{journal.Delivered},
		Before: rows[1].Seq, Limit: 10})
	must(t, err)
	wantIDs(t, "before the second row", before.Records, "row-0")
	wantIDs(t, "they hold up nobody", claim(t, j, 10), "form-1")
	check(t, j)
}
