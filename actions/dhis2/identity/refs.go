package identity

import (
	"strconv"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
)

// Person is whom a record is about. Which tracked entity that is, is known for certain on delivery
// only: somebody may have registered the person already, or its uid may have been deleted.
type Person struct {
	Key   actions.IdentityKey
	Type  string // uid of the tracked entity type
	UID   string // derived, generation 0
	Match []Match
	// Weighed is what tells who somebody is where none of Match does; nil when the rule weighs nothing.
	Weighed *Weighed
	// Values are the attributes that the record writes of the person, by which other rules may find it.
	Values []client.AttributeValue
	// Policies are the ways in which all rules tell people; nil: no other rule looks anybody up.
	Policies *Policies
	// SeveralIDs: other external ids may stand for the same person.
	SeveralIDs bool
	// Recreate: a deleted person is created again under a new uid.
	Recreate bool
}

// Match is one attribute by which a person may be found.
type Match struct {
	Attribute, Value, Name string
	Program                string // in whose scope to search; empty: among all of the type
	Shared                 bool   // DHIS2 lets several people have one value
}

// LooksUp tells whether somebody is looked up before being created.
func (p *Person) LooksUp() bool { return len(p.Match) > 0 || p.Weighed != nil }

// FoundBy tells by which attributes somebody is looked up, and what happens then; empty when nobody is looked up.
func (p *Person) FoundBy() string {
	text := ""
	for i, m := range p.Match {
		if i > 0 {
			text += " or"
		}
		text += " " + m.Name + " = " + strconv.Quote(m.Value)
	}
	if text == "" {
		return ""
	}
	return "; looked up first:" + text + " (who is found is updated, under the uid that is there)"
}

// ReservedKey is under which the journal keeps a value that was reserved for a person. The type is
// no uid, so that it meets no person's.
func (p *Person) ReservedKey(attribute string) actions.IdentityKey {
	_, namespace := TypeOfPerson(p.Key.Type)
	return actions.IdentityKey{Type: PersonType("reserved:"+attribute, namespace), ExternalID: p.Key.ExternalID}
}

// Enrollment is a person's time in a program.
type Enrollment struct {
	Person  *Person
	Program string
	Name    string // of the program
	Again   string // what tells a person's enrollments in the program apart; empty: there is one
	Reason  string // for which Culvert's user is let into a protected program for a while; empty: never
	Once    bool   // the program enrolls everybody once only
}

// DerivedUID derives the enrollment's uid for what the person turned out to be.
func (e *Enrollment) DerivedUID(trackedEntity string, generation int) string {
	return EnrollmentUID(e.Program, trackedEntity, e.Again, generation)
}

// Event is an event of an enrollment, or of an event program.
type Event struct {
	Enrollment *Enrollment // nil in an event program
	Program    string      // uid; empty where it only names one side of a relationship
	Parent     string      // of an event program: the project
	Scope      string      // the namespace of its id; see Scope
	Stage      string
	ID         string // what tells the event from others of its stage; empty where the stage does not repeat
	Name       string // of the stage
}

// Endpoint is one side of a relationship, or what is to be deleted: a person, an enrollment or an event.
type Endpoint struct {
	Person     *Person
	Enrollment *Enrollment
	Event      *Event
}

// Refs are the people, enrollments and events that a write is about.
type Refs struct {
	People      []*Person
	Enrollments []*Enrollment
	Events      []*Event
}

// OfPerson is about one person.
func OfPerson(p *Person) Refs { return Refs{People: []*Person{p}} }

// OfEnrollment is about an enrollment and its person; nothing when it is nil.
func OfEnrollment(e *Enrollment) Refs {
	if e == nil {
		return Refs{}
	}
	return Refs{People: []*Person{e.Person}, Enrollments: []*Enrollment{e}}
}

// OfEvent is about an event and, where it has them, its enrollment and person.
func OfEvent(e *Event) Refs {
	r := OfEnrollment(e.Enrollment)
	r.Events = []*Event{e}
	return r
}

// Of is about what an endpoint names.
func Of(e *Endpoint) Refs {
	switch {
	case e.Event != nil:
		return OfEvent(e.Event)
	case e.Enrollment != nil:
		return OfEnrollment(e.Enrollment)
	case e.Person != nil:
		return OfPerson(e.Person)
	}
	return Refs{}
}

// And joins what two are about.
func (r Refs) And(other Refs) Refs {
	return Refs{
		People: append(r.People, other.People...), Enrollments: append(r.Enrollments, other.Enrollments...),
		Events: append(r.Events, other.Events...),
	}
}
