package dispatch

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/work"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
)

// asked is a work that asks for its own name.
type asked struct {
	work.Work
	name string
	flow *program.Flow
	plan actions.Plan
}

func (a *asked) Flow() *program.Flow { return a.flow }
func (a *asked) Plan() *actions.Plan { return &a.plan }
func (a *asked) OfFile() bool        { return false }
func (a *asked) Questions() []rules.Question {
	return []rules.Question{{Lookup: "person", Values: []string{a.name}}}
}

func (a *asked) Resume(rules.Answers) actions.Resumed {
	if a.name == "late" || a.name == "missing" {
		return actions.Resumed{Failure: &rules.Failure{Problem: diag.Problem{Code: "lookup-missing"}}}
	}
	return actions.Resumed{Plan: actions.Plan{Writes: make([]actions.Write, 1)}}
}

// askedTarget breaks down on one question, and says too little when it is asked another.
type askedTarget struct{ actions.Target }

func (askedTarget) Answer(_ context.Context, questions []rules.Question) ([]actions.Answer, error) {
	answers := make([]actions.Answer, len(questions))
	for _, q := range questions {
		switch q.Values[0] {
		case "panic":
			panic("a fault of ours")
		case "short":
			answers = answers[1:]
		}
	}
	return answers, nil
}

func (askedTarget) Unanswered(error) actions.Outcome {
	return actions.Outcome{Status: actions.Retry, Class: actions.ClassServer}
}

func (askedTarget) Deliver(_ context.Context, plans []actions.Plan) []actions.Result {
	results := make([]actions.Result, len(plans))
	for i := range plans {
		results[i].Outcomes = []actions.Outcome{{Status: actions.Delivered}}
	}
	return results
}

// delivered has a newer version of the late record.
type delivered struct{}

func (delivered) Versions(_ context.Context, _, id string) ([]*journal.Record, error) {
	if id != "late" {
		return nil, nil
	}
	return []*journal.Record{{Seq: 7, State: journal.Delivered, Version: 12}}, nil
}

// TestAskingThatBreaksDown fails the culprits alone; what comes late and finds nothing is superseded.
func TestAskingThatBreaksDown(t *testing.T) {
	flow := &program.Flow{Rule: &rules.Rule{Name: "visits"}, Server: "national"}
	d := New("national", Server{Target: askedTarget{}}, Config{
		Log: slog.New(slog.DiscardHandler), End: t.Context(), Versions: delivered{}})
	var items []*item
	for _, name := range []string{"a", "b", "panic", "c", "missing", "short", "d", "late"} {
		a := &asked{name: name, flow: flow}
		a.plan = actions.Plan{Record: actions.Ref{Rule: "visits", RecordID: name}, Order: actions.Order{Version: 10},
			Pending: a}
		items = append(items, &item{Work: a})
	}
	answer := d.sendItems(items)
	var got []string
	for i, it := range items {
		v := d.verdict(answer, i, it)
		text := fmt.Sprintf("%s %v", it.Plan().Record.RecordID, v.state)
		if v.problem != nil {
			text += " " + v.problem.Code
		}
		if v.by != 0 {
			text += fmt.Sprint(" by ", v.by)
		}
		got = append(got, text)
	}
	done, failed, superseded := journal.Delivered, journal.Failed, journal.Superseded
	want := []string{fmt.Sprint("a ", done), fmt.Sprint("b ", done), fmt.Sprint("panic ", failed, " internal"),
		fmt.Sprint("c ", done), fmt.Sprint("missing ", failed, " lookup-missing"),
		fmt.Sprint("short ", failed, " internal"), fmt.Sprint("d ", done), fmt.Sprint("late ", superseded, " by 7")}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
