package compile

import (
	"fmt"
	"time"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/identity"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/object"
	"github.com/culvert/culvert/actions/dhis2/value"
	"github.com/culvert/culvert/rules"
)

// entityPlan writes a tracked entity.
type entityPlan struct {
	*env
	template   *object.Template
	person     *personRef
	program    string // whose attributes are meant; empty: the type's
	orgUnit    *orgUnitField
	geometry   *geometryField
	attributes []*valued
	generate   []*metadata.TrackedEntityAttribute
	result     func(s *rules.Scope, p *identity.Person)
	update     bool // it changes a person who is there and registers nobody
}

func (e *entityPlan) key() *rules.Expr { return e.person.external }

// What dhis2.tracked_entity does with a person who is not in DHIS2: wait for whoever registers her, or register her.
const (
	whenAbsentWait   = "wait"
	whenAbsentCreate = "create"
)

// compileTrackedEntity compiles dhis2.tracked_entity.
func compileTrackedEntity(c *compiler) planner {
	t := c.typeNamed("tracked_entity_type")
	var p *metadata.Program
	to := assignment{}
	if !c.spec.Body.Get("program").IsNull() {
		if p = c.trackerProgram(); p != nil {
			to = c.programUnits(p)
			if t == nil {
				t = c.entityType(p)
			}
		}
	} else if c.node("program"); t == nil && c.spec.Body.Get("tracked_entity_type").IsNull() {
		c.missing("tracked_entity_type", "name a tracked entity type, or a program that has one")
	}
	if t == nil {
		c.readAll("external_id", "match_by", "several_ids", "when_deleted", "when_absent", "org_unit", "geometry", "attributes", "import")
		return nil
	}
	c.writable(t)
	e := &entityPlan{env: c.env}
	of := fmt.Sprintf("the type %q", t.Name)
	if p != nil {
		e.program, of = p.ID, fmt.Sprintf("the program %q", p.Name)
	}
	whenAbsent := c.choice("when_absent", whenAbsentWait, whenAbsentCreate)
	c.update = whenAbsent == whenAbsentWait
	e.attributes = c.attributes(c.usesOf(t, p), of)
	e.update = c.update
	label := "update of tracked entity "
	if !e.update {
		label = "tracked entity "
		e.generate = generated(c.usesOf(t, p), e.attributes)
	}
	e.person = c.personRef(t, p, e.attributes)
	e.orgUnit = c.orgUnit(!e.update, to)
	e.geometry = c.geometry(t.FeatureType, fmt.Sprintf("the type %q", t.Name))
	e.template = newTemplate(label+t.Name, t.Name, c.importOptions(), e.attributes)
	c.declare("tracked_entity")
	e.result = func(s *rules.Scope, p *identity.Person) {
		if c.spec.ID != "" {
			s.SetResult(c.spec.ID, map[string]any{"tracked_entity": p.UID})
		}
	}
	return e
}

// writable warns when the syncing user may not write people of a type.
func (c *compiler) writable(t *metadata.TrackedEntityType) {
	if c.x.Snapshot.User.ID != "" && !t.Access.Data.Write && !c.superuser() {
		c.warnAt(c.spec.Place, "no-write-access", "give the user data write access in the type's sharing settings, then sync", "the user %q may not write data of the type %q", c.x.Snapshot.User.Username, t.Name)
	}
}

func (e *entityPlan) plan(s *rules.Scope, p *plan) error {
	person, err := e.person.eval(s)
	if err != nil {
		return err
	}
	orgUnit, err := e.orgUnit.eval(s, e.o.Now())
	if err != nil {
		return err
	}
	if err := e.write(s, p, person, orgUnit); err != nil {
		return err
	}
	if e.result != nil {
		e.result(s, person)
	}
	return nil
}

// write adds the tracked entity to the plan.
func (e *entityPlan) write(s *rules.Scope, p *plan, person *identity.Person, orgUnit *metadata.OrgUnit) error {
	geometry, err := e.geometry.eval(s)
	if err != nil {
		return err
	}
	values, err := attributeValues(e.attributes, s, e.context)
	if err != nil {
		return err
	}
	p.add(&object.TrackedEntity{
		Template: e.template, Person: person, Program: e.program, OrgUnit: orgUnit, Geometry: geometry, Values: values, Generate: e.generate, Update: e.update,
	})
	return nil
}

func attributeValues(fields []*valued, s *rules.Scope, c *value.Context) ([]client.AttributeValue, error) {
	values := make([]client.AttributeValue, 0, len(fields))
	for _, v := range fields {
		text, st, err := v.eval(s, c)
		if err != nil {
			return nil, err
		}
		if st != stateOmit {
			values = append(values, client.AttributeValue{Attribute: v.uid, Value: text})
		}
	}
	return values, nil
}

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
		c.readAll("external_id", "match_by", "several_ids", "when_deleted", "org_unit", "geometry", "attributes", "import", "enrolled_at", "incident_at", "completed_at", "status", "follow_up", "notes", "attribute_category_options", "enrollment_id", "reenroll")
		return nil
	}
	e := &enrollPlan{env: c.env, program: p, id: c.spec.ID}
	attributes := c.attributes(c.enrollUses(t, p, create), fmt.Sprintf("the program %q", p.Name))
	e.person = c.personRef(t, p, attributes)
	e.orgUnit = c.orgUnit(true, c.programUnits(p))
	e.enrolledAt = c.requiredDate("enrolled_at", p.SelectEnrollmentDatesInFuture, "give the date of enrollment")
	e.incidentAt = c.date("incident_at", p.SelectIncidentDatesInFuture)
	e.completed = c.date("completed_at", true)
	e.again = c.again(e.enrolledAt)
	e.status = c.status("status", "ACTIVE", "COMPLETED", "CANCELLED")
	e.followUp = c.boolean("follow_up")
	e.notes = c.notes()
	e.combo = c.attributeCombo(p.CategoryCombo, false)
	options := c.importOptions()
	label := "enrollment in " + p.Name
	if create {
		c.writable(t)
		e.entity = &entityPlan{env: c.env, person: e.person, program: p.ID, attributes: attributes, generate: generated(c.usesOf(t, p), attributes), template: newTemplate("tracked entity "+t.Name, t.Name, options, attributes)}
		e.entity.geometry = c.geometry(t.FeatureType, fmt.Sprintf("the type %q", t.Name))
		e.template = newTemplate(label, p.Name, options)
	} else {
		e.attributes = attributes
		e.geometry = c.geometry(p.FeatureType, fmt.Sprintf("the program %q", p.Name))
		e.template = newTemplate(label, p.Name, options, attributes)
	}
	e.template.Recreate = e.person.recreate
	c.declare("tracked_entity", "enrollment")
	return e
}

// enrollUses are the attributes that the action may set: DHIS2 takes those of the type on the tracked entity, but an enrollment's must be
// the program's (E1019).
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
	if b.Attributes, err = attributeValues(e.attributes, s, e.context); err != nil {
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

// generated lists the attributes whose values DHIS2 generates and that the rule does not set.
func generated(uses []attributeUse, set []*valued) []*metadata.TrackedEntityAttribute {
	var list []*metadata.TrackedEntityAttribute
	for _, u := range uses {
		if !u.attribute.Generated || u.attribute.Pattern == "" {
			continue
		}
		found := false
		for _, v := range set {
			found = found || v.uid == u.attribute.ID
		}
		if !found {
			list = append(list, u.attribute)
		}
	}
	return list
}
