package journaltest

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
)

func file(id, rule, sum string) *journal.File {
	return &journal.File{File: sources.File{ID: id, Rule: rule, Path: "/inbox/" + id, Name: id + ".csv", Folder: "/drop",
		Size: 100, SHA256: sum, Received: start},
		State: journal.FileOpen, Next: 1, Owner: "one"}
}

// testFailedFileAgain takes content again of which nothing came, as when its rule was wrong.
func testFailedFileAgain(t *testing.T, p Place) {
	j := open(t, p)
	for i, end := range []struct {
		rows, failed, delivered, later int64
		again                          bool
	}{{1, 1, 0, 0, true}, {9, 9, 0, 0, true}, {9, 8, 1, 0, false}, {9, 9, 0, 1, false}, {0, 0, 0, 0, false}} {
		sum := fmt.Sprintf("sum%d", i)
		f := file("old-"+sum, "anc", sum)
		_, err := j.AddFile(t.Context(), f)
		must(t, err)
		early, err := j.AddFile(t.Context(), file("early-"+sum, "anc", sum))
		must(t, err)
		diff(t, sum+" while it is read", early, true)
		f.State, f.Finished = journal.FileFinished, start.Add(time.Hour)
		f.Rows, f.Failed, f.Delivered, f.RecordsDelivered = end.rows, end.failed, end.delivered, end.later
		commit(t, j, journal.Batch{Files: []journal.File{*f}})
		same, err := j.AddFile(t.Context(), file("old-"+sum, "anc", sum))
		must(t, err)
		diff(t, sum+" under its own id", same, false)
		duplicate, err := j.AddFile(t.Context(), file("new-"+sum, "anc", sum))
		must(t, err)
		diff(t, sum+" dropped again", duplicate, !end.again)
		third, err := j.AddFile(t.Context(), file("third-"+sum, "anc", sum))
		must(t, err)
		diff(t, sum+" once more", third, true)
	}
}

func testFiles(t *testing.T, p Place) {
	j := open(t, p)
	a, b := file("f1", "anc", "aaa"), file("f2", "anc", "aaa")
	for _, step := range []struct {
		f    *journal.File
		want bool
	}{{a, false}, {b, true}, {file("f1", "anc", "aaa"), false}, {file("f3", "pnc", "aaa"), false}} {
		d, err := j.AddFile(t.Context(), step.f)
		must(t, err)
		if d != step.want {
			t.Fatalf("%s: duplicate is %v", step.f.ID, d)
		}
	}
	a.Next, a.Offset, a.Rows, a.Delivered, a.Unchanged, a.Failed = 11, 400, 10, 7, 2, 1
	a.RecordsDelivered, a.RecordsSkipped, a.Superseded, a.RecordsSuperseded, a.Results = 3, 0, 2, 1,
		"/drop/done/f1.results.csv"
	commit(t, j, journal.Batch{Files: []journal.File{*a}})
	open, err := j.Files(t.Context(), journal.FileOpen)
	must(t, err)
	for _, f := range open {
		if f.ID == "f1" {
			diff(t, "progress", f, *a)
		}
	}
	a.State, a.Finished, a.Path = journal.FileFinished, start.Add(time.Hour), "/drop/done/f1.csv"
	commit(t, j, journal.Batch{Files: []journal.File{*a}})
	finished, err := j.Files(t.Context(), journal.FileFinished)
	must(t, err)
	diff(t, "finished files", finished, []journal.File{*a})
	all, err := j.Files(t.Context(), "")
	must(t, err)
	diff(t, "all files", len(all), 2)
	sum, err := j.Summary(t.Context())
	must(t, err)
	diff(t, "open files", sum.Files, int64(1))
}

func testFileRows(t *testing.T, p Place) {
	j := open(t, p)
	f := file("f1", "anc", "aaa")
	if _, err := j.AddFile(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	row := func(n int, key string, state journal.State) *journal.Record {
		r := record("anc", name("row-", n), key)
		r.Origin, r.State = sources.Origin{Trigger: "files", File: "f1.csv", FileID: "f1", Row: n}, state
		return r
	}
	appendAll(t, j, record("anc", "w1", "B"))
	failed := row(7, "A", journal.Failed)
	failed.Problem = &journal.Problem{
		Problem: diag.Problem{Code: "E1", Message: "no date", Column: "Born", Value: "31.31."},
		More: []diag.Problem{{Code: "E2", Message: "no option", Hint: "map it", Field: "Sex", Column: "sex",
			Value: "femal",
			Place: diag.ParsePlace("anc.yaml:4:1")}},
	}
	waits := row(3, "B", journal.Pending)
	again := row(9, "A", journal.Pending)
	f.Next = 10
	commit(t, j, journal.Batch{Files: []journal.File{*f}, New: []*journal.Record{failed, waits, again}})
	rows, err := j.Select(t.Context(), journal.Filter{FileID: "f1", WithBody: true})
	must(t, err)
	slices.SortFunc(rows, func(a, b *journal.Record) int { return cmp.Compare(a.Origin.Row, b.Origin.Row) })
	wantIDs(t, "rows with a record", rows, "row-3 row-7 row-9")
	diff(t, "a failed row", rows[1], failed)
	diff(t, "keys that wait", waiting(t, j), map[string]int{"A": 1, "B": 2})
	wantIDs(t, "claim", claim(t, j, 10), "w1 row-9")
	check(t, j)
}

func testHold(t *testing.T, p Place) {
	j := open(t, p)
	appendAll(t, j, record("anc", "a1", "A"), record("anc", "a2", "A"), record("pnc", "a3", "A"), record("pnc", "b1", "B"))
	problem := &journal.Problem{Problem: diag.Problem{Code: "rule-invalid", Message: "the stage is gone",
		Place: diag.ParsePlace("rules/anc.yaml:3:4")}}
	n, err := j.Hold(t.Context(), "anc", problem)
	must(t, err)
	diff(t, "held", n, int64(2))
	wantIDs(t, "held records hold back their key", claim(t, j, 10), "b1")
	held, err := j.Select(t.Context(), journal.Filter{States: []journal.State{journal.Held}})
	must(t, err)
	wantIDs(t, "held records", held, "a1 a2")
	diff(t, "why", held[0].Problem, problem)
	n, err = j.Unhold(t.Context(), "anc")
	must(t, err)
	diff(t, "unheld", n, int64(2))
	got := claim(t, j, 10)
	wantIDs(t, "free again", got, "a1")
	if got[0].Problem != nil {
		t.Errorf("a record that is not held any more has the problem %+v", got[0].Problem)
	}
	n, err = j.Hold(t.Context(), "anc", problem)
	must(t, err)
	diff(t, "held while one is in flight", n, int64(1))
	settle(t, j, journal.Delivered, got...)
	wantIDs(t, "the next is held", claim(t, j, 10), "")
	check(t, j)
}

func testReplay(t *testing.T, p Place) {
	j := open(t, p)
	appendAll(t, j, record("anc", "a1", "A"), record("anc", "b1", "B"), record("pnc", "c1", "C"))
	got := claim(t, j, 10)
	fail(t, j, journal.Problem{Problem: diag.Problem{Code: "E1064", Message: "no date"}}, got[0], got[2])
	fail(t, j, journal.Problem{Problem: diag.Problem{Code: "E1000", Message: "no right"}}, got[1])
	replay := func(f journal.Filter, force bool, want int64) {
		t.Helper()
		n, err := j.Replay(t.Context(), f, "asha", "the metadata was fixed", force)
		must(t, err)
		diff(t, "replayed", n, want)
	}
	replay(journal.Filter{Rule: "anc", Code: "E1064"}, false, 1)
	again := claim(t, j, 10)
	wantIDs(t, "by rule and code", again, "a1")
	if again[0].Attempts != 0 || again[0].Force || string(again[0].Body) == "" {
		t.Errorf("a replayed record is %+v", again[0])
	}
	settle(t, j, journal.Delivered, again...)
	replay(journal.Filter{Key: "A"}, false, 0)
	replay(journal.Filter{Key: "A", States: []journal.State{journal.Delivered}}, true, 1)
	again = claim(t, j, 10)
	wantIDs(t, "a delivered one", again, "a1")
	if !again[0].Force {
		t.Error("a forced replay is not forced")
	}
	replay(journal.Filter{Limit: 1}, false, 1)
	wantIDs(t, "the first failed one", claim(t, j, 10), "b1")
	trail, err := j.Audit(t.Context(), 10)
	must(t, err)
	if len(trail) != 3 || trail[2].Who != "asha" || trail[2].Did != "replay" ||
		trail[2].Why != "the metadata was fixed" || trail[2].Count != 1 {
		t.Errorf("the audit trail is %+v", trail)
	}
	check(t, j)
}

func testReplayOrder(t *testing.T, p Place) {
	j := open(t, p)
	for i := range 5 {
		appendAll(t, j, record("anc", name("a", i), "A"))
	}
	for range 3 {
		fail(t, j, journal.Problem{Problem: diag.Problem{Code: "E1", Message: "x"}}, claim(t, j, 10)...)
	}
	inFlight := claim(t, j, 10)
	wantIDs(t, "in flight", inFlight, "a3")
	if _, err := j.Replay(t.Context(), journal.Filter{}, "me", "", false); err != nil {
		t.Fatal(err)
	}
	wantIDs(t, "while a later one is in flight", claim(t, j, 10), "")
	settle(t, j, journal.Delivered, inFlight...)
	for _, want := range []string{"a0", "a1", "a2", "a4"} {
		got := claim(t, j, 10)
		wantIDs(t, "in order again", got, want)
		settle(t, j, journal.Delivered, got...)
	}
	check(t, j)
}

func testDismiss(t *testing.T, p Place) {
	j := open(t, p)
	appendAll(t, j, record("anc", "a1", "A"), record("anc", "a2", "A"), record("anc", "b1", "B"))
	got := claim(t, j, 10)
	fail(t, j, journal.Problem{Problem: diag.Problem{Code: "E1", Message: "x"}}, got[1])
	n, err := j.Dismiss(t.Context(), journal.Filter{}, "asha", "a test form")
	must(t, err)
	diff(t, "dismissed", n, int64(1))
	r := get(t, j, got[1].Seq)
	if r.State != journal.Dismissed || r.Problem == nil {
		t.Errorf("a dismissed record is %+v", r)
	}
	must(t, j.Release(t.Context(), "one", []int64{got[0].Seq}))
	n, err = j.Dismiss(t.Context(), journal.Filter{ID: "a1", States: []journal.State{journal.Pending}}, "asha",
		"sent by hand")
	must(t, err)
	diff(t, "dismissed while pending", n, int64(1))
	wantIDs(t, "the next of its key comes", claim(t, j, 10), "a2")
	check(t, j)
}

// waiting counts the records of keys that are neither settled nor sent.
func waiting(t testing.TB, j journal.Journal) map[string]int {
	t.Helper()
	records, err := j.Select(t.Context(), journal.Filter{States: []journal.State{journal.Pending, journal.Held}})
	must(t, err)
	out := map[string]int{}
	for _, r := range records {
		out[r.Key]++
	}
	return out
}

func testSelect(t *testing.T, p Place) {
	j := open(t, p)
	for i := range 6 {
		r := record(name("rule-", i%2), name("r", i), name("key-", i))
		r.Received = start.Add(time.Duration(i) * time.Hour)
		appendAll(t, j, r)
	}
	got := claim(t, j, 3)
	fail(t, j, journal.Problem{Class: actions.ClassData, Problem: diag.Problem{Code: "E1",
		Message: "no date"}}, got[:2]...)
	settle(t, j, journal.Delivered, got[2])
	all, err := j.Select(t.Context(), journal.Filter{})
	must(t, err)
	for _, c := range []struct {
		what string
		f    journal.Filter
		want string
	}{
		{"all", journal.Filter{}, "r0 r1 r2 r3 r4 r5"},
		{"newest first", journal.Filter{NewestOne: true, Limit: 2}, "r5 r4"},
		{"by state", journal.Filter{States: []journal.State{journal.Failed, journal.Delivered}}, "r0 r1 r2"},
		{"by one state, newest first", journal.Filter{States: []journal.State{journal.Pending}, NewestOne: true, Limit: 1},
			"r5"},
		{"by rule", journal.Filter{Rule: "rule-1"}, "r1 r3 r5"},
		{"by key", journal.Filter{Key: "key-4"}, "r4"},
		{"by id", journal.Filter{ID: "r3"}, "r3"},
		{"by code", journal.Filter{Code: "E1", Rule: "rule-1"}, "r1"},
		{"by class", journal.Filter{Class: actions.ClassData}, "r0 r1"},
		{"by cause", journal.Filter{Cause: "no date", Limit: 1}, "r0"},
		{"by seq", journal.Filter{Seq: all[3].Seq}, "r3"},
		{"by time", journal.Filter{Since: start.Add(time.Hour), Until: start.Add(3 * time.Hour)}, "r1 r2"},
		{"after a seq", journal.Filter{AfterSeq: all[1].Seq, States: []journal.State{journal.Pending}, Limit: 2}, "r3 r4"},
		{"nothing", journal.Filter{FileID: "f"}, ""},
	} {
		records, err := j.Select(t.Context(), c.f)
		must(t, err)
		wantIDs(t, c.what, records, c.want)
		for _, r := range records {
			if r.Body != nil {
				t.Errorf("%s: a body that was not asked for", c.what)
			}
		}
	}
}

func testCauses(t *testing.T, p Place) {
	clk := &clock{at: start}
	j := p.Open(t, journal.Options{Now: clk.now})
	for i := range 5 {
		appendAll(t, j, record("anc", name("r", i), name("key-", i)))
	}
	got := claim(t, j, 10)
	date := journal.Problem{Class: actions.ClassData, Problem: diag.Problem{Code: "E1", Message: "no date",
		Hint:  "give one",
		Place: diag.ParsePlace("anc.yaml:3:1"), Value: "31.31."}}
	fail(t, j, date, got[0], got[1])
	clk.advance(time.Hour)
	fail(t, j, date, got[2])
	fail(t, j, journal.Problem{Class: actions.ClassRights, Problem: diag.Problem{Code: "E2",
		Message: "no right"}}, got[3])
	causes, err := j.Causes(t.Context(), journal.Filter{Rule: "anc"})
	must(t, err)
	if len(causes) != 2 || causes[0].Example == nil || causes[0].Example.ID != "r2" ||
		causes[0].Example.Problem.Value != "31.31." {
		t.Fatalf("causes are %+v", causes)
	}
	causes[0].Example = nil
	diff(t, "the first cause", causes[0], journal.Cause{Rule: "anc", Code: "E1", Cause: "no date", Hint: "give one",
		Place: "anc.yaml:3:1", Class: actions.ClassData,
		Count: 3, First: start, Last: start.Add(time.Hour)})
	causes, err = j.Causes(t.Context(), journal.Filter{Class: actions.ClassRights})
	must(t, err)
	diff(t, "causes of a class", len(causes), 1)
}

func testSummary(t *testing.T, p Place) {
	clk := &clock{at: start.Add(time.Hour)}
	j := p.Open(t, journal.Options{Now: clk.now})
	for i := range 4 {
		r := record("anc", name("r", i), name("key-", i))
		r.Received = start.Add(time.Duration(i) * time.Minute)
		appendAll(t, j, r)
	}
	skipped := record("pnc", "s", "s")
	skipped.State, skipped.Body = journal.Skipped, nil
	appendAll(t, j, skipped)
	got := claim(t, j, 2)
	settle(t, j, journal.Delivered, got[0])
	sum, err := j.Summary(t.Context())
	must(t, err)
	diff(t, "rules", sum.Rules, []journal.RuleSummary{
		{Rule: "anc", Pending: 3, Delivered: 1, Oldest: start.Add(time.Minute), LastDelivered: clk.at,
			LastReceived: start.Add(3 * time.Minute)},
		{Rule: "pnc", Skipped: 1, LastReceived: start},
	})
	diff(t, "oldest", sum.Oldest, start.Add(time.Minute))
	behind := record("visit", "v", "key-3")
	appendAll(t, j, behind)
	sum, err = j.Summary(t.Context())
	must(t, err)
	diff(t, "the oldest of a rule that waits for another", sum.Rules[len(sum.Rules)-1].Oldest, start)
	if sum.Size <= 0 {
		t.Errorf("the journal has the size %d", sum.Size)
	}
}
