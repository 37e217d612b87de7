package journaltest

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/rules/diag"
)

// identify gives records that were kept without them an id and a key.
func (m *machine) identify(rt *rapid.T) {
	var names []journal.Identification
	want := int64(0)
	for _, k := range m.some(rt, m.records) {
		if !strings.HasPrefix(k.id, "unknown-") {
			continue
		}
		n := journal.Identification{Seq: k.seq, Rule: k.rule, From: k.id,
			ID: name("id-", rapid.IntRange(0, 5).Draw(rt, "id")), Key: keysOf.Draw(rt, "key"),
			Version: rapid.SampledFrom([]int64{0, 0, 3}).Draw(rt, "version")}
		names = append(names, n)
		if (k.unsettled() || k.state == journal.Failed) && k.claimed == "" {
			want++
			k.id, k.key = n.ID, n.Key
			if n.Version != 0 {
				k.version = n.Version
			}
		}
	}
	if len(names) == 0 {
		rt.Skip("all records have ids")
	}
	got, err := m.j.Identify(m.ctx(), names)
	m.ok(err)
	m.same("identified", got, want)
}

// testIdentify: two versions of a record are kept without its id, a third one with it.
func testIdentify(t *testing.T, p Place) {
	j := open(t, p)
	var names []journal.Identification
	for i, content := range []uint64{1, 2} {
		r := record("anc", name("unknown-", i), name("unknown-", i))
		r.Content, r.State = content, journal.Held
		r.Problem = &journal.Problem{Problem: diag.Problem{Code: "rule-invalid", Message: "x"}, Detail: "Amina"}
		appendAll(t, j, r)
		names = append(names, journal.Identification{Seq: r.Seq, Rule: "anc", From: r.ID, ID: "visit-1", Key: "woman-1",
			Version: int64(i)})
	}
	third := record("anc", "visit-1", "woman-1")
	third.Content = 3
	appendAll(t, j, third)
	n, err := j.Identify(t.Context(), names)
	must(t, err)
	diff(t, "identified", n, int64(2))
	n, err = j.Identify(t.Context(), names)
	must(t, err)
	diff(t, "identified once more", n, int64(0))
	check(t, j)
	must(t, j.Close())
	j = open(t, p)
	wantIDs(t, "while the earlier ones are held", claim(t, j, 10), "")
	r := get(t, j, names[1].Seq)
	if r.ID != "visit-1" || r.Key != "woman-1" || r.Version != 1 || r.Problem == nil || r.Problem.Detail != "Amina" {
		t.Errorf("it became %+v with %+v", r, r.Problem)
	}
	found, err := j.Search(t.Context(), journal.Filter{Text: "woman-1", Limit: 10, WithBody: true})
	must(t, err)
	wantIDs(t, "found by the key", found.Records, "visit-1 visit-1 visit-1")
	if !strings.Contains(string(found.Records[2].Body), `"unknown-0"`) {
		t.Errorf("its body became %s", found.Records[2].Body)
	}
	gone, err := j.Search(t.Context(), journal.Filter{Text: "unknown-0", Limit: 10})
	must(t, err)
	wantIDs(t, "found by what it was called", gone.Records, "")
	_, err = j.Unhold(t.Context(), "anc")
	must(t, err)
	for i, want := range []int64{names[0].Seq, names[1].Seq, third.Seq} {
		got := claim(t, j, 10)
		if len(got) != 1 || got[0].Seq != want {
			t.Fatalf("number %d is %v, want record %d", i, got, want)
		}
		settle(t, j, journal.Delivered, got...)
	}
	again := record("anc", "visit-1", "woman-1")
	again.Content = 3
	duplicates, err := j.Append(t.Context(), []*journal.Record{again}, nil)
	must(t, err)
	diff(t, "the third one again", duplicates, []bool{true})
	n, err = j.Identify(
		t.Context(),
		[]journal.Identification{{Seq: third.Seq, Rule: "anc", From: "visit-1", ID: "x", Key: "x"}},
	)
	must(t, err)
	diff(t, "of what is settled", n, int64(0))
	check(t, j)
}

// testIdentifyInFlight has a failed record get its id while a later one of that key is on its way.
func testIdentifyInFlight(t *testing.T, p Place) {
	j := open(t, p)
	first := record("anc", "unknown-1", "unknown-1")
	appendAll(t, j, first, record("anc", "unknown-2", "unknown-2"), record("anc", "b", "B"))
	got := claim(t, j, 10)
	fail(t, j, journal.Problem{Problem: diag.Problem{Code: "E1", Message: "x"}}, got[0])
	n, err := j.Identify(t.Context(), []journal.Identification{
		{Seq: got[0].Seq, Rule: "anc", From: "unknown-1", ID: "a", Key: "B"},
		{Seq: got[1].Seq, Rule: "anc", From: "unknown-2", ID: "c", Key: "B"}})
	must(t, err)
	diff(t, "those that are not in flight", n, int64(1))
	_, err = j.Replay(t.Context(), journal.Filter{ID: "a"}, "me", "", false)
	must(t, err)
	wantIDs(t, "while a later one of its key is in flight", claim(t, j, 10), "")
	settle(t, j, journal.Delivered, got[2])
	wantIDs(t, "then", claim(t, j, 10), "a")
	check(t, j)
}
