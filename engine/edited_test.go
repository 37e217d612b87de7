package engine

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/sources"
)

// submission is a version of one: number n of a chain of edits, or of another chain.
func submission(chain string, n int) sources.Record {
	body := map[string]any{"id": fmt.Sprintf("%s%d", chain, n), "person": chain, "n": fmt.Sprint(n), "keep": "yes",
		"meta/instanceID": fmt.Sprintf("uuid:%s%d", chain, n)}
	if n > 1 {
		body["meta/deprecatedID"] = fmt.Sprintf("uuid:%s%d", chain, n-1)
	}
	return sources.Record{Rule: "visits", Origin: sources.Origin{Trigger: "webhook"}, Body: body}
}

// TestVersionsInAnyOrder has the versions of a submission come in every order, one by one and
// together: one record stands for them in the end, and its newest version is the last edit.
func TestVersionsInAnyOrder(t *testing.T) {
	const versions = 4
	w := newWorld(t, testProgram(t, "visits"))
	w.make()
	orders := permutations([]int{1, 2, 3, 4})
	for i, order := range orders {
		for _, together := range []int{1, 2, versions} {
			chain := fmt.Sprintf("c%d-%d-", i, together)
			for batch := range slices.Chunk(order, together) {
				b := sources.Batch{}
				for _, n := range batch {
					b.Records = append(b.Records, submission(chain, n))
				}
				for range 2 { // a source that saw no answer sends again
					if _, err := w.runner.Intake.Accept(t.Context(), b); err != nil {
						t.Fatal(err)
					}
				}
			}
			all, err := w.journal.Select(t.Context(), journal.Filter{Rule: "visits", Key: chain, WithBody: true})
			if err != nil {
				t.Fatal(err)
			}
			if standing, newest := standingOf(all); len(standing) != 1 || newest != fmt.Sprint(versions) {
				t.Errorf("versions in the order %v, %d at a time, leave the records %v, the newest version is %s",
					order, together, standing, newest)
			}
		}
	}
}

// TestLateOriginal has a submission come after its edit was delivered: nothing of it is sent, for what
// the edit took out of it would be in DHIS2 again.
func TestLateOriginal(t *testing.T) {
	w := newWorld(t, testProgram(t, "visits"))
	w.run()
	w.accept(submission("late", 2))
	w.until("the edit is delivered", func() bool { return w.states()[journal.Delivered] == 1 })
	w.accept(submission("late", 1))
	w.until("the original is settled", func() bool { return len(w.states()) == 2 && w.states()[journal.Pending] == 0 })
	if s := w.states(); s[journal.Superseded] != 1 || s[journal.Delivered] != 1 {
		t.Errorf("the states are %v", s)
	}
	if got := w.target.delivered("late"); len(got) != 1 {
		t.Errorf("DHIS2 was sent %v", got)
	}
}

// TestSplitForGood has an edit join a record whose payload is erased: a person has to look at the two.
func TestSplitForGood(t *testing.T) {
	w := newWorld(t, testProgram(t, "visits"))
	w.make()
	accept := func(s sources.Record) {
		t.Helper()
		if _, err := w.runner.Intake.Accept(t.Context(), sources.Batch{Records: []sources.Record{s}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range []sources.Record{submission("s", 3), submission("s", 1), submission("other", 1)} {
		accept(s)
		claimed, err := w.journal.Claim(t.Context(), journal.Claim{Owner: "test", Limit: 1, Now: time.Now()})
		if err != nil || len(claimed) != 1 {
			t.Fatalf("%d records: %v", len(claimed), err)
		}
		done := journal.Settlement{Seq: claimed[0].Seq, State: journal.Delivered, Objects: []string{"event-" + claimed[0].ID}}
		b := &journal.Batch{Owner: "test", Server: "national", Settlements: []journal.Settlement{done}}
		if err := w.journal.Commit(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	soon := time.Now().Add(time.Hour)
	if n, err := w.journal.Expire(t.Context(), journal.Retention{Payloads: time.Nanosecond}, soon); err != nil || n.Payloads == 0 {
		t.Fatalf("%+v: %v", n, err)
	}
	accept(submission("s", 2))
	failed, err := w.journal.Select(t.Context(), journal.Filter{Code: "split-submission"})
	if err != nil || len(failed) != 1 || failed[0].ID != "s1" || !strings.Contains(failed[0].Problem.Hint, "event-s1") {
		t.Errorf("%+v, %v", failed, err)
	}
}

// TestSplitOfADisabledRule holds also what takes back an earlier version, until the rule is switched on.
func TestSplitOfADisabledRule(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testProgram(t, "visits"))
	w.make()
	accept := func(s sources.Record) {
		t.Helper()
		if _, err := w.runner.Intake.Accept(t.Context(), sources.Batch{Records: []sources.Record{s}}); err != nil {
			t.Fatal(err)
		}
	}
	accept(submission("s", 3))
	accept(submission("s", 1))
	off := testProgram(t)
	off.Rules["visits"] = saying(t, "visits", "enabled: false\n")
	w.runner.Swap(off)
	accept(submission("s", 2))
	held, err := w.journal.Select(t.Context(), journal.Filter{Code: program.CodeDisabled, ID: "s1"})
	if err != nil || len(held) != 1 || !held[0].Origin.Withdrawn {
		t.Errorf("held are %+v: %v", held, err)
	}
}

// standingOf gives the ids of records that are not taken back, and the number in the newest of them.
func standingOf(all []*journal.Record) (ids []string, newest string) {
	last := map[string]*journal.Record{}
	for _, rec := range all {
		was := last[rec.ID]
		if rec.Origin.Withdrawn || was == nil || !was.Origin.Withdrawn && was.Order().Before(rec.Order()) {
			last[rec.ID] = rec
		}
	}
	for id, rec := range last {
		if !rec.Origin.Withdrawn {
			ids, newest = append(ids, id), numberOf(rec)
		}
	}
	return ids, newest
}

func numberOf(rec *journal.Record) string {
	var body struct{ N string }
	if err := json.Unmarshal(rec.Body, &body); err != nil {
		return err.Error()
	}
	return body.N
}

func permutations(list []int) (all [][]int) {
	if len(list) <= 1 {
		return [][]int{list}
	}
	for i, first := range list {
		for _, rest := range permutations(slices.Concat(list[:i], list[i+1:])) {
			all = append(all, append([]int{first}, rest...))
		}
	}
	return all
}
