package rules

import (
	"errors"
	"fmt"
	"slices"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/expression"
)

// Input is one record as a rule sees it.
type Input struct {
	Body     any            // decoded: map[string]any for forms, cases and rows
	Source   map[string]any // what `source` shows: file, row, received, headers...
	RecordID string         // known id, when the record comes back from the journal
	// Withdrawn: what the record wrote under its own id is taken back, for it is a version of another one.
	Withdrawn bool
	Answers   Answers // to what lookups ask; nil where nobody can be asked
	// Earlier are the results of actions that were delivered before, by action id and field: of the
	// parts of a rule that write elsewhere.
	Earlier map[string]map[string]any
	// Delivery is what became of them, for actions with after:; nil: they were delivered.
	Delivery map[string]any
	FileID   string // of the dropped file that the record is a row of; empty: of none, or a sample
	// the files that it names; nil: those that its rule's trigger finds
	Attachments Attachments
}

// Scope is what expressions see while one record is evaluated. Not safe for concurrent use.
type Scope struct {
	Trace func(Step) // when set, told every step (culvert try)

	rule    *Rule
	env     expression.Env
	input   Input
	id      string
	path    []step
	lookups []found // parallel to the rule's lookups

	collects bool       // failures are kept
	kept     []*Failure // in the order in which they were met
	taken    int        // failures that were met, the same one several times
	left     []*Failure // of values that the record goes on without
	about    []string   // see About
}

// Step is one thing that happened while a record was evaluated.
type Step struct {
	What   string // filter, id, key, lookup, map, field
	Name   string // of the lookup, map or field
	Expr   string
	In     any // value before mapping or conversion
	Out    any
	Type   string // DHIS2 value type for fields
	Place  diag.Place
	Failed *Failure
}

// Begin makes the scope for one record.
func (r *Rule) Begin(in Input) *Scope {
	s := &Scope{rule: r, env: make(expression.Env, 4+len(r.Lookups)+len(r.results)),
		lookups: make([]found, len(r.Lookups))}
	s.Reset(in)
	return s
}

// Reset makes the scope ready for another record of the same rule, so that a file's many rows share one. Trace stays.
func (s *Scope) Reset(in Input) {
	s.input, s.id, s.path = in, in.RecordID, nil
	s.collects, s.kept, s.left, s.taken, s.about = false, nil, nil, 0, nil
	clear(s.env)
	clear(s.lookups)
	s.env["trigger"] = s.rule.missing.without(in.Body)
	s.env["source"] = in.Source
	for id, fields := range in.Earlier {
		s.env[id] = fields
	}
	if s.rule.afters {
		s.env[deliveryName] = in.Delivery
		if in.Delivery == nil {
			s.env[deliveryName] = map[string]any{"state": "delivered"}
		}
	}
}

// Filter evaluates `when`. The error is a *Failure.
func (r *Rule) Filter(s *Scope) (bool, error) {
	if r.When == nil {
		return true, nil
	}
	v, err := r.When.Eval(s)
	var f *Failure
	if errors.As(err, &f) && f.Skip {
		s.step(Step{What: "filter", Expr: r.When.Text, Out: false, Place: r.When.Place}, nil)
		return false, nil
	}
	s.step(Step{What: "filter", Expr: r.When.Text, Out: v, Place: r.When.Place}, err)
	if err != nil {
		return false, err
	}
	return v == true, nil
}

// Identify gives the record's id and key; without an `id:` the id is a hash of the content. The error is a *Failure.
func (r *Rule) Identify(s *Scope) (id, key string, err error) {
	if s.id == "" {
		if s.id, err = r.recordID(s); err != nil {
			return "", "", err
		}
	}
	if r.Key == nil || r.Key.perItem {
		// A key that differs from item to item says nothing of the record.
		return s.id, s.id, nil
	}
	key, err = r.Key.EvalText(s)
	s.step(Step{What: "key", Expr: r.Key.Text, Out: key, Place: r.Key.Place}, err)
	if err != nil {
		return s.id, "", err
	}
	if key == "" {
		key = s.id
	}
	return s.id, key, TooLongID(r.Key, "key", key)
}

// LongestID bounds ids, keys and external ids, in bytes: they stand in every list, index and
// message. A form's instance id has 41.
const LongestID = 500

// TooLongID is the failure of a record whose id, key or external id is longer than LongestID; nil
// for all others. field says which it is, and e what gave it.
func TooLongID(e *Expr, field, id string) error {
	if len(id) <= LongestID {
		return nil
	}
	return &Failure{Problem: diag.Problem{
		Code: "long-id", Message: fmt.Sprintf("the %s has %d bytes; %d is the most that one may have", field, len(id),
			LongestID), Field: field, Place: e.Place,
		Hint: "name a field that identifies the record, not one that describes it: " + e.Text + " gives a long text",
	}}
}

func (r *Rule) recordID(s *Scope) (string, error) {
	if r.ID == nil {
		id := contentHash(s.input.Body)
		s.step(Step{What: "id", Out: id, Place: r.place}, nil)
		return id, nil
	}
	id, err := r.ID.EvalText(s)
	if err == nil {
		id = firstVersion(s.input.Body, id)
	}
	switch {
	case err == nil && IsNoAnswer(id) && id != "":
		err = noAnswerID(r.ID, "id", id)
		id = ""
	case err == nil && id == "":
		err = &Failure{Problem: diag.Problem{
			Code: "blank-id", Message: "the record has no id: " + r.ID.Text + " is blank", Field: "id", Place: r.ID.Place,
			Hint: "send the record with its id, or name another field in id:",
		}}
	case err == nil:
		if err = TooLongID(r.ID, "id", id); err != nil {
			id = ""
		}
	}
	s.step(Step{What: "id", Expr: r.ID.Text, Out: id, Place: r.ID.Place}, err)
	return id, err
}

// Resolve runs the lookups that the record needs: those that actions without a condition read.
// Others run when something reads them. The error is a *Failure; one with Skip says that the rule
// skips such records.
func (r *Rule) Resolve(s *Scope) error {
	var open Unanswered
	for _, i := range r.eager {
		err := s.need(i)
		if u, ok := errors.AsType[*Unanswered](err); ok {
			open.Questions = append(open.Questions, u.Questions...) // all at once
			continue
		}
		if err != nil {
			return err
		}
	}
	return open.orNil()
}

// RecordID is the id of the record under evaluation, once Identify has run.
func (s *Scope) RecordID() string { return s.id }

// Body is the record under evaluation.
func (s *Scope) Body() any { return s.input.Body }

// Delivery is what became of the actions before those that say after: what they come.
func (s *Scope) Delivery() map[string]any { return s.input.Delivery }

// Accepted tells whether the record's id was settled when it was accepted.
func (s *Scope) Accepted() bool { return s.input.RecordID != "" }

// Withdrawn tells whether what the record wrote under its own id is taken back.
func (s *Scope) Withdrawn() bool { return s.input.Withdrawn }

// maxAbout bounds what one record is found by.
const maxAbout = 20

// About says by the id of an object that the record is about it, such as its org unit, so that people
// find the record by it, whatever becomes of the record.
func (s *Scope) About(id string) {
	if len(s.about) < maxAbout && !slices.Contains(s.about, id) {
		s.about = append(s.about, id)
	}
}

// Abouts lists what About was told.
func (s *Scope) Abouts() []string { return s.about }

// SetResult makes a field of an earlier action's result visible to later actions under the action's id.
func (s *Scope) SetResult(action string, fields map[string]any) { s.env[action] = fields }

// step tells the trace, if there is one.
func (s *Scope) step(step Step, err error) {
	if s.Trace != nil {
		s.traced(step, err)
	}
}

// traced is apart, so that a step is not kept on the heap when nobody looks.
func (s *Scope) traced(step Step, err error) {
	errors.As(err, &step.Failed)
	s.Trace(step)
}

// traceCall tells the trace of a call of a function of the project.
func (s *Scope) traceCall(d *expression.Defined, args []any, gave any, err error) {
	step := Step{What: "call", Name: d.Name, In: args, Out: gave, Expr: d.Body.Text()}
	if f := s.rule.library.function(d.Name); f != nil {
		step.Place = f.Place
		step.Name = fmt.Sprintf("%s (%s:%d)", d.Name, f.Place.File, f.Place.Range.Start.Line)
	}
	if err != nil {
		step.Failed = &Failure{Problem: diag.Problem{Code: expression.CodeWrongValue, Message: err.Error(),
			Place: step.Place}}
	}
	s.Trace(step)
}

// once runs do where `when` holds.
func (a *ActionSpec) once(s *Scope, do func(*Scope) error) error {
	if a.When != nil {
		v, err := a.When.Eval(s)
		s.step(Step{What: "filter", Name: a.Kind, Expr: a.When.Text, Out: v, Place: a.When.Place}, err)
		if err != nil || v != true {
			return err
		}
	}
	return do(s)
}
