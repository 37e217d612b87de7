package dhis2

import (
	"context"
	"slices"

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
	wanted := map[reading][]string{}
	for _, i := range items {
		if w := d.writtenBy[i.key]; w != nil && w.good() && !d.rehearse {
			i.known = true
		}
		if i.needsReading() {
			i.readings(func(r reading, uid string) { wanted[r] = append(wanted[r], uid) })
		}
	}
	d.current = current{map[string]*client.TrackedEntity{}, map[string]*client.Enrollment{}, map[string]*client.Event{}}
	if err := d.fetch(ctx, wanted); err != nil {
		o := wholeFailure(err)
		var rest []*item
		for _, i := range items {
			if i.needsReading() {
				i.finish(o)
			} else {
				rest = append(rest, i)
			}
		}
		items = rest
	}
	var rest []*item
	for _, i := range items {
		i.known = i.known || i.job.probe && d.current.has(i.key)
		if !d.absent(i) {
			rest = append(rest, i)
		}
	}
	return rest
}

// reading asks for objects of a type; people with a program's attributes too.
type reading struct{ typ, program string }

// readings calls want for what has to be read before an item is written: its object, and where values are to be removed the attributes that the person
// has in the program, which DHIS2 from 2.41 on gives only to whoever asks with the program.
func (i *item) readings(want func(reading, string)) {
	switch o := i.write.Object.(type) {
	case *trackedEntityWrite:
		r := reading{typ: i.key.Type}
		if removes(o.values) {
			r.program = o.program
		}
		want(r, i.key.UID)
		return
	case *enrollmentWrite:
		if removes(o.body.Attributes) {
			want(reading{client.TypeTrackedEntity, o.ref.program}, i.uids[0])
		}
	}
	want(reading{typ: i.key.Type}, i.key.UID)
}

func removes(values []client.AttributeValue) bool {
	return slices.ContainsFunc(values, func(v client.AttributeValue) bool { return v.Value == "" })
}

// needsReading tells whether an item's object may be on the server already.
func (i *item) needsReading() bool {
	switch i.write.Object.(type) {
	case *statusWrite:
		return true
	case *relationshipWrite:
		return false
	}
	return i.known || i.job.probe
}

func (c *current) has(k client.ObjectKey) bool {
	return c.entities[k.UID] != nil || c.enrollments[k.UID] != nil || c.events[k.UID] != nil
}

func (d *delivery) fetch(ctx context.Context, wanted map[reading][]string) error {
	for r, uids := range wanted {
		var err error
		switch r.typ {
		case client.TypeTrackedEntity:
			err = d.fetchEntities(ctx, uids, r.program)
		case client.TypeEnrollment:
			err = fetchInto(ctx, d.server.Enrollments, uids, func(e *client.Enrollment) { d.current.enrollments[e.Enrollment] = e })
		case client.TypeEvent:
			err = fetchInto(ctx, d.server.Events, uids, func(e *client.Event) { d.current.events[e.Event] = e })
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// fetchEntities reads people. Somebody read for several programs has the attributes of all of them.
func (d *delivery) fetchEntities(ctx context.Context, uids []string, program string) error {
	read := func(ctx context.Context, uids []string) ([]client.TrackedEntity, error) {
		return d.server.TrackedEntities(ctx, uids, program)
	}
	return fetchInto(ctx, read, uids, func(e *client.TrackedEntity) {
		if before := d.current.entities[e.TrackedEntity]; before != nil {
			e.Attributes = append(e.Attributes, before.Attributes...)
		}
		d.current.entities[e.TrackedEntity] = e
	})
}

func fetchInto[T any](ctx context.Context, read func(context.Context, []string) ([]T, error), uids []string, keep func(*T)) error {
	list, err := read(ctx, uids)
	for n := range list {
		keep(&list[n])
	}
	return err
}

// absent settles a change of status whose object is not there.
func (d *delivery) absent(i *item) bool {
	o, ok := i.write.Object.(*statusWrite)
	if !ok || d.current.has(i.key) {
		return false
	}
	if d.rehearsed[i.key] {
		i.finish(actions.Outcome{Status: actions.Delivered})
		return true
	}
	i.finish(actions.Outcome{
		Status: actions.Retry, Class: actions.ClassParent, Code: "not-there-yet",
		Cause: o.label + ": DHIS2 has no such object yet", Mend: "it is tried again by itself; see whether the record that creates it has arrived",
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
	e := client.TrackedEntity{TrackedEntity: i.key.UID, TrackedEntityType: o.person.key.Type, Geometry: o.geometry}
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
	e.Attributes = d.withoutVain(o.values, i.key.UID)
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
		keepEvent(&e, now, o.followUp)
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
func keepEvent(e, now *client.Event, followUp bool) {
	if e.Status == "" && !(unheld(now.Status) && len(e.DataValues) > 0) {
		e.Status = now.Status
		if e.CompletedAt == "" && now.Status == "COMPLETED" {
			e.CompletedAt = now.CompletedAt
		}
	}
	if !followUp {
		e.FollowUp = now.FollowUp
	}
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
