package compile

import (
	"fmt"
	"time"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/object"
	"github.com/culvert/culvert/rules"
)

// enrollPlan writes an enrollment, and before it the tracked entity when entity is set.
type enrollPlan struct {
	*env
	template   *object.Template
	program    *metadata.Program
	entity     *entityPlan // nil in dhis2.enroll
	person     *personRef
	again      *again
	orgUnit    *orgUnitField
	enrolledAt *dateField
	incidentAt *dateField
	completed  *dateField
	status     *statusField
	followUp   *boolField
	geometry   *geometryField
	notes      []*valued
	attributes []*valued
	combo      *attributeCombo
	access     *valued
	id         string // of the action
}

func (e *enrollPlan) key() *rules.Expr { return e.person.external }

// compileEnroll compiles dhis2.enroll: the person is there already.
func compileEnroll(c *compiler) planner { return c.enroll(false) }

// compileCreateAndEnroll compiles dhis2.create_and_enroll.
func compileCreateAndEnroll(c *compiler) planner { return c.enroll(true) }

func (c *compiler) enroll(create bool) planner {
	p := c.trackerProgram()
	c.typeNamed("tracked_entity_type")
	t := c.entityType(p)
	if p == nil || t == nil {
		return nil
	}
	e := &enrollPlan{env: c.env, program: p, id: c.spec.ID}
	c.associated = t
	attributes := c.attributes(c.enrollUses(t, p, create), fmt.Sprintf("the program %q", p.Name))
	e.person = c.personRef(t, p, attributes)
	e.orgUnit = c.orgUnit(true, c.programUnits(p))
	e.enrolledAt = c.requiredDate("enrolled_at", p.SelectEnrollmentDatesInFuture, "give the date of enrollment")
	e.incidentAt = c.date("incident_at", p.SelectIncidentDatesInFuture)
	e.completed = c.date("completed_at", true)
	e.again = c.again(e.enrolledAt)
	e.status = c.status("status", c.words("status")...)
	e.followUp = c.boolean("follow_up")
	e.notes = c.notes()
	e.combo = c.attributeCombo(p.EnrollmentCategoryCombo, c.dividesEnrollments(p))
	e.access = c.access(p)
	options := c.importOptions()
	label := "enrollment in " + p.Name
	if create {
		c.writable(t)
		e.entity = &entityPlan{env: c.env, person: e.person, program: p.ID, attributes: attributes,
			generate: generated(c.usesOf(t, p), attributes),
			template: newTemplate("tracked entity "+t.Name, t.Name, options, attributes)}
		e.entity.geometry = c.geometry("geometry", t.FeatureType, fmt.Sprintf("the type %q", t.Name))
		e.geometry = c.geometry("enrollment_geometry", p.FeatureType, fmt.Sprintf("the program %q", p.Name))
		e.template = newTemplate(label, p.Name, options)
	} else {
		e.attributes = attributes
		e.geometry = c.geometry("geometry", p.FeatureType, fmt.Sprintf("the program %q", p.Name))
		e.template = newTemplate(label, p.Name, options, attributes)
	}
	e.template.Recreate = e.person.recreate
	c.declare("tracked_entity", "enrollment")
	return e
}

// dividesEnrollments tells whether DHIS2 asks for an attribute option with the enrollments of a program (E1055 from
// 2.43 on; the program's other category combination is that of its events).
func (c *compiler) dividesEnrollments(p *metadata.Program) bool {
	return p.EnrollmentCategoryCombo != nil && p.EnrollmentCategoryCombo.ID != c.x.DefaultCombo()
}

// enrollUses are the attributes that the action may set: DHIS2 takes those of the type on the
// tracked entity, but an enrollment's must be the program's (E1019).
func (c *compiler) enrollUses(t *metadata.TrackedEntityType, p *metadata.Program, create bool) []attributeUse {
	if create {
		return c.usesOf(t, p)
	}
	return c.usesOf(nil, p)
}

func (e *enrollPlan) plan(s *rules.Scope, p *plan) error {
	person, err := e.person.eval(s)
	if err != nil {
		return err
	}
	enrolledAt, err := e.enrolledAt.required(s, e.context)
	if err != nil {
		return err
	}
	orgUnit, err := e.orgUnit.eval(s, day(enrolledAt))
	if err != nil {
		return err
	}
	if e.entity != nil {
		if err := e.entity.write(s, p, person, orgUnit); err != nil {
			return err
		}
	}
	again, err := e.again.eval(s, e.context)
	if err != nil {
		return err
	}
	w := &object.Enrollment{Template: e.template, Ref: enrollmentOf(e.program, person, again), OrgUnit: orgUnit}
	if w.Ref.Reason, err = e.access.reason(s, e.context); err != nil {
		return err
	}
	w.Body = client.Enrollment{Program: e.program.ID, OrgUnit: orgUnit.ID, EnrolledAt: enrolledAt}
	if err := e.fill(s, w); err != nil {
		return err
	}
	p.add(w)
	if e.id != "" {
		s.SetResult(e.id, map[string]any{"tracked_entity": person.UID, "enrollment": w.Ref.DerivedUID(person.UID, 0)})
	}
	return nil
}

// fill sets what the rule may leave out.
func (e *enrollPlan) fill(s *rules.Scope, w *object.Enrollment) (err error) {
	b := &w.Body
	if b.OccurredAt, err = e.incidentAt.eval(s, e.context); err != nil {
		return err
	}
	if b.CompletedAt, err = e.completed.eval(s, e.context); err != nil {
		return err
	}
	if b.Status, err = e.status.eval(s); err != nil {
		return err
	}
	if b.FollowUp, w.FollowUp, err = e.followUp.eval(s, e.context); err != nil {
		return err
	}
	if b.Geometry, err = e.geometry.eval(s); err != nil {
		return err
	}
	if b.Attributes, w.Files, w.People, err = attributeValues(e.attributes, s, e.context); err != nil {
		return err
	}
	if len(b.Attributes) == 0 {
		b.Attributes = nil
	}
	if b.AttributeOptionCombo, _, err = e.combo.eval(s, time.Time{}); err != nil {
		return err
	}
	b.Notes, err = evalNotes(e.notes, s, e.context)
	return err
}
