package program

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
)

// maxRounds bounds how often a record asks: each round answers lookups that read what the round before found.
const maxRounds = 10

// pending is the evaluation of a record whose lookups have to be answered first; see actions.Pending.
type pending struct {
	flow *Flow
	in   rules.Input
	open []rules.Question
}

// Questions implements actions.Pending.
func (p *pending) Questions() []rules.Question { return p.open }

// Resume implements actions.Pending: the record is evaluated from its beginning, for nothing else of it has happened.
func (p *pending) Resume(answers rules.Answers) actions.Resumed {
	in := p.in
	in.Answers = answers
	e, err := Evaluate(p.flow, in)
	return actions.Resumed{Plan: e.Plan, Skipped: e.Skipped, Failure: e.Failure, Err: err}
}

func (e Evaluation) pending(flow *Flow, in rules.Input, open *rules.Unanswered) Evaluation {
	in.Source = maps.Clone(in.Source) // whoever reads a file uses one map for all rows
	e.Plan.Writes = nil
	e.Plan.Pending = &pending{flow: flow, in: in, open: open.Questions}
	return e
}

// Asked is what became of a pending plan. Where nothing is set, the plan is complete.
type Asked struct {
	Skipped bool
	Failure *rules.Failure
	Outcome *actions.Outcome // what could not be asked, or has to wait
	Err     error            // a fault of the program, or of the target: ErrAnswers
}

// ErrAnswers is the fault of a target that answered another number of questions than it was asked:
// which of them it answered cannot be told.
var ErrAnswers = errors.New("the target did not answer one by one what it was asked")

// Askers are those who answer lookups.
type Askers struct {
	Home    actions.Target  // of the rule's own server
	Outside actions.Outside // of other systems; may be nil
	// Server gives the target of a server that a lookup names; nil, or a nil target: it cannot be asked now.
	Server func(name string) actions.Target
}

// of says who answers a question; nil when nobody does.
func (k Askers) of(q rules.Question) actions.Asker {
	if k.Outside != nil && k.Outside.Takes(q.Asked) {
		return k.Outside
	}
	target := k.Home
	if q.Server != "" {
		if target = nil; k.Server != nil {
			target = k.Server(q.Server)
		}
	}
	asker, _ := target.(actions.Asker)
	return asker
}

// Ask completes plans that are pending: their questions are answered together, and their records
// evaluated with the answers, until nothing is asked any more. Plans that are not pending stay as
// they are.
func Ask(ctx context.Context, askers Askers, plans []actions.Plan) []Asked {
	a := &asking{ctx: ctx, plans: plans, done: make([]Asked, len(plans)), known: make([]map[string][]any, len(plans)),
		askers: askers}
	for i := range plans {
		if plans[i].Pending != nil {
			a.open = append(a.open, i)
			a.known[i] = map[string][]any{}
		}
	}
	for range maxRounds {
		if len(a.open) == 0 {
			return a.done
		}
		a.round()
	}
	for _, i := range a.open {
		o := actions.Outcome{Status: actions.Failed, Class: actions.ClassData,
			Problem: diag.Problem{Code: "too-complex",
				Message: "the record's lookups ask again and again",
				Hint:    "have fewer lookups read one another"}}
		a.done[i].Outcome = &o
	}
	return a.done
}

// asking is the state of one Ask.
type asking struct {
	ctx   context.Context
	plans []actions.Plan
	done  []Asked
	known []map[string][]any // by plan, by the question's key
	open  []int              // plans that are pending

	askers Askers
}

// heard is one question of a round, with what was heard of it.
type heard struct {
	asker  actions.Asker
	answer actions.Answer
}

// asked tells questions of all rules apart.
type asked struct {
	by     rules.Asked
	key    string
	record rules.RecordRef
}

// questions gives what a plan asks next, each with the record where the answer depends on it.
func (a *asking) questions(i int) []rules.Question {
	questions := slices.Clone(a.plans[i].Pending.Questions())
	for n := range questions {
		if about, ok := questions[n].Asked.(rules.AboutRecord); ok && about.AboutRecord() {
			questions[n].Record = a.recordOf(i)
		}
	}
	return questions
}

// recordOf names the record of a plan as its rule's first part has it: that is what other records know it by.
func (a *asking) recordOf(i int) rules.RecordRef {
	p := &a.plans[i]
	ref := rules.RecordRef{Rule: p.Record.Rule, ID: p.Record.RecordID, Key: p.Record.Key, Seq: p.Order.Seq}
	if own, ok := p.Pending.(*pending); ok && own.flow.Part != "" {
		ref.Rule, ref.Key = own.flow.Rule.Name, strings.TrimSuffix(ref.Key, PartName("", own.flow.Part))
	}
	return ref
}

// round asks what the open plans need next, each question of a rule once.
func (a *asking) round() {
	places := map[asked]*heard{}
	questions := map[actions.Asker][]rules.Question{}
	order := []actions.Asker{}
	for _, i := range a.open {
		for _, q := range a.questions(i) {
			at := asked{q.Asked, q.Key(), q.Record}
			if places[at] != nil {
				continue
			}
			places[at] = &heard{asker: a.askers.of(q)}
			if by := places[at].asker; by != nil {
				if questions[by] == nil {
					order = append(order, by)
				}
				questions[by] = append(questions[by], q)
			}
		}
	}
	for _, by := range order {
		answers, err := by.Answer(a.ctx, questions[by])
		if err == nil && len(answers) != len(questions[by]) {
			for _, i := range a.open {
				a.done[i].Err = fmt.Errorf("%w: %d answers to %d questions", ErrAnswers, len(answers), len(questions[by]))
			}
			a.open = nil
			return
		}
		for n, q := range questions[by] {
			h := places[asked{q.Asked, q.Key(), q.Record}]
			if h.answer.Err = err; err == nil {
				h.answer = answers[n]
			}
		}
	}
	a.open = slices.DeleteFunc(a.open, func(i int) bool { return a.settled(i, places) })
}

// settled takes the answers to what a plan asked; false when it asks for more.
func (a *asking) settled(i int, places map[asked]*heard) bool {
	for _, q := range a.questions(i) {
		h := places[asked{q.Asked, q.Key(), q.Record}]
		switch {
		case h.asker == nil && q.Server != "":
			o := UnusableServer(q.Server)
			a.done[i].Outcome = &o
			return true
		case h.asker == nil:
			a.done[i].Outcome = &actions.Outcome{Status: actions.Failed, Class: actions.ClassData,
				Problem: diag.Problem{Code: "not-asked", Message: fmt.Sprintf("nobody here can answer the lookup %q", q.Lookup),
					Hint: "start culvert again"}}
			return true
		case h.answer.Err != nil:
			o := h.asker.Unanswered(h.answer.Err)
			if q.Server != "" && o.Status == actions.Retry {
				o.Class = actions.ClassTransient // nothing is wrong with the server that the record goes to
			}
			a.done[i].Outcome = &o
			return true
		}
		a.known[i][q.Key()] = h.answer.Found
	}
	return !a.resume(i)
}

// UnusableServer is the outcome of a record whose lookups ask a server that cannot be asked now.
func UnusableServer(name string) actions.Outcome {
	return actions.Outcome{Status: actions.Retry, Class: actions.ClassTransient,
		Problem: diag.Problem{Code: "server-unusable",
			Message: fmt.Sprintf("the server %s, which the rule's lookups ask, cannot be used now", name),
			Hint:    "see `culvert status`; it is tried again by itself"}}
}

// resume evaluates a record with what is known now; true when it asks for more.
func (a *asking) resume(i int) bool {
	known := maps.Clone(a.known[i])
	r := a.plans[i].Pending.Resume(func(q rules.Question) ([]any, bool) {
		found, ok := known[q.Key()]
		return found, ok
	})
	a.plans[i].About = r.Plan.About
	switch {
	case r.Err != nil:
		a.done[i].Err = r.Err
	case r.Failure != nil && r.Failure.Wait:
		a.done[i].Outcome = &actions.Outcome{Status: actions.Retry, Class: actions.ClassParent,
			Problem: diag.Problem{Code: r.Failure.Code,
				Message: r.Failure.Message,
				Hint:    "it is asked for again by itself; register it, or correct the value in the source",
				Place:   r.Failure.Place},
			Detail: r.Failure.Value}
	case r.Failure != nil:
		a.done[i].Failure = r.Failure
	case r.Skipped:
		a.done[i].Skipped = true
	default:
		p := &a.plans[i]
		p.Writes, p.Pending, p.Left = r.Plan.Writes, r.Plan.Pending, r.Plan.Left
		return p.Pending != nil
	}
	return false
}

// NoSample is the failure of a record on trial whose lookup asks the server, where the rule says
// nothing of what it could find; nil for others.
func (e Evaluation) NoSample() *rules.Failure {
	p, ok := e.Plan.Pending.(*pending)
	if !ok {
		return nil
	}
	return p.flow.Rule.NoSample(p.open[0])
}
