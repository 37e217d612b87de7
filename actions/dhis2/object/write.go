// Package object is what rules write to DHIS2: one file a kind of object. Each kind knows when it
// is sent, what it is about, its key and digest, and its place in a request; a new kind is one new
// file.
package object

import (
	"context"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/identity"
	"github.com/culvert/culvert/actions/dhis2/metadata"
)

// Write is one object to create, change or delete. Template gives most of it to kinds that need nothing special.
type Write interface {
	actions.Object
	// Phase says when it is sent among what is sent together.
	Phase() Phase
	// Mode says how it is sent.
	Mode() Mode
	// Refs are the people, enrollments and events that it is about.
	Refs() identity.Refs
	// Key names the object in a tracker import; it is zero for what is sent otherwise.
	Key(r Resolver) client.ObjectKey
	// Name is under which the journal keeps its digest: unique on the server, and never to be changed.
	// Empty: it is always sent.
	Name(k client.ObjectKey) string
	// Parents are the uids of the objects that it belongs to or links.
	Parents(r Resolver) []string
	// Digest is the fingerprint of what the rule asks for: 0 for what is to be deleted, and only for that.
	Digest(parents []string) uint64
	// Claims are the names that are in one request once only: the object itself, and values that no two objects may have.
	Claims(k client.ObjectKey, x *metadata.Index) []string
	// Needs asks for what has to be read before it is written over what the server holds.
	Needs(n *Needs, k client.ObjectKey, parents []string)
	// Adopted tells whether the object was made by somebody else.
	Adopted(r Resolver, k client.ObjectKey) bool
	// AddTo puts it into a tracker import.
	AddTo(p *client.TrackerPayload, c Current)
	// Options say how it is to be imported.
	Options() ImportOptions
	// FieldAt finds the field of the rule that an issue is about.
	FieldAt(issue client.Issue) (f Field, ok bool)
	// Effect says in words what becomes of the object, which depends on what the server holds.
	Effect() string
}

// Phase orders the kinds of requests of one wave.
type Phase int

// The phases, in their order.
const (
	PhaseOrgUnit Phase = iota
	PhaseWrite
	PhaseTransfer
	PhaseStatus
	PhaseValues
	PhaseComplete
	PhaseDelete
	Phases
)

// Mode is how an object is sent.
type Mode int

const (
	// Upsert creates the object, or changes it when it is there.
	Upsert Mode = iota
	// Change changes what is there and never creates it; it waits for what is not there yet.
	Change
	// Link links two objects that may be among the new ones; it is never changed.
	Link
	// Remove deletes the object.
	Remove
)

// Resolver tells the uids that people and what belongs to them have now. *identity.Book implements it.
type Resolver interface {
	PersonUID(p *identity.Person) string
	EnrollmentUID(e *identity.Enrollment) string
	EventUID(e *identity.Event) string
	EndpointUID(e *identity.Endpoint) string
	RelationshipUID(typ string, from, to *identity.Endpoint) string
	AdoptedPerson(p *identity.Person, uid string) bool
	AdoptedEnrollment(e *identity.Enrollment) bool
}

// Held is what the server holds of the objects that are about to change.
type Held struct {
	Entities    map[string]*client.TrackedEntity
	Enrollments map[string]*client.Enrollment
	Events      map[string]*client.Event
}

// NewHeld gives what nothing is known of yet.
func NewHeld() Held {
	return Held{Entities: map[string]*client.TrackedEntity{}, Enrollments: map[string]*client.Enrollment{},
		Events: map[string]*client.Event{}}
}

// Has tells whether the server holds an object.
func (h Held) Has(k client.ObjectKey) bool {
	return h.Entities[k.UID] != nil || h.Enrollments[k.UID] != nil || h.Events[k.UID] != nil
}

// Current is what is known when an object is sent.
type Current struct {
	Held
	Resolver
	Key      client.ObjectKey
	Parents  []string
	Adopted  bool                    // somebody else made the object
	Reserved []client.AttributeValue // reserved for the person who is created
	Uploaded map[string]string       // uids of the files that were uploaded for it, by attribute or data element
}

// Needs is what has to be read: people by the program whose attributes are needed too, none for those of their type.
type Needs struct {
	People      map[string][]string
	Enrollments []client.InProgram
	Events      []client.InProgram
}

// Checked is a write that can spoil a request for the others in it.
type Checked interface {
	Write
	// Lacks gives what DHIS2 would say of it; false when it can be sent.
	Lacks(c Current) (client.Issue, bool)
}

// Requests is what writes with a request of their own ask of a server.
type Requests interface {
	Complete(ctx context.Context, x client.Completion) error
	Transfer(ctx context.Context, x client.Transfer) error
}

// Direct is a write that has a request of its own.
type Direct interface {
	Write
	// Send sends it. The error wraps client.ErrAbsent when what it is about is not there yet.
	Send(ctx context.Context, s Requests, k client.ObjectKey) error
	// Rehearsed says what a rehearsal, which does not send it, leaves open.
	Rehearsed() string
}

// Parted is a write of which a part can be sent without the rest: what nothing newer has set.
type Parted interface {
	Write
	// Fields lists what it sets, in order.
	Fields() []string
	// Only gives the write with nothing but some of its fields.
	Only(fields []string) Write
}

// FieldsOf lists what a write sets, nil for what is written as a whole.
func FieldsOf(w Write) []string {
	if p, ok := w.(Parted); ok {
		return p.Fields()
	}
	return nil
}

// Only gives a write with nothing but some of its fields, where it can be parted.
func Only(w Write, fields []string) Write {
	if p, ok := w.(Parted); ok {
		return p.Only(fields)
	}
	return w
}

// OneField is a write of one field of an object that is there. It has a digest of its own beside the object's.
type OneField interface {
	Write
	Field() string
}

// OfPerson is a write that also sets attributes of the person whom its object belongs to.
type OfPerson interface {
	Write
	PersonAttributes() []client.AttributeValue
}

// Recoverable is a write whose object can get a new uid when DHIS2 says that its own was deleted.
type Recoverable interface {
	Write
	// Regenerate gives what a code says was deleted its next uid, where the rule asks for that. writes
	// tells whether the record writes an object of a type.
	Regenerate(code string, g Generations, writes func(typ string) bool) bool
}

// Generations gives deleted objects their next uids.
type Generations interface {
	Person(p *identity.Person)
	Enrollment(e *identity.Enrollment)
	Event(e *identity.Event)
	Relationship(typ string, from, to *identity.Endpoint)
}

// regeneratePerson gives a deleted person the next uid, when the record writes the person.
func regeneratePerson(code string, r identity.Refs, g Generations, writes func(string) bool) bool {
	if code != "E1114" || len(r.People) == 0 || !r.People[0].Recreate || !writes(client.TypeTrackedEntity) {
		return false
	}
	g.Person(r.People[0])
	return true
}

// regenerateEnrollment gives a deleted enrollment the next uid, when the record writes the enrollment.
func regenerateEnrollment(code string, e *identity.Enrollment, g Generations, writes func(string) bool) bool {
	if code != "E1113" || e == nil || !e.Person.Recreate || !writes(client.TypeEnrollment) {
		return false
	}
	g.Enrollment(e)
	return true
}
