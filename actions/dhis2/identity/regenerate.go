package identity

import (
	"github.com/culvert/culvert/actions"
)

// A uid that was deleted can never be used again: what is to be there again gets the uid of the next generation.

// RegeneratePerson gives a deleted person the next uid.
func (b *Book) RegeneratePerson(p *Person, r Record) {
	next := b.known[p.Key].Generation + 1
	b.Learn(r, actions.Identity{
		IdentityKey: p.Key, Generation: next, Origin: OriginRecreated,
		UID: PersonUID(b.o.Project, p.Key.Type, p.Key.ExternalID, next),
	})
}

// RegenerateEnrollment gives a deleted enrollment the next uid.
func (b *Book) RegenerateEnrollment(e *Enrollment, r Record) {
	b.regenerate(b.EnrollmentKey(e), r, func(next int) string { return e.DerivedUID(b.PersonUID(e.Person), next) })
}

// RegenerateEvent gives a deleted event the next uid.
func (b *Book) RegenerateEvent(e *Event, r Record) {
	b.regenerate(b.EventKey(e), r, func(next int) string { return EventUID(e.Stage, b.parent(e)+e.Scope, e.ID, next) })
}

// RegenerateRelationship gives a deleted relationship the next uid.
func (b *Book) RegenerateRelationship(typ string, from, to *Endpoint, r Record) {
	b.regenerate(b.relationshipKey(typ, from, to), r, func(next int) string {
		return RelationshipUID(typ, b.EndpointUID(from), b.EndpointUID(to), next)
	})
}

func (b *Book) regenerate(key actions.IdentityKey, r Record, derive func(next int) string) {
	next := b.known[key].Generation + 1
	b.Learn(r, actions.Identity{IdentityKey: key, Generation: next, Origin: OriginRecreated, UID: derive(next)})
}
