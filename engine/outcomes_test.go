package engine

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
)

// TestOutcomes tells a source of every record once, whatever became of it, and of a record again that was settled anew.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	p := testProgram(t, "visits", "quiet")
	p.Rules["visits"].Notify = true
	w := newWorld(t, p)
	w.target.answer = func(_ actions.Plan, v visit) actions.Outcome {
		if v.N == "2" {
			return actions.Outcome{Status: actions.Failed, Class: actions.ClassData,
				Problem: diag.Problem{Code: "E1064", Message: "no date",
					Hint: "give one"}}
		}
		return actions.Outcome{}
	}
	w.run()
	skipped := item("visits", "c", "asha", 3)
	skipped.Body.(map[string]any)["keep"] = "no"
	w.accept(item("visits", "a", "amina", 1), item("visits", "b", "adhiambo", 2), skipped, item("quiet", "d", "akinyi", 1))
	type told struct{ State, Code, Person string }
	outcomes := func(rule string) ([]sources.Outcome, map[string]told) {
		list, err := w.runner.Outcomes(t.Context(), rule, 10)
		if err != nil {
			t.Fatal(err)
		}
		by := map[string]told{}
		for _, o := range list {
			by[o.Body["id"].(string)] = told{o.State, o.Code, o.Body["person"].(string)}
		}
		return list, by
	}
	want := map[string]told{"a": {"delivered", "", "amina"}, "b": {"failed", "E1064", "adhiambo"},
		"c": {"skipped", "", "asha"}}
	w.until("all is settled", func() bool { _, by := outcomes("visits"); return len(by) == 3 && w.target.count() == 2 })
	list, by := outcomes("visits")
	if diff := cmp.Diff(want, by); diff != "" {
		t.Error(diff)
	}
	if _, by := outcomes("quiet"); len(by) > 0 {
		t.Errorf("a rule that wants to know nothing is told of %v", by)
	}
	done := make([]sources.Told, len(list))
	for i, o := range list {
		if done[i] = (sources.Told{Outcome: o, Digest: 7}); o.Known != 0 {
			t.Errorf("%s is known already", o.RecordID)
		}
	}
	if err := w.runner.Told(t.Context(), "visits", done); err != nil {
		t.Fatal(err)
	}
	if _, by := outcomes("visits"); len(by) > 0 {
		t.Errorf("it is told again: %v", by)
	}
	w.accept(item("visits", "a", "amina", 4))
	w.until("the new content is settled", func() bool { _, by := outcomes("visits"); return len(by) == 1 })
	if list, _ := outcomes("visits"); list[0].Known != 7 {
		t.Errorf("the source was told something else: %+v", list[0])
	}
	w.accept(item("visits", "b", "adhiambo", 9))
	w.until("the correction and what it superseded are settled", func() bool {
		list, _ := outcomes("visits")
		return len(list) == 3
	})
	if _, by := outcomes("visits"); by["b"].State != "delivered" || by["b"].Code != "" {
		t.Errorf("of the corrected record its source is told %+v", by["b"])
	}
}

func TestAlarm(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testProgram(t, "visits"))
	w.make()
	w.runner.Alarm("database of rule visits", "it is away")
	if got := w.runner.Status().Conditions; len(got) != 1 || got[0].What != "it is away" {
		t.Errorf("status tells %v", got)
	}
	w.runner.Alarm("database of rule visits", "")
	if got := w.runner.Status().Conditions; len(got) != 0 {
		t.Errorf("status still tells %v", got)
	}
}

// A sender that waits hears what became of its records as soon as DHIS2 has answered, and when its
// time is over how they stand.
func TestAwait(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testProgram(t, "visits"))
	answer := make(chan struct{})
	w.target.answer = func(_ actions.Plan, v visit) actions.Outcome {
		if v.N == "3" {
			<-answer
		}
		if v.N == "2" {
			return actions.Outcome{Status: actions.Failed, Class: actions.ClassData, Problem: diag.Problem{Code: "E1064",
				Message: "no date",
				Hint:    "give one"}}
		}
		return actions.Outcome{}
	}
	t.Cleanup(sync.OnceFunc(func() { close(answer) }))
	w.run()
	seqsOf := func(items ...sources.Record) (seqs []int64) {
		receipts, err := w.runner.Accept(t.Context(), sources.Batch{Records: items})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range receipts {
			seqs = append(seqs, r.Seq)
		}
		return seqs
	}
	states := func(ctx context.Context, seqs []int64) (states []string) {
		list, err := w.runner.Await(ctx, seqs)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range list {
			states = append(states, o.State+" "+o.Message)
		}
		return states
	}
	bounded, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	seqs := seqsOf(item("visits", "a", "amina", 1), item("visits", "b", "adhiambo", 2))
	if diff := cmp.Diff([]string{"delivered ", "failed no date"}, states(bounded, seqs)); diff != "" ||
		bounded.Err() != nil {
		t.Error(diff, bounded.Err())
	}
	if again := seqsOf(item("visits", "a", "amina", 1)); !slices.Equal(again, seqs[:1]) {
		t.Errorf("a record that is known already is %v, not %v", again, seqs[:1])
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if diff := cmp.Diff([]string{"pending "}, states(ended, seqsOf(item("visits", "slow", "asha", 3)))); diff != "" {
		t.Error(diff)
	}
}
