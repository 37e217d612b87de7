package store

import (
	"encoding/json"
	"sync"
	"time"

	"github.com/culvert/culvert/actions/dhis2/sandbox/catalog"
)

// Store is the data: tracker objects, data values and completions, in memory, with a log behind it
// where a state file was asked for. Whoever asks or changes it locks it, but for methods that say
// otherwise.
type Store struct {
	sync.RWMutex
	Catalog *catalog.Catalog
	Now     func() time.Time
	state   *stateLog
	sequel  int64

	Entities      map[string]*TrackedEntity
	Enrollments   map[string]*Enrollment
	Events        map[string]*Event
	Relationships map[string]*Relationship
	EntityOrder   []*TrackedEntity
	EnrollOrder   []*Enrollment
	EventOrder    []*Event
	relationOrder []*Relationship

	EnrollmentsOf map[string][]*Enrollment       // by tracked entity
	EventsOf      map[string][]*Event            // by enrollment
	RelationsOf   map[string][]*Relationship     // by the uid of either side
	holders       map[heldValue][]*TrackedEntity // who holds a value of an attribute
	Notes         map[string]bool                // uids of notes
	Values        map[ValueKey]*DataValue        // data values, deleted ones among them
	ValuesAt      map[[2]string][]*DataValue     // by org unit and period
	Completions   map[CompletionKey]*Completion  //
	Periods       map[string]bool                // periods that something was stored for
	Pairs         map[string]*DuplicatePair      // potential duplicates
	Keys          map[KeyPlace]*KeyValue         // the data store and settings
	Metadata      map[string]*catalog.Change     // what of the metadata was written since the first start
	Tokens        map[string]*TokenState         // personal access tokens
	ReservedCount map[string]int                 // how many values of a generated attribute were given out
	Files         map[string]*FileResource       // uploaded files
	FileBytes     int                            // how large they are together
	live          Counts                         //
}

type TrackedEntity struct {
	UID             string           `json:"uid"`
	Type            string           `json:"type"`
	OrgUnit         string           `json:"orgUnit"`
	Inactive        bool             `json:"inactive,omitempty"`
	Duplicate       bool             `json:"potentialDuplicate,omitempty"`
	Geometry        json.RawMessage  `json:"geometry,omitempty"`
	CreatedAtClient *time.Time       `json:"createdAtClient,omitempty"`
	UpdatedAtClient *time.Time       `json:"updatedAtClient,omitempty"`
	Attributes      []AttributeValue `json:"attributes,omitempty"`
	Owners          []programOwner   `json:"programOwners,omitempty"`
	LetIn           []TemporaryOwner `json:"temporaryOwners,omitempty"`
	Made
}

// Made says when and by whom an object was made and changed, its place in the order of all, and whether it was deleted.
type Made struct {
	Created   time.Time `json:"created"`
	Updated   time.Time `json:"updated"`
	CreatedBy string    `json:"createdBy"`
	UpdatedBy string    `json:"updatedBy"`
	Deleted   bool      `json:"deleted,omitempty"`
	Seq       int64     `json:"seq"`
}

type AttributeValue struct {
	Attribute string    `json:"attribute"`
	Value     string    `json:"value"`
	Created   time.Time `json:"created"`
	Updated   time.Time `json:"updated"`
	StoredBy  string    `json:"storedBy"`
}

type Note struct {
	UID    string    `json:"uid"`
	Value  string    `json:"value"`
	Stored time.Time `json:"storedAt"`
	By     string    `json:"by"`
}

type Enrollment struct {
	UID             string          `json:"uid"`
	Entity          string          `json:"trackedEntity"`
	Program         string          `json:"program"`
	OrgUnit         string          `json:"orgUnit"`
	Status          string          `json:"status"`
	Enrolled        time.Time       `json:"enrolledAt"`
	Occurred        *time.Time      `json:"occurredAt,omitempty"`
	Completed       *time.Time      `json:"completedAt,omitempty"`
	CompletedBy     string          `json:"completedBy,omitempty"`
	FollowUp        bool            `json:"followUp,omitempty"`
	Geometry        json.RawMessage `json:"geometry,omitempty"`
	CreatedAtClient *time.Time      `json:"createdAtClient,omitempty"`
	UpdatedAtClient *time.Time      `json:"updatedAtClient,omitempty"`
	OptionCombo     string          `json:"attributeOptionCombo,omitempty"`
	Notes           []Note          `json:"notes,omitempty"`
	Made
}

type Event struct {
	UID             string          `json:"uid"`
	Enrollment      string          `json:"enrollment,omitempty"`
	Program         string          `json:"program"`
	Stage           string          `json:"programStage"`
	OrgUnit         string          `json:"orgUnit"`
	Status          string          `json:"status"`
	Occurred        *time.Time      `json:"occurredAt,omitempty"`
	Scheduled       *time.Time      `json:"scheduledAt,omitempty"`
	Completed       *time.Time      `json:"completedAt,omitempty"`
	CompletedBy     string          `json:"completedBy,omitempty"`
	OptionCombo     string          `json:"attributeOptionCombo"`
	AssignedUser    string          `json:"assignedUser,omitempty"`
	Geometry        json.RawMessage `json:"geometry,omitempty"`
	CreatedAtClient *time.Time      `json:"createdAtClient,omitempty"`
	UpdatedAtClient *time.Time      `json:"updatedAtClient,omitempty"`
	Values          []EventValue    `json:"dataValues,omitempty"`
	Notes           []Note          `json:"notes,omitempty"`
	Made
}

type EventValue struct {
	Element   string    `json:"dataElement"`
	Value     string    `json:"value"`
	Elsewhere bool      `json:"providedElsewhere,omitempty"`
	Created   time.Time `json:"created"`
	Updated   time.Time `json:"updated"`
	StoredBy  string    `json:"storedBy"`
}

type Relationship struct {
	UID  string `json:"uid"`
	Type string `json:"relationshipType"`
	From Item   `json:"from"`
	To   Item   `json:"to"`
	Made
}

// Item is one side of a relationship; one of the three is set.
type Item struct {
	Entity     string `json:"trackedEntity,omitempty"`
	Enrollment string `json:"enrollment,omitempty"`
	Event      string `json:"event,omitempty"`
}

func (i Item) UID() string { return i.Entity + i.Enrollment + i.Event }

type ValueKey struct{ Element, Period, OrgUnit, Combo, AttributeCombo string }

type DataValue struct {
	Element        string `json:"dataElement"`
	Period         string `json:"period"`
	OrgUnit        string `json:"orgUnit"`
	Combo          string `json:"categoryOptionCombo"`
	AttributeCombo string `json:"attributeOptionCombo"`
	Value          string `json:"value"`
	Comment        string `json:"comment,omitempty"`
	FollowUp       *bool  `json:"followUp,omitempty"` // nil: nobody said
	Made
}

func (v *DataValue) Key() ValueKey {
	return ValueKey{v.Element, v.Period, v.OrgUnit, v.Combo, v.AttributeCombo}
}

type CompletionKey struct{ DataSet, Period, OrgUnit, AttributeCombo string }

type Completion struct {
	DataSet        string `json:"dataSet"`
	Period         string `json:"period"`
	OrgUnit        string `json:"organisationUnit"`
	AttributeCombo string `json:"attributeOptionCombo"`
	Date           string `json:"date"`
	StoredBy       string `json:"storedBy"`
	Completed      bool   `json:"completed"`
	Made
}

func (c *Completion) Key() CompletionKey {
	return CompletionKey{c.DataSet, c.Period, c.OrgUnit, c.AttributeCombo}
}

func New(c *catalog.Catalog, now func() time.Time) *Store {
	return &Store{Catalog: c, Now: now, Entities: map[string]*TrackedEntity{}, Enrollments: map[string]*Enrollment{},
		Events:        map[string]*Event{},
		Relationships: map[string]*Relationship{}, EnrollmentsOf: map[string][]*Enrollment{}, EventsOf: map[string][]*Event{},
		RelationsOf: map[string][]*Relationship{}, holders: map[heldValue][]*TrackedEntity{}, Notes: map[string]bool{},
		Values:   map[ValueKey]*DataValue{},
		ValuesAt: map[[2]string][]*DataValue{}, Periods: map[string]bool{}, Pairs: map[string]*DuplicatePair{},
		Keys: map[KeyPlace]*KeyValue{}, Metadata: map[string]*catalog.Change{}, Completions: map[CompletionKey]*Completion{},
		Tokens: map[string]*TokenState{}, ReservedCount: map[string]int{},
		Files: map[string]*FileResource{}}
}

// Counts locks by itself.
func (st *Store) Counts() Counts {
	st.RLock()
	defer st.RUnlock()
	return st.live
}

func (st *Store) Next() int64 {
	st.sequel++
	return st.sequel
}

// A new object is put in place with put…; every later change of it goes through changed, which
// keeps indexes, counts and the log right.

func (st *Store) PutEntity(t *TrackedEntity) {
	st.Entities[t.UID] = t
	st.EntityOrder = append(st.EntityOrder, t)
	if !t.Deleted {
		st.live.TrackedEntities++
	}
	st.Keep(t)
}

func (st *Store) PutEnrollment(e *Enrollment) {
	st.Enrollments[e.UID] = e
	st.EnrollOrder = append(st.EnrollOrder, e)
	st.EnrollmentsOf[e.Entity] = append(st.EnrollmentsOf[e.Entity], e)
	for _, n := range e.Notes {
		st.Notes[n.UID] = true
	}
	if !e.Deleted {
		st.live.Enrollments++
	}
	st.Keep(e)
}

func (st *Store) PutEvent(e *Event) {
	st.Events[e.UID] = e
	st.EventOrder = append(st.EventOrder, e)
	if e.Enrollment != "" {
		st.EventsOf[e.Enrollment] = append(st.EventsOf[e.Enrollment], e)
	}
	for _, n := range e.Notes {
		st.Notes[n.UID] = true
	}
	if !e.Deleted {
		st.live.Events++
	}
	st.Keep(e)
}

func (st *Store) PutRelationship(r *Relationship) {
	st.Relationships[r.UID] = r
	st.relationOrder = append(st.relationOrder, r)
	st.RelationsOf[r.From.UID()] = append(st.RelationsOf[r.From.UID()], r)
	if r.To.UID() != r.From.UID() {
		st.RelationsOf[r.To.UID()] = append(st.RelationsOf[r.To.UID()], r)
	}
	if !r.Deleted {
		st.live.Relationships++
	}
	st.Keep(r)
}

func (st *Store) PutValue(v *DataValue) {
	if old, ok := st.Values[v.Key()]; ok {
		if !old.Deleted {
			st.live.DataValues--
		}
		seq := old.Seq
		*old = *v
		old.Seq = seq
		v = old
	} else {
		st.Values[v.Key()] = v
		st.Periods[v.Period] = true
		at := [2]string{v.OrgUnit, v.Period}
		st.ValuesAt[at] = append(st.ValuesAt[at], v)
	}
	if !v.Deleted {
		st.live.DataValues++
	}
	st.Keep(v)
}

func (st *Store) PutCompletion(c *Completion) {
	if old, ok := st.Completions[c.Key()]; ok && !old.Deleted {
		st.live.Completions--
	}
	st.Completions[c.Key()] = c
	st.Periods[c.Period] = true
	if !c.Deleted {
		st.live.Completions++
	}
	st.Keep(c)
}

// Attribute gives the stored value of an attribute.
func (t *TrackedEntity) Attribute(uid string) (string, bool) {
	for i := range t.Attributes {
		if t.Attributes[i].Attribute == uid {
			return t.Attributes[i].Value, true
		}
	}
	return "", false
}

// SetAttribute merges one attribute: an empty value removes it.
func (st *Store) SetAttribute(t *TrackedEntity, uid, value, by string, at time.Time) {
	for i := range t.Attributes {
		a := &t.Attributes[i]
		if a.Attribute != uid {
			continue
		}
		st.SetHolder(t, uid, a.Value, value)
		if value == "" {
			t.Attributes = append(t.Attributes[:i:i], t.Attributes[i+1:]...)
		} else if a.Value != value {
			a.Value, a.Updated, a.StoredBy = value, at, by
		}
		return
	}
	if value == "" {
		return
	}
	st.SetHolder(t, uid, "", value)
	t.Attributes = append(t.Attributes, AttributeValue{uid, value, at, at, by})
}

func (e *Event) Value(element string) (string, bool) {
	for i := range e.Values {
		if e.Values[i].Element == element {
			return e.Values[i].Value, true
		}
	}
	return "", false
}

// Deleting is soft: the uid stays taken for ever, but what it held is gone from every list (DHIS2 soft delete).

// reindex builds what is derived from the objects after a state was read.
func (st *Store) reindex() {
	for _, t := range st.EntityOrder {
		if t.Deleted {
			continue
		}
		for _, a := range t.Attributes {
			st.SetHolder(t, a.Attribute, "", a.Value)
		}
		for _, e := range st.EnrollmentsOf[t.UID] { // a state of before owners were kept
			if t.Owner(e.Program) == "" {
				t.SetOwner(e.Program, e.OrgUnit)
			}
		}
	}
}

func (m *Made) Touch(now time.Time, by string) { m.Updated, m.UpdatedBy = now, by }

// Counts are the live objects, not those that were deleted, and the requests answered since the start.
type Counts struct {
	TrackedEntities, Enrollments, Events, DataValues, Completions, Relationships, Requests int
}
