package compile

import (
	"errors"
	"fmt"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/value"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
)

// valued is a field whose values must fit a DHIS2 value type.
type valued struct {
	*rules.Field
	uid     string // of the attribute or data element
	name    string // as the rule calls it
	kind    value.Kind
	people  *associatedType // whose people it names; nil: it names nobody
	literal string          // the converted literal of {value: ...}
	fixed   bool
}

// state says what a field came to.
type state int

const (
	stateSet state = iota
	stateOmit
	stateClear
)

// eval gives the field's value on one record as DHIS2 takes it. The error is a *rules.Failure.
func (v *valued) eval(s *rules.Scope, c *value.Context) (string, state, error) {
	out, st, err := v.evalFile(s, c)
	return out.Text, st, err
}

// evalFile is eval for values that may be files.
func (v *valued) evalFile(s *rules.Scope, c *value.Context) (value.Result, state, error) {
	if v.fixed {
		v.trace(s, v.Value, v.literal, nil)
		return value.Result{Text: v.literal}, stateSet, nil
	}
	r, err := v.Field.Eval(s)
	if err != nil {
		return value.Result{}, stateOmit, v.unfit(s, err)
	}
	if r.Blank {
		if r.Clear {
			return value.Result{}, stateClear, nil
		}
		return value.Result{}, stateOmit, nil
	}
	in := r.Value
	if v.kind.HoldsFile() {
		later, missing, err := v.attached(s, &in)
		switch {
		case err != nil:
			return value.Result{}, stateOmit, v.unfit(s, err)
		case missing:
			return value.Result{}, stateOmit, s.Leave(v.notAttached(r.Value))
		case later.File != nil:
			v.trace(s, r.Value, later.File.String(), nil)
			return later, stateSet, nil
		}
	}
	out, problem := v.kind.Convert(in, c)
	if problem != nil {
		failure := v.failure(problem, r)
		v.trace(s, r.Value, nil, failure)
		return value.Result{}, stateOmit, v.unfit(s, failure)
	}
	if out.Blank {
		text, st, err := v.blank()
		return value.Result{Text: text}, st, s.Keep(err)
	}
	if out.File != nil {
		v.trace(s, "(a file)", out.File.String(), nil)
		return out, stateSet, nil
	}
	if failure := v.nobody(out, r); failure != nil {
		return value.Result{}, stateOmit, v.unfit(s, failure)
	}
	v.trace(s, r.Value, out.Text, nil)
	if out.Remark != nil {
		s.Remark(v.failure(out.Remark, r))
	}
	return out, stateSet, nil
}

// doubt is what is to be said of the value of a record of the sample: that DHIS2 would not take it, or
// that it lies far outside of the country. nil when nothing is, or there is no value.
func (v *valued) doubt(s *rules.Scope, c *value.Context) *rules.Failure {
	r, err := v.Field.Eval(s)
	if f := orderUnknown(err); f != nil {
		return f
	}
	if err != nil || r.Blank || v.LeaveInvalid || v.kind.NamesPerson() {
		return nil
	}
	in := r.Value
	if v.kind.HoldsFile() {
		if _, missing, err := v.attached(s, &in); err != nil || missing {
			return nil
		}
		if name, ok := v.kind.Unwrap(in).(string); ok && rules.NamesFile(strings.TrimSpace(name)) {
			return nil // it is looked for when the record comes
		}
	}
	out, problem := v.kind.Convert(in, c)
	switch {
	case problem != nil:
		return v.failure(problem, r)
	case out.Remark != nil:
		return v.failure(out.Remark, r)
	}
	return nil
}

// unfit is what a value that does not fit does: it is left out with a remark where the rule says
// so, else the record fails. A value that is blank where the rule asks for one is not one that does
// not fit.
func (v *valued) unfit(s *rules.Scope, err error) error {
	var f *rules.Failure
	if v.LeaveInvalid && errors.As(err, &f) && f.Code != "blank-value" {
		return s.Leave(err)
	}
	return s.Keep(err)
}

// blank is what a value that turns out blank when converted does, such as a TRUE_ONLY that is false.
func (v *valued) blank() (string, state, error) {
	switch v.Field.Blank {
	case rules.BlankClear:
		return "", stateClear, nil
	case rules.BlankFail:
		return "", 0, &rules.Failure{Problem: diag.Problem{
			Code: "blank-value", Place: v.place(), Field: v.name, Column: v.Column(),
			Message: fmt.Sprintf("%q is blank",
				v.name), Hint: "fill it in at the source, or say blank: omit or a default in the rule",
		}}
	}
	return "", stateOmit, nil
}

func (v *valued) trace(s *rules.Scope, in, out any, failed *rules.Failure) {
	if s.Trace == nil {
		return
	}
	step := rules.Step{What: "value", Name: v.name, In: in, Out: out, Type: v.kind.Type, Place: v.place(), Failed: failed}
	if v.From != nil {
		step.Expr = v.From.Text
	}
	s.Trace(step)
}

// traceFound shows what a value of the record stands for: an object of the metadata, a period.
func traceFound(s *rules.Scope, f *rules.Field, in, out any) {
	if s.Trace == nil {
		return
	}
	step := rules.Step{What: "value", Name: f.Name, In: in, Out: out, Place: placeOf(f)}
	if f.From != nil {
		step.Expr = f.From.Text
	}
	s.Trace(step)
}

func (v *valued) place() diag.Place { return placeOf(v.Field) }

func placeOf(f *rules.Field) diag.Place {
	if f.From != nil {
		return f.From.Place
	}
	return f.Place
}

// failure names field, rule line and fix; the value stays private.
func (v *valued) failure(p *diag.Problem, r rules.Result) *rules.Failure {
	in := r.In
	if in == nil {
		in = r.Value // of a default
	}
	f := &rules.Failure{Problem: diag.Problem{
		Code: p.Code, Place: v.place(), Field: v.name, Column: v.Column(), Value: private(in),
		Message: fmt.Sprintf("%q %s", v.name, p.Message), Hint: v.kind.Hint(p, r.Value),
	}}
	if f.Value != "" && rules.IsNoAnswer(f.Value) && !v.kind.Answers(f.Value) {
		f.Hint = declareMissing
	}
	return f
}

// declareMissing is the fix of a value that is a word for "no answer".
const declareMissing = "if this is how the source writes that there is no answer, declare it: missing: [...] on the " +
	"trigger or the field makes it blank"

func private(v any) string {
	s, ok := value.Text(v, nil)
	if !ok {
		s = fmt.Sprint(v)
	}
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "") + "..."
	}
	return s
}
