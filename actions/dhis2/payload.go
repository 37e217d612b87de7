package dhis2

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
)

// current is what the server holds of the objects that are about to change.
type current struct {
	entities    map[string]*client.TrackedEntity
	enrollments map[string]*client.Enrollment
	events      map[string]*client.Event
}

// read fetches objects that are there already, since DHIS2 resets scalar fields that an update leaves out: geometry, status, completion,
// follow-up, org unit of people registered elsewhere. It gives the items that can go on, with what was read kept for their payload.
func (d *delivery) read(ctx context.Context, items []*item) []*item {
	w := wanted{people: map[string][]string{}}
	for _, i := range items {
		if by := d.writtenBy[i.key]; by != nil && by.good() && !d.rehearse {
			i.known = true
		}
		if i.needsReading() {
			w.add(i)
		}
	}
	d.current = current{map[string]*client.TrackedEntity{}, map[string]*client.Enrollment{}, map[string]*client.Event{}}
	unread, err := d.fetch(ctx, &w)
	var rest []*item
	for _, i := range items {
		if i.needsReading() {
			if cause := unreadOf(i, unread, err); cause != nil {
				i.finish(wholeFailure(cause))
				continue
			}
		}
		i.known = i.known || (i.job.probe || i.changesOnly()) && d.current.has(i.key)
		if !d.absent(i) {
			rest = append(rest, i)
		}
	}
	return rest
}

// unreadOf is why what an item needs could not be read: for all of them, or because the server refuses to tell of just this one.
func unreadOf(i *item, unread map[string]*client.Error, all error) error {
	if all != nil {
		return all
	}
	for _, uid := range append([]string{i.key.UID}, i.uids...) {
		if err := unread[uid]; err != nil {
			return err
		}
	}
	return nil
}

// wanted is what has to be read: people by the program whose attributes are needed too, none for those of their type.
type wanted struct {
	people      map[string][]string
	enrollments []client.InProgram
	events      []client.InProgram
}

// add asks for what has to be read before an item is written: its object, and where values are to be removed the attributes that the person
// has in the program, which DHIS2 from 2.41 on gives only to whoever asks with the program.
func (w *wanted) add(i *item) {
	switch o := i.write.Object.(type) {
	case *trackedEntityWrite:
		program := ""
		if removes(o.values) {
			program = o.program
		}
		w.people[program] = append(w.people[program], i.key.UID)
	case *enrollmentWrite:
		if removes(o.body.Attributes) {
			w.people[o.ref.program] = append(w.people[o.ref.program], i.uids[0])
		}
		w.enrollments = append(w.enrollments, client.InProgram{UID: i.key.UID, Program: o.ref.program})
	case *eventWrite:
		w.events = append(w.events, client.InProgram{UID: i.key.UID, Program: o.program})
	case *statusWrite:
		if o.event != nil {
			w.events = append(w.events, client.InProgram{UID: i.key.UID, Program: o.event.program})
			return
		}
		w.enrollments = append(w.enrollments, client.InProgram{UID: i.key.UID, Program: o.ref.program})
	}
}

func removes(values []client.AttributeValue) bool {
	return slices.ContainsFunc(values, func(v client.AttributeValue) bool { return v.Value == "" })
}

// needsReading tells whether an item's object may be on the server already.
func (i *item) needsReading() bool {
	switch o := i.write.Object.(type) {
	case *statusWrite:
		return true
	case *trackedEntityWrite:
		return o.update || i.known || i.job.probe
	case *relationshipWrite:
		return false
	}
	return i.known || i.job.probe
}

// changesOnly tells whether an item changes what is there and never creates it.
func (i *item) changesOnly() bool {
	switch o := i.write.Object.(type) {
	case *statusWrite:
		return true
	case *trackedEntityWrite:
		return o.update
	}
	return false
}

func (c *current) has(k client.ObjectKey) bool {
	return c.entities[k.UID] != nil || c.enrollments[k.UID] != nil || c.events[k.UID] != nil
}

// fetch reads people, enrollments and events beside one another. unread are objects that the server refuses to tell of.
func (d *delivery) fetch(ctx context.Context, w *wanted) (unread map[string]*client.Error, err error) {
	reads := []func() error{
		func() error { return d.fetchPeople(ctx, w.people) },
		func() error {
			return fetchInto(ctx, d.server.Enrollments, w.enrollments, func(e *client.Enrollment) { d.current.enrollments[e.Enrollment] = e })
		},
		func() error {
			return fetchInto(ctx, d.server.Events, w.events, func(e *client.Event) { d.current.events[e.Event] = e })
		},
	}
	errs := make([]error, len(reads))
	var reading sync.WaitGroup
	for n, read := range reads {
		reading.Go(func() { errs[n] = read() })
	}
	reading.Wait()
	unread = map[string]*client.Error{}
	for _, err := range errs {
		if some, ok := errors.AsType[*client.UnreadError](err); ok {
			maps.Copy(unread, some.Failed)
		} else if err != nil {
			return nil, err
		}
	}
	return unread, nil
}

// fetchPeople reads people. Somebody read for several programs has the attributes of all of them.
func (d *delivery) fetchPeople(ctx context.Context, people map[string][]string) error {
	unread := &client.UnreadError{Failed: map[string]*client.Error{}}
	for program, uids := range people {
		read := func(ctx context.Context, uids []string) ([]client.TrackedEntity, error) {
			return d.server.TrackedEntities(ctx, uids, program)
		}
		err := fetchInto(ctx, read, uids, func(e *client.TrackedEntity) {
			if before := d.current.entities[e.TrackedEntity]; before != nil {
				e.Attributes = append(e.Attributes, before.Attributes...)
			}
			d.current.entities[e.TrackedEntity] = e
		})
		if some, ok := errors.AsType[*client.UnreadError](err); ok {
			maps.Copy(unread.Failed, some.Failed)
		} else if err != nil {
			return err
		}
	}
	if len(unread.Failed) > 0 {
		return unread
	}
	return nil
}

// fetchInto reads what is wanted, if anything is, and keeps it.
func fetchInto[W, T any](ctx context.Context, read func(context.Context, []W) ([]T, error), want []W, keep func(*T)) error {
	if len(want) == 0 {
		return nil
	}
	list, err := read(ctx, want)
	for n := range list {
		keep(&list[n])
	}
	return err
}

// absent settles a change of what is there already whose object is not there: of a status, or of some attributes of a person.
func (d *delivery) absent(i *item) bool {
	if !i.changesOnly() || d.current.has(i.key) {
		return false
	}
	if d.rehearsed[i.key] {
		i.finish(actions.Outcome{Status: actions.Delivered})
		return true
	}
	i.finish(actions.Outcome{
		Status: actions.Retry, Class: actions.ClassParent, Code: "not-there-yet",
		Cause: i.write.Object.Label() + ": DHIS2 has no such object yet", Hint: "it is tried again by itself; see whether the record that creates it has arrived",
	})
	return true
}

// payload builds the four lists of a tracker import.
func (d *delivery) payload(items []*item) *client.TrackerPayload {
	p := &client.TrackerPayload{}
	for _, i := range items {
		switch o := i.write.Object.(type) {
		case *trackedEntityWrite:
			p.TrackedEntities = append(p.TrackedEntities, d.entity(i, o))
		case *enrollmentWrite:
			p.Enrollments = append(p.Enrollments, d.enrollment(i, o))
		case *eventWrite:
			p.Events = append(p.Events, d.event(i, o))
		case *statusWrite:
			d.changeStatus(p, i, o)
		case *relationshipWrite:
			p.Relationships = append(p.Relationships, client.Relationship{
				Relationship: i.key.UID, RelationshipType: o.typ, From: d.relationshipItem(&o.from), To: d.relationshipItem(&o.to),
			})
		case *deletion:
			addKey(p, i.key)
		}
	}
	return p
}

func addKey(p *client.TrackerPayload, k client.ObjectKey) {
	switch k.Type {
	case client.TypeTrackedEntity:
		p.TrackedEntities = append(p.TrackedEntities, client.TrackedEntity{TrackedEntity: k.UID})
	case client.TypeEnrollment:
		p.Enrollments = append(p.Enrollments, client.Enrollment{Enrollment: k.UID})
	case client.TypeEvent:
		p.Events = append(p.Events, client.Event{Event: k.UID})
	case client.TypeRelationship:
		p.Relationships = append(p.Relationships, client.Relationship{Relationship: k.UID})
	}
}

func (d *delivery) relationshipItem(e *end) client.RelationshipItem {
	switch uid := d.endUID(e); {
	case e.event != nil:
		return client.RelationshipItem{Event: uid}
	case e.enrollment != nil:
		return client.RelationshipItem{Enrollment: uid}
	default:
		return client.RelationshipItem{TrackedEntity: uid}
	}
}

// entity sets all scalars of a tracked entity: what the rule says, else what the server holds. Whoever was registered by somebody else
// stays where that was.
func (d *delivery) entity(i *item, o *trackedEntityWrite) client.TrackedEntity {
	e := client.TrackedEntity{TrackedEntity: i.key.UID, TrackedEntityType: o.person.typ, Geometry: o.geometry}
	if o.orgUnit != nil {
		e.OrgUnit = o.orgUnit.ID
	}
	now := d.current.entities[i.key.UID]
	if now != nil {
		e.Inactive, e.PotentialDuplicate = now.Inactive, now.PotentialDuplicate
		if e.Geometry == nil {
			e.Geometry = now.Geometry
		}
		if d.adopted(i) || e.OrgUnit == "" {
			e.OrgUnit = now.OrgUnit
		}
	}
	e.Attributes = append(d.withoutVain(o.values, i.key.UID), d.generatedValues(i, o)...)
	return e
}

// withoutVain leaves out removals of values that a person does not have, which 2.40 to 2.42 stumble over.
func (d *delivery) withoutVain(values []client.AttributeValue, person string) []client.AttributeValue {
	held := map[string]bool{}
	if now := d.current.entities[person]; now != nil {
		for _, v := range now.Attributes {
			held[v.Attribute] = true
		}
	}
	list := make([]client.AttributeValue, 0, len(values))
	for _, v := range values {
		if v.Value != "" || held[v.Attribute] {
			list = append(list, v)
		}
	}
	return list
}

// enrollment sets all scalars of an enrollment; see entity.
func (d *delivery) enrollment(i *item, o *enrollmentWrite) client.Enrollment {
	e := o.body
	e.Enrollment, e.TrackedEntity = i.key.UID, i.uids[0]
	e.Notes = withIDs(i.key.UID, o.body.Notes)
	e.Attributes = d.withoutVain(o.body.Attributes, i.uids[0])
	now := d.current.enrollments[i.key.UID]
	if now == nil {
		e.OccurredAt = orElse(e.OccurredAt, e.EnrolledAt) // as DHIS2 does by itself, but for programs that show the incident date (E1023)
		return e
	}
	if e.Status == "" {
		e.Status = now.Status
		if e.CompletedAt == "" && now.Status == "COMPLETED" {
			e.CompletedAt = now.CompletedAt
		}
	}
	if !o.followUp {
		e.FollowUp = now.FollowUp
	}
	if e.OccurredAt == "" {
		e.OccurredAt = now.OccurredAt
	}
	e.OrgUnit, e.EnrolledAt = orElse(e.OrgUnit, now.OrgUnit), orElse(e.EnrolledAt, now.EnrolledAt)
	if e.Geometry == nil {
		e.Geometry = now.Geometry
	}
	if e.AttributeOptionCombo == "" {
		e.AttributeOptionCombo = now.AttributeOptionCombo
	}
	if d.adopted(i) {
		e.OrgUnit, e.EnrolledAt = now.OrgUnit, now.EnrolledAt
	}
	return e
}

// event sets all scalars of an event; see entity.
func (d *delivery) event(i *item, o *eventWrite) client.Event {
	e := o.body
	e.Event = i.key.UID
	if len(i.uids) > 0 {
		e.Enrollment = i.uids[0]
	}
	e.Notes = withIDs(i.key.UID, o.body.Notes)
	now := d.current.events[i.key.UID]
	held := map[string]bool{}
	if now != nil {
		keepEvent(&e, now)
		for _, v := range now.DataValues {
			held[v.DataElement] = true
		}
	}
	values := make([]client.EventValue, 0, len(e.DataValues))
	for _, v := range e.DataValues {
		if v.Value != "" || held[v.DataElement] {
			values = append(values, v)
		}
	}
	e.DataValues = values
	return e
}

// keepEvent takes from the server what the rule does not say. A planned event that now holds values has taken place.
func keepEvent(e, now *client.Event) {
	if e.Status == "" && !(unheld(now.Status) && len(e.DataValues) > 0) {
		e.Status = now.Status
		if e.CompletedAt == "" && now.Status == "COMPLETED" {
			e.CompletedAt = now.CompletedAt
		}
	}
	e.FollowUp = now.FollowUp // the enrollment's; nothing is written there
	e.OrgUnit = orElse(e.OrgUnit, now.OrgUnit)
	if e.OccurredAt == "" {
		e.OccurredAt = now.OccurredAt
	}
	if e.ScheduledAt == "" {
		e.ScheduledAt = now.ScheduledAt
	}
	if e.Geometry == nil {
		e.Geometry = now.Geometry
	}
	if e.AttributeOptionCombo == "" {
		e.AttributeOptionCombo = now.AttributeOptionCombo
	}
	if e.AssignedUser == nil {
		e.AssignedUser = now.AssignedUser
	}
}

// changeStatus sends an enrollment or event as it is, but for its status.
func (d *delivery) changeStatus(p *client.TrackerPayload, i *item, o *statusWrite) {
	completedAt := ""
	if o.status == "COMPLETED" {
		completedAt = o.completedAt
	}
	if o.event == nil {
		e := *d.current.enrollments[i.key.UID]
		if o.status == "COMPLETED" && completedAt == "" && e.Status == o.status {
			completedAt = e.CompletedAt
		}
		e.Status, e.CompletedAt, e.Attributes, e.Events = o.status, completedAt, nil, nil
		p.Enrollments = append(p.Enrollments, e)
		return
	}
	e := *d.current.events[i.key.UID]
	if o.status == "COMPLETED" && completedAt == "" && e.Status == o.status {
		completedAt = e.CompletedAt
	}
	e.Status, e.CompletedAt, e.AttributeCategoryOptions = o.status, completedAt, nil
	p.Events = append(p.Events, e)
}

func withIDs(object string, notes []client.Note) []client.Note {
	if len(notes) == 0 {
		return nil
	}
	list := make([]client.Note, len(notes))
	for n, note := range notes {
		list[n] = client.Note{Note: NoteUID(object, note.Value), Value: note.Value}
	}
	return list
}
