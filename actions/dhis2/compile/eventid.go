package compile

import (
	"strconv"

	"github.com/culvert/culvert/actions/dhis2/identity"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
)

// identify says which event it is.
func (e *eventPlan) identify(s *rules.Scope) (*identity.Event, error) {
	ref := &identity.Event{Program: e.program.ID, Stage: e.stage.ID, Name: e.stage.Name}
	if e.person == nil {
		ref.Parent = e.o.Project
	} else {
		person, err := e.person.eval(s)
		if err != nil {
			return nil, err
		}
		again, err := e.again.eval(s, e.context)
		if err != nil {
			return nil, err
		}
		ref.Enrollment = enrollmentOf(e.program, person, again)
		if ref.Enrollment.Reason, err = e.access.reason(s, e.context); err != nil {
			return nil, err
		}
	}
	if e.person != nil && !e.stage.Repeatable {
		return ref, nil
	}
	id, err := eventID(e.eventID, s, e.spec)
	ref.ID = id
	if e.scoped() {
		ref.Scope = e.recordScope(e.spec.Rule())
	}
	return ref, err
}

// eventID is what the rule says, or the record's id with action and index. The action is known by
// its id where it has one, so that actions can be moved about.
func eventID(e *rules.Expr, s *rules.Scope, spec *rules.ActionSpec) (string, error) {
	if e == nil {
		name := spec.ID
		if name == "" {
			name = strconv.Itoa(spec.Number)
		}
		return s.RecordID() + "/" + name + "/" + s.Position(), nil
	}
	id, err := e.EvalText(s)
	if err == nil {
		err = e.EditedID(s, "event_id", id)
	}
	if err == nil && id == "" {
		err = &rules.Failure{Problem: diag.Problem{
			Code: "blank-value", Place: e.Place, Field: "event_id",
			Message: `"event_id" is blank, so the event cannot be told from others`,
			Hint:    "fill it in at the source, or leave event_id out",
		}}
	}
	return id, err
}

func (e *eventPlan) result(s *rules.Scope, ref *identity.Event) {
	if e.spec.ID == "" {
		return
	}
	fields := map[string]any{}
	parent := ref.Parent
	if ref.Enrollment != nil {
		person := ref.Enrollment.Person.UID
		parent = ref.Enrollment.DerivedUID(person, 0)
		fields["tracked_entity"], fields["enrollment"] = person, parent
	}
	fields["event"] = identity.EventUID(ref.Stage, parent+ref.Scope, ref.ID, 0)
	s.SetResult(e.spec.ID, fields)
}

// scoped tells whether the events of an action are known by the namespace of the rule's records:
// all of an event program, and those of a person that are known by the record's own id. An event_id
// that the rule gives is one person's business.
func (e *eventPlan) scoped() bool {
	return e.program.Type == metadata.WithoutRegistration || e.eventID == nil && e.stage.Repeatable
}

// declareIDs says by which ids the action knows events.
func (e *eventPlan) declareIDs(c *compiler) {
	if !e.scoped() {
		return
	}
	place := c.spec.Place
	if e.eventID != nil {
		place = e.eventID.Place
	}
	c.spec.DeclareIDs(rules.DeclaredIDs{
		Object: "event " + e.stage.ID, Label: "events of the stage \"" + e.stage.Name + "\"",
		Creates: c.spec.Kind == KindEvent, ID: e.eventID, Place: place,
	})
}
