package asked

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/rules/dateformat"
	"github.com/culvert/culvert/rules/expression"
)

// field is an attribute or a data element as a lookup shows it: by its name, typed as DHIS2 types it.
type field struct{ uid, valueType string }

// People is a lookup of tracked entities, of a program or of a type.
type People struct {
	Program, Type string // uids; one is set
	Cache         time.Duration

	fields map[string]field // attributes by name
}

func (p *People) attribute(a *metadata.TrackedEntityAttribute) {
	if a == nil {
		return
	}
	if p.fields == nil {
		p.fields = map[string]field{}
	}
	p.fields[a.Name] = field{a.ID, a.ValueType}
}

// Fields implements rules.Asked.
func (p *People) Fields() []string { return slices.Sorted(maps.Keys(p.fields)) }

// IsList implements rules.Asked.
func (p *People) IsList() bool { return false }

// AtServer implements rules.AtServer.
func (p *People) AtServer() bool { return true }

// Shape implements rules.Asked: id, org_unit, attributes by name, enrollments.
func (p *People) Shape() *expression.Shape {
	enrollment := expression.Object(map[string]*expression.Shape{
		"id": expression.TextShape(), "program": expression.TextShape(), "org_unit": expression.TextShape(),
		"status":      expression.TextShape(),
		"enrolled_at": expression.DateShape(), "occurred_at": expression.DateShape(), "follow_up": expression.BooleanShape(),
	})
	return expression.Object(map[string]*expression.Shape{
		"id": expression.TextShape(), "org_unit": expression.TextShape(), "attributes": shapes(p.fields),
		"enrollments": expression.ListOf(enrollment),
	})
}

// Events is a lookup of the events of a person.
type Events struct {
	Program, Stage string // uids; an empty stage: those of all stages
	Take           string // last, first, all
	Cache          time.Duration

	fields map[string]field // data elements by name
}

func (e *Events) element(d *metadata.DataElement) {
	if d == nil {
		return
	}
	if e.fields == nil {
		e.fields = map[string]field{}
	}
	e.fields[d.Name] = field{d.ID, d.ValueType}
}

// Fields implements rules.Asked: events are found by whose they are.
func (e *Events) Fields() []string { return nil }

// IsList implements rules.Asked.
func (e *Events) IsList() bool { return e.Take == "all" }

// AtServer implements rules.AtServer.
func (e *Events) AtServer() bool { return true }

// Shape implements rules.Asked: id, org_unit, status, dates, values by the names of data elements.
func (e *Events) Shape() *expression.Shape {
	return expression.Object(map[string]*expression.Shape{
		"id": expression.TextShape(), "stage": expression.TextShape(), "enrollment": expression.TextShape(),
		"org_unit": expression.TextShape(), "status": expression.TextShape(),
		"occurred_at": expression.DateShape(), "scheduled_at": expression.DateShape(), "values": shapes(e.fields),
	})
}

func shapes(fields map[string]field) *expression.Shape {
	out := map[string]*expression.Shape{}
	for name, f := range fields {
		out[name] = shapeOf(f.valueType)
	}
	return expression.Object(out)
}

func shapeOf(valueType string) *expression.Shape {
	switch valueType {
	case "NUMBER", "INTEGER", "INTEGER_POSITIVE", "INTEGER_NEGATIVE", "INTEGER_ZERO_OR_POSITIVE", "PERCENTAGE",
		"UNIT_INTERVAL":
		return expression.NumberShape()
	case "BOOLEAN", "TRUE_ONLY":
		return expression.BooleanShape()
	case "DATE", "DATETIME", "AGE":
		return expression.DateShape()
	}
	return expression.TextShape()
}

// typed reads a value of the server as expressions compute with it. What does not fit its type
// stays the text that it is.
func typed(valueType, text string, zone *time.Location) any {
	switch valueType {
	case "NUMBER", "INTEGER", "INTEGER_POSITIVE", "INTEGER_NEGATIVE", "INTEGER_ZERO_OR_POSITIVE", "PERCENTAGE",
		"UNIT_INTERVAL":
		if n, err := strconv.Atoi(text); err == nil {
			return n
		}
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			return f
		}
	case "BOOLEAN", "TRUE_ONLY":
		if b, err := strconv.ParseBool(text); err == nil {
			return b
		}
	case "DATE", "DATETIME", "AGE":
		return moment(text, zone)
	}
	return text
}

// moment reads a date of the server; nil when there is none.
func moment(text string, zone *time.Location) any {
	if text == "" {
		return nil
	}
	if t, err := dateformat.ParseISO(text, zone); err == nil {
		return t
	}
	return text
}

// person is a tracked entity as expressions see it.
func (p *People) person(f client.Found, zone *time.Location) map[string]any {
	values := map[string]string{}
	for _, a := range f.Attributes {
		values[a.Attribute] = a.Value
	}
	enrollments := []any{}
	for _, e := range f.Enrollments {
		enrollments = append(enrollments, map[string]any{
			"id": e.Enrollment, "program": e.Program, "org_unit": e.OrgUnit, "status": e.Status, "follow_up": e.FollowUp,
			"enrolled_at": moment(e.EnrolledAt, zone), "occurred_at": moment(e.OccurredAt, zone),
		})
	}
	return map[string]any{"id": f.TrackedEntity, "org_unit": f.OrgUnit, "attributes": named(p.fields, values, zone),
		"enrollments": enrollments}
}

func (e *Events) event(v client.Event, zone *time.Location) map[string]any {
	values := map[string]string{}
	for _, d := range v.DataValues {
		values[d.DataElement] = d.Value
	}
	return map[string]any{
		"id": v.Event, "stage": v.ProgramStage, "enrollment": v.Enrollment, "org_unit": v.OrgUnit, "status": v.Status,
		"occurred_at": moment(v.OccurredAt, zone), "scheduled_at": moment(v.ScheduledAt, zone),
		"values": named(e.fields, values, zone),
	}
}

func named(fields map[string]field, values map[string]string, zone *time.Location) map[string]any {
	out := map[string]any{}
	for name, f := range fields {
		if text, ok := values[f.uid]; ok && text != "" {
			out[name] = typed(f.valueType, text, zone)
		}
	}
	return out
}
