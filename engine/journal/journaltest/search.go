package journaltest

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
)

// search lists what a filter finds, newest first.
func search(t testing.TB, j journal.Journal, f journal.Filter) string {
	t.Helper()
	page, err := j.Search(t.Context(), f)
	must(t, err)
	if page.Next != 0 {
		t.Fatalf("%+v has another page from %d", f, page.Next)
	}
	listed, err := j.Select(t.Context(), f)
	must(t, err)
	if len(listed) != len(page.Records) {
		t.Fatalf("%+v: a search finds %q, a list %q", f, ids(page.Records), ids(listed))
	}
	return ids(page.Records)
}

// wrote delivers a record as objects.
func wrote(t testing.TB, j journal.Journal, r *journal.Record, objects ...string) {
	t.Helper()
	commit(t, j, journal.Batch{Server: "national",
		Settlements: []journal.Settlement{{Seq: r.Seq, State: journal.Delivered, Attempts: 1, Objects: objects}}})
}

func testSearch(t *testing.T, p Place) {
	j := open(t, p)
	f := file("f1", "pnc", "aaa")
	_, err := j.AddFile(t.Context(), f)
	must(t, err)
	appendAll(t, j, record("anc", "a1", "A"), record("anc", "b1", "B"), record("pnc", "a2", "A"), record("pnc", "c1", "C"))
	got := claim(t, j, 10)
	commit(t, j, journal.Batch{Server: "national", Settlements: []journal.Settlement{{Seq: got[0].Seq,
		State: journal.Delivered, Attempts: 1, Objects: []string{"teiA", "enrollmentA"}, About: []string{"clinic"}}}})
	fail(t, j, journal.Problem{Problem: diag.Problem{Code: "E1", Message: "no date"},
		Class: actions.ClassData}, got[1])
	fail(t, j, journal.Problem{Problem: diag.Problem{Code: "E2", Message: "no unit"},
		Class: actions.ClassData}, got[2])
	row := record("pnc", "row-7", "D")
	row.About = []string{"clinic", "post"}
	row.Origin, row.State, row.Problem = sources.Origin{Trigger: "files", File: "f1.csv", FileID: "f1", Row: 7},
		journal.Failed, &journal.Problem{Problem: diag.Problem{Code: "E1", Message: "no date"}}
	commit(t, j, journal.Batch{Files: []journal.File{*f}, New: []*journal.Record{row}})
	later := record("anc", "late", "E")
	later.Received = start.Add(48 * time.Hour)
	appendAll(t, j, later)
	must(t, j.SetIdentities(t.Context(), "national",
		[]actions.Identity{{IdentityKey: actions.IdentityKey{Type: "person", ExternalID: "nid-1"}, UID: "teiA"}}, "asha", ""))
	both := func(j journal.Journal) {
		t.Helper()
		for _, c := range []struct {
			what string
			f    journal.Filter
			want string
		}{
			{"everything", journal.Filter{}, "late row-7 c1 a2 b1 a1"},
			{"a record id", journal.Filter{Text: "b1"}, "b1"},
			{"a key", journal.Filter{Text: "A"}, "a2 a1"},
			{"a uid", journal.Filter{Text: "enrollmentA"}, "a1"},
			{"an external id", journal.Filter{Text: "nid-1"}, "a1"},
			{"nothing", journal.Filter{Text: "nid-2"}, ""},
			{"a key and a rule", journal.Filter{Text: "A", Rule: "pnc"}, "a2"},
			{"an object", journal.Filter{Object: "teiA"}, "a1"},
			{"no object", journal.Filter{Object: "A"}, ""},
			{"what it is about is no object of it", journal.Filter{Object: "clinic"}, ""},
			{"nor a text that it is known by", journal.Filter{Text: "clinic"}, ""},
			{"about", journal.Filter{About: []string{"clinic"}}, "row-7 a1"},
			{"about one of two", journal.Filter{About: []string{"ward", "post"}}, "row-7"},
			{"about two, once", journal.Filter{About: []string{"clinic", "post"}}, "row-7 a1"},
			{"about nothing known", journal.Filter{About: []string{"ward"}}, ""},
			{"about, state and code", journal.Filter{About: []string{"clinic"}, States: []journal.State{journal.Failed},
				Code: "E1"}, "row-7"},
			{"about and a key", journal.Filter{About: []string{"clinic"}, Text: "A"}, "a1"},
			{"about, of a file", journal.Filter{About: []string{"clinic"}, FileID: "f1"}, "row-7"},
			{"about, of a selection", journal.Filter{About: []string{"clinic"}, Seqs: []int64{got[0].Seq, got[1].Seq}}, "a1"},
			{"id", journal.Filter{ID: "a2"}, "a2"},
			{"key", journal.Filter{Key: "A", States: []journal.State{journal.Delivered}}, "a1"},
			{"state", journal.Filter{States: []journal.State{journal.Failed}}, "row-7 c1 b1"},
			{"states", journal.Filter{States: []journal.State{journal.Delivered, journal.Pending}}, "late a2 a1"},
			{"rule", journal.Filter{Rule: "pnc"}, "row-7 c1 a2"},
			{"state and rule", journal.Filter{States: []journal.State{journal.Failed}, Rule: "pnc"}, "row-7 c1"},
			{"code", journal.Filter{States: []journal.State{journal.Failed}, Code: "E1"}, "row-7 b1"},
			{"code and class", journal.Filter{States: []journal.State{journal.Failed}, Code: "E1", Class: actions.ClassData},
				"b1"},
			{"code of whatever state", journal.Filter{Code: "E2"}, "c1"},
			{"cause and rule", journal.Filter{States: []journal.State{journal.Failed}, Cause: "no date", Rule: "pnc"}, "row-7"},
			{"file", journal.Filter{FileID: "f1"}, "row-7"},
			{"file and row", journal.Filter{FileID: "f1", Row: 7}, "row-7"},
			{"another row", journal.Filter{FileID: "f1", Row: 8}, ""},
			{"time", journal.Filter{Since: start.Add(time.Hour)}, "late"},
			{"until", journal.Filter{Until: start.Add(time.Hour), Rule: "anc"}, "b1 a1"},
			{"a selection", journal.Filter{Seqs: []int64{got[1].Seq, row.Seq}}, "row-7 b1"},
			{"an empty selection", journal.Filter{Seqs: []int64{}}, ""},
			{"before", journal.Filter{Before: got[2].Seq}, "a2 b1 a1"},
			{"a row that no file has", journal.Filter{FileID: "f1", Row: math.MaxInt}, ""},
			{"a row that no file has, of whatever file", journal.Filter{Row: math.MaxInt}, ""},
		} {
			if found := search(t, j, c.f); found != c.want {
				t.Errorf("%s: found %q, want %q", c.what, found, c.want)
			}
		}
	}
	both(j)
	must(t, j.Close())
	j = open(t, p)
	both(j)
	for _, r := range []*journal.Record{get(t, j, got[0].Seq), get(t, j, row.Seq)} {
		diff(t, "about", r.About, map[bool][]string{true: {"clinic"}, false: {"clinic", "post"}}[r.ID == "a1"])
		diff(t, "objects", r.Objects, map[bool][]string{true: {"teiA", "enrollmentA"}, false: nil}[r.ID == "a1"])
	}
	n, err := j.Replay(t.Context(), journal.Filter{Seqs: []int64{row.Seq}}, "asha", "", false)
	must(t, err)
	diff(t, "replayed of a selection", n, int64(1))
	_, err = j.Forget(t.Context(), "A", "asha", "asked for")
	must(t, err)
	diff(t, "of who was forgotten", search(t, j, journal.Filter{Text: "A"})+search(t, j, journal.Filter{Text: "teiA"}), "")
	diff(t, "about, of who was forgotten", search(t, j, journal.Filter{About: []string{"clinic"}}), "row-7")
	check(t, j)
}

// testOddTexts asks for texts that no store holds as they are: they find nothing, and that is no error.
func testOddTexts(t *testing.T, p Place) {
	j := open(t, p)
	appendAll(t, j, record("anc", "a1", "A"), record("anc", "b1", "B"))
	fail(t, j, journal.Problem{Problem: diag.Problem{Code: "E1", Message: "no date"},
		Class: actions.ClassData}, claim(t, j, 1)...)
	failed := []journal.State{journal.Failed}
	for _, odd := range []string{"\x00", "a1\x00", "\xff", "a\xffb"} {
		for what, f := range map[string]journal.Filter{
			"rule": {Rule: odd}, "state and rule": {Rule: odd, States: failed}, "key": {Key: odd}, "id": {ID: odd},
			"code": {Code: odd}, "failed with a code": {Code: odd, States: failed}, "class": {Class: actions.Class(odd)},
			"cause": {Cause: odd}, "failed of a cause": {Cause: odd, States: failed}, "file": {FileID: odd},
			"text": {Text: odd}, "object": {Object: odd}, "about": {About: []string{odd}},
		} {
			if found := search(t, j, f); found != "" {
				t.Errorf("%s %q: found %q", what, odd, found)
			}
			causes, err := j.Causes(t.Context(), f)
			if err != nil || len(causes) > 0 {
				t.Errorf("causes of %s %q: %v, %v", what, odd, causes, err)
			}
		}
		figures, err := j.Figures(t.Context(), journal.FigureQuery{Width: journal.Minute, Rule: odd, Server: odd})
		if err != nil || len(figures) > 0 {
			t.Errorf("figures of %q: %v, %v", odd, figures, err)
		}
		if story, err := j.Story(t.Context(), odd, 10); err != nil {
			t.Errorf("the story of %q: %v, %v", odd, story, err)
		}
		if versions, err := j.Versions(t.Context(), odd, odd); err != nil || len(versions) > 0 {
			t.Errorf("versions of %q: %v, %v", odd, versions, err)
		}
		if cursor, err := j.Cursor(t.Context(), odd); err != nil || cursor != "" {
			t.Errorf("the cursor %q: %q, %v", odd, cursor, err)
		}
		if n, err := j.Dismiss(t.Context(), journal.Filter{Rule: odd, ID: odd}, odd, odd); err != nil || n > 0 {
			t.Errorf("dismissed %d of %q: %v", n, odd, err)
		}
		if _, err := j.Forget(t.Context(), odd, odd, odd); err != nil {
			t.Errorf("forget %q: %v", odd, err)
		}
	}
	odd := record("anc", "odd\x00\xff", "ODD\x00\xff") // what came so is found by what it came with
	appendAll(t, j, odd)
	for what, f := range map[string]journal.Filter{"id": {ID: odd.ID}, "key": {Key: odd.Key}, "text": {Text: odd.ID}} {
		if page, err := j.Search(t.Context(), f); err != nil || len(page.Records) != 1 {
			t.Errorf("%s: found %q, %v", what, ids(page.Records), err)
		}
	}
	if _, err := j.Forget(t.Context(), odd.Key, "asha", "asked for"); err != nil {
		t.Error(err)
	}
}

// testPages goes through many records page by page, however they are found.
func testPages(t *testing.T, p Place) {
	j := open(t, p)
	var all []*journal.Record
	for i := range 25 {
		all = append(all, record(name("rule-", i%2), name("r", i), name("key-", i%3)))
	}
	appendAll(t, j, all...)
	for range 25 {
		for _, r := range claim(t, j, 25) {
			if r.Seq%5 == 0 {
				fail(t, j, journal.Problem{Problem: diag.Problem{Code: "E1", Message: name("cause ", int(r.Seq%2))}}, r)
			} else {
				wrote(t, j, r, "shared")
			}
		}
	}
	for what, f := range map[string]journal.Filter{
		"all": {}, "key": {Text: "key-1"}, "object": {Object: "shared"}, "rule": {Rule: "rule-1"},
		"code":  {Code: "E1", States: []journal.State{journal.Failed}},
		"state": {States: []journal.State{journal.Failed, journal.Delivered}}, "time": {Since: start},
	} {
		want, err := j.Select(t.Context(), f)
		must(t, err)
		var got []*journal.Record
		f.Limit = 2
		for f.Before = 0; ; {
			page, err := j.Search(t.Context(), f)
			must(t, err)
			if len(page.Records) > 2 {
				t.Fatalf("%s: a page of %d", what, len(page.Records))
			}
			got = append(got, page.Records...)
			if f.Before = page.Next; f.Before == 0 {
				break
			}
		}
		if len(want) == 0 || len(got) != len(want) {
			t.Fatalf("%s: %d records in pages, %d in one list", what, len(got), len(want))
		}
		for i, r := range got {
			if r.Seq != want[len(want)-1-i].Seq {
				t.Fatalf("%s: record %d comes at %d", what, r.Seq, i)
			}
		}
	}
}

func testStory(t *testing.T, p Place) {
	j := open(t, p)
	appendAll(t, j, record("anc", "a1", "case-A"), record("pnc", "a2", "case-A"), record("lab", "a3", "nid-A"),
		record("anc", "b1", "case-B"))
	got := claim(t, j, 10)
	wrote(t, j, got[0], "teiA", "enrollmentA")
	wrote(t, j, got[1], "teiA", "labA")
	must(t, j.SetIdentities(t.Context(), "national",
		[]actions.Identity{{IdentityKey: actions.IdentityKey{Type: "person", ExternalID: "nid-A"}, UID: "teiA",
			Generation: 1}}, "asha", ""))
	for who, want := range map[string]string{
		"teiA": "a1 a2 a3", "nid-A": "a1 a2 a3", "case-A": "a1 a2", "case-B": "b1", "labA": "a3", "nobody": "", "": "",
	} {
		story, err := j.Story(t.Context(), who, 10)
		must(t, err)
		wantIDs(t, "the story of "+who, story.Records, want)
		if held := len(story.Holders) == 1 && story.Holders[0].UID == "teiA" &&
			story.Holders[0].Server == "national"; held != strings.Contains(want, "a1 a2 a3") {
			t.Errorf("who stands for %s: %+v", who, story.Holders)
		}
	}
	story, err := j.Story(t.Context(), "teiA", 2)
	must(t, err)
	if wantIDs(t, "the latest", story.Records, "a2 a3"); !story.More {
		t.Error("that there is more is not said")
	}
}

// testCorrect corrects records in several states.
func testCorrect(t *testing.T, p Place) {
	j := open(t, p)
	refused := func(seq int64, why, want string) {
		t.Helper()
		var no *journal.ErrRefused
		if _, err := j.Correct(t.Context(), seq, []byte(`{}`), "asha", why); !errors.As(err, &no) ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("correcting record %d: %v", seq, err)
		}
	}
	appendAll(t, j, record("anc", "a1", "A"), record("anc", "b1", "B"), record("held", "c1", "C"))
	_, err := j.Hold(t.Context(), "held", &journal.Problem{Problem: diag.Problem{Code: "rule-invalid", Message: "x"}})
	must(t, err)
	got := claim(t, j, 10)
	refused(got[0].Seq, "because", "is waiting to be sent or on its way")
	fail(t, j, journal.Problem{Problem: diag.Problem{Code: "E1", Message: "no date"}}, got[0])
	wrote(t, j, got[1], "teiB")
	refused(got[0].Seq, " ", "say why")
	refused(999, "because", "no record 999")

	seq, err := j.Correct(t.Context(), got[0].Seq, []byte(`{"date":"2026-01-01"}`), "asha", "the date was mistyped")
	must(t, err)
	old, next := get(t, j, got[0].Seq), get(t, j, seq)
	if old.State != journal.Superseded || old.SupersededBy != seq || string(old.Body) != string(got[0].Body) {
		t.Errorf("what was corrected is %+v", old)
	}
	if next.State != journal.Pending || !next.Edited || string(next.Body) != `{"date":"2026-01-01"}` ||
		next.Order() != old.Order() || next.Key != "A" {
		t.Errorf("the correction is %+v", next)
	}
	versions, err := j.Versions(t.Context(), "anc", "a1")
	must(t, err)
	wantIDs(t, "versions", versions, "a1 a1")
	d, err := j.Append(t.Context(), []*journal.Record{record("anc", "a1", "A")}, nil)
	must(t, err)
	diff(t, "the old content once more is known", d, []bool{true})

	again, err := j.Correct(t.Context(), got[1].Seq, []byte(`{"b":2}`), "asha", "another name")
	must(t, err)
	refused(got[1].Seq, "once more", "has been corrected already")
	diff(t, "what was delivered", get(t, j, got[1].Seq).State, journal.Delivered)
	held, err := j.Select(t.Context(), journal.Filter{Rule: "held"})
	must(t, err)
	same, err := j.Correct(t.Context(), held[0].Seq, []byte(`{"c":3}`), "asha", "a third name")
	must(t, err)
	if r := get(t, j, same); same != held[0].Seq || r.State != journal.Held || string(r.Body) != `{"c":3}` || !r.Edited {
		t.Errorf("a held record that was corrected is %+v", r)
	}
	sent := claim(t, j, 10)
	wantIDs(t, "to be sent", sent, "a1 b1")
	diff(t, "they are the corrections", []int64{sent[0].Seq, sent[1].Seq}, []int64{seq, again})
	settle(t, j, journal.Delivered, sent...)
	audit, err := j.Audit(t.Context(), 1)
	must(t, err)
	if e := audit[0]; e.Did != "correct" || e.Who != "asha" || e.Why != "a third name" {
		t.Errorf("the audit trail says %+v", e)
	}
	must(t, j.Note(t.Context(), journal.AuditEntry{Who: "asha", Did: "look", Subject: "record 1", Count: 1}))
	check(t, j)
}

func testFigures(t *testing.T, p Place) {
	c := &clock{start.Add(30 * time.Second)}
	j := p.Open(t, journal.Options{Now: c.now})
	f := file("f1", "anc", "aaa")
	f.Received = start
	_, err := j.AddFile(t.Context(), f)
	must(t, err)
	at := func(id string) *journal.Record {
		r := record("anc", id, id)
		r.Received = c.at
		return r
	}
	appendAll(t, j, at("a1"), at("a2"), at("a3"))
	c.advance(time.Minute)
	got := claimAs(t, j, journal.Claim{Owner: "one", Limit: 10, Now: c.at})
	wrote(t, j, got[0], "x")
	c.advance(30 * time.Second)
	wrote(t, j, got[1], "y")
	fail(t, j, journal.Problem{Problem: diag.Problem{Code: "E1", Message: "no date"}}, got[2])
	c.advance(time.Hour)
	row := at("row-4")
	row.Origin.FileID, row.Origin.Row, row.State = "f1", 4, journal.Failed
	f.Next, f.Rows, f.Delivered, f.Unchanged, f.Skipped, f.Failed = 5, 4, 1, 1, 1, 1
	commit(t, j, journal.Batch{Server: "national", Files: []journal.File{*f}, New: []*journal.Record{row}})
	lag := time.Hour + 2*time.Minute
	want := []journal.Figures{
		{Start: start, Rule: "anc", Received: 3},
		{Start: start.Add(time.Minute), Rule: "anc", Server: "national", Delivered: 1, LagSum: time.Minute,
			LagMax: time.Minute},
		{Start: start.Add(2 * time.Minute), Rule: "anc", Server: "national", Delivered: 1, Failed: 1,
			LagSum: 90 * time.Second, LagMax: 90 * time.Second},
		{Start: start.Add(lag), Rule: "anc", Received: 4, Failed: 1},
		{Start: start.Add(lag), Rule: "anc", Server: "national", Delivered: 2, Skipped: 1, LagSum: 2 * lag, LagMax: lag},
	}
	figures := func(q journal.FigureQuery) []journal.Figures {
		t.Helper()
		got, err := j.Figures(t.Context(), q)
		must(t, err)
		return got
	}
	diff(t, "by minute", figures(journal.FigureQuery{Width: journal.Minute}), want)
	diff(t, "by hour of a server", figures(journal.FigureQuery{Width: journal.Hour, Server: "national"}),
		[]journal.Figures{
			{Start: start, Rule: "anc", Server: "national", Delivered: 2, Failed: 1, LagSum: 150 * time.Second,
				LagMax: 90 * time.Second},
			{Start: start.Add(time.Hour), Rule: "anc", Server: "national", Delivered: 2, Skipped: 1, LagSum: 2 * lag,
				LagMax: lag},
		})
	diff(t, "by minute since", figures(journal.FigureQuery{Width: journal.Minute, Since: start.Add(90 * time.Second),
		Until: start.Add(time.Hour)}), want[1:3])
	diff(t, "of a day of another rule", figures(journal.FigureQuery{Width: journal.Day, Rule: "pnc"}),
		[]journal.Figures(nil))
	if _, err := j.Figures(t.Context(), journal.FigureQuery{Width: time.Second}); err == nil {
		t.Error("figures by second are given")
	}
	_, err = j.Expire(t.Context(), journal.Retention{}, c.at.Add(journal.KeepMinutes))
	must(t, err)
	diff(t, "by minute after some days", figures(journal.FigureQuery{Width: journal.Minute}), want[3:])
	diff(t, "hours are kept", len(figures(journal.FigureQuery{Width: journal.Hour})), 4)
}
