package identity

import (
	"context"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
)

// Origins of identities.
const (
	OriginDerived   = "derived" // kept only where people are matched, so that it can be told who they are
	OriginMatched   = "matched"
	OriginRecreated = "recreated"
	OriginReserved  = "reserved" // a value that was reserved for a person
)

// Finder is what the book asks of a DHIS2 server.
type Finder interface {
	FindTrackedEntities(ctx context.Context, q client.FindQuery) ([]client.Found, error)
	TrackedEntities(ctx context.Context, uids []string, program string) ([]client.TrackedEntity, error)
}

// Deliveries tells what was delivered earlier, by the names of digests.
type Deliveries interface {
	Recall(ctx context.Context, names []string) error
	Delivered(name string) bool
}

// Record is a record whose people are looked for.
type Record interface {
	Fail(o actions.Outcome)
	Settled() bool
	Learn(id actions.Identity) // for the journal
}

// Locks keeps others from looking for the same people, or creating them, while a batch does. Records
// whose people others look for are settled. The names are compared with those of all records.
type Locks interface {
	LockPeople(ctx context.Context, names map[Record][]string) error
}

// Options are what the book needs besides the server.
type Options struct {
	Project  string
	Address  string // of the server, for links to people; empty: uids alone
	Now      func() time.Time
	Rehearse bool
}

// Book holds who is who in one batch: what the journal keeps, whom DHIS2 has, and what was learned meanwhile.
type Book struct {
	o          Options
	server     Finder
	memory     actions.Memory
	deliveries Deliveries
	locks      Locks
	claims     *Claims
	known      map[actions.IdentityKey]actions.Identity
	people     []mention                        // of the batch, in the order of its records
	creating   map[string]*Person               // of the batch, whom DHIS2 does not know, by what they are looked up
	wanted     map[string]*Person               // of the batch, who was not found, by what their own rules compare
	expected   map[string]*Person               // the same, by what other rules compare
	unmatched  []*Person                        // of the batch, whom DHIS2 does not know by what is weighed
	holders    map[string][]actions.IdentityKey // external ids that stand for people that were found, by uid
	found      map[string]client.Found          // matched people, by uid
}

type mention struct {
	person *Person
	record Record
}

// NewBook gives the book of one batch.
func NewBook(server Finder, m actions.Memory, d Deliveries, l Locks, claims *Claims, o Options) *Book {
	return &Book{
		o: o, server: server, memory: m, deliveries: d, locks: l, claims: claims, creating: map[string]*Person{},
		known: map[actions.IdentityKey]actions.Identity{}, holders: map[string][]actions.IdentityKey{},
		found: map[string]client.Found{},
	}
}

// Mention notes that a record of the batch is about a person.
func (b *Book) Mention(p *Person, r Record) { b.people = append(b.people, mention{p, r}) }

// Known gives what is known of a key.
func (b *Book) Known(key actions.IdentityKey) (actions.Identity, bool) {
	id, ok := b.known[key]
	return id, ok
}

// Learn keeps an identity, for this batch and for the journal.
func (b *Book) Learn(r Record, id actions.Identity) {
	b.known[id.IdentityKey] = id
	r.Learn(id)
}

// Remember asks the journal for identities that are not known yet.
func (b *Book) Remember(ctx context.Context, keys []actions.IdentityKey) error {
	var ask []actions.IdentityKey
	seen := map[actions.IdentityKey]bool{}
	for _, k := range keys {
		if _, known := b.known[k]; !known && !seen[k] {
			seen[k] = true
			ask = append(ask, k)
		}
	}
	if len(ask) == 0 {
		return nil
	}
	ids, err := b.memory.Identities(ctx, ask)
	if err != nil {
		return err
	}
	for k, id := range ids {
		b.known[k] = id
	}
	return nil
}

// PersonUID is the uid that a person has in DHIS2 as far as we know.
func (b *Book) PersonUID(p *Person) string {
	if id, ok := b.known[p.Key]; ok && id.UID != "" {
		return id.UID
	}
	return p.UID
}

// EnrollmentKey is under which a change of an enrollment's uid is kept: its program, and the uid that would be derived.
func (b *Book) EnrollmentKey(e *Enrollment) actions.IdentityKey {
	return actions.IdentityKey{Type: e.Program, ExternalID: e.DerivedUID(b.PersonUID(e.Person), 0)}
}

// EnrollmentUID is the uid that an enrollment has in DHIS2 as far as we know.
func (b *Book) EnrollmentUID(e *Enrollment) string { return b.uid(b.EnrollmentKey(e)) }

// EventKey is under which a change of an event's uid is kept: its stage, and the uid that would be derived.
func (b *Book) EventKey(e *Event) actions.IdentityKey {
	return actions.IdentityKey{Type: e.Stage, ExternalID: EventUID(e.Stage, b.parent(e)+e.Scope, e.ID, 0)}
}

func (b *Book) parent(e *Event) string {
	if e.Enrollment != nil {
		return b.EnrollmentUID(e.Enrollment)
	}
	return e.Parent
}

// EventUID is the uid that an event has in DHIS2 as far as we know.
func (b *Book) EventUID(e *Event) string { return b.uid(b.EventKey(e)) }

// EndpointUID is the uid of what an endpoint names.
func (b *Book) EndpointUID(e *Endpoint) string {
	switch {
	case e.Event != nil:
		return b.EventUID(e.Event)
	case e.Enrollment != nil:
		return b.EnrollmentUID(e.Enrollment)
	}
	return b.PersonUID(e.Person)
}

func (b *Book) relationshipKey(typ string, from, to *Endpoint) actions.IdentityKey {
	return actions.IdentityKey{Type: typ, ExternalID: RelationshipUID(typ, b.EndpointUID(from), b.EndpointUID(to), 0)}
}

// RelationshipUID is the uid that a relationship has in DHIS2 as far as we know.
func (b *Book) RelationshipUID(typ string, from, to *Endpoint) string {
	return b.uid(b.relationshipKey(typ, from, to))
}

// uid is what is kept for a key, or the derived uid that is part of it.
func (b *Book) uid(key actions.IdentityKey) string {
	if id, ok := b.known[key]; ok {
		return id.UID
	}
	return key.ExternalID
}

// AdoptedPerson tells whether the tracked entity with a uid, which stands for a person, was made by somebody else.
func (b *Book) AdoptedPerson(p *Person, uid string) bool {
	return uid != p.UID && b.known[p.Key].Origin != OriginRecreated
}

// AdoptedEnrollment tells whether an enrollment was made by somebody else.
func (b *Book) AdoptedEnrollment(e *Enrollment) bool {
	id, ok := b.known[b.EnrollmentKey(e)]
	return ok && id.Origin != OriginRecreated
}
