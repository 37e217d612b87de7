package compile

import (
	"fmt"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/object"
	"github.com/culvert/culvert/rules"
)

// eventPlan writes an event.
type eventPlan struct {
	*env
	template  *object.Template
	program   *metadata.Program
	stage     *metadata.ProgramStage
	person    *personRef // nil in an event program
	again     *again
	eventID   *rules.Expr
	orgUnit   *orgUnitField
	occurred  *dateField
	scheduled *dateField
	completed *dateField
	status    *statusField
	geometry  *geometryField
	notes     []*valued
	user      *userField
	combo     *attributeCombo
	values    []*valued
	access    *valued
	spec      *rules.ActionSpec
}

func (e *eventPlan) key() *rules.Expr {
	if e.person == nil {
		return nil
	}
	return e.person.external
}

// compileEvent compiles dhis2.event: of a tracker program, of an event program, or scheduled.
func compileEvent(c *compiler) planner {
	p := c.program()
	stage := c.stage(p)
	c.typeNamed("tracked_entity_type")
	if p == nil || stage == nil {
		return nil
	}
	e := &eventPlan{env: c.env, program: p, stage: stage, spec: c.spec}
	e.whose(c)
	e.eventID = c.expr("event_id")
	e.declareIDs(c)
	e.orgUnit = c.orgUnit(true, c.programUnits(p))
	e.status = c.status("status", c.words("status")...)
	e.dates(c)
	if n := c.node("follow_up"); n != nil {
		c.spec.Field("follow_up", n)
		c.errorAt(c.spec.Body.Key("follow_up").Place(), "follow-up-of-event",
			"mark the enrollment: follow_up: in dhis2.enroll or dhis2.create_and_enroll",
			"an event has no follow-up mark of its own: DHIS2 keeps it for the enrollment and shows that one with the event")
	}
	e.notes = c.notes()
	e.geometry = c.geometry("geometry", stage.FeatureType, fmt.Sprintf("the stage %q", stage.Name))
	e.combo = c.attributeCombo(p.CategoryCombo, true)
	e.user = c.assignedUser()
	if e.user != nil && !stage.EnableUserAssignment {
		c.errorAt(c.spec.Body.Key("assigned_user").Place(), "no-user-assignment",
			"allow user assignment for the stage in DHIS2 and sync, or leave it out",
			"events of the stage %q cannot be assigned to users", stage.Name)
	}
	c.associated = c.entityType(p)
	e.values = c.dataValues(stage, e.status.always())
	e.repeats(c)
	e.template = newTemplate(fmt.Sprintf("event %s of %s", stage.Name, p.Name), stage.Name, c.importOptions(), e.values)
	if e.person != nil {
		e.template.Recreate = e.person.recreate
		c.declare("tracked_entity", "enrollment", "event")
	} else {
		e.template.Recreate = c.choice("when_deleted") == "recreate"
		c.declare("event")
	}
	return e
}

// whose reads who the event is about.
func (e *eventPlan) whose(c *compiler) {
	if e.program.Type == metadata.WithoutRegistration {
		for _, key := range []string{"external_id", "match_by", "enrollment_id", "enrolled_at", accessKey} {
			if c.node(key) != nil {
				c.errorAt(c.spec.Body.Key(key).Place(), "no-person", "leave it out; event_id tells events apart",
					"%q does not fit: %q is an event program, about nobody in particular", key, e.program.Name)
			}
		}
		return
	}
	t := c.entityType(e.program)
	if t == nil {
		c.trackerProgram()
		return
	}
	e.person = c.personRef(t, e.program, nil)
	e.again = c.againOf()
	e.access = c.access(e.program)
}

// againOf reads which of a person's enrollments is meant, where the action does not create it.
func (c *compiler) againOf() *again {
	a := &again{id: c.expr("enrollment_id")}
	if date := c.date("enrolled_at", true); a.id == nil {
		a.date = date
	}
	return a
}

func (e *eventPlan) dates(c *compiler) {
	e.scheduled = c.date("scheduled_at", true)
	e.completed = c.date("completed_at", true)
	status := e.status.always()
	if status == "VISITED" {
		c.warnAt(c.spec.Body.Get("status").Place(), "visited-is-active", "write ACTIVE, which is the same",
			"DHIS2 keeps the status VISITED as ACTIVE, on every version")
	}
	if object.NotYetHeld(status) && e.program.Type == metadata.WithoutRegistration {
		c.errorAt(c.spec.Body.Get("status").Place(), "wrong-choice",
			"leave the status out, or use a program with registration",
			"events of an event program cannot be planned: status %s does not fit", status)
	}
	if status == "SCHEDULE" {
		e.occurred = c.date("occurred_at", true)
		if e.scheduled == nil && c.spec.Body.Get("scheduled_at").IsNull() {
			c.missing("scheduled_at", "a planned event needs the date for which it is planned")
		}
		return
	}
	e.occurred = c.requiredDate("occurred_at", true, "give the day on which it happened")
}

// repeats warns where several events would become one.
func (e *eventPlan) repeats(c *compiler) {
	if e.stage.Repeatable || e.program.Type == metadata.WithoutRegistration {
		return
	}
	if c.spec.ForEach != nil {
		c.errorAt(c.spec.ForEach.Place, "stage-does-not-repeat",
			"make the stage repeatable in DHIS2 and sync, or send one event only",
			"the stage %q does not repeat, so for_each would write the same event again and again", e.stage.Name)
	}
	if e.eventID != nil {
		c.warnAt(c.spec.Body.Key("event_id").Place(), "event-id-unused", "leave it out",
			"the stage %q does not repeat: an enrollment has one event of it, whatever event_id says", e.stage.Name)
	}
}

func (e *eventPlan) plan(s *rules.Scope, p *plan) error {
	ref, err := e.identify(s)
	if err != nil {
		return err
	}
	w := &object.Event{Template: e.template, Ref: ref,
		Body: client.Event{Program: e.program.ID, ProgramStage: e.stage.ID}, Files: object.Files{},
		People: object.Associates{}}
	b := &w.Body
	if b.Status, err = e.status.eval(s); err != nil {
		return err
	}
	if b.ScheduledAt, err = e.scheduled.eval(s, e.context); err != nil {
		return err
	}
	if b.Status == "SCHEDULE" {
		b.OccurredAt, err = e.occurred.eval(s, e.context)
	} else {
		b.OccurredAt, err = e.occurred.required(s, e.context)
	}
	if err != nil {
		return err
	}
	on := day(b.OccurredAt)
	if b.OccurredAt == "" {
		on = day(b.ScheduledAt)
	}
	if w.OrgUnit, err = e.orgUnit.eval(s, on); err != nil {
		return err
	}
	b.OrgUnit = w.OrgUnit.ID
	if b.AttributeOptionCombo, w.Combo, err = e.combo.eval(s, on); err != nil {
		return err
	}
	if err := e.fill(s, w); err != nil {
		return err
	}
	p.add(w)
	e.result(s, ref)
	return nil
}

func (e *eventPlan) fill(s *rules.Scope, w *object.Event) (err error) {
	b := &w.Body
	if b.CompletedAt, err = e.completed.eval(s, e.context); err != nil {
		return err
	}
	if b.Geometry, err = e.geometry.eval(s); err != nil {
		return err
	}
	if b.AssignedUser, err = e.user.eval(s, e.context); err != nil {
		return err
	}
	if b.Notes, err = evalNotes(e.notes, s, e.context); err != nil || object.NotYetHeld(b.Status) {
		return err
	}
	b.DataValues = make([]client.EventValue, 0, len(e.values))
	for _, v := range e.values {
		out, st, err := v.evalFile(s, e.context)
		if err != nil {
			return err
		}
		if st != stateOmit {
			b.DataValues = append(b.DataValues, client.EventValue{DataElement: v.uid, Value: out.Text})
			w.Files.Add(v.uid, out.File)
			w.People.Add(v.uid, v.named(out, st))
		}
	}
	return nil
}
