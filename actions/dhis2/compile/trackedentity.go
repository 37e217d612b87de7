package compile

import (
	"fmt"

	"github.com/culvert/culvert/actions/dhis2/identity"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/object"
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
	} else if t == nil && c.spec.Body.Get("tracked_entity_type").IsNull() {
		c.missing("tracked_entity_type", "name a tracked entity type, or a program that has one")
	}
	if t == nil {
		return nil
	}
	c.writable(t)
	e := &entityPlan{env: c.env}
	of := fmt.Sprintf("the type %q", t.Name)
	if p != nil {
		e.program, of = p.ID, fmt.Sprintf("the program %q", p.Name)
	}
	whenAbsent := c.choice("when_absent")
	c.update = whenAbsent == whenAbsentWait
	c.associated = t
	e.attributes = c.attributes(c.usesOf(t, p), of)
	e.update = c.update
	label := "update of tracked entity "
	if !e.update {
		label = "tracked entity "
		e.generate = generated(c.usesOf(t, p), e.attributes)
	}
	e.person = c.personRef(t, p, e.attributes)
	e.orgUnit = c.orgUnit(!e.update, to)
	e.geometry = c.geometry("geometry", t.FeatureType, fmt.Sprintf("the type %q", t.Name))
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
		c.warnAt(c.spec.Place, "no-write-access",
			"give the user data write access in the type's sharing settings, then sync",
			"the user %q may not write data of the type %q", c.x.Snapshot.User.Username, t.Name)
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
	values, files, people, err := attributeValues(e.attributes, s, e.context)
	if err != nil {
		return err
	}
	person.Values = values
	p.add(&object.TrackedEntity{
		Template: e.template, Person: person, Program: e.program, OrgUnit: orgUnit, Geometry: geometry, Values: values,
		Files: files, People: people, Generate: e.generate, Update: e.update,
	})
	return nil
}
