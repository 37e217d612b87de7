package compile

import (
	"fmt"
	"slices"

	"github.com/culvert/culvert/actions/dhis2/identity"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/object"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/rules/yamlnode"
)

// relationshipPlan links two objects.
type relationshipPlan struct {
	*env
	template *object.Template
	typ      *metadata.RelationshipType
	from, to *endpointPlan
}

func (r *relationshipPlan) key() *rules.Expr { return r.from.external }

// endPlan finds one side of a relationship.
type endpointPlan struct {
	*env
	t        *metadata.TrackedEntityType
	program  *metadata.Program      // of an enrollment or event
	stage    *metadata.ProgramStage // of an event
	external *rules.Expr
	again    *again
	eventID  *rules.Expr
	spec     *rules.ActionSpec
}

// compileRelationship compiles dhis2.relationship.
func compileRelationship(c *compiler) planner {
	r := c.relationship()
	if r == nil {
		return nil
	}
	r.template = newTemplate(fmt.Sprintf("relationship %s", r.typ.Name), r.typ.Name, c.importOptions())
	return r
}

// relationship reads the keys type, from and to.
func (c *compiler) relationship() *relationshipPlan {
	n := c.requiredName("type", "relationship type", nil)
	from, to := c.mapping("from"), c.mapping("to")
	for key, side := range map[string]*yamlnode.Node{"from": from, "to": to} {
		if side == nil && c.spec.Body.Get(key).IsNull() {
			c.missing(key, "say which object: {external_id: expression}")
		}
	}
	if n == nil || from == nil || to == nil {
		return nil
	}
	t, ambiguous, suggestions := c.x.RelationshipType(n.Value)
	if !c.found(n, t != nil, metadata.RelationshipTypes, "relationship type", ambiguous, suggestions) {
		return nil
	}
	c.use(t.ID, n.Place())
	r := &relationshipPlan{env: c.env, typ: t, from: c.endpoint(from, t.From), to: c.endpoint(to, t.To)}
	if r.from == nil || r.to == nil {
		return nil
	}
	return r
}

// end compiles one side against what the relationship type allows there.
func (c *compiler) endpoint(n *yamlnode.Node, allowed metadata.Constraint) *endpointPlan {
	e := &endpointPlan{env: c.env, spec: c.spec}
	known := settings.Keys(settings.Find(c.keys, "from").Fields)
	for _, pair := range n.Pairs() {
		if !slices.Contains(known, pair.Key.Value) {
			c.errorAt(pair.Key.Place(), "unknown-key", diag.Suggest(pair.Key.Value, known, "keys"),
				"one side of a relationship has no key %q", pair.Key.Value)
		}
	}
	e.program = c.endpointProgram(n, allowed)
	e.t = c.endpointType(n, allowed, e.program)
	e.external = c.textExpr(n.Get("external_id"))
	e.again = &again{id: c.textExpr(n.Get("enrollment_id"))}
	e.eventID = c.textExpr(n.Get("event_id"))
	about := allowed.Entity
	switch {
	case about == "PROGRAM_STAGE_INSTANCE" && !c.endpointStage(n, allowed, e):
		return nil
	case about == "PROGRAM_INSTANCE" && e.program == nil:
		c.errorAt(n.Place(), "missing-key", "add program: its name",
			"this side of the relationship is an enrollment and needs its program")
		return nil
	}
	if about != "PROGRAM_INSTANCE" && about != "PROGRAM_STAGE_INSTANCE" {
		e.program = nil
	}
	if e.external == nil && (e.stage == nil || e.program.Type != metadata.WithoutRegistration) {
		if n.Get("external_id") == nil {
			c.errorAt(n.Place(), "missing-key", "add external_id: the person's or case's id in the source system",
				"this side of the relationship does not say who is meant")
		}
		return nil
	}
	if e.t == nil && e.external != nil {
		c.errorAt(n.Place(), "missing-key", "add tracked_entity_type: its name",
			"this side of the relationship does not say which type of tracked entity is meant")
		return nil
	}
	return e
}

func (c *compiler) endpointProgram(n *yamlnode.Node, allowed metadata.Constraint) *metadata.Program {
	if name := n.Get("program"); name != nil {
		p, ambiguous, suggestions := c.x.Program(name.Value)
		if !c.found(name, p != nil, metadata.Programs, "program", ambiguous, suggestions) {
			return nil
		}
		c.use(p.ID, name.Place())
		if allowed.Program != nil && allowed.Program.ID != p.ID {
			c.errorAt(name.Place(), "wrong-relationship-end", "name the program that the relationship type asks for",
				"the relationship type does not take %q here", p.Name)
		}
		return p
	}
	if allowed.Program != nil {
		return c.x.ProgramByID(allowed.Program.ID)
	}
	return nil
}

func (c *compiler) endpointType(n *yamlnode.Node, allowed metadata.Constraint,
	p *metadata.Program) *metadata.TrackedEntityType {
	if name := n.Get("tracked_entity_type"); name != nil {
		t, ambiguous, suggestions := c.x.TrackedEntityType(name.Value)
		if !c.found(name, t != nil, metadata.TrackedEntityTypes, "tracked entity type", ambiguous, suggestions) {
			return nil
		}
		c.use(t.ID, name.Place())
		if allowed.TrackedEntityType != nil && allowed.TrackedEntityType.ID != t.ID {
			c.errorAt(name.Place(), "wrong-relationship-end", "name the type that the relationship type asks for",
				"the relationship type does not take %q here", t.Name)
		}
		return t
	}
	if allowed.TrackedEntityType != nil {
		return c.x.TrackedEntityTypeByID(allowed.TrackedEntityType.ID)
	}
	return c.entityType(p)
}

// endStage finds the stage of a side that is an event.
func (c *compiler) endpointStage(n *yamlnode.Node, allowed metadata.Constraint, e *endpointPlan) bool {
	if e.program == nil {
		c.errorAt(n.Place(), "missing-key", "add program and stage: their names",
			"this side of the relationship is an event and needs its program")
		return false
	}
	switch name := n.Get("stage"); {
	case name != nil:
		s, ambiguous, suggestions := c.x.Stage(e.program, name.Value)
		if !c.found(name, s != nil, metadata.ProgramStages, "stage", ambiguous, suggestions) {
			return false
		}
		c.use(s.ID, name.Place())
		e.stage = s
	case allowed.ProgramStage != nil:
		e.stage, _, _ = c.x.Stage(e.program, allowed.ProgramStage.ID)
	case len(e.program.Stages) == 1:
		e.stage = &e.program.Stages[0]
	}
	if e.stage == nil {
		c.errorAt(n.Place(), "missing-key", "add stage: its name",
			"this side of the relationship is an event and needs its stage")
		return false
	}
	if e.eventID == nil && (e.stage.Repeatable || e.program.Type == metadata.WithoutRegistration) {
		c.errorAt(n.Place(), "missing-key", "add event_id, as the action that created the event has it",
			"this side of the relationship does not say which event is meant")
		return false
	}
	return true
}

func (e *endpointPlan) eval(s *rules.Scope) (identity.Endpoint, error) {
	var person *identity.Person
	if e.external != nil {
		p, err := e.personOf().eval(s)
		if err != nil {
			return identity.Endpoint{}, err
		}
		person = p
	}
	if e.program == nil {
		return identity.Endpoint{Person: person}, nil
	}
	var ref *identity.Enrollment
	if person != nil {
		again, err := e.again.eval(s, e.context)
		if err != nil {
			return identity.Endpoint{}, err
		}
		ref = enrollmentOf(e.program, person, again)
	}
	if e.stage == nil {
		return identity.Endpoint{Person: person, Enrollment: ref}, nil
	}
	event := &identity.Event{Scope: e.eventScope(), Enrollment: ref, Stage: e.stage.ID, Name: e.stage.Name}
	if ref == nil {
		event.Parent = e.o.Project
	}
	if ref == nil || e.stage.Repeatable {
		id, err := eventID(e.eventID, s, e.spec)
		if err != nil {
			return identity.Endpoint{}, err
		}
		event.ID = id
	}
	return identity.Endpoint{Person: person, Enrollment: ref, Event: event}, nil
}

func (r *relationshipPlan) plan(s *rules.Scope, p *plan) error {
	w, err := r.write(s)
	if err != nil {
		return err
	}
	p.add(w)
	return nil
}

func (r *relationshipPlan) write(s *rules.Scope) (*object.Relationship, error) {
	from, err := r.from.eval(s)
	if err != nil {
		return nil, err
	}
	to, err := r.to.eval(s)
	if err != nil {
		return nil, err
	}
	return &object.Relationship{Template: r.template, Type: r.typ.ID, From: from, To: to}, nil
}

// eventScope is the namespace of the id of an event on this side.
func (e *endpointPlan) eventScope() string {
	if e.program.Type == metadata.WithoutRegistration || e.eventID == nil && e.stage.Repeatable {
		return e.recordScope(e.spec.Rule())
	}
	return ""
}

// whoever is the person of a side.
func (e *endpointPlan) personOf() *personRef {
	return &personRef{env: e.env, t: e.t, typ: identity.PersonType(e.t.ID, e.spec.Rule().People()), external: e.external}
}
