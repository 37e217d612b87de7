package object

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/identity"
	"github.com/culvert/culvert/actions/dhis2/metadata"
)

// Event creates or updates an event. Empty fields stay as they are in DHIS2.
type Event struct {
	*Template
	Ref     *identity.Event
	OrgUnit *metadata.OrgUnit
	Body    client.Event
	Combo   string // name of the attribute option combination
	Files   Files  // among the data values
	People  Associates
}

// NotYetHeld tells whether a status means that the event has not taken place: it may hold no values (E1315).
func NotYetHeld(status string) bool {
	return status == "SCHEDULE" || status == "OVERDUE" || status == "SKIPPED"
}

// Describe gives the object by the names that the rule uses.
func (o *Event) Describe() map[string]any {
	m := map[string]any{"event": o.Called}
	if o.Ref.Enrollment != nil {
		m["external_id"] = o.Ref.Enrollment.Person.Key.ExternalID
		put(m, "enrollment_id", o.Ref.Enrollment.Again)
	}
	put(m, "event_id", o.Ref.ID)
	put(m, "org_unit", orgUnitName(o.OrgUnit))
	put(m, "status", o.Body.Status)
	put(m, "occurred_at", o.Body.OccurredAt)
	put(m, "scheduled_at", o.Body.ScheduledAt)
	put(m, "completed_at", o.Body.CompletedAt)
	put(m, "attribute_option_combo", o.Combo)
	if u := o.Body.AssignedUser; u != nil {
		m["assigned_user"] = u.Username + u.UID
	}
	putPosition(m, o.Body.Geometry)
	if len(o.Body.DataValues) > 0 {
		values := make(map[string]any, len(o.Body.DataValues))
		for _, v := range o.Body.DataValues {
			values[o.fields[v.DataElement].Name] = o.Files.shown(v.DataElement, v.Value)
		}
		m["data_values"] = values
	}
	putNotes(m, o.Body.Notes)
	return m
}

// Refs implements Write.
func (o *Event) Refs() identity.Refs {
	return identity.OfEvent(o.Ref).And(identity.Refs{People: o.People.people(o.elements())})
}

// Associates implements Associated.
func (o *Event) Associates(r Resolver) []string { return o.People.uids(o.elements(), r) }

// elements are the data elements that it sets.
func (o *Event) elements() []string {
	list := make([]string, len(o.Body.DataValues))
	for n, v := range o.Body.DataValues {
		list[n] = v.DataElement
	}
	return list
}

// Key implements Write.
func (o *Event) Key(r Resolver) client.ObjectKey { return eventKey(o.Ref, r) }

func eventKey(e *identity.Event, r Resolver) client.ObjectKey {
	return client.ObjectKey{Type: client.TypeEvent, UID: r.EventUID(e)}
}

// Parents is the enrollment, where there is one.
func (o *Event) Parents(r Resolver) []string {
	if o.Ref.Enrollment == nil {
		return nil
	}
	return []string{r.EnrollmentUID(o.Ref.Enrollment)}
}

// Digest implements Write.
func (o *Event) Digest(parents []string) uint64 {
	h, b := newDigest(parents), &o.Body
	h.texts(b.OrgUnit, b.Status, b.OccurredAt, b.ScheduledAt, b.CompletedAt, b.AttributeOptionCombo, string(b.Geometry))
	h.flag(false) // twice what sums of earlier journals are of: they would tell of changes otherwise
	h.flag(false)
	if b.AssignedUser != nil {
		h.texts(b.AssignedUser.UID, b.AssignedUser.Username)
	}
	h.text(strconv.Itoa(len(b.DataValues)))
	for _, v := range b.DataValues {
		h.texts(v.DataElement, v.Value)
	}
	h.notes(b.Notes)
	return h.sum()
}

// Needs implements Write.
func (o *Event) Needs(n *Needs, k client.ObjectKey, _ []string) {
	n.Events = append(n.Events, client.InProgram{UID: k.UID, Program: o.Ref.Program})
}

// Lacks implements Checked: 2.43 answers 500 to a whole request in which an event of an event program has no date.
func (o *Event) Lacks(c Current) (client.Issue, bool) {
	if o.Ref.Enrollment != nil || o.body(c).OccurredAt != "" {
		return client.Issue{}, false
	}
	return client.Issue{Code: "E1031", Message: "not sent: the event has no date"}, true
}

// AddTo implements Write.
func (o *Event) AddTo(p *client.TrackerPayload, c Current) { p.Events = append(p.Events, o.body(c)) }

// body sets all scalars of an event; see TrackedEntity.
func (o *Event) body(c Current) client.Event {
	e := o.Body
	e.Event = c.Key.UID
	if len(c.Parents) > 0 {
		e.Enrollment = c.Parents[0]
	}
	e.Notes = withIDs(c.Key.UID, o.Body.Notes)
	held := map[string]bool{}
	if now := c.Events[c.Key.UID]; now != nil {
		keepEvent(&e, now)
		for _, v := range now.DataValues {
			held[v.DataElement] = true
		}
	}
	values := make([]client.EventValue, 0, len(e.DataValues))
	for _, v := range e.DataValues {
		text, ok := o.Files.value(v.DataElement, o.People.value(v.DataElement, v.Value, c), c.Uploaded)
		if v.Value = text; ok && (text != "" || held[v.DataElement]) {
			values = append(values, v)
		}
	}
	e.DataValues = values
	return e
}

// Uploads implements Filed.
func (o *Event) Uploads(c Current, generation int) []Upload {
	held := map[string]string{}
	if now := c.Events[c.Key.UID]; now != nil {
		for _, v := range now.DataValues {
			held[v.DataElement] = v.Value
		}
	}
	return o.Files.uploads(c.Key.UID, o.elements(), held, generation)
}

// keepEvent takes from the server what the rule does not say. A planned event that now holds values has taken place.
func keepEvent(e, now *client.Event) {
	if e.Status == "" && !(NotYetHeld(now.Status) && len(e.DataValues) > 0) {
		e.Status = now.Status
		if e.CompletedAt == "" && now.Status == "COMPLETED" {
			e.CompletedAt = now.CompletedAt
		}
	}
	e.FollowUp = now.FollowUp // the enrollment's; nothing is written there
	e.OrgUnit = cmp.Or(e.OrgUnit, now.OrgUnit)
	e.OccurredAt = cmp.Or(e.OccurredAt, now.OccurredAt)
	e.ScheduledAt = cmp.Or(e.ScheduledAt, now.ScheduledAt)
	if e.Geometry == nil {
		e.Geometry = now.Geometry
	}
	e.AttributeOptionCombo = cmp.Or(e.AttributeOptionCombo, now.AttributeOptionCombo)
	if e.AssignedUser == nil {
		e.AssignedUser = now.AssignedUser
	}
}

// Fields implements Parted.
func (o *Event) Fields() []string {
	var list fieldList
	b := &o.Body
	list.add(b.OrgUnit != "", fieldOrgUnit)
	list.add(b.Geometry != nil, fieldGeometry)
	list.add(b.Status != "" || b.CompletedAt != "", FieldStatus)
	list.add(b.OccurredAt != "", fieldOccurred)
	list.add(b.ScheduledAt != "", fieldScheduled)
	list.add(b.AttributeOptionCombo != "", fieldCombo)
	list.add(b.AssignedUser != nil, fieldAssigned)
	for _, v := range b.DataValues {
		list = append(list, v.DataElement)
	}
	return list.sorted()
}

// Only implements Parted.
func (o *Event) Only(fields []string) Write {
	keep, c := dropper(fields), *o
	b := &c.Body
	keep.clear(fieldOrgUnit, &b.OrgUnit)
	keep.clear(FieldStatus, &b.Status, &b.CompletedAt)
	keep.clear(fieldOccurred, &b.OccurredAt)
	keep.clear(fieldScheduled, &b.ScheduledAt)
	keep.clear(fieldCombo, &b.AttributeOptionCombo)
	if keep.drops(fieldGeometry) {
		b.Geometry = nil
	}
	if keep.drops(fieldAssigned) {
		b.AssignedUser = nil
	}
	b.DataValues = slices.DeleteFunc(slices.Clone(b.DataValues),
		func(v client.EventValue) bool { return keep.drops(v.DataElement) })
	return &c
}

// Regenerate implements Recoverable.
func (o *Event) Regenerate(code string, g Generations, writes func(string) bool) bool {
	if code == "E1082" && o.Recreate {
		g.Event(o.Ref)
		return true
	}
	return regeneratePerson(code, o.Refs(), g, writes) || regenerateEnrollment(code, o.Ref.Enrollment, g, writes)
}

// Effect implements Write.
func (o *Event) Effect() string {
	return "created, or updated when it is there: what the rule does not set stays as it is"
}

// ResultField is under which later actions read the id.
func (*Event) ResultField() string { return "event" }
