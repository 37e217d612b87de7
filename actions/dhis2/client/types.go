// Package client is DHIS2's HTTP API, version-aware for 2.38 to 2.44. Nothing above it knows an
// endpoint, a parameter or a version.
package client

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/culvert/culvert/rules/diag"
)

// TrackerPayload is a tracker import: four flat lists, children naming their parents by uid.
type TrackerPayload struct {
	TrackedEntities []TrackedEntity `json:"trackedEntities,omitempty"`
	Enrollments     []Enrollment    `json:"enrollments,omitempty"`
	Events          []Event         `json:"events,omitempty"`
	Relationships   []Relationship  `json:"relationships,omitempty"`
}

// TrackedEntity is a person, sample or other tracked thing.
type TrackedEntity struct {
	TrackedEntity      string           `json:"trackedEntity"`
	TrackedEntityType  string           `json:"trackedEntityType,omitempty"`
	OrgUnit            string           `json:"orgUnit,omitempty"`
	Inactive           bool             `json:"inactive,omitempty"`
	PotentialDuplicate bool             `json:"potentialDuplicate,omitempty"`
	Geometry           json.RawMessage  `json:"geometry,omitempty"`
	Attributes         []AttributeValue `json:"attributes,omitempty"`
	Enrollments        []Enrollment     `json:"enrollments,omitempty"` // when read
}

// AttributeValue is the value of an attribute; an empty Value removes it.
type AttributeValue struct {
	Attribute string `json:"attribute"`
	Value     string `json:"value"`
}

// Enrollment is a tracked entity's time in a program.
type Enrollment struct {
	Enrollment           string           `json:"enrollment"`
	TrackedEntity        string           `json:"trackedEntity,omitempty"`
	Program              string           `json:"program,omitempty"`
	OrgUnit              string           `json:"orgUnit,omitempty"`
	Status               string           `json:"status,omitempty"` // ACTIVE, COMPLETED, CANCELLED
	EnrolledAt           string           `json:"enrolledAt,omitempty"`
	OccurredAt           string           `json:"occurredAt,omitempty"`
	CompletedAt          string           `json:"completedAt,omitempty"`
	FollowUp             bool             `json:"followUp,omitempty"`
	AttributeOptionCombo string           `json:"attributeOptionCombo,omitempty"`
	Geometry             json.RawMessage  `json:"geometry,omitempty"`
	Attributes           []AttributeValue `json:"attributes,omitempty"`
	Notes                []Note           `json:"notes,omitempty"`
	Events               []Event          `json:"events,omitempty"` // when read
}

// Event is what happened at a program stage.
type Event struct {
	Event                    string          `json:"event"`
	Program                  string          `json:"program,omitempty"`
	ProgramStage             string          `json:"programStage,omitempty"`
	Enrollment               string          `json:"enrollment,omitempty"`
	OrgUnit                  string          `json:"orgUnit,omitempty"`
	Status                   string          `json:"status,omitempty"`
	OccurredAt               string          `json:"occurredAt,omitempty"`
	ScheduledAt              string          `json:"scheduledAt,omitempty"`
	CompletedAt              string          `json:"completedAt,omitempty"`
	FollowUp                 bool            `json:"followUp,omitempty"`
	AttributeOptionCombo     string          `json:"attributeOptionCombo,omitempty"`
	AttributeCategoryOptions []string        `json:"-"` // the client writes them as the server's version takes them
	AssignedUser             *AssignedUser   `json:"assignedUser,omitempty"`
	Geometry                 json.RawMessage `json:"geometry,omitempty"`
	DataValues               []EventValue    `json:"dataValues,omitempty"`
	Notes                    []Note          `json:"notes,omitempty"`
}

// AssignedUser is who an event is assigned to.
type AssignedUser struct {
	UID      string `json:"uid,omitempty"`
	Username string `json:"username,omitempty"`
}

// EventValue is the value of a data element in an event; an empty Value removes it.
type EventValue struct {
	DataElement       string `json:"dataElement"`
	Value             string `json:"value"`
	ProvidedElsewhere bool   `json:"providedElsewhere,omitempty"`
}

// Note is a remark on an enrollment or event; the same uid again is not added twice.
type Note struct {
	Note  string `json:"note"`
	Value string `json:"value"`
}

// Relationship links two objects.
type Relationship struct {
	Relationship     string           `json:"relationship"`
	RelationshipType string           `json:"relationshipType,omitempty"`
	From             RelationshipItem `json:"from"`
	To               RelationshipItem `json:"to"`
}

// RelationshipItem is one side of a relationship: the uid of one of the three.
type RelationshipItem struct {
	TrackedEntity, Enrollment, Event string
}

// relationshipItem is how DHIS2 writes one from 2.38 on.
type relationshipItem struct {
	TrackedEntity *struct {
		UID string `json:"trackedEntity"`
	} `json:"trackedEntity,omitempty"`
	Enrollment *struct {
		UID string `json:"enrollment"`
	} `json:"enrollment,omitempty"`
	Event *struct {
		UID string `json:"event"`
	} `json:"event,omitempty"`
}

// MarshalJSON writes the item as DHIS2 takes it.
func (r RelationshipItem) MarshalJSON() ([]byte, error) {
	var w relationshipItem
	switch {
	case r.TrackedEntity != "":
		w.TrackedEntity = &struct {
			UID string `json:"trackedEntity"`
		}{r.TrackedEntity}
	case r.Enrollment != "":
		w.Enrollment = &struct {
			UID string `json:"enrollment"`
		}{r.Enrollment}
	case r.Event != "":
		w.Event = &struct {
			UID string `json:"event"`
		}{r.Event}
	}
	return json.Marshal(w)
}

// UnmarshalJSON reads what MarshalJSON writes and what DHIS2 answers.
func (r *RelationshipItem) UnmarshalJSON(text []byte) error {
	var w relationshipItem
	if err := json.Unmarshal(text, &w); err != nil {
		return err
	}
	*r = RelationshipItem{}
	if w.TrackedEntity != nil {
		r.TrackedEntity = w.TrackedEntity.UID
	}
	if w.Enrollment != nil {
		r.Enrollment = w.Enrollment.UID
	}
	if w.Event != nil {
		r.Event = w.Event.UID
	}
	return nil
}

// TrackerOptions are the import's parameters that an action decides on.
type TrackerOptions struct {
	Delete bool // strategy DELETE instead of CREATE_AND_UPDATE
	// strategy CREATE: an object that is there already is refused (E1002, E1080, E1030) instead of overwritten
	CreateOnly            bool
	Rehearse              bool // importMode VALIDATE
	AllOrNothing          bool // atomicMode ALL; OBJECT otherwise
	SkipRuleEngine        bool
	SkipSideEffects       bool
	SkipPatternValidation bool
	Async                 bool // ask for a job and poll for its report
}

// Tracker object types as replies name them.
const (
	TypeTrackedEntity = "TRACKED_ENTITY"
	TypeEnrollment    = "ENROLLMENT"
	TypeEvent         = "EVENT"
	TypeRelationship  = "RELATIONSHIP"
)

// ObjectKey names one object of a tracker import.
type ObjectKey struct{ Type, UID string }

// String is the name of the object in the journal. It must never change.
func (k ObjectKey) String() string { return k.Type + ":" + k.UID }

// TrackerReport is a tracker import's reply, per object. An object that is neither in Written nor
// in Errors was not confirmed.
type TrackerReport struct {
	Status                             string // OK, ERROR
	Written                            map[ObjectKey]bool
	Errors                             map[ObjectKey][]Issue
	Warnings                           map[ObjectKey][]Issue
	Created, Updated, Deleted, Ignored int
	Refused                            bool // nothing of the request was written
	Message                            string
}

// InProgram names an enrollment or event and the program that it belongs to; Program may be empty when it is not known.
type InProgram struct{ UID, Program string }

// Issue is one error or warning of a reply.
type Issue struct {
	Code    string // E1064
	Message string // the server's own words; may hold data
	Args    []string
}

// DataValueSet is one group of aggregate values.
type DataValueSet struct {
	DataSet              string      `json:"dataSet,omitempty"`
	CompleteDate         string      `json:"completeDate,omitempty"`
	Period               string      `json:"period,omitempty"`
	OrgUnit              string      `json:"orgUnit,omitempty"`
	AttributeOptionCombo string      `json:"attributeOptionCombo,omitempty"`
	Values               []DataValue `json:"dataValues"`
}

// DataValue is one aggregate value. Period, OrgUnit and AttributeOptionCombo may stay empty when the set gives them.
type DataValue struct {
	DataElement          string `json:"dataElement"`
	Period               string `json:"period,omitempty"`
	OrgUnit              string `json:"orgUnit,omitempty"`
	CategoryOptionCombo  string `json:"categoryOptionCombo,omitempty"`
	AttributeOptionCombo string `json:"attributeOptionCombo,omitempty"`
	Value                string `json:"value,omitempty"`
	Comment              string `json:"comment,omitempty"`
	FollowUp             bool   `json:"followUp,omitempty"`
	Deleted              bool   `json:"deleted,omitempty"`
}

// DataValueOptions are the import's parameters that an action decides on.
type DataValueOptions struct {
	Rehearse bool // dryRun
}

// DataValueReport is the reply to one DataValueSet. Values without an issue were taken, unless Refused.
type DataValueReport struct {
	Issues                              map[int][]Issue // by position in Values
	General                             []Issue         // about the request or group as a whole
	Refused                             bool            // nothing of it was written
	Imported, Updated, Ignored, Deleted int
	Completed                           bool // the completion that was asked for is registered
	Message                             string
}

// Completion registers or withdraws that a data set was completed.
type Completion struct {
	DataSet, Period, OrgUnit, AttributeOptionCombo string
	Date                                           string // yyyy-mm-dd; empty: today
	Undo                                           bool
}

// FindQuery asks for tracked entities by the values of one unique attribute.
type FindQuery struct {
	Program           string // search in a program's scope, or
	TrackedEntityType string // in a type's
	Attribute         string // uid
	Values            []string
	AnyCase           bool // people whose value differs in letters' case or space around it are found too
}

// Found is one tracked entity found by an attribute.
type Found struct {
	TrackedEntity string
	OrgUnit       string
	Value         string // of the attribute asked for, as the server holds it
	Enrollments   []Enrollment
	Attributes    []AttributeValue // as far as the server shows them
}

// FailureKind says how a request failed as a whole.
type FailureKind int

const (
	// Unreachable: no connection, a time-out, a broken reply: nothing is known of the request.
	Unreachable FailureKind = iota
	// Overloaded: 429, 502, 503, 504.
	Overloaded
	// Unauthorized: the credentials are wrong, expired or locked.
	Unauthorized
	// Forbidden: the user lacks an authority for the whole request.
	Forbidden
	// Refused: the server works, but refused this request as a whole (4xx, or 500 with a message):
	// splitting may find the culprit.
	Refused
	// NotDHIS2: what answered is not a DHIS2, or a proxy's or login page stands before it.
	NotDHIS2
)

// Error is a request that failed as a whole. Its text names server, cause and fix and holds no data
// of records and no secret.
type Error struct {
	diag.Problem // its code is the server's, if any
	Kind         FailureKind
	Status       int    // HTTP status, 0 when there was none
	Detail       string // the server's own words, shortened; may hold data: journal only
	RetryAfter   time.Duration
	// Request: it is the request itself that is at fault (a parameter, or a page came in place of an
	// answer while the server answers others), not what the records hold. Asking again is of no use.
	Request bool
	Err     error

	page *answer // that came instead of DHIS2's answer
}

// ServerCode is the code that DHIS2 gave the refusal, such as E7144; empty when it gave none.
func (e *Error) ServerCode() string { return e.Code }

// Error gives the plain words.
func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return fmt.Sprintf("%s: %s", e.Message, e.Hint)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }
