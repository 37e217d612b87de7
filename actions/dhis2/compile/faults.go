package compile

import (
	"errors"
	"time"

	"github.com/culvert/culvert/actions/dhis2/object"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
)

// parted is a planner that stops at what it cannot do without, such as the org unit or the day, and
// whose other parts can be looked at all the same: a person is told at once of all that is wrong
// with a record. A part that needs what is missing is not among them.
type parted interface {
	parts(s *rules.Scope) []func() error
}

// planned plans a record; of one that fails, all that is wrong is kept where failures are collected.
func planned(k planner, s *rules.Scope, p *plan) error {
	again, done := traceOnce(s)
	defer done()
	err := k.plan(s, p)
	if err == nil {
		return nil
	}
	again()
	whole, ok := k.(parted)
	if !ok {
		return err
	}
	if err := s.Keep(err); err != nil {
		return err
	}
	for _, part := range whole.parts(s) {
		// What has to be asked for first, or would have skipped the record, is nothing that is wrong with it.
		var failure *rules.Failure
		if err := part(); errors.As(err, &failure) && !failure.Skip {
			if err := s.Keep(failure); err != nil {
				return err
			}
		}
	}
	return nil
}

// traceOnce has the trace told no step a second time once again is called, for the parts of a record that fails are
// looked at anew. done gives the scope its own trace back.
func traceOnce(s *rules.Scope) (again, done func()) {
	trace := s.Trace
	if trace == nil {
		return func() {}, func() {}
	}
	type known struct {
		what, name string
		place      diag.Place
	}
	told := make(map[known]bool)
	of := func(step rules.Step) known { return known{step.What, step.Name, step.Place} }
	s.Trace = func(step rules.Step) {
		told[of(step)] = true
		trace(step)
	}
	again = func() {
		s.Trace = func(step rules.Step) {
			if !told[of(step)] {
				trace(step)
			}
		}
	}
	return again, func() { s.Trace = trace }
}

func (e *entityPlan) parts(s *rules.Scope) []func() error {
	return []func() error{
		func() error { _, err := e.person.eval(s); return err },
		func() error { _, err := e.orgUnit.eval(s, e.o.Now()); return err },
		func() error { return e.values(s) },
	}
}

// values looks at what the tracked entity would hold.
func (e *entityPlan) values(s *rules.Scope) error {
	if _, err := e.geometry.eval(s); err != nil {
		return err
	}
	_, _, _, err := attributeValues(e.attributes, s, e.context)
	return err
}

func (e *enrollPlan) parts(s *rules.Scope) []func() error {
	on := time.Time{}
	parts := []func() error{
		func() error { _, err := e.person.eval(s); return err },
		func() error {
			at, err := e.enrolledAt.required(s, e.context)
			on = day(at)
			return err
		},
		func() error { _, err := e.orgUnit.eval(s, on); return err },
		func() error { return e.fill(s, &object.Enrollment{Template: e.template}) },
	}
	if e.entity != nil {
		parts = append(parts, func() error { return e.entity.values(s) })
	}
	return parts
}

func (e *eventPlan) parts(s *rules.Scope) []func() error {
	w := &object.Event{Template: e.template, Files: object.Files{}, People: object.Associates{}}
	on := time.Time{}
	return []func() error{
		func() error { _, err := e.identify(s); return err },
		func() (err error) { w.Body.Status, err = e.status.eval(s); return err },
		func() error { _, err := e.scheduled.eval(s, e.context); return err },
		func() error {
			if w.Body.Status == "SCHEDULE" {
				_, err := e.occurred.eval(s, e.context)
				return err
			}
			at, err := e.occurred.required(s, e.context)
			on = day(at)
			return err
		},
		func() error { _, err := e.orgUnit.eval(s, on); return err },
		func() error {
			if on.IsZero() {
				return nil // whether an option covers the day cannot be told
			}
			_, _, err := e.combo.eval(s, on)
			return err
		},
		func() error { return e.fill(s, w) },
	}
}

func (v *valuesPlan) parts(s *rules.Scope) []func() error {
	on, at := time.Time{}, time.Time{}
	parts := []func() error{
		func() error {
			pe, when, err := v.period.eval(s)
			if err == nil {
				on, at = dayOf(pe), when
			}
			return err
		},
		func() error { _, err := v.orgUnit.eval(s, on); return err },
		func() error {
			if on.IsZero() {
				return nil // whether an option covers the day cannot be told
			}
			_, _, err := v.combo.eval(s, on)
			return err
		},
	}
	for _, c := range v.cells {
		parts = append(parts, func() error { return v.fillCell(s, c, &object.DataValue{Template: c.label}, at) })
	}
	return parts
}

// parts are those of the data set and data element that the record names, once both are known.
func (p *namedPlan) parts(s *rules.Scope) []func() error {
	e, err := p.elementOf(s)
	if err != nil {
		return nil
	}
	set, err := p.setOf(s, e)
	if err != nil {
		return nil
	}
	v, err := p.planFor(set, e)
	if err != nil {
		return nil
	}
	return v.parts(s)
}
