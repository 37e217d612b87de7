package journaltest

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
)

// Stored is a place that can show every byte that it has on disk.
type Stored interface {
	Bytes(t testing.TB) []byte
}

var firstKey, secondKey = bytes.Repeat([]byte{7}, 32), bytes.Repeat([]byte{8}, 32)

// amina is what tells of one person: no byte of it stands in an encrypted journal. Rules, codes,
// uids and the names of files stay readable.
var amina = []string{"form-of-amina", "case-of-amina", "nid-of-amina", "name-of-amina", "value-of-amina",
	"detail-of-amina", "column-of-amina", "header-of-amina", "cursor-of-amina", "meta-of-amina", "why-of-amina",
	"subject-of-amina", "share-of-amina", "giver-of-amina", "edit-of-amina", "reason-of-amina", "row-of-amina",
	"hint-of-amina", "words-of-amina", "cause-of-amina"}

// fillPerson puts all that a journal keeps of a person into it.
func fillPerson(t *testing.T, j journal.Journal) {
	t.Helper()
	ctx := t.Context()
	r := func(id string) *journal.Record {
		r := record("anc", id, "case-of-amina")
		r.Body = []byte(`{"name":"name-of-amina"}`)
		r.Origin.Headers = map[string]string{"X-Case": "header-of-amina"}
		return r
	}
	waiting, held := r("form-of-amina-4"), r("form-of-amina-5")
	held.State, held.Problem = journal.Held, &journal.Problem{
		Problem: diag.Problem{Code: "paused", Message: "x"}, Detail: "detail-of-amina"}
	all := []*journal.Record{r("form-of-amina-1"), r("form-of-amina-2"), r("form-of-amina-3"), waiting, held}
	for i, rec := range all {
		_, err := j.Append(ctx, []*journal.Record{rec}, &sources.Cursor{Name: "db", Value: name("cursor-of-amina", i)})
		must(t, err)
	}
	got := claim(t, j, 9)
	commit(t, j, journal.Batch{Server: "national", Settlements: []journal.Settlement{{Seq: got[0].Seq,
		State: journal.Delivered, Attempts: 1, Objects: []string{"teiOfHer001"}}},
		Identities: []actions.Identity{{IdentityKey: actions.IdentityKey{Type: "person", ExternalID: "nid-of-amina"},
			UID: "teiOfHer001", Generation: 1, Origin: "derived"}},
		Digests: []actions.Digest{{Object: "nid-of-amina", Sum: 3}}})
	got = claim(t, j, 9)
	fail(t, j, journal.Problem{Class: actions.ClassData, Problem: diag.Problem{Code: "E1", Message: "cause-of-amina",
		Value: "value-of-amina", Hint: "hint-of-amina", Column: "column-of-amina"}, Object: "words-of-amina",
		More: []diag.Problem{{Code: "E2", Message: "no age", Value: "value-of-amina"}}}, got[0])
	row := &journal.Record{Rule: "anc", ID: "row-of-amina", Key: "case-of-amina", State: journal.Failed, Received: start,
		Origin: sources.Origin{FileID: "f1", Row: 4}, Body: []byte(`{"name":"name-of-amina"}`),
		Problem: &journal.Problem{Problem: diag.Problem{Code: "E1", Message: "no date"}}}
	commit(t, j, journal.Batch{New: []*journal.Record{row}})
	_, err := j.Correct(ctx, got[0].Seq, []byte(`{"name":"edit-of-amina"}`), "asha", "reason-of-amina")
	must(t, err)
	shares := j.Memory("national").(actions.Contributions)
	for _, cell := range []string{"march", "april"} {
		_, err = shares.Contribute(ctx, []actions.Contribution{{Contributor: "giver-of-amina", Cell: cell,
			Value: "share-of-amina", At: "1"}})
		must(t, err)
	}
	must(t, j.SetMeta(ctx, "edit.1", "meta-of-amina"))
	must(t, j.ChangeMeta(ctx, "pauses", journal.AuditEntry{Who: "asha", Did: "pause", Why: "why-of-amina",
		Subject: "subject-of-amina"}, func(was string) (string, error) { return was + "meta-of-amina", nil }))
	must(t, j.SetIdentities(ctx, "national", []actions.Identity{{IdentityKey: actions.IdentityKey{Type: "person",
		ExternalID: "nid-of-amina-2"}, UID: "teiOfHer002", Generation: 1, Origin: "manual"}}, "asha", "why-of-amina"))
	locks, ok := j.Memory("national").(actions.Locks)
	if ok {
		_, err = locks.Lock(ctx, []string{"person nid-of-amina"})
		must(t, err)
	}
}

// knowsPerson looks for all that fillPerson kept, in every way that there is.
func knowsPerson(t *testing.T, j journal.Journal) {
	t.Helper()
	ctx := t.Context()
	all, err := j.Select(ctx, journal.Filter{WithBody: true})
	must(t, err)
	wantIDs(t, "all", all, "form-of-amina-1 form-of-amina-2 form-of-amina-3 form-of-amina-4 form-of-amina-5 row-of-amina "+
		"form-of-amina-2")
	for _, r := range all {
		if r.Key != "case-of-amina" || !strings.Contains(string(r.Body), "-of-amina") {
			t.Errorf("record %s has the key %q and %s", r.ID, r.Key, r.Body)
		}
	}
	for what, c := range map[string]struct {
		f    journal.Filter
		want int
	}{
		"by key": {journal.Filter{Key: "case-of-amina"}, 7}, "by id": {journal.Filter{ID: "form-of-amina-2"}, 2},
		"by text": {journal.Filter{Text: "case-of-amina"}, 7}, "by external id": {journal.Filter{Text: "nid-of-amina"}, 1},
		"by cause":  {journal.Filter{Cause: "cause-of-amina"}, 1},
		"by object": {journal.Filter{Object: "teiOfHer001"}, 1}, "by another": {journal.Filter{Text: "case-of-amin"}, 0},
	} {
		page, err := j.Search(ctx, c.f)
		must(t, err)
		found, err := j.Select(ctx, c.f)
		must(t, err)
		diff(t, what, []int{len(page.Records), len(found)}, []int{c.want, c.want})
	}
	causes, err := j.Causes(ctx, journal.Filter{Rule: "anc"})
	must(t, err)
	fresh, err := j.Causes(ctx, journal.Filter{Rule: "anc", AfterSeq: 1, States: []journal.State{journal.Superseded}})
	must(t, err)
	diff(t, "causes", []string{causes[0].Cause, fresh[0].Cause, fresh[0].Hint}, []string{"no date", "cause-of-amina",
		"hint-of-amina"})
	story, err := j.Story(ctx, "nid-of-amina", 10)
	must(t, err)
	diff(t, "her story", []int{len(story.Holders), len(story.Records)}, []int{1, 7})
	known, err := j.Memory("national").Identities(ctx, []actions.IdentityKey{{Type: "person", ExternalID: "nid-of-amina"}})
	must(t, err)
	diff(t, "who she is", len(known), 1)
	held, err := j.Memory("national").Holders(ctx, []string{"teiOfHer002"})
	must(t, err)
	diff(t, "who stands for her", held[0].ExternalID, "nid-of-amina-2")
	digests, err := j.Memory("national").Digests(ctx, []string{"nid-of-amina"})
	must(t, err)
	diff(t, "digest", digests["nid-of-amina"].Sum, uint64(3))
	totals, err := j.Memory("national").(actions.Contributions).Totals(ctx, []string{"april"})
	must(t, err)
	diff(t, "what she gives", totals["april"].Last, "share-of-amina")
	cursor, err := j.Cursor(ctx, "db")
	must(t, err)
	value, err := j.Meta(ctx, "pauses")
	must(t, err)
	diff(t, "places", []string{cursor, value}, []string{"cursor-of-amina4", "meta-of-amina"})
	audit, err := j.Audit(ctx, 0)
	must(t, err)
	diff(t, "the audit trail", []string{audit[0].Why, audit[1].Why, audit[1].Subject, audit[2].Why},
		[]string{"why-of-amina", "why-of-amina", "subject-of-amina", "reason-of-amina"})
	again, err := j.Append(ctx, []*journal.Record{all[3]}, nil)
	must(t, err)
	diff(t, "she is sent once more", again, []bool{true})
	check(t, j)
}

// goesOn delivers what waits in order, and forgets the person.
func goesOn(t *testing.T, j journal.Journal) {
	t.Helper()
	later := record("anc", "form-of-amina-6", "case-of-amina")
	appendAll(t, j, later)
	n, err := j.Unhold(t.Context(), "anc")
	must(t, err)
	diff(t, "let go", n, int64(1))
	for _, want := range []string{"form-of-amina-3", "form-of-amina-4", "form-of-amina-5", "form-of-amina-2",
		"form-of-amina-6"} {
		got := claimAs(t, j, journal.Claim{Owner: "two", Limit: 9, Now: start.Add(time.Hour)})
		wantIDs(t, "the next of her key", got, want)
		commit(t, j, journal.Batch{Owner: "two", Settlements: []journal.Settlement{{Seq: got[0].Seq,
			State: journal.Delivered, Attempts: 1}}})
	}
	check(t, j)
	gone, err := j.Forget(t.Context(), "nid-of-amina", "asha", "she asked")
	must(t, err)
	diff(t, "forgotten as a person", gone.Identities, int64(1))
	gone, err = j.Forget(t.Context(), "case-of-amina", "asha", "she asked for case-of-amina")
	must(t, err)
	diff(t, "forgotten", gone.Records, int64(8))
	found, err := j.Search(t.Context(), journal.Filter{Text: "case-of-amina"})
	must(t, err)
	diff(t, "found after that", len(found.Records), 0)
	audit, err := j.Audit(t.Context(), 1)
	must(t, err)
	diff(t, "the audit trail", audit[0].Why, "she asked for (forgotten)")
	check(t, j)
}

// inClear is when all can be read, and nothingOf looks for it.
const inClear = "in clear"

// nothingOf fails when a byte of a person can be read where the journal lies.
func nothingOf(t *testing.T, p Place, when string) {
	t.Helper()
	stored, ok := p.(Stored)
	if !ok {
		t.Fatal("this place does not show what it has on disk")
	}
	all := stored.Bytes(t)
	if when == inClear {
		for _, text := range []string{"form-of-amina", "case-of-amina", "nid-of-amina", "name-of-amina", "why-of-amina"} {
			if !bytes.Contains(all, []byte(text)) {
				t.Errorf("%q is in clear, and is not found", text)
			}
		}
		return
	}
	if len(all) < 1000 || !bytes.Contains(all, []byte("teiOfHer001")) {
		t.Fatalf("%s: this is not what the journal has on disk: %d bytes", when, len(all))
	}
	for _, text := range amina {
		if bytes.Contains(all, []byte(text)) {
			t.Errorf("%s: %q can be read", when, text)
		}
	}
}

// testHidden keeps all of a person in a journal that is encrypted from the beginning, and looks at every byte of it.
func testHidden(t *testing.T, p Place) {
	j := p.Open(t, journal.Options{Key: firstKey})
	fillPerson(t, j)
	knowsPerson(t, j)
	nothingOf(t, p, "at work")
	must(t, j.Close())
	nothingOf(t, p, "closed")
	both := journal.Options{Key: secondKey, OldKeys: [][]byte{firstKey}}
	j = p.Open(t, both)
	knowsPerson(t, j)
	must(t, j.Close())
	j = p.Open(t, both)
	rekeyed(t, j)
	knowsPerson(t, j)
	must(t, j.Close())
	nothingOf(t, p, "with another key")
	j = p.Open(t, journal.Options{Key: secondKey})
	knowsPerson(t, j)
	goesOn(t, j)
	must(t, j.Close())
}

// testHiding takes a key into use in a journal that was kept in clear.
func testHiding(t *testing.T, p Place) {
	j := p.Open(t, journal.Options{})
	fillPerson(t, j)
	knowsPerson(t, j)
	must(t, j.Close())
	nothingOf(t, p, inClear)
	j = p.Open(t, journal.Options{Key: firstKey})
	knowsPerson(t, j)
	must(t, j.Close())
	j = p.Open(t, journal.Options{Key: firstKey})
	rekeyed(t, j)
	knowsPerson(t, j)
	must(t, j.Close())
	nothingOf(t, p, "encrypted")
	j = p.Open(t, journal.Options{Key: firstKey})
	knowsPerson(t, j)
	goesOn(t, j)
	must(t, j.Close())
}

// rekeyed encrypts a journal anew, twice: the second time there is nothing to do.
func rekeyed(t *testing.T, j journal.Journal) {
	t.Helper()
	n, err := j.Rekey(t.Context())
	must(t, err)
	if n == 0 {
		t.Error("nothing was encrypted anew")
	}
	n, err = j.Rekey(t.Context())
	must(t, err)
	diff(t, "encrypted anew once more", n, int64(0))
}
