package journaltest

import (
	"testing"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
)

func states(t testing.TB, j journal.Journal) map[string]string {
	t.Helper()
	all, err := j.Select(t.Context(), journal.Filter{})
	must(t, err)
	out := map[string]string{}
	for _, r := range all {
		out[r.Key] = string(r.State)
		if r.SupersededBy != 0 {
			out[r.Key] += " by " + keyAt(all, r.SupersededBy)
		}
	}
	return out
}

func keyAt(all []*journal.Record, seq int64) string {
	for _, r := range all {
		if r.Seq == seq {
			return r.Key
		}
	}
	return "a row"
}

// version gives a record of one identity: every version has a key of its own here, so that any can be settled first.
func version(id, key string, content uint64, v int64) *journal.Record {
	r := record("anc", id, key)
	r.Content, r.Version = content, v
	return r
}

// testNewerVersions settles versions of one record in another order than they came.
func testNewerVersions(t *testing.T, p Place) {
	j := open(t, p)
	appendAll(t, j, version("a", "a1", 1, 0), version("a", "a2", 2, 0), version("a", "a3", 3, 0), version("b", "b1", 1, 0),
		version("c", "c1", 1, actions.NumberVersion(9)), version("c", "c2", 2, actions.NumberVersion(1)))
	r := claim(t, j, 10)
	problem := &journal.Problem{Problem: diag.Problem{Code: "E1", Message: "no date"}}
	fail := func(n int) journal.Settlement {
		return journal.Settlement{Seq: r[n].Seq, State: journal.Failed, Attempts: 1, Problem: problem}
	}
	deliver := func(n int) journal.Settlement {
		return journal.Settlement{Seq: r[n].Seq, State: journal.Delivered, Attempts: 1}
	}
	commit(t, j, journal.Batch{Settlements: []journal.Settlement{fail(0), fail(2), fail(3), fail(4), fail(5)}})
	commit(t, j, journal.Batch{Settlements: []journal.Settlement{deliver(1)}})
	diff(t, "after the second version", states(t, j), map[string]string{
		"a1": "superseded by a2", "a2": "delivered", "a3": "failed", "b1": "failed", "c1": "failed", "c2": "failed"})
	n, err := j.Replay(t.Context(), journal.Filter{Key: "c1"}, "asha", "", false)
	must(t, err)
	diff(t, "replayed", n, int64(1))
	settle(t, j, journal.Delivered, claim(t, j, 10)...)
	diff(t, "after the greater version", states(t, j), map[string]string{
		"a1": "superseded by a2", "a2": "delivered", "a3": "failed", "b1": "failed", "c1": "delivered",
		"c2": "superseded by c1"})
	commit(t, j, journal.Batch{Versions: []journal.Version{{Rule: "anc", ID: "b", Order: actions.Order{Seq: 99}, Seq: 99},
		{Rule: "pnc", ID: "a", Order: actions.Order{Seq: 99}, Seq: 99}}})
	diff(t, "after a row", states(t, j)["b1"], "superseded by a row")
	diff(t, "a record of another rule", states(t, j)["a3"], "failed")
	sum, err := j.Summary(t.Context())
	must(t, err)
	if r := sum.Rules[0]; r.Superseded != 3 || r.Failed != 1 || r.Delivered != 2 {
		t.Errorf("the summary is %+v", r)
	}
	check(t, j)
}

// testLateOrders commits what a silent owner delivered after its records were given to another: the
// order of what was written last stays.
func testLateOrders(t *testing.T, p Place) {
	j := open(t, p)
	digest := func(sum uint64, seq int64) []actions.Digest {
		return []actions.Digest{{Object: "event x", Sum: sum, Order: actions.Order{Seq: seq}}}
	}
	commit(t, j, journal.Batch{Server: "national", Digests: digest(2, 5)})
	commit(t, j, journal.Batch{Server: "national", Digests: digest(1, 3),
		Settlements: []journal.Settlement{{Seq: 77, State: journal.Delivered}}})
	got, err := j.Memory("national").Digests(t.Context(), []string{"event x"})
	must(t, err)
	diff(t, "digest", got, map[string]actions.Digest{"event x": {Object: "event x", Order: actions.Order{Seq: 5}}})
}

// testFixes lets rows stand for failed ones of another file.
func testFixes(t *testing.T, p Place) {
	j := open(t, p)
	failed := func(key string, row int) *journal.Record {
		r := version("row "+key, key, 1, 0)
		r.State, r.Problem = journal.Failed, &journal.Problem{Problem: diag.Problem{Code: "E1"}}
		r.Origin = sources.Origin{Trigger: "files", File: "anc.csv", FileID: "f1", Row: row, DataRow: int64(row)}
		return r
	}
	appendAll(t, j, failed("a", 1), failed("b", 2), failed("c", 3))
	all, err := j.Select(t.Context(), journal.Filter{})
	must(t, err)
	fix := failed("d", 1)
	fix.Origin.FileID, fix.Rank = "f2", all[1].Seq
	commit(t, j, journal.Batch{New: []*journal.Record{fix}, Versions: []journal.Version{
		{Rule: "anc", ID: "row x", Seq: 90, Order: actions.Order{Seq: all[0].Seq}, Fixes: all[0].Seq, File: "f1"},
		{Rule: "anc", Seq: 91, Fixes: all[1].Seq, File: "f1"},
		{Rule: "anc", Seq: 92, Fixes: all[2].Seq, File: "another"},
		{Rule: "pnc", Seq: 92, Fixes: all[2].Seq, File: "f1"},
		{Rule: "anc", Seq: 92, Fixes: 4711, File: "f1"},
	}})
	diff(t, "states", states(t, j), map[string]string{"a": "superseded by a row", "b": "superseded by a row",
		"c": "failed", "d": "failed"})
	again, err := j.Select(t.Context(), journal.Filter{Key: "d"})
	must(t, err)
	if o := again[0].Order(); o.Seq != all[1].Seq {
		t.Errorf("the row that stands for record %d has the order %+v", all[1].Seq, o)
	}
	check(t, j)
}

// testInsist replays with force: only who names a record lets it overwrite what is newer.
func testInsist(t *testing.T, p Place) {
	j := open(t, p)
	appendAll(t, j, record("anc", "a", "A"), record("anc", "b", "B"))
	settle(t, j, journal.Failed, claim(t, j, 10)...)
	replay := func(f journal.Filter, force bool) *journal.Record {
		t.Helper()
		_, err := j.Replay(t.Context(), f, "asha", "", force)
		must(t, err)
		got := claim(t, j, 1)
		settle(t, j, journal.Failed, got...)
		return got[0]
	}
	all, err := j.Select(t.Context(), journal.Filter{})
	must(t, err)
	for _, c := range []struct {
		what          string
		filter        journal.Filter
		force         bool
		forced, named bool
	}{
		{"plain", journal.Filter{Key: "A"}, false, false, false},
		{"all of a key", journal.Filter{Key: "A"}, true, true, false},
		{"this one", journal.Filter{Seq: all[0].Seq}, true, true, true},
		{"by its id", journal.Filter{ID: "a"}, true, true, true},
		{"plain again", journal.Filter{Seq: all[0].Seq}, false, false, false},
	} {
		if r := replay(c.filter, c.force); r.Force != c.forced || r.Insist != c.named {
			t.Errorf("%s: force %v, insist %v", c.what, r.Force, r.Insist)
		}
	}
}

// testRowChanges lists rows of finished files whose records came to another end, until that is noted.
func testRowChanges(t *testing.T, p Place) {
	j := open(t, p)
	row := func(fileID, key string) *journal.Record {
		r := record("anc", "row "+key, key)
		r.State, r.Problem = journal.Failed, &journal.Problem{Problem: diag.Problem{Code: "E1"}}
		r.Origin = sources.Origin{Trigger: "files", File: "anc.csv", FileID: fileID, Row: 2, DataRow: 1}
		return r
	}
	for _, id := range []string{"f1", "f2"} {
		if _, err := j.AddFile(t.Context(), file(id, "anc", id)); err != nil {
			t.Fatal(err)
		}
	}
	appendAll(t, j, row("f1", "a"), row("f1", "b"), row("f2", "c"), record("anc", "no row", "d"))
	changes := func() []*journal.Record {
		t.Helper()
		got, err := j.RowChanges(t.Context(), 10)
		must(t, err)
		return got
	}
	for _, key := range []string{"a", "c"} {
		if _, err := j.Replay(t.Context(), journal.Filter{Key: key}, "asha", "", false); err != nil {
			t.Fatal(err)
		}
	}
	settle(t, j, journal.Delivered, claim(t, j, 10)...)
	wantIDs(t, "changed rows of open files", changes(), "")
	f1 := file("f1", "anc", "f1")
	f1.State, f1.Finished = journal.FileFinished, start
	commit(t, j, journal.Batch{Files: []journal.File{*f1}})
	got := changes()
	wantIDs(t, "changed rows", got, "row a")
	must(t, j.RowChangesNoted(t.Context(), got))
	wantIDs(t, "noted rows", changes(), "")
	if _, err := j.Dismiss(t.Context(), journal.Filter{Key: "b"}, "asha", "typing error"); err != nil {
		t.Fatal(err)
	}
	wantIDs(t, "dismissed rows", changes(), "row b")
	// One that is sent once more does not stand before the others.
	delivered := journal.Filter{Key: "a", States: []journal.State{journal.Delivered}}
	for range 2 {
		_, err := j.Replay(t.Context(), delivered, "asha", "", false)
		must(t, err)
		settle(t, j, journal.Delivered, claim(t, j, 1)...)
	}
	_, err := j.Replay(t.Context(), delivered, "asha", "", false)
	must(t, err)
	first, err := j.RowChanges(t.Context(), 1)
	must(t, err)
	wantIDs(t, "the first of them", first, "row b")
	check(t, j)
}
