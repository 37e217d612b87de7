package compile

import (
	"fmt"
	"strconv"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/identity"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/actions/dhis2/object"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
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
	e.geometry = c.geometry(stage.FeatureType, fmt.Sprintf("the stage %q", stage.Name))
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

// dataValues compiles the key data_values against the data elements of a stage.
func (c *compiler) dataValues(stage *metadata.ProgramStage, status string) []*valued {
	n := c.mapping("data_values")
	among := make([]string, len(stage.DataElements))
	for i, e := range stage.DataElements {
		among[i] = e.DataElement.ID
	}
	var list []*valued
	seen := map[string]*yamlnode.Node{}
	for _, pair := range n.Pairs() {
		e, ambiguous, suggestions := c.x.DataElement(pair.Key.Value, among)
		if e == nil && len(ambiguous) == 0 {
			if elsewhere, _, _ := c.x.DataElement(pair.Key.Value, nil); elsewhere != nil {
				c.errorAt(pair.Key.Place(), "element-not-in-stage", diag.Known(c.elementNames(among), "data elements"),
					"the data element %q is not one of the stage %q", pair.Key.Value, stage.Name)
				continue
			}
		}
		if !c.found(pair.Key, e != nil, metadata.DataElements, "data element", ambiguous, suggestions) {
			continue
		}
		c.use(e.ID, pair.Key.Place())
		if first := seen[e.ID]; first != nil {
			c.errorAt(pair.Key.Place(), "set-twice", "keep one of them", "the data element %q is set twice; as %q before",
				e.Name, first.Value)
			continue
		}
		seen[e.ID] = pair.Key
		kind := c.elementKind(e, futureIn(stage, e.ID))
		kind.Files, kind.People = true, true
		if v := c.valued(pair.Value, e.ID, pair.Key.Value, kind); v != nil {
			list = append(list, v)
		}
	}
	if n != nil && object.NotYetHeld(status) {
		c.errorAt(c.spec.Body.Key("data_values").Place(), "values-of-planned-event",
			"leave data_values out, or use another status", "an event with the status %s cannot hold values", status)
	}
	c.compulsory(stage, seen, status, n)
	return list
}

func futureIn(stage *metadata.ProgramStage, element string) bool {
	for _, e := range stage.DataElements {
		if e.DataElement.ID == element {
			return e.AllowFutureDate
		}
	}
	return true
}

func (c *compiler) elementNames(ids []string) []string {
	var names []string
	for _, id := range ids {
		if e := c.x.DataElementByID(id); e != nil {
			names = append(names, e.Name)
		}
	}
	return names
}

// compulsory reports compulsory data elements that nothing sets, where DHIS2 checks them: on every
// write, or on completion (E1303).
func (c *compiler) compulsory(stage *metadata.ProgramStage, seen map[string]*yamlnode.Node, status string,
	n *yamlnode.Node) {
	if object.NotYetHeld(status) || stage.ValidationStrategy != "ON_UPDATE_AND_INSERT" && status != "COMPLETED" {
		return
	}
	var missing []string
	for _, e := range stage.DataElements {
		if e.Compulsory && seen[e.DataElement.ID] == nil {
			missing = append(missing, c.elementNames([]string{e.DataElement.ID})...)
		}
	}
	if len(missing) == 0 {
		return
	}
	place := c.spec.Place
	if n != nil {
		place = c.spec.Body.Key("data_values").Place()
	}
	c.errorAt(place, "compulsory-element", "add it, or make it optional in DHIS2 and sync",
		"nothing sets %s, compulsory in the stage %q", diag.Names(missing, "and"), stage.Name)
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
