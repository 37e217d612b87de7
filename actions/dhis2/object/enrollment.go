package object

import (
	"cmp"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/identity"
	"github.com/culvert/culvert/actions/dhis2/metadata"
)

// Enrollment creates or updates an enrollment. Empty fields stay as they are in DHIS2.
type Enrollment struct {
	*Template
	Ref      *identity.Enrollment
	OrgUnit  *metadata.OrgUnit
	Body     client.Enrollment
	FollowUp bool  // whether the rule says follow_up
	Files    Files // among the attributes
	People   Associates
}

// Describe gives the object by the names that the rule uses.
func (o *Enrollment) Describe() map[string]any {
	m := map[string]any{"enrollment": o.Called, "external_id": o.Ref.Person.Key.ExternalID}
	put(m, "enrollment_id", o.Ref.Again)
	put(m, "org_unit", orgUnitName(o.OrgUnit))
	put(m, "status", o.Body.Status)
	put(m, "enrolled_at", o.Body.EnrolledAt)
	put(m, "incident_at", o.Body.OccurredAt)
	put(m, "completed_at", o.Body.CompletedAt)
	if o.FollowUp {
		m["follow_up"] = o.Body.FollowUp
	}
	putPosition(m, o.Body.Geometry)
	o.putAttributes(m, o.Body.Attributes, o.Files)
	putNotes(m, o.Body.Notes)
	return m
}

// Refs implements Write.
func (o *Enrollment) Refs() identity.Refs {
	return identity.OfEnrollment(o.Ref).And(identity.Refs{People: o.People.people(attributesOf(o.Body.Attributes))})
}

// Associates implements Associated.
func (o *Enrollment) Associates(r Resolver) []string {
	return o.People.uids(attributesOf(o.Body.Attributes), r)
}

// Key implements Write.
func (o *Enrollment) Key(r Resolver) client.ObjectKey {
	return client.ObjectKey{Type: client.TypeEnrollment, UID: r.EnrollmentUID(o.Ref)}
}

// Parents is the person.
func (o *Enrollment) Parents(r Resolver) []string { return []string{r.PersonUID(o.Ref.Person)} }

// Digest implements Write.
func (o *Enrollment) Digest(parents []string) uint64 {
	h, b := newDigest(parents), &o.Body
	h.texts(b.OrgUnit, b.Status, b.EnrolledAt, b.OccurredAt, b.CompletedAt, b.AttributeOptionCombo, string(b.Geometry))
	h.flag(o.FollowUp)
	h.flag(b.FollowUp)
	h.attributes(b.Attributes)
	h.notes(b.Notes)
	return h.sum()
}

// Needs the enrollment, and where values are to be removed or are files the person with the attributes of the program.
func (o *Enrollment) Needs(n *Needs, k client.ObjectKey, parents []string) {
	if removes(o.Body.Attributes) || len(o.Files) > 0 {
		n.People[o.Ref.Program] = append(n.People[o.Ref.Program], parents[0])
	}
	n.Enrollments = append(n.Enrollments, client.InProgram{UID: k.UID, Program: o.Ref.Program})
}

// Adopted implements Write.
func (o *Enrollment) Adopted(r Resolver, _ client.ObjectKey) bool { return r.AdoptedEnrollment(o.Ref) }

// AddTo sets all scalars of an enrollment; see TrackedEntity.
func (o *Enrollment) AddTo(p *client.TrackerPayload, c Current) {
	e := o.Body
	e.Enrollment, e.TrackedEntity = c.Key.UID, c.Parents[0]
	e.Notes = withIDs(c.Key.UID, o.Body.Notes)
	values := o.People.attributes(dropRedundantClears(o.Body.Attributes, c.Entities[c.Parents[0]]), c)
	e.Attributes = o.Files.attributes(values, c.Uploaded)
	if now := c.Enrollments[c.Key.UID]; now != nil {
		o.keep(&e, now, c.Adopted)
	} else {
		// as DHIS2 does by itself, but for programs that show the incident date (E1023)
		e.OccurredAt = cmp.Or(e.OccurredAt, e.EnrolledAt)
	}
	p.Enrollments = append(p.Enrollments, e)
}

// keep takes from the server what the rule does not say.
func (o *Enrollment) keep(e, now *client.Enrollment, adopted bool) {
	if e.Status == "" {
		e.Status = now.Status
		if e.CompletedAt == "" && now.Status == "COMPLETED" {
			e.CompletedAt = now.CompletedAt
		}
	}
	if !o.FollowUp {
		e.FollowUp = now.FollowUp
	}
	e.OccurredAt = cmp.Or(e.OccurredAt, now.OccurredAt)
	e.OrgUnit, e.EnrolledAt = cmp.Or(e.OrgUnit, now.OrgUnit), cmp.Or(e.EnrolledAt, now.EnrolledAt)
	if e.Geometry == nil {
		e.Geometry = now.Geometry
	}
	e.AttributeOptionCombo = cmp.Or(e.AttributeOptionCombo, now.AttributeOptionCombo)
	if adopted {
		e.OrgUnit, e.EnrolledAt = now.OrgUnit, now.EnrolledAt
	}
}

// Uploads implements Filed. The files are the person's.
func (o *Enrollment) Uploads(c Current, generation int) []Upload {
	return o.Files.uploads(c.Parents[0], attributesOf(o.Body.Attributes), heldAttributes(c.Entities[c.Parents[0]]),
		generation)
}

// Fields implements Parted.
func (o *Enrollment) Fields() []string {
	var list fieldList
	b := &o.Body
	list.add(b.OrgUnit != "", fieldOrgUnit)
	list.add(b.Geometry != nil, fieldGeometry)
	list.add(b.Status != "" || b.CompletedAt != "", FieldStatus)
	list.add(b.EnrolledAt != "", fieldEnrolled)
	list.add(b.OccurredAt != "", fieldOccurred)
	list.add(o.FollowUp, fieldFollowUp)
	list.add(b.AttributeOptionCombo != "", fieldCombo)
	list.attributes(b.Attributes)
	return list.sorted()
}

// Only implements Parted.
func (o *Enrollment) Only(fields []string) Write {
	keep, c := dropper(fields), *o
	b := &c.Body
	keep.clear(fieldOrgUnit, &b.OrgUnit)
	keep.clear(FieldStatus, &b.Status, &b.CompletedAt)
	keep.clear(fieldEnrolled, &b.EnrolledAt)
	keep.clear(fieldOccurred, &b.OccurredAt)
	keep.clear(fieldCombo, &b.AttributeOptionCombo)
	if keep.drops(fieldGeometry) {
		b.Geometry = nil
	}
	c.FollowUp = c.FollowUp && !keep.drops(fieldFollowUp)
	b.Attributes = keep.attributes(b.Attributes)
	return &c
}

// PersonAttributes implements OfPerson.
func (o *Enrollment) PersonAttributes() []client.AttributeValue { return o.Body.Attributes }

// Regenerate implements Recoverable.
func (o *Enrollment) Regenerate(code string, g Generations, writes func(string) bool) bool {
	return regeneratePerson(code, o.Refs(), g, writes) || regenerateEnrollment(code, o.Ref, g, writes)
}

// Effect implements Write.
func (o *Enrollment) Effect() string {
	return "created, or updated when it is there: what the rule does not set stays as it is"
}

// ResultField is under which later actions read the id.
func (*Enrollment) ResultField() string { return "enrollment" }
