package sandbox

import (
	"encoding/json"
	"sync"
	"time"
)

// store is the data: tracker objects, data values and completions, in memory, with a log behind it where a state file was asked for.
// Every method but those that say so needs mu.
type store struct {
	mu      sync.RWMutex
	catalog *catalog
	now     func() time.Time
	state   *stateLog
	sequel  int64

	entities      map[string]*trackedEntity
	enrollments   map[string]*enrollment
	events        map[string]*event
	relationships map[string]*relationship
	entityOrder   []*trackedEntity
	enrollOrder   []*enrollment
	eventOrder    []*event
	relationOrder []*relationship

	enrollmentsOf map[string][]*enrollment       // by tracked entity
	eventsOf      map[string][]*event            // by enrollment
	relationsOf   map[string][]*relationship     // by the uid of either side
	holders       map[heldValue][]*trackedEntity // who holds a value of an attribute
	notes         map[string]bool                // uids of notes
	values        map[valueKey]*dataValue        // data values, deleted ones among them
	valuesAt      map[[2]string][]*dataValue     // by org unit and period
	completions   map[completionKey]*completion  //
	periods       map[string]bool                // periods that something was stored for
	pairs         map[string]*duplicatePair      // potential duplicates
	keys          map[keyPlace]*keyValue         // the data store and settings
	metadata      map[string]*metadataChange     // what of the metadata was written since the first start
	tokens        map[string]*tokenState         // personal access tokens
	reservedCount map[string]int                 // how many values of a generated attribute were given out
	files         map[string]*fileResource       // uploaded files
	fileBytes     int                            // how large they are together
	live          Counts                         //
}

type trackedEntity struct {
	UID             string           `json:"uid"`
	Type            string           `json:"type"`
	OrgUnit         string           `json:"orgUnit"`
	Inactive        bool             `json:"inactive,omitempty"`
	Duplicate       bool             `json:"potentialDuplicate,omitempty"`
	Geometry        json.RawMessage  `json:"geometry,omitempty"`
	CreatedAtClient *time.Time       `json:"createdAtClient,omitempty"`
	UpdatedAtClient *time.Time       `json:"updatedAtClient,omitempty"`
	Attributes      []attributeValue `json:"attributes,omitempty"`
	Owners          []programOwner   `json:"programOwners,omitempty"`
	LetIn           []temporaryOwner `json:"temporaryOwners,omitempty"`
	made
}

// made says when and by whom an object was made and changed, its place in the order of all, and whether it was deleted.
type made struct {
	Created   time.Time `json:"created"`
	Updated   time.Time `json:"updated"`
	CreatedBy string    `json:"createdBy"`
	UpdatedBy string    `json:"updatedBy"`
	Deleted   bool      `json:"deleted,omitempty"`
	Seq       int64     `json:"seq"`
}

type attributeValue struct {
	Attribute string    `json:"attribute"`
	Value     string    `json:"value"`
	Created   time.Time `json:"created"`
	Updated   time.Time `json:"updated"`
	StoredBy  string    `json:"storedBy"`
}

type note struct {
	UID    string    `json:"uid"`
	Value  string    `json:"value"`
	Stored time.Time `json:"storedAt"`
	By     string    `json:"by"`
}

type enrollment struct {
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
	Notes           []note          `json:"notes,omitempty"`
	made
}

type event struct {
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
	Values          []eventValue    `json:"dataValues,omitempty"`
	Notes           []note          `json:"notes,omitempty"`
	made
}

type eventValue struct {
	Element   string    `json:"dataElement"`
	Value     string    `json:"value"`
	Elsewhere bool      `json:"providedElsewhere,omitempty"`
	Created   time.Time `json:"created"`
	Updated   time.Time `json:"updated"`
	StoredBy  string    `json:"storedBy"`
}

type relationship struct {
	UID  string `json:"uid"`
	Type string `json:"relationshipType"`
	From item   `json:"from"`
	To   item   `json:"to"`
	made
}

// item is one side of a relationship; one of the three is set.
type item struct {
	Entity     string `json:"trackedEntity,omitempty"`
	Enrollment string `json:"enrollment,omitempty"`
	Event      string `json:"event,omitempty"`
}

func (i item) uid() string { return i.Entity + i.Enrollment + i.Event }

type valueKey struct{ element, period, orgUnit, combo, attributeCombo string }

type dataValue struct {
	Element        string `json:"dataElement"`
	Period         string `json:"period"`
	OrgUnit        string `json:"orgUnit"`
	Combo          string `json:"categoryOptionCombo"`
	AttributeCombo string `json:"attributeOptionCombo"`
	Value          string `json:"value"`
	Comment        string `json:"comment,omitempty"`
	FollowUp       *bool  `json:"followUp,omitempty"` // nil: nobody said
	made
}

func (v *dataValue) key() valueKey {
	return valueKey{v.Element, v.Period, v.OrgUnit, v.Combo, v.AttributeCombo}
}

type completionKey struct{ dataSet, period, orgUnit, attributeCombo string }

type completion struct {
	DataSet        string `json:"dataSet"`
	Period         string `json:"period"`
	OrgUnit        string `json:"organisationUnit"`
	AttributeCombo string `json:"attributeOptionCombo"`
	Date           string `json:"date"`
	StoredBy       string `json:"storedBy"`
	Completed      bool   `json:"completed"`
	made
}

func (c *completion) key() completionKey {
	return completionKey{c.DataSet, c.Period, c.OrgUnit, c.AttributeCombo}
}

func newStore(c *catalog, now func() time.Time) *store {
	return &store{catalog: c, now: now, entities: map[string]*trackedEntity{}, enrollments: map[string]*enrollment{}, events: map[string]*event{},
		relationships: map[string]*relationship{}, enrollmentsOf: map[string][]*enrollment{}, eventsOf: map[string][]*event{},
		relationsOf: map[string][]*relationship{}, holders: map[heldValue][]*trackedEntity{}, notes: map[string]bool{}, values: map[valueKey]*dataValue{},
		valuesAt: map[[2]string][]*dataValue{}, periods: map[string]bool{}, pairs: map[string]*duplicatePair{}, keys: map[keyPlace]*keyValue{}, metadata: map[string]*metadataChange{}, completions: map[completionKey]*completion{}, tokens: map[string]*tokenState{}, reservedCount: map[string]int{},
		files: map[string]*fileResource{}}
}

// counts locks by itself.
func (st *store) counts() Counts {
	st.mu.RLock()
	defer st.mu.RUnlock()
	return st.live
}

func (st *store) next() int64 {
	st.sequel++
	return st.sequel
}

// A new object is put in place with put…; every later change of it goes through changed, which keeps indexes, counts and the log right.

func (st *store) putEntity(t *trackedEntity) {
	st.entities[t.UID] = t
	st.entityOrder = append(st.entityOrder, t)
	if !t.Deleted {
		st.live.TrackedEntities++
	}
	st.state.note("te", t)
}

func (st *store) putEnrollment(e *enrollment) {
	st.enrollments[e.UID] = e
	st.enrollOrder = append(st.enrollOrder, e)
	st.enrollmentsOf[e.Entity] = append(st.enrollmentsOf[e.Entity], e)
	for _, n := range e.Notes {
		st.notes[n.UID] = true
	}
	if !e.Deleted {
		st.live.Enrollments++
	}
	st.state.note("en", e)
}

func (st *store) putEvent(e *event) {
	st.events[e.UID] = e
	st.eventOrder = append(st.eventOrder, e)
	if e.Enrollment != "" {
		st.eventsOf[e.Enrollment] = append(st.eventsOf[e.Enrollment], e)
	}
	for _, n := range e.Notes {
		st.notes[n.UID] = true
	}
	if !e.Deleted {
		st.live.Events++
	}
	st.state.note("ev", e)
}

func (st *store) putRelationship(r *relationship) {
	st.relationships[r.UID] = r
	st.relationOrder = append(st.relationOrder, r)
	st.relationsOf[r.From.uid()] = append(st.relationsOf[r.From.uid()], r)
	if r.To.uid() != r.From.uid() {
		st.relationsOf[r.To.uid()] = append(st.relationsOf[r.To.uid()], r)
	}
	if !r.Deleted {
		st.live.Relationships++
	}
	st.state.note("re", r)
}

func (st *store) putValue(v *dataValue) {
	if old, ok := st.values[v.key()]; ok {
		if !old.Deleted {
			st.live.DataValues--
		}
		seq := old.Seq
		*old = *v
		old.Seq = seq
		v = old
	} else {
		st.values[v.key()] = v
		st.periods[v.Period] = true
		at := [2]string{v.OrgUnit, v.Period}
		st.valuesAt[at] = append(st.valuesAt[at], v)
	}
	if !v.Deleted {
		st.live.DataValues++
	}
	st.state.note("dv", v)
}

func (st *store) putCompletion(c *completion) {
	if old, ok := st.completions[c.key()]; ok && !old.Deleted {
		st.live.Completions--
	}
	st.completions[c.key()] = c
	st.periods[c.Period] = true
	if !c.Deleted {
		st.live.Completions++
	}
	st.state.note("co", c)
}

// attribute gives the stored value of an attribute.
func (t *trackedEntity) attribute(uid string) (string, bool) {
	for i := range t.Attributes {
		if t.Attributes[i].Attribute == uid {
			return t.Attributes[i].Value, true
		}
	}
	return "", false
}

// setAttribute merges one attribute: an empty value removes it.
func (st *store) setAttribute(t *trackedEntity, uid, value, by string, at time.Time) {
	for i := range t.Attributes {
		a := &t.Attributes[i]
		if a.Attribute != uid {
			continue
		}
		st.setHolder(t, uid, a.Value, value)
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
	st.setHolder(t, uid, "", value)
	t.Attributes = append(t.Attributes, attributeValue{uid, value, at, at, by})
}

func (e *event) value(element string) (string, bool) {
	for i := range e.Values {
		if e.Values[i].Element == element {
			return e.Values[i].Value, true
		}
	}
	return "", false
}

// Deleting is soft: the uid stays taken for ever, but what it held is gone from every list (DHIS2 soft delete).

// reindex builds what is derived from the objects after a state was read.
func (st *store) reindex() {
	for _, t := range st.entityOrder {
		if t.Deleted {
			continue
		}
		for _, a := range t.Attributes {
			st.setHolder(t, a.Attribute, "", a.Value)
		}
		for _, e := range st.enrollmentsOf[t.UID] { // a state of before owners were kept
			if t.owner(e.Program) == "" {
				t.setOwner(e.Program, e.OrgUnit)
			}
		}
	}
}

// tokenState is a personal access token: whose it is, until when, and what it may be used for. What is empty limits nothing.
type tokenState struct {
	Token    string     `json:"token"`
	User     string     `json:"user"`
	UID      string     `json:"uid,omitempty"`
	Expires  *time.Time `json:"expires,omitempty"`
	Methods  []string   `json:"methods,omitempty"`
	IPs      []string   `json:"ips,omitempty"`
	Referers []string   `json:"referers,omitempty"`
	Gone     bool       `json:"gone,omitempty"`
}

// programOwner is the org unit that owns a tracked entity in a program: that of its first enrollment there, until it is transferred.
type programOwner struct {
	Program string `json:"program"`
	OrgUnit string `json:"orgUnit"`
}

// temporaryOwner is a user who was let in to a tracked entity of a protected program.
type temporaryOwner struct {
	Program string    `json:"program"`
	User    string    `json:"user"`
	Until   time.Time `json:"until"`
}

// owner gives the org unit that owns a tracked entity in a program; empty when nobody does.
func (t *trackedEntity) owner(program string) string {
	for _, o := range t.Owners {
		if o.Program == program {
			return o.OrgUnit
		}
	}
	return ""
}

// setOwner makes an org unit the owner in a program.
func (t *trackedEntity) setOwner(program, unit string) {
	for i := range t.Owners {
		if t.Owners[i].Program == program {
			t.Owners[i].OrgUnit = unit
			return
		}
	}
	t.Owners = append(t.Owners, programOwner{program, unit})
}

func (t *trackedEntity) letIn(program, user string, now time.Time) bool {
	for _, o := range t.LetIn {
		if o.Program == program && o.User == user && now.Before(o.Until) {
			return true
		}
	}
	return false
}

func (m *made) touch(now time.Time, by string) { m.Updated, m.UpdatedBy = now, by }

// Counts are the live objects, not those that were deleted, and the requests answered since the start.
type Counts struct {
	TrackedEntities, Enrollments, Events, DataValues, Completions, Relationships, Requests int
}
