package dhis2

import (
	"fmt"

	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/rules"
)

// completePlan changes the status of an enrollment or event that is there already.
type completePlan struct {
	*workshop
	blueprint *blueprint
	who       *who
	program   *metadata.Program
	again     *again
	event     *eventPlan // names the event; nil when the enrollment is meant
	status    *statusField
	completed *dateField
}

func (e *completePlan) key() *rules.Expr {
	if e.who == nil {
		return nil
	}
	return e.who.external
}

// compileComplete compiles dhis2.complete: complete, cancel or reopen an enrollment; complete or reopen an event.
func compileComplete(c *compiler) planner {
	p := c.program()
	c.typeNamed("tracked_entity_type")
	if p == nil {
		c.readAll("stage", "event_id", "external_id", "match_by", "several_ids", "when_deleted", "enrollment_id", "enrolled_at", "completed_at", "status", "import")
		return nil
	}
	e := &completePlan{workshop: c.workshop, program: p}
	label := "completion of " + p.Name
	ofEvent := !c.spec.Body.Get("stage").IsNull() || p.Type == metadata.WithoutRegistration
	if ofEvent {
		stage := c.stage(p)
		if stage == nil {
			c.readAll("event_id", "external_id", "match_by", "several_ids", "when_deleted", "enrollment_id", "enrolled_at", "completed_at", "status", "import")
			return nil
		}
		e.event = &eventPlan{workshop: c.workshop, program: p, stage: stage, spec: c.spec}
		e.event.whose(c)
		e.event.eventID = c.expr("event_id")
		e.event.declareIDs(c)
		if e.event.eventID == nil && (stage.Repeatable || p.Type == metadata.WithoutRegistration) {
			c.missing("event_id", "say which event, as the action that created it does")
		}
		e.who, e.again = e.event.who, e.event.again
		e.status = c.status("status", "COMPLETED", "ACTIVE", "SKIPPED")
		label = fmt.Sprintf("completion of event %s of %s", stage.Name, p.Name)
		e.event.blueprint = newBlueprint(label, stage.Name, ImportOptions{})
	} else {
		t := c.entityType(p)
		if t == nil {
			c.trackerProgram()
			return nil
		}
		e.who = c.who(t, p, nil)
		e.again = c.againOf()
		e.status = c.status("status", "COMPLETED", "CANCELLED", "ACTIVE")
	}
	e.completed = c.date("completed_at", true)
	name := p.Name
	if e.event != nil {
		name = e.event.stage.Name
	}
	e.blueprint = newBlueprint(label, name, c.importOptions())
	return e
}

func (e *completePlan) plan(s *rules.Scope, p *plan) (err error) {
	w := &statusWrite{blueprint: e.blueprint}
	if e.event != nil {
		if w.event, err = e.event.identify(s); err != nil {
			return err
		}
		w.ref = w.event.ref
	} else {
		who, err := e.who.eval(s)
		if err != nil {
			return err
		}
		again, err := e.again.eval(s, e.context)
		if err != nil {
			return err
		}
		w.ref = e.enrollment(e.program, who, again)
	}
	if w.status, err = e.status.eval(s); err != nil {
		return err
	}
	if w.status == "" {
		w.status = "COMPLETED"
	}
	if w.completedAt, err = e.completed.eval(s, e.context); err != nil {
		return err
	}
	p.add(w)
	return nil
}
