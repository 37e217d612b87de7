package compile

import (
	"errors"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/identity"
	"github.com/culvert/culvert/actions/dhis2/object"
	"github.com/culvert/culvert/rules"
)

// Withdraw takes back what was written under the record's own id: events that nothing else names are
// deleted, and aggregates counted without the record. People, enrollments and values stay, for they
// are the same for every version of the record.
func (a *action) Withdraw(s *rules.Scope) ([]actions.Write, error) {
	p := plan{spec: a.spec}
	if e, ok := a.planner.(*eventPlan); ok {
		if err := a.spec.Each(s, func(s *rules.Scope) error { return e.withdraw(s, &p) }); err != nil {
			return nil, err
		}
		return p.writes, nil
	}
	err := a.spec.Each(s, func(s *rules.Scope) error { return a.planner.plan(s, &p) })
	if failure := (*rules.Failure)(nil); err != nil && !errors.As(err, &failure) {
		return nil, err // such as a question to be asked first
	}
	// A record that could not be written has given nothing.
	var back []actions.Write
	for _, w := range p.writes {
		if v, ok := w.Object.(*object.DataValue); ok && v.Contribution != nil {
			none, gives := *v, *v.Contribution
			gives.Value = ""
			none.Contribution, w.Object = &gives, &none
			back = append(back, w)
		}
	}
	return back, nil
}

// withdraw deletes the event where it is known by the record's own id.
func (e *eventPlan) withdraw(s *rules.Scope, p *plan) error {
	ref, err := e.identify(s)
	if err != nil {
		return err
	}
	e.result(s, ref)
	if e.eventID == nil && (e.person == nil || e.stage.Repeatable) {
		p.add(&object.Deletion{Template: e.template, What: "event", Target: identity.Endpoint{Event: ref}})
	}
	return nil
}
