package compile

import (
	"fmt"

	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/object"
	"github.com/culvert/culvert/rules"
)

// completePlan changes the status of an enrollment or event that is there already.
type completePlan struct {
	*env
	template  *object.Template
	person    *personRef
	program   *metadata.Program
	again     *again
	event     *eventPlan // names the event; nil when the enrollment is meant
	status    *statusField
	completed *dateField
	access    *valued // of an enrollment
}

func (e *completePlan) key() *rules.Expr {
	if e.person == nil {
		return nil
	}
	return e.person.external
}

// compileComplete compiles dhis2.complete: complete, cancel or reopen an enrollment; complete or reopen an event.
func compileComplete(c *compiler) planner {
	p := c.program()
	c.typeNamed("tracked_entity_type")
	if p == nil {
		return nil
	}
	e := &completePlan{env: c.env, program: p}
	label := "completion of " + p.Name
	ofEvent := !c.spec.Body.Get("stage").IsNull() || p.Type == metadata.WithoutRegistration
	if ofEvent {
		stage := c.stage(p)
		if stage == nil {
			return nil
		}
		e.event = &eventPlan{env: c.env, program: p, stage: stage, spec: c.spec}
		e.event.whose(c)
		e.event.eventID = c.expr("event_id")
		e.event.declareIDs(c)
		if e.event.eventID == nil && (stage.Repeatable || p.Type == metadata.WithoutRegistration) {
			c.missing("event_id", "say which event, as the action that created it does")
		}
		e.person, e.again = e.event.person, e.event.again
		e.status = c.status("status", "COMPLETED", "ACTIVE", "SKIPPED")
		label = fmt.Sprintf("completion of event %s of %s", stage.Name, p.Name)
		e.event.template = newTemplate(label, stage.Name, object.ImportOptions{})
	} else {
		t := c.entityType(p)
		if t == nil {
			c.trackerProgram()
			return nil
		}
		e.person = c.personRef(t, p, nil)
		e.again, e.access = c.againOf(), c.access(p)
		e.status = c.status("status", c.words("status")...)
	}
	e.completed = c.date("completed_at", true)
	name := p.Name
	if e.event != nil {
		name = e.event.stage.Name
	}
	e.template = newTemplate(label, name, c.importOptions())
	return e
}

func (e *completePlan) plan(s *rules.Scope, p *plan) (err error) {
	w := &object.Status{Template: e.template}
	if e.event != nil {
		if w.Event, err = e.event.identify(s); err != nil {
			return err
		}
		w.Enrollment = w.Event.Enrollment
	} else {
		person, err := e.person.eval(s)
		if err != nil {
			return err
		}
		again, err := e.again.eval(s, e.context)
		if err != nil {
			return err
		}
		w.Enrollment = enrollmentOf(e.program, person, again)
		if w.Enrollment.Reason, err = e.access.reason(s, e.context); err != nil {
			return err
		}
	}
	if w.Status, err = e.status.eval(s); err != nil {
		return err
	}
	if w.Status == "" {
		w.Status = "COMPLETED"
	}
	if w.CompletedAt, err = e.completed.eval(s, e.context); err != nil {
		return err
	}
	p.add(w)
	return nil
}
