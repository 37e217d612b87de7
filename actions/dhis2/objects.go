package dhis2

import (
	"encoding/json"
	"fmt"
	"maps"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/rules/diag"
)

// blueprint is what all writes of one action have in common. It is read-only.
type blueprint struct {
	label    string            // "event First visit of Antenatal care"
	name     string            // what Describe calls the object: "First visit"
	names    map[string]string // attribute or data element uid -> name as the rule calls it
	places   map[string]diag.Place
	options  ImportOptions
	recreate bool
}

func newBlueprint(label, name string, options ImportOptions, fields ...[]*valued) *blueprint {
	b := &blueprint{label: label, name: name, names: map[string]string{}, places: map[string]diag.Place{}, options: options}
	for _, list := range fields {
		for _, v := range list {
			b.names[v.uid], b.places[v.uid] = v.name, v.place()
		}
	}
	return b
}

// Label names the object in words.
func (b *blueprint) Label() string { return b.label }

// trackedEntityWrite creates or updates a tracked entity.
type trackedEntityWrite struct {
	*blueprint
	person   *person
	program  string            // whose attributes the values are of; empty: the type's
	orgUnit  *metadata.OrgUnit // nil: as it is
	geometry json.RawMessage   // nil: as it is
	values   []client.AttributeValue
	generate []*metadata.TrackedEntityAttribute // whose values are reserved when the person is created
	update   bool                               // only a person who is there is written; nobody is created
}

// Describe gives the object by the names that the rule uses.
func (o *trackedEntityWrite) Describe() map[string]any {
	m := map[string]any{"tracked_entity": o.name, "external_id": o.person.key.ExternalID}
	o.put(m, "org_unit", orgUnitName(o.orgUnit))
	o.geo(m, o.geometry)
	o.attributes(m, o.values)
	return m
}

// enrollmentWrite creates or updates an enrollment. Empty fields stay as they are in DHIS2.
type enrollmentWrite struct {
	*blueprint
	ref      *enrollmentRef
	orgUnit  *metadata.OrgUnit
	body     client.Enrollment
	followUp bool // whether the rule says follow_up
}

// Describe gives the object by the names that the rule uses.
func (o *enrollmentWrite) Describe() map[string]any {
	m := map[string]any{"enrollment": o.name, "external_id": o.ref.person.key.ExternalID}
	o.put(m, "enrollment_id", o.ref.again)
	o.put(m, "org_unit", orgUnitName(o.orgUnit))
	o.put(m, "status", o.body.Status)
	o.put(m, "enrolled_at", o.body.EnrolledAt)
	o.put(m, "incident_at", o.body.OccurredAt)
	o.put(m, "completed_at", o.body.CompletedAt)
	if o.followUp {
		m["follow_up"] = o.body.FollowUp
	}
	o.geo(m, o.body.Geometry)
	o.attributes(m, o.body.Attributes)
	o.notes(m, o.body.Notes)
	return m
}

// eventWrite creates or updates an event. Empty fields stay as they are in DHIS2.
type eventWrite struct {
	*blueprint
	ref     *enrollmentRef // nil in an event program
	program string         // uid; empty where it only names one side of a relationship
	parent  string         // of an event program: the project
	scope   string         // the namespace of its id; see scopeOf
	stage   string
	id      string // what tells the event from others of its stage; empty where the stage does not repeat
	orgUnit *metadata.OrgUnit
	body    client.Event
	combo   string // name of the attribute option combination
}

// Describe gives the object by the names that the rule uses.
func (o *eventWrite) Describe() map[string]any {
	m := map[string]any{"event": o.name}
	if o.ref != nil {
		m["external_id"] = o.ref.person.key.ExternalID
		o.put(m, "enrollment_id", o.ref.again)
	}
	o.put(m, "event_id", o.id)
	o.put(m, "org_unit", orgUnitName(o.orgUnit))
	o.put(m, "status", o.body.Status)
	o.put(m, "occurred_at", o.body.OccurredAt)
	o.put(m, "scheduled_at", o.body.ScheduledAt)
	o.put(m, "completed_at", o.body.CompletedAt)
	o.put(m, "attribute_option_combo", o.combo)
	if u := o.body.AssignedUser; u != nil {
		m["assigned_user"] = u.Username + u.UID
	}
	o.geo(m, o.body.Geometry)
	if len(o.body.DataValues) > 0 {
		values := make(map[string]any, len(o.body.DataValues))
		for _, v := range o.body.DataValues {
			values[o.names[v.DataElement]] = v.Value
		}
		m["data_values"] = values
	}
	o.notes(m, o.body.Notes)
	return m
}

// statusWrite completes, cancels or reopens an enrollment or event that is there already; all else stays as it is.
type statusWrite struct {
	*blueprint
	ref         *enrollmentRef
	event       *eventWrite // names the event; nil when the enrollment is meant
	status      string
	completedAt string
}

// Describe gives the object by the names that the rule uses.
func (o *statusWrite) Describe() map[string]any {
	what := "enrollment"
	if o.event != nil {
		what = "event"
	}
	m := map[string]any{what: o.name, "status": o.status}
	if o.ref != nil {
		m["external_id"] = o.ref.person.key.ExternalID
		o.put(m, "enrollment_id", o.ref.again)
	}
	if o.event != nil {
		o.put(m, "event_id", o.event.id)
	}
	o.put(m, "completed_at", o.completedAt)
	return m
}

// end is one side of a relationship: a person, an enrollment or an event.
type end struct {
	person     *person
	enrollment *enrollmentRef
	event      *eventWrite
}

func (e *end) describe() map[string]any {
	m := map[string]any{}
	switch {
	case e.event != nil:
		m["event"] = e.event.name
		if e.event.ref != nil {
			m["external_id"] = e.event.ref.person.key.ExternalID
		}
		if e.event.id != "" {
			m["event_id"] = e.event.id
		}
	case e.enrollment != nil:
		m["enrollment"], m["external_id"] = e.enrollment.name, e.enrollment.person.key.ExternalID
	default:
		m["external_id"] = e.person.key.ExternalID
	}
	return m
}

// relationshipWrite links two objects.
type relationshipWrite struct {
	*blueprint
	typ      string
	from, to end
}

// Describe gives the object by the names that the rule uses.
func (o *relationshipWrite) Describe() map[string]any {
	return map[string]any{"relationship": o.name, "from": o.from.describe(), "to": o.to.describe()}
}

// deletion deletes a person, enrollment, event or relationship.
type deletion struct {
	*blueprint
	what         string // tracked_entity, enrollment, event, relationship
	target       end
	relationship *relationshipWrite
}

// Describe gives the object by the names that the rule uses.
func (o *deletion) Describe() map[string]any {
	m := map[string]any{"delete": o.what}
	if o.relationship != nil {
		maps.Copy(m, o.relationship.Describe())
		return m
	}
	maps.Copy(m, o.target.describe())
	return m
}

// cell names one aggregate value.
type cell struct {
	dataSet, dataElement, orgUnit, period, categoryOptionCombo, attributeOptionCombo string
}

func (c cell) String() string {
	return c.dataElement + "." + c.period + "." + c.orgUnit + "." + c.categoryOptionCombo + "." + c.attributeOptionCombo
}

// dataValueWrite writes or removes one aggregate value.
type dataValueWrite struct {
	*blueprint
	cell     cell
	orgUnit  *metadata.OrgUnit
	set      string // name of the data set
	combo    string // name of the category option combination; empty for the default one
	attCombo string
	value    string
	comment  string
	remove   bool
	place    diag.Place
	share    *share // of an aggregate, or nil
}

// Label names the value in words.
func (o *dataValueWrite) Label() string {
	if o.combo != "" {
		return fmt.Sprintf("data value %s, %s, of %s", o.name, o.combo, o.set)
	}
	return fmt.Sprintf("data value %s of %s", o.name, o.set)
}

// Describe gives the object by the names that the rule uses.
func (o *dataValueWrite) Describe() map[string]any {
	m := map[string]any{"data_value": o.name, "data_set": o.set, "period": o.cell.period, "org_unit": orgUnitName(o.orgUnit)}
	o.put(m, "category_option_combo", o.combo)
	o.put(m, "attribute_option_combo", o.attCombo)
	o.put(m, "comment", o.comment)
	switch {
	case o.share != nil:
		o.share.describe(m)
	case o.remove:
		m["remove"] = true
	default:
		m["value"] = o.value
	}
	return m
}

// completionWrite marks a data set as complete or not.
type completionWrite struct {
	*blueprint
	completion client.Completion
	orgUnit    *metadata.OrgUnit
	attCombo   string
}

// Describe gives the object by the names that the rule uses.
func (o *completionWrite) Describe() map[string]any {
	m := map[string]any{"completion": o.name, "period": o.completion.Period, "org_unit": orgUnitName(o.orgUnit)}
	o.put(m, "complete_date", o.completion.Date)
	o.put(m, "attribute_option_combo", o.attCombo)
	if o.completion.Undo {
		m["undo"] = true
	}
	return m
}

func (b *blueprint) put(m map[string]any, key, text string) {
	if text != "" {
		m[key] = text
	}
}

func (b *blueprint) geo(m map[string]any, geometry json.RawMessage) {
	var shape struct {
		Coordinates []float64 `json:"coordinates"`
	}
	if geometry != nil && json.Unmarshal(geometry, &shape) == nil && len(shape.Coordinates) == 2 {
		m["geometry"] = map[string]any{"longitude": shape.Coordinates[0], "latitude": shape.Coordinates[1]}
	}
}

func (b *blueprint) attributes(m map[string]any, values []client.AttributeValue) {
	if len(values) == 0 {
		return
	}
	named := make(map[string]any, len(values))
	for _, v := range values {
		named[b.names[v.Attribute]] = v.Value
	}
	m["attributes"] = named
}

func (b *blueprint) notes(m map[string]any, notes []client.Note) {
	var texts []any
	for _, n := range notes {
		texts = append(texts, n.Value)
	}
	if texts != nil {
		m["notes"] = texts
	}
}

func orgUnitName(o *metadata.OrgUnit) string {
	if o == nil {
		return ""
	}
	return o.Name
}
