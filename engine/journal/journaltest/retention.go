package journaltest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/rules/diag"
)

func testForget(t *testing.T, p Place) {
	j := open(t, p)
	const person = "case-4711"
	mention := record("pnc", "child", "child-1")
	mention.Body = []byte(`{"mother":"` + person + `"}`)
	delivered := record("anc", "f1", person)
	delivered.Problem = nil
	appendAll(t, j, delivered, record("anc", "f2", person), record("anc", "f3", person),
		record("anc", "other", "case-9999"), mention)
	got := claim(t, j, 10)
	wantIDs(t, "claim", got, "f1 other child")
	settle(t, j, journal.Delivered, got...)
	next := claim(t, j, 10)
	fail(t, j, journal.Problem{Problem: diag.Problem{Code: "E1", Message: "x", Value: "Amina"}}, next...)
	commit(t, j, journal.Batch{Server: "national",
		Identities: []actions.Identity{{IdentityKey: actions.IdentityKey{Type: "t", ExternalID: person}, UID: "u",
			Origin: "matched"}}})
	out, err := j.Forget(t.Context(), person, "asha", "she asked for it")
	must(t, err)
	diff(t, "forgotten", out, journal.Forgotten{Records: 4, Payloads: 4, Identities: 1})
	all, err := j.Select(t.Context(), journal.Filter{WithBody: true})
	must(t, err)
	diff(t, "records", len(all), 5)
	for _, r := range all {
		text := fmt.Sprintf("%+v %+v %s", *r, r.Problem, r.Body)
		if strings.Contains(text, person) || r.ID != "other" && strings.Contains(text, "Amina") {
			t.Errorf("%s still tells of the person: %s", r.ID, text)
		}
	}
	diff(t, "undelivered records", []journal.State{all[1].State, all[2].State},
		[]journal.State{journal.Dismissed, journal.Dismissed})
	if all[3].Body == nil {
		t.Error("another person was forgotten")
	}
	trail, err := j.Audit(t.Context(), 1)
	must(t, err)
	if len(trail) != 1 || trail[0].Did != "forget" || trail[0].Count != 4 || strings.Contains(trail[0].Subject, person) {
		t.Errorf("the audit trail is %+v", trail)
	}
	forgetTraces(t, j)
	appendAll(t, j, record("anc", "f9", person))
	wantIDs(t, "new records of the person", claim(t, j, 10), "f9")
	if _, err := j.Forget(t.Context(), "", "asha", ""); err == nil {
		t.Error("nobody was forgotten")
	}
	check(t, j)
}

// forgetTraces forgets somebody whose id is part of ids and keys, who is named in records of others
// that failed, wait or are held, and in reasons.
func forgetTraces(t *testing.T, j journal.Journal) {
	t.Helper()
	const person = "NID-77001"
	named := func(rule, id, key string) *journal.Record {
		r := record(rule, id, key)
		r.Body = []byte(`{"note":"sister of ` + person + `, calls often"}`)
		return r
	}
	appendAll(t, j, record("reg", "visit/"+person+"/1", "k1"), record("reg", "r2", "clinic "+person),
		named("notes", "n1", "k3"), named("notes", "n2", "k4"), named("notes", "n3", "k4"))
	other := record("reg", "visit/"+person+"5/1", "clinic "+person+"5") // a longer number is another person's
	other.Body = []byte(`{"nid":"` + person + `5"}`)
	appendAll(t, j, other)
	list, err := j.Select(t.Context(), journal.Filter{ID: "n1"})
	must(t, err)
	got := claim(t, j, 10)
	for _, r := range got {
		if r.ID == "n1" {
			fail(t, j, journal.Problem{Problem: diag.Problem{Code: "E1", Message: "x", Value: person}}, r)
		} else {
			must(t, j.Release(t.Context(), "runner", []int64{r.Seq}))
		}
	}
	if len(list) != 1 {
		t.Fatalf("%d records of the id n1", len(list))
	}
	must(t, j.ChangeMeta(t.Context(), "controls", journal.AuditEntry{Who: "asha", Did: "pause", Why: "asked by " + person,
		Subject: "rule " + person}, func(string) (string, error) { return "", nil }))
	_, err = j.Forget(t.Context(), person, "asha", person+" asked for it")
	must(t, err)
	all, err := j.Select(t.Context(), journal.Filter{WithBody: true})
	must(t, err)
	for _, r := range all {
		if r.ID == other.ID {
			diff(t, "of a person with a longer number", []string{string(r.State), r.Key, string(r.Body)},
				[]string{string(journal.Pending), other.Key, string(other.Body)})
			continue
		}
		if text := fmt.Sprintf("%+v %+v %s", *r, r.Problem, r.Body); strings.Contains(text, person) {
			t.Errorf("%s still tells of the person: %s", r.ID, text)
		}
		if strings.HasPrefix(r.ID, "n") && r.Rule == "notes" && r.State != journal.Dismissed {
			t.Errorf("%s, which named the person, is %s", r.ID, r.State)
		}
	}
	trail, err := j.Audit(t.Context(), 0)
	must(t, err)
	if text := fmt.Sprintf("%+v", trail); strings.Contains(text, person) {
		t.Errorf("the audit trail still tells of the person: %s", text)
	}
}

func testExpire(t *testing.T, p Place) {
	clk := &clock{at: start}
	j := p.Open(t, journal.Options{Now: clk.now})
	for i := range 6 {
		appendAll(t, j, record("anc", name("r", i), name("key-", i)))
	}
	f := file("f1", "anc", "aaa")
	if _, err := j.AddFile(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	f.State, f.Finished = journal.FileFinished, start
	commit(t, j, journal.Batch{Files: []journal.File{*f}})
	got := claim(t, j, 10)
	settle(t, j, journal.Delivered, got[0], got[1])
	settle(t, j, journal.Skipped, got[2])
	fail(t, j, journal.Problem{Problem: diag.Problem{Code: "E1", Message: "x"}}, got[3])
	clk.advance(48 * time.Hour)
	late := record("anc", "late", "late")
	late.Received = clk.at
	appendAll(t, j, late)
	settle(t, j, journal.Delivered, got[4])
	expire := func(r journal.Retention, want journal.Expired) {
		t.Helper()
		out, err := j.Expire(t.Context(), r, clk.at)
		must(t, err)
		diff(t, "expired", out, want)
	}
	expire(journal.Retention{}, journal.Expired{})
	expire(journal.Retention{Payloads: 24 * time.Hour}, journal.Expired{Payloads: 3})
	if get(t, j, got[0].Seq).Body != nil || get(t, j, got[3].Seq).Body == nil || get(t, j, got[4].Seq).Body == nil ||
		get(t, j, got[5].Seq).Body == nil {
		t.Error("the wrong payloads went")
	}
	n, err := j.Replay(t.Context(), journal.Filter{States: []journal.State{journal.Delivered}, ID: "r0"}, "me", "", true)
	must(t, err)
	diff(t, "records without a payload cannot be replayed", n, int64(0))
	expire(journal.Retention{Delivered: 24 * time.Hour}, journal.Expired{Records: 3, Files: 1})
	expire(journal.Retention{Delivered: 24 * time.Hour}, journal.Expired{})
	expire(journal.Retention{Failed: 24 * time.Hour}, journal.Expired{Records: 1})
	all, err := j.Select(t.Context(), journal.Filter{})
	must(t, err)
	wantIDs(t, "what stays", all, "r4 r5 late")
	sum, err := j.Summary(t.Context())
	must(t, err)
	diff(t, "counts", []int64{sum.Rules[0].Pending, sum.Rules[0].Delivered, sum.Rules[0].Skipped, sum.Rules[0].Failed},
		[]int64{2, 1, 0, 0})
	d, err := j.Append(t.Context(), []*journal.Record{record("anc", "r0", "key-0")}, nil)
	must(t, err)
	diff(t, "an expired record is not known any more", d, []bool{false})
	check(t, j)
}

func testEncryption(t *testing.T, p Place) {
	key := bytes.Repeat([]byte{7}, 32)
	j := p.Open(t, journal.Options{Key: key})
	a := record("anc", "a1", "A")
	a.Problem = &journal.Problem{Problem: diag.Problem{Code: "E1", Message: "x", Value: "Amina"}, Detail: "of Amina"}
	a.State = journal.Failed
	appendAll(t, j, a)
	diff(t, "a sealed record", get(t, j, a.Seq).Body, a.Body)
	must(t, j.Close())
	j = p.Open(t, journal.Options{Key: key})
	diff(t, "after a restart", get(t, j, a.Seq).Problem, a.Problem)
	shares := j.Memory("national").(actions.Contributions)
	_, err := shares.Contribute(t.Context(), []actions.Contribution{{Contributor: "a", Cell: "march", Value: "12",
		At: "1"}, {Contributor: "b", Cell: "march", Value: "of Amina", At: "2"}})
	must(t, err)
	totals, err := shares.Totals(t.Context(), []string{"march"})
	must(t, err)
	diff(t, "sealed contributions", totals, map[string]actions.CellTotal{"march": {Cell: "march", Count: 2, Sum: 12,
		Last: "of Amina"}})
	n, err := j.Replay(t.Context(), journal.Filter{}, "me", "", false)
	must(t, err)
	diff(t, "replayed", n, int64(1))
	wantIDs(t, "claim", claim(t, j, 1), "a1")
}

// testRekey takes a key into use in a journal that was kept in clear, and another one later.
func testRekey(t *testing.T, p Place) {
	first, second := bytes.Repeat([]byte{7}, 32), bytes.Repeat([]byte{8}, 32)
	keep := func(j journal.Journal, id string) *journal.Record {
		t.Helper()
		r := record("anc", id, id)
		r.State, r.Problem = journal.Failed, &journal.Problem{Problem: diag.Problem{Code: "E1", Message: "x",
			Value: "Amina"}}
		appendAll(t, j, r)
		_, err := j.Memory("national").(actions.Contributions).Contribute(t.Context(),
			[]actions.Contribution{{Contributor: id, Cell: id, Value: "of " + id, At: "1"}})
		must(t, err)
		return r
	}
	intact := func(j journal.Journal, records ...*journal.Record) {
		t.Helper()
		for _, r := range records {
			got := get(t, j, r.Seq)
			diff(t, "record "+r.ID, []any{got.Body, got.Origin, got.Problem}, []any{r.Body, r.Origin, r.Problem})
			totals, err := j.Memory("national").(actions.Contributions).Totals(t.Context(), []string{r.ID})
			must(t, err)
			diff(t, "what it gives", totals[r.ID].Last, "of "+r.ID)
		}
	}
	j := open(t, p)
	a := keep(j, "a1")
	if _, err := j.Rekey(t.Context()); err == nil {
		t.Error("a journal without a key was encrypted anew")
	}
	must(t, j.Close())
	j = p.Open(t, journal.Options{Key: first})
	b := keep(j, "b1")
	intact(j, a, b)
	must(t, j.Close())
	both := journal.Options{Key: second, OldKeys: [][]byte{first}}
	j = p.Open(t, both)
	c := keep(j, "c1")
	intact(j, a, b, c)
	n, err := j.Rekey(t.Context())
	must(t, err)
	diff(t, "encrypted anew: body, origin and problem of three records, share of two", n, int64(11))
	n, err = j.Rekey(t.Context())
	must(t, err)
	diff(t, "once more", n, int64(0))
	must(t, j.Close())
	j = p.Open(t, journal.Options{Key: second})
	intact(j, a, b, c)
	check(t, j)
	must(t, j.Close())
}
