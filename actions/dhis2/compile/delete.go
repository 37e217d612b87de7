package compile

import (
	"fmt"

	"github.com/culvert/culvert/actions/dhis2/identity"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/object"
	"github.com/culvert/culvert/rules"
)

// deletePlan deletes a person, enrollment, event, relationship or data value.
type deletePlan struct {
	*env
	template     *object.Template
	what         string
	person       *personRef
	program      *metadata.Program
	again        *again
	event        *eventPlan
	relationship *relationshipPlan
	value        planner
}

func (d *deletePlan) key() *rules.Expr {
	switch {
	case d.person != nil:
		return d.person.external
	case d.relationship != nil:
		return d.relationship.key()
	}
	return nil
}

// compileDelete compiles dhis2.delete. It does nothing unless the rule says confirm: true.
func compileDelete(c *compiler) planner {
	d := &deletePlan{env: c.env, what: c.choice("what")}
	if d.what == "" && c.spec.Body.Get("what").IsNull() {
		c.missing("what", "tracked_entity, enrollment, event, relationship or data_value")
	}
	if !c.flag("confirm") {
		c.errorAt(c.spec.Place, "delete-unconfirmed", "add confirm: true when records are really meant to delete data",
			"%s deletes data for good and must say so", c.spec.Kind)
	}
	ok := false
	switch d.what {
	case "relationship":
		d.relationship = c.relationship()
		ok = d.relationship != nil
	case "data_value":
		d.value = c.oneValue(true)
		ok = d.value != nil
	case "tracked_entity":
		ok = d.ofPerson(c)
	case "enrollment", "event":
		ok = d.ofProgram(c)
	}
	options := c.importOptions()
	if !ok {
		return nil
	}
	d.template = newTemplate("deletion of "+d.label(), d.label(), options)
	return d
}

func (d *deletePlan) label() string {
	switch {
	case d.event != nil:
		return fmt.Sprintf("event %s of %s", d.event.stage.Name, d.program.Name)
	case d.program != nil:
		return "enrollment in " + d.program.Name
	case d.person != nil:
		return "tracked entity " + d.person.t.Name
	case d.relationship != nil:
		return "relationship " + d.relationship.typ.Name
	}
	return "data value"
}

func (d *deletePlan) ofPerson(c *compiler) bool {
	t := c.typeNamed("tracked_entity_type")
	if t == nil && !c.spec.Body.Get("program").IsNull() {
		t = c.entityType(c.trackerProgram())
	}
	if t == nil {
		if !c.failed {
			c.missing("tracked_entity_type", "name the type of tracked entity")
		}
		return false
	}
	d.person = c.personRef(t, nil, nil)
	return true
}

func (d *deletePlan) ofProgram(c *compiler) bool {
	c.typeNamed("tracked_entity_type")
	if d.what == "enrollment" {
		if d.program = c.trackerProgram(); d.program == nil {
			return false
		}
		d.person = c.personRef(c.entityType(d.program), d.program, nil)
		d.again = c.againOf()
		return true
	}
	d.program = c.program()
	stage := c.stage(d.program)
	if d.program == nil || stage == nil {
		return false
	}
	d.event = &eventPlan{env: c.env, program: d.program, stage: stage, spec: c.spec,
		template: newTemplate("event "+stage.Name, stage.Name, object.ImportOptions{})}
	d.event.whose(c)
	d.event.eventID = c.expr("event_id")
	d.event.declareIDs(c)
	if d.event.eventID == nil && (stage.Repeatable || d.program.Type == metadata.WithoutRegistration) {
		c.missing("event_id", "say which event, as the action that created it does")
	}
	d.person, d.again = d.event.person, d.event.again
	return true
}

func (d *deletePlan) plan(s *rules.Scope, p *plan) error {
	if d.value != nil {
		return d.value.plan(s, p)
	}
	w := &object.Deletion{Template: d.template, What: d.what}
	switch {
	case d.relationship != nil:
		r, err := d.relationship.write(s)
		if err != nil {
			return err
		}
		r.Template, w.Relationship = d.template, r
	case d.event != nil:
		event, err := d.event.identify(s)
		if err != nil {
			return err
		}
		w.Target = identity.Endpoint{Event: event}
	default:
		person, err := d.person.eval(s)
		if err != nil {
			return err
		}
		w.Target = identity.Endpoint{Person: person}
		if d.what == "enrollment" {
			again, err := d.again.eval(s, d.context)
			if err != nil {
				return err
			}
			w.Target.Enrollment = enrollmentOf(d.program, person, again)
		}
	}
	p.add(w)
	return nil
}
