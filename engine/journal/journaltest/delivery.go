package journaltest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
)

func testAppend(t *testing.T, p Place) {
	j := open(t, p)
	a, b := record("anc", "a", "woman-1"), record("anc", "b", "woman-2")
	a.Problem = &journal.Problem{Class: actions.ClassData, Problem: diag.Problem{Code: "held",
		Message: "the rule is paused"}, Detail: "because",
		Objects: []string{"abc", "def"}}
	a.State = journal.Held
	if _, err := j.Append(t.Context(), []*journal.Record{a, b}, &sources.Cursor{Name: "poll", Value: "17"}); err != nil {
		t.Fatal(err)
	}
	if a.Seq <= 0 || b.Seq <= a.Seq {
		t.Fatalf("seqs are %d and %d", a.Seq, b.Seq)
	}
	cursor, err := j.Cursor(t.Context(), "poll")
	must(t, err)
	diff(t, "cursor", cursor, "17")
	diff(t, "first record", get(t, j, a.Seq), a)
	diff(t, "second record", get(t, j, b.Seq), b)
	must(t, j.Close())
	j = open(t, p)
	diff(t, "first record after a restart", get(t, j, a.Seq), a)
	check(t, j)
}

func testAppendConcurrently(t *testing.T, p Place) {
	j := open(t, p)
	const callers, each = 16, 20
	var wg sync.WaitGroup
	errs := make(chan error, callers*each)
	for c := range callers {
		wg.Go(func() {
			for i := range each {
				r := record("anc", fmt.Sprintf("%d-%d", c, i), name("woman-", i))
				_, err := j.Append(t.Context(), []*journal.Record{r}, nil)
				errs <- err
			}
		})
	}
	wg.Wait()
	for range callers * each {
		must(t, <-errs)
	}
	all, err := j.Select(t.Context(), journal.Filter{})
	must(t, err)
	diff(t, "records", len(all), callers*each)
	first := claim(t, j, 1000)
	diff(t, "keys that can be sent", len(first), each)
	settle(t, j, journal.Delivered, first...)
	diff(t, "their next records", len(claim(t, j, 1000)), each)
	check(t, j)
}

func testDuplicates(t *testing.T, p Place) {
	j := open(t, p)
	with := func(rule, id string, content uint64) *journal.Record {
		r := record(rule, id, "woman")
		r.Content = content
		return r
	}
	a := with("anc", "form-1", 1)
	for _, step := range []struct {
		what string
		r    *journal.Record
		want bool
	}{
		{"a new record", a, false},
		{"the same again", with("anc", "form-1", 1), true},
		{"the same id in another rule", with("pnc", "form-1", 1), false},
		{"other content", with("anc", "form-1", 2), false},
		{"the other content again", with("anc", "form-1", 2), true},
		{"back to the first content", with("anc", "form-1", 1), false},
	} {
		d, err := j.Append(t.Context(), []*journal.Record{step.r}, nil)
		must(t, err)
		if len(d) != 1 || d[0] != step.want {
			t.Fatalf("%s: duplicate is %v, want %v", step.what, d, step.want)
		}
	}
	again := with("anc", "form-9", 1)
	twice := []*journal.Record{with("anc", "form-9", 1), again, with("anc", "form-9", 3)}
	d, err := j.Append(t.Context(), twice, nil)
	must(t, err)
	diff(t, "duplicates in one batch", d, []bool{false, true, false})
	diff(t, "the seq of a duplicate", again.Seq, twice[0].Seq)
	must(t, j.Close())
	j = open(t, p)
	d, err = j.Append(t.Context(), []*journal.Record{with("anc", "form-9", 3)}, nil)
	must(t, err)
	diff(t, "duplicates after a restart", d, []bool{true})
	all, err := j.Select(t.Context(), journal.Filter{})
	must(t, err)
	diff(t, "records kept", len(all), 6)
	check(t, j)
}

func testOrder(t *testing.T, p Place) {
	j := open(t, p)
	appendAll(t, j, record("anc", "a1", "A"), record("anc", "b1", "B"), record("anc", "a2", "A"),
		record("anc", "c1", "C"), record("anc", "a3", "A"))
	first := claim(t, j, 10)
	wantIDs(t, "first claim", first, "a1 b1 c1")
	if string(first[0].Body) != `{"id":"a1","name":"Amina"}` || first[0].Origin.Headers["X-Form"] != "anc" {
		t.Fatalf("a claimed record lacks its body or origin: %s %v", first[0].Body, first[0].Origin)
	}
	wantIDs(t, "claim while all is in flight", claim(t, j, 10), "")
	settle(t, j, journal.Delivered, first[0], first[1])
	second := claim(t, j, 10)
	wantIDs(t, "claim after the first was delivered", second, "a2")
	appendAll(t, j, record("anc", "b2", "B"), record("anc", "c2", "C"))
	wantIDs(t, "a free key", claim(t, j, 10), "b2")
	settle(t, j, journal.Failed, second...)
	third := claim(t, j, 10)
	wantIDs(t, "a failed record holds nobody back", third, "a3")
	settle(t, j, journal.Skipped, append(third, first[2])...)
	wantIDs(t, "the rest", claim(t, j, 10), "c2")
	check(t, j)
}

func testOrderAcrossRules(t *testing.T, p Place) {
	j := open(t, p)
	appendAll(t, j, record("register", "r1", "A"), record("visit", "v1", "A"), record("visit", "v2", "B"))
	got := claimAs(t, j, journal.Claim{Owner: "one", Limit: 10, Now: start, NotRules: []string{"register"}})
	wantIDs(t, "without the first rule", got, "v2")
	wantIDs(t, "with it", claim(t, j, 10), "r1")
	check(t, j)
}

func testRetries(t *testing.T, p Place) {
	j := open(t, p)
	appendAll(t, j, record("anc", "a1", "A"), record("anc", "a2", "A"), record("anc", "b1", "B"))
	first := claim(t, j, 10)
	wantIDs(t, "first claim", first, "a1 b1")
	problem := &journal.Problem{Class: actions.ClassTransient, Problem: diag.Problem{Code: "timeout",
		Message: "the server did not answer"}}
	later := start.Add(time.Minute)
	commit(t, j, journal.Batch{Settlements: []journal.Settlement{
		{Seq: first[0].Seq, State: journal.Pending, NextTry: later, Attempts: 1, Problem: problem},
		{Seq: first[1].Seq, State: journal.Delivered, Attempts: 1, Objects: []string{"tei:abc", "event:def"}},
	}})
	wantIDs(t, "before its time", claimAs(t, j, journal.Claim{Owner: "one", Limit: 10, Now: later.Add(-time.Second)}), "")
	sum, err := j.Summary(t.Context())
	must(t, err)
	diff(t, "next try", sum.NextTry.UTC(), later)
	second := claimAs(t, j, journal.Claim{Owner: "one", Limit: 10, Now: later})
	wantIDs(t, "at its time", second, "a1")
	diff(t, "attempts", second[0].Attempts, 1)
	diff(t, "its problem", second[0].Problem, problem)
	settle(t, j, journal.Delivered, second...)
	done := get(t, j, second[0].Seq)
	if done.Problem != nil || done.State != journal.Delivered || done.Attempts != 2 || done.Settled.IsZero() {
		t.Fatalf("a delivered record is %+v", done)
	}
	diff(t, "objects", get(t, j, first[1].Seq).Objects, []string{"tei:abc", "event:def"})
	wantIDs(t, "its key goes on", claim(t, j, 10), "a2")
	check(t, j)
}

func testClaimOptions(t *testing.T, p Place) {
	j := open(t, p)
	for i := range 10 {
		appendAll(t, j, record(name("rule-", i%2), name("r", i), name("key-", i)))
	}
	wantIDs(t, "limit", claim(t, j, 3), "r0 r1 r2")
	wantIDs(t, "rules left out", claimAs(t, j, journal.Claim{Owner: "one", Limit: 2, Now: start,
		NotRules: []string{"rule-0"}}), "r3 r5")
	all, err := j.Select(t.Context(), journal.Filter{})
	must(t, err)
	wantIDs(t, "after a seq", claimAs(t, j, journal.Claim{Owner: "one", Limit: 10, Now: start, AfterSeq: all[7].Seq}),
		"r8 r9")
	wantIDs(t, "no limit", claimAs(t, j, journal.Claim{Owner: "one", Now: start}), "")
	wantIDs(t, "all rules left out", claimAs(t, j,
		journal.Claim{Owner: "one", Limit: 10, Now: start, NotRules: []string{"rule-0", "rule-1"}}), "")
	wantIDs(t, "the rest", claim(t, j, 10), "r4 r6 r7")
}

// testClaimBytes claims records with photos: what comes at once is bounded by bytes, and never nothing.
func testClaimBytes(t *testing.T, p Place) {
	j := open(t, p)
	for i := range 6 {
		large := record(name("rule-", i%2), name("r", i), name("key-", i))
		large.Body = slices.Concat([]byte(`{"photo":"`), bytes.Repeat([]byte("A"), 5<<20), []byte(`"}`))
		appendAll(t, j, large)
	}
	appendAll(t, j, record("rule-0", "small", "small"))
	within := func(n int64) []*journal.Record {
		return claimAs(t, j, journal.Claim{Owner: "one", Limit: 500, Bytes: n, Now: start})
	}
	got := within(12 << 20)
	wantIDs(t, "up to the bytes and over them by one", got, "r0 r1 r2")
	wantIDs(t, "always one", within(1), "r3")
	must(t, j.Release(t.Context(), "one", []int64{got[0].Seq, got[1].Seq}))
	wantIDs(t, "given back", within(10<<20), "r0 r1")
	wantIDs(t, "the rest", within(1<<40), "r4 r5 small")
}

func testRelease(t *testing.T, p Place) {
	j := open(t, p)
	appendAll(t, j, record("anc", "a1", "A"), record("anc", "b1", "B"))
	got := claim(t, j, 10)
	must(t, j.Release(t.Context(), "another", []int64{got[0].Seq}))
	wantIDs(t, "released by a stranger", claim(t, j, 10), "")
	must(t, j.Release(t.Context(), "one", []int64{got[0].Seq}))
	wantIDs(t, "released", claim(t, j, 10), "a1")
}

func testRestart(t *testing.T, p Place) {
	j := open(t, p)
	appendAll(t, j, record("anc", "a1", "A"), record("anc", "a2", "A"), record("anc", "b1", "B"))
	got := claim(t, j, 10)
	wantIDs(t, "first claim", got, "a1 b1")
	settle(t, j, journal.Delivered, got[1])
	must(t, j.Close())
	j = open(t, p)
	got = claimAs(t, j, journal.Claim{Owner: "two", Limit: 10, Now: start})
	wantIDs(t, "what was in flight is free again", got, "a1")
	check(t, j)
}

func testClaimKeys(t *testing.T, p Place) {
	j := open(t, p)
	appendAll(t, j, record("anc", "a1", "A"), record("anc", "b1", "B"))
	held := record("anc", "h1", "H")
	held.State = journal.Held
	appendAll(t, j, held)
	got := claim(t, j, 1)
	wantIDs(t, "claim", got, "a1")
	given, err := j.ClaimKeys(t.Context(), "one", rowKeys("A", "B", "C", "C", "H", "D"))
	must(t, err)
	diff(t, "keys given", given, []bool{false, false, true, false, false, true})
	appendAll(t, j, record("anc", "c1", "C"))
	wantIDs(t, "records of keys in flight wait", claim(t, j, 10), "b1")
	given, err = j.ClaimKeys(t.Context(), "two", rowKeys("C", "D"))
	must(t, err)
	diff(t, "keys in flight elsewhere", given, []bool{false, false})
	must(t, j.ReleaseKeys(t.Context(), "two", []string{"C"}))
	wantIDs(t, "released by a stranger", claim(t, j, 10), "")
	commit(t, j, journal.Batch{Keys: []string{"C"}})
	wantIDs(t, "freed by a commit", claim(t, j, 10), "c1")
	must(t, j.ReleaseKeys(t.Context(), "one", []string{"D"}))
	settle(t, j, journal.Failed, got...)
	given, err = j.ClaimKeys(t.Context(), "two", rowKeys("D", "A"))
	must(t, err)
	diff(t, "free keys", given, []bool{true, true})
}

func testBadInput(t *testing.T, p Place) {
	j := open(t, p)
	for what, r := range map[string]*journal.Record{
		"no key":   {Rule: "anc", ID: "x", State: journal.Pending},
		"no id":    {Rule: "anc", Key: "x", State: journal.Pending},
		"no rule":  {ID: "x", Key: "x", State: journal.Pending},
		"no state": {Rule: "anc", ID: "x", Key: "x", State: "lost"},
	} {
		good := record("anc", "good", "good")
		if _, err := j.Append(t.Context(), []*journal.Record{good, r}, &sources.Cursor{Name: "c", Value: "1"}); err == nil {
			t.Errorf("%s: was kept", what)
		}
	}
	all, err := j.Select(t.Context(), journal.Filter{})
	must(t, err)
	diff(t, "records of refused batches", len(all), 0)
	cursor, err := j.Cursor(t.Context(), "c")
	must(t, err)
	diff(t, "cursor of refused batches", cursor, "")
	if err := j.Commit(t.Context(), &journal.Batch{Settlements: []journal.Settlement{{Seq: 1,
		State: journal.Delivered}}}); err == nil {
		t.Error("a batch of nobody was recorded")
	}
	if err := j.Commit(t.Context(), &journal.Batch{Owner: "one",
		Files: []journal.File{{File: sources.File{ID: "nowhere"}}}}); !errors.Is(err, journal.ErrNotOwner) {
		t.Errorf("progress of an unknown file: %v", err)
	}
	if _, err := j.Replay(t.Context(), journal.Filter{States: []journal.State{journal.Pending}}, "me", "",
		false); err == nil {
		t.Error("pending records were replayed")
	}
	if _, err := j.Select(t.Context(), journal.Filter{States: []journal.State{"lost"}}); err == nil {
		t.Error("an unknown state was selected")
	}
}

// testOddText has bytes that a store may not be able to keep as text; they must never keep a record out.
func testOddText(t *testing.T, p Place) {
	j := open(t, p)
	odd := record("anc", "id-\x00-\xff", "key-\x00-\xff")
	odd.Problem = &journal.Problem{Problem: diag.Problem{Code: "E1", Message: "a \x00 in the name", Value: "\x00\xff"}}
	appendAll(t, j, odd, record("anc", "other", "other"))
	again := *odd
	d, err := j.Append(t.Context(), []*journal.Record{&again}, &sources.Cursor{Name: "c", Value: "\x00\xff"})
	must(t, err)
	diff(t, "known again", d, []bool{true})
	got := claim(t, j, 10)
	diff(t, "claimed", len(got), 2)
	diff(t, "body", string(got[0].Body), string(odd.Body))
	settle(t, j, journal.Delivered, got...)
	check(t, j)
}

func testClosed(t *testing.T, p Place) {
	j := open(t, p)
	appendAll(t, j, record("anc", "a1", "A"))
	must(t, j.Close())
	must(t, j.Close())
	if _, err := j.Append(t.Context(), []*journal.Record{record("anc", "a2", "A")}, nil); !errors.Is(err,
		journal.ErrClosed) {
		t.Errorf("append after close: %v", err)
	}
	if _, err := j.Summary(t.Context()); err == nil {
		t.Error("a summary after close")
	}
}

func testWake(t *testing.T, p Place) {
	j := open(t, p)
	woken := func(what string) {
		t.Helper()
		select {
		case <-j.Wake():
		case <-time.After(20 * time.Second):
			t.Fatalf("%s did not wake", what)
		}
	}
	appendAll(t, j, record("anc", "a1", "A"), record("anc", "a2", "A"))
	woken("an append")
	got := claim(t, j, 1)
	settle(t, j, journal.Delivered, got...)
	woken("a commit")
	other := open(t, p)
	appendAll(t, other, record("anc", "b1", "B"))
	woken("an append by another process")
}
