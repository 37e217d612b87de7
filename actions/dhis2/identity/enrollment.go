package identity

import (
	"context"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
)

// Reuse takes the enrollment that a matched person has in a program already, an active one first.
func (b *Book) Reuse(e *Enrollment, r Record) {
	if _, known := b.known[b.EnrollmentKey(e)]; known {
		return
	}
	person, ok := b.found[b.PersonUID(e.Person)]
	if !ok || e.Again != "" {
		return
	}
	b.adoptEnrollment(e, r, person.Enrollments)
}

// AdoptEnrollment asks DHIS2 for the enrollment that a person has in the program already. It is
// true when there is one under another uid than we thought.
func (b *Book) AdoptEnrollment(ctx context.Context, e *Enrollment, r Record) bool {
	list, err := b.server.TrackedEntities(ctx, []string{b.PersonUID(e.Person)}, e.Program)
	if err != nil || len(list) == 0 {
		return false
	}
	before := b.EnrollmentUID(e)
	return b.adoptEnrollment(e, r, list[0].Enrollments) && b.EnrollmentUID(e) != before
}

// adoptEnrollment makes an existing enrollment the one that the rule means; false when there is none to take.
func (b *Book) adoptEnrollment(e *Enrollment, r Record, list []client.Enrollment) bool {
	key := b.EnrollmentKey(e)
	var best *client.Enrollment
	for n := range list {
		one := &list[n]
		if one.Program != e.Program || one.Status != "ACTIVE" && !e.Once {
			continue
		}
		if best == nil || one.Status == "ACTIVE" && best.Status != "ACTIVE" || one.Status == best.Status &&
			one.EnrolledAt > best.EnrolledAt {
			best = one
		}
	}
	if best == nil {
		return false
	}
	if id, known := b.known[key]; best.Enrollment != key.ExternalID && !(known && id.UID == best.Enrollment) {
		b.Learn(r, actions.Identity{IdentityKey: key, UID: best.Enrollment, Generation: id.Generation, Origin: OriginMatched})
	}
	return true
}
