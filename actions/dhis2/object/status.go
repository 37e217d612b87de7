package object

import (
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/identity"
)

// Status completes, cancels or reopens an enrollment or event that is there already; all else stays as it is.
type Status struct {
	*Template
	Enrollment  *identity.Enrollment // nil for an event of an event program
	Event       *identity.Event      // nil when the enrollment is meant
	Status      string
	CompletedAt string
}

// Describe gives the object by the names that the rule uses.
func (o *Status) Describe() map[string]any {
	what := "enrollment"
	if o.Event != nil {
		what = "event"
	}
	m := map[string]any{what: o.Called, "status": o.Status}
	if o.Enrollment != nil {
		m["external_id"] = o.Enrollment.Person.Key.ExternalID
		put(m, "enrollment_id", o.Enrollment.Again)
	}
	if o.Event != nil {
		put(m, "event_id", o.Event.ID)
	}
	put(m, "completed_at", o.CompletedAt)
	return m
}

// Phase implements Write.
func (*Status) Phase() Phase { return PhaseStatus }

// Mode implements Write.
func (*Status) Mode() Mode { return Change }

// Refs implements Write.
func (o *Status) Refs() identity.Refs {
	r := identity.OfEnrollment(o.Enrollment)
	if o.Event != nil {
		r.Events = []*identity.Event{o.Event}
	}
	return r
}

// Key implements Write.
func (o *Status) Key(r Resolver) client.ObjectKey {
	if o.Event != nil {
		return eventKey(o.Event, r)
	}
	return client.ObjectKey{Type: client.TypeEnrollment, UID: r.EnrollmentUID(o.Enrollment)}
}

// Name implements Write.
func (*Status) Name(k client.ObjectKey) string { return StatusName(k) }

// StatusName is the name of the digest of an object's status.
func StatusName(k client.ObjectKey) string { return "STATUS:" + k.String() }

// Field implements OneField.
func (*Status) Field() string { return FieldStatus }

// Digest implements Write.
func (o *Status) Digest(parents []string) uint64 {
	h := newDigest(parents)
	h.texts(o.Status, o.CompletedAt)
	return h.sum()
}

// Needs implements Write.
func (o *Status) Needs(n *Needs, k client.ObjectKey, _ []string) {
	if o.Event != nil {
		n.Events = append(n.Events, client.InProgram{UID: k.UID, Program: o.Event.Program})
		return
	}
	n.Enrollments = append(n.Enrollments, client.InProgram{UID: k.UID, Program: o.Enrollment.Program})
}

// AddTo sends an enrollment or event as it is, but for its status.
func (o *Status) AddTo(p *client.TrackerPayload, c Current) {
	if o.Event == nil {
		e := *c.Enrollments[c.Key.UID]
		e.CompletedAt = o.completedAt(e.Status, e.CompletedAt)
		e.Status, e.Attributes, e.Events = o.Status, nil, nil
		p.Enrollments = append(p.Enrollments, e)
		return
	}
	e := *c.Events[c.Key.UID]
	e.CompletedAt = o.completedAt(e.Status, e.CompletedAt)
	e.Status, e.AttributeCategoryOptions = o.Status, nil
	p.Events = append(p.Events, e)
}

// completedAt is the date of a completion or cancellation: the rule's, else that of an object that is complete already.
func (o *Status) completedAt(status, was string) string {
	switch {
	case o.Status != "COMPLETED" && (o.Status != "CANCELLED" || o.Event != nil):
		return ""
	case o.CompletedAt == "" && status == o.Status:
		return was
	}
	return o.CompletedAt
}

// Regenerate implements Recoverable.
func (o *Status) Regenerate(code string, g Generations, writes func(string) bool) bool {
	return regeneratePerson(code, o.Refs(), g, writes)
}

// Effect implements Write.
func (o *Status) Effect() string {
	return "changed to " + o.Status + "; it must be there, all else of it stays as it is"
}

// ClosedAt is the date of a completion or cancellation that a write asks for; empty: none.
func ClosedAt(w Write) string {
	switch o := w.(type) {
	case *Status:
		return o.CompletedAt
	case *Enrollment:
		return o.Body.CompletedAt
	case *Event:
		return o.Body.CompletedAt
	}
	return ""
}
