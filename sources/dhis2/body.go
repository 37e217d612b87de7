package dhis2

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/culvert/culvert/sources"
)

// What the tracker's lists hold, the same from 2.38 to 2.44.
type (
	pair struct {
		Attribute   string `json:"attribute"`
		DataElement string `json:"dataElement"`
		Value       string `json:"value"`
	}
	user  struct{ Username string }
	event struct {
		Event, Program, ProgramStage, Enrollment, TrackedEntity, OrgUnit, Status string

		OccurredAt, ScheduledAt, CompletedAt, CreatedAt, UpdatedAt string

		Deleted              bool
		FollowUp             bool // up to 2.40 as followup, which Go reads alike
		AttributeOptionCombo string
		AssignedUser         user
		CreatedBy, UpdatedBy user
		Geometry             json.RawMessage
		DataValues           []pair
	}
	enrollment struct {
		Enrollment, Program, OrgUnit, Status, EnrolledAt, OccurredAt, CompletedAt string

		FollowUp   bool
		Deleted    bool
		Attributes []pair
		Events     []event
	}
	entity struct {
		TrackedEntity, TrackedEntityType, OrgUnit, CreatedAt, UpdatedAt string

		CreatedBy, UpdatedBy user

		Inactive    bool
		Deleted     bool
		Geometry    json.RawMessage
		Attributes  []pair
		Enrollments []enrollment
	}
)

const (
	eventFields = "event,program,programStage,enrollment,trackedEntity,orgUnit,status,occurredAt,scheduledAt,completedAt," +
		"createdAt,updatedAt,createdBy,updatedBy,deleted,followUp,followup,attributeOptionCombo,assignedUser,geometry," +
		"dataValues[dataElement,value]"
	entityFields = "trackedEntity,trackedEntityType,orgUnit,createdAt,updatedAt,createdBy,updatedBy,inactive,deleted,geometry," +
		"attributes[attribute,value],enrollments[enrollment,program,orgUnit,status,enrolledAt,occurredAt,completedAt," +
		"followUp,deleted,attributes[attribute,value],events[" + eventFields + "]]"
)

// item is what a list holds, as a record.
type item struct {
	id      string
	changed string // as the server writes it, in its own zone
	deleted bool
	body    map[string]any
}

// maker makes records of what a server answers, with the names of its metadata.
type maker struct {
	server  string
	catalog sources.Catalog
}

func (m *maker) event(e *event) map[string]any {
	body := map[string]any{"id": e.Event, "program": e.Program, "stage": e.ProgramStage,
		"stage_name": m.name(sources.Stages, e.ProgramStage), "enrollment": e.Enrollment,
		"tracked_entity": e.TrackedEntity, "status": e.Status, "occurred_at": e.OccurredAt,
		"scheduled_at": e.ScheduledAt, "completed_at": e.CompletedAt, "created_at": e.CreatedAt,
		"updated_at": e.UpdatedAt, "created_by": e.CreatedBy.Username, "updated_by": e.UpdatedBy.Username, "follow_up": e.FollowUp, "assigned_user": e.AssignedUser.Username,
		"geometry": geometry(e.Geometry), "values": m.values(sources.DataElements, e.DataValues)}
	m.place(body, e.OrgUnit)
	m.combo(body, "attribute_option_combo", e.AttributeOptionCombo)
	return body
}

func (m *maker) eventItem(text json.RawMessage) (item, error) {
	var e event
	if err := json.Unmarshal(text, &e); err != nil {
		return item{}, err
	}
	body := m.event(&e)
	body["dhis2"] = m.server
	return item{e.Event, e.UpdatedAt, e.Deleted, body}, nil
}

func (m *maker) entityItem(text json.RawMessage, program string) (item, error) {
	var t entity
	if err := json.Unmarshal(text, &t); err != nil {
		return item{}, err
	}
	attributes := t.Attributes
	enrollments := []any{}
	for i := range t.Enrollments {
		e := &t.Enrollments[i]
		if e.Deleted && !t.Deleted || e.Program != program {
			continue
		}
		attributes = append(attributes, e.Attributes...)
		events := []any{}
		for n := range e.Events {
			if !e.Events[n].Deleted || t.Deleted {
				events = append(events, m.event(&e.Events[n]))
			}
		}
		one := map[string]any{"id": e.Enrollment, "program": e.Program, "status": e.Status, "enrolled_at": e.EnrolledAt,
			"occurred_at": e.OccurredAt, "completed_at": e.CompletedAt, "follow_up": e.FollowUp, "events": events}
		m.place(one, e.OrgUnit)
		enrollments = append(enrollments, one)
	}
	body := map[string]any{"dhis2": m.server, "id": t.TrackedEntity, "type": t.TrackedEntityType, "created_at": t.CreatedAt,
		"updated_at": t.UpdatedAt, "created_by": t.CreatedBy.Username, "updated_by": t.UpdatedBy.Username,
		"inactive": t.Inactive, "geometry": geometry(t.Geometry),
		"attributes": m.values(sources.Attributes, attributes), "enrollments": enrollments}
	m.place(body, t.OrgUnit)
	return item{t.TrackedEntity, t.UpdatedAt, t.Deleted, body}, nil
}

func geometry(text json.RawMessage) any {
	var v any
	if len(text) == 0 || json.Unmarshal(text, &v) != nil {
		return nil
	}
	return v
}

// place names an org unit: by its uid alone where the last sync did not see it.
func (m *maker) place(body map[string]any, id string) {
	body["org_unit"], body["org_unit_name"], body["org_unit_code"] = id, "", ""
	if t := m.catalog.ByID(sources.OrgUnits, id); t != nil {
		body["org_unit_name"], body["org_unit_code"] = t.Name, t.Code
	}
}

func (m *maker) combo(body map[string]any, key, id string) {
	body[key], body[key+"_name"], body[key+"_code"] = id, "", ""
	if t := m.catalog.ByID(sources.OptionCombos, id); t != nil {
		body[key+"_name"], body[key+"_code"] = t.Name, t.Code
	}
}

// name gives what an object is called, its uid where the last sync did not see it.
func (m *maker) name(collection, id string) string {
	if t := m.catalog.ByID(collection, id); t != nil {
		return t.Name
	}
	return id
}

func (m *maker) values(collection string, list []pair) map[string]any {
	values := map[string]any{}
	for _, p := range list {
		id := p.Attribute + p.DataElement
		if t := m.catalog.ByID(collection, id); t != nil {
			values[t.Name] = typed(t.ValueType, p.Value)
			continue
		}
		values[id] = p.Value
	}
	return values
}

func isNumber(valueType string) bool {
	return slices.Contains([]string{"NUMBER", "INTEGER", "INTEGER_POSITIVE", "INTEGER_NEGATIVE",
		"INTEGER_ZERO_OR_POSITIVE", "PERCENTAGE", "UNIT_INTERVAL"}, valueType)
}

func isTruth(valueType string) bool { return valueType == "BOOLEAN" || valueType == "TRUE_ONLY" }

// typed reads a value as expressions compute with it. What does not fit its type stays the text that it is.
func typed(valueType, text string) any {
	switch {
	case isNumber(valueType):
		if f, err := strconv.ParseFloat(strings.TrimSpace(text), 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			return f
		}
	case isTruth(valueType) && (text == "true" || text == "false"):
		return text == "true"
	}
	return text
}
