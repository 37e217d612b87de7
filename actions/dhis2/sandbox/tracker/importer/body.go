package importer

import (
	"encoding/json"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
	"github.com/culvert/culvert/actions/dhis2/sandbox/store"
)

// What a tracker request holds, flattened: children that stood inside their parents carry the
// parent's uid (DHIS2 BodyConverter).

type entityIn struct {
	uid                              string
	typeID, orgUnitID                string // identifiers as sent, in the scheme of the request
	inactive, duplicate              bool
	geometry                         json.RawMessage
	createdAtClient, updatedAtClient *time.Time
	attributes                       []attributeIn

	entityType *catalog.EntityType
	orgUnit    *catalog.OrgUnit
	strategy   strategy
	old        *store.TrackedEntity
}

type attributeIn struct {
	id    string
	value *string
	uid   string // resolved; empty when there is no such attribute
}

type noteIn struct{ uid, value string }

type enrollmentIn struct {
	uid, entity                      string
	programID, orgUnitID, comboID    string
	status                           string // empty: sent as null
	enrolled, occurred, completed    *time.Time
	createdAtClient, updatedAtClient *time.Time
	followUp                         bool
	geometry                         json.RawMessage
	attributes                       []attributeIn
	notes                            []noteIn

	program  *catalog.Program
	orgUnit  *catalog.OrgUnit
	strategy strategy
	old      *store.Enrollment
}

type valueIn struct {
	id        string
	value     *string
	elsewhere bool
	uid       string
}

type eventIn struct {
	uid, enrollment                  string
	programID, stageID, orgUnitID    string
	status                           string // empty: sent as null
	occurred, scheduled, completed   *time.Time
	createdAtClient, updatedAtClient *time.Time
	comboID                          string
	optionIDs                        []string
	assignedUser                     *userRef
	geometry                         json.RawMessage
	values                           []valueIn
	notes                            []noteIn

	program  *catalog.Program
	stage    *catalog.Stage
	orgUnit  *catalog.OrgUnit
	combo    *catalog.OptionCombo // resolved; nil when none was given or it does not exist
	options  []string             // uids; "" for one that does not exist
	assigned *catalog.User
	strategy strategy
	old      *store.Event
	tracker  bool   // of a tracker program (the distinction that 2.43 makes)
	lent     string // the event program whose own enrollment a server of up to 2.42 gives the event
}

// userRef names a user as a request does.
type userRef struct{ uid, username string }

type relationshipIn struct {
	uid, typeID string
	from, to    *store.Item
	fromCount   int // how many of the three kinds a side names; one is right
	toCount     int

	relType  *catalog.RelationshipType
	strategy strategy
	old      *store.Relationship
}

type Bundle struct {
	entities      []*entityIn
	enrollments   []*enrollmentIn
	events        []*eventIn
	relationships []*relationshipIn

	NullList string // a list that was sent as null, which a real server fails on
	Crash    string // what else it fails on
	blind    bool   // attributes or data values were sent as null: a real server finds nothing that the request names

	entityBy     map[string]*entityIn
	enrollmentBy map[string]*enrollmentIn
	eventBy      map[string]*eventIn
}

func (b *Bundle) size() int {
	return len(b.entities) + len(b.enrollments) + len(b.events) + len(b.relationships)
}

// sizes counts the objects of each kind.
func (b *Bundle) sizes() map[string]int {
	return map[string]int{trackedEntityKind: len(b.entities), enrollmentKind: len(b.enrollments),
		eventKind: len(b.events), relationshipKind: len(b.relationships)}
}

// index finds objects by their uid; of several with one uid the first counts.
func (b *Bundle) index() {
	b.entityBy = make(map[string]*entityIn, len(b.entities))
	for _, t := range b.entities {
		if b.entityBy[t.uid] == nil {
			b.entityBy[t.uid] = t
		}
	}
	b.enrollmentBy = make(map[string]*enrollmentIn, len(b.enrollments))
	for _, e := range b.enrollments {
		if b.enrollmentBy[e.uid] == nil {
			b.enrollmentBy[e.uid] = e
		}
	}
	b.eventBy = make(map[string]*eventIn, len(b.events))
	for _, e := range b.events {
		if b.eventBy[e.uid] == nil {
			b.eventBy[e.uid] = e
		}
	}
}
