package journaltest

import (
	"testing"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/rules/diag"
)

// testCorrectedParts corrects a record that was delivered at the first place of its rule and failed at the second.
func testCorrectedParts(t *testing.T, p Place) {
	j := open(t, p)
	mistake := journal.Problem{Problem: diag.Problem{Code: "E1", Message: "x"}}
	part := func(rule, id string, content uint64, rank int64) *journal.Record {
		r := record(rule, id, rule+"/"+id)
		r.Content, r.Rank = content, rank
		appendAll(t, j, r)
		return r
	}
	first := record("anc", "a", "A")
	appendAll(t, j, first)
	settle(t, j, journal.Delivered, claim(t, j, 10)...)
	failed, other, alike := part("anc@hq", "a", 1, first.Seq), part("anc@hq", "b", 1, first.Seq), part("ancx@hq", "a", 1, first.Seq)
	newer := part("anc@lab", "a", 1, first.Seq+100)
	fail(t, j, mistake, claim(t, j, 10)...)
	corrected, err := j.Correct(t.Context(), first.Seq, []byte(`{"a":2}`), "asha", "the date")
	must(t, err)
	r := get(t, j, failed.Seq)
	if r.State != journal.Superseded || r.SupersededBy != corrected {
		t.Errorf("what failed at the second place is %s by %d, want superseded by %d", r.State, r.SupersededBy, corrected)
	}
	for what, seq := range map[string]int64{"another record": other.Seq, "another rule": alike.Seq, "a newer version": newer.Seq} {
		if r := get(t, j, seq); r.State != journal.Failed {
			t.Errorf("the failure of %s is %s", what, r.State)
		}
	}
	settle(t, j, journal.Delivered, claim(t, j, 10)...)
	// The second place fails once more, then takes another attempt that stands for the same version.
	again := part("anc@hq", "a", 2, first.Seq)
	fail(t, j, mistake, claim(t, j, 10)...)
	last := part("anc@hq", "a", 3, first.Seq)
	settle(t, j, journal.Delivered, claim(t, j, 10)...)
	if r := get(t, j, again.Seq); r.State != journal.Superseded || r.SupersededBy != last.Seq {
		t.Errorf("the attempt before is %s by %d, want superseded by %d", r.State, r.SupersededBy, last.Seq)
	}
	check(t, j)
}

// testFixedRowParts lets a row of a file fix an earlier one, of which another place knows a failure, too.
func testFixedRowParts(t *testing.T, p Place) {
	j := open(t, p)
	row := record("anc", "row-1", "A")
	row.Origin.FileID, row.State = "f1", journal.Failed
	row.Problem = &journal.Problem{Problem: diag.Problem{Code: "E1", Message: "x"}}
	commit(t, j, journal.Batch{New: []*journal.Record{row}})
	sent := record("anc@sms", "row-1", "A@sms")
	sent.Rank = row.Seq
	appendAll(t, j, sent)
	fail(t, j, journal.Problem{Problem: diag.Problem{Code: "E2", Message: "x"}}, claim(t, j, 10)...)
	commit(t, j, journal.Batch{Versions: []journal.Version{{Rule: "anc", Seq: sent.Seq + 10, Fixes: row.Seq, File: "f1"}}})
	for _, seq := range []int64{row.Seq, sent.Seq} {
		if r := get(t, j, seq); r.State != journal.Superseded || r.SupersededBy != sent.Seq+10 {
			t.Errorf("record %d is %s by %d", seq, r.State, r.SupersededBy)
		}
	}
	check(t, j)
}
