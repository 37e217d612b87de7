package dhis2

import (
	"slices"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
)

// Names of fields that are no attributes or data elements.
const (
	fieldOrgUnit   = "orgUnit"
	fieldGeometry  = "geometry"
	fieldStatus    = "status"
	fieldEnrolled  = "enrolledAt"
	fieldOccurred  = "occurredAt"
	fieldScheduled = "scheduledAt"
	fieldFollowUp  = "followUp"
	fieldCombo     = "attributeOptionCombo"
	fieldAssigned  = "assignedUser"
)

// fieldsOf lists what a write sets, nil for what is written as a whole.
func fieldsOf(o actions.Object) []string {
	var list []string
	add := func(set bool, field string) {
		if set {
			list = append(list, field)
		}
	}
	attributes := func(values []client.AttributeValue) {
		for _, v := range values {
			list = append(list, v.Attribute)
		}
	}
	switch o := o.(type) {
	case *trackedEntityWrite:
		add(o.orgUnit != nil, fieldOrgUnit)
		add(o.geometry != nil, fieldGeometry)
		attributes(o.values)
	case *enrollmentWrite:
		b := &o.body
		add(b.OrgUnit != "", fieldOrgUnit)
		add(b.Geometry != nil, fieldGeometry)
		add(b.Status != "" || b.CompletedAt != "", fieldStatus)
		add(b.EnrolledAt != "", fieldEnrolled)
		add(b.OccurredAt != "", fieldOccurred)
		add(o.followUp, fieldFollowUp)
		add(b.AttributeOptionCombo != "", fieldCombo)
		attributes(b.Attributes)
	case *eventWrite:
		b := &o.body
		add(b.OrgUnit != "", fieldOrgUnit)
		add(b.Geometry != nil, fieldGeometry)
		add(b.Status != "" || b.CompletedAt != "", fieldStatus)
		add(b.OccurredAt != "", fieldOccurred)
		add(b.ScheduledAt != "", fieldScheduled)
		add(b.AttributeOptionCombo != "", fieldCombo)
		add(b.AssignedUser != nil, fieldAssigned)
		for _, v := range b.DataValues {
			list = append(list, v.DataElement)
		}
	}
	slices.Sort(list)
	return list
}

// only gives a write with nothing but some of its fields.
func only(o actions.Object, fields []string) actions.Object {
	drop := func(field string) bool { return !slices.Contains(fields, field) }
	attributes := func(values []client.AttributeValue) []client.AttributeValue {
		return slices.DeleteFunc(slices.Clone(values), func(v client.AttributeValue) bool { return drop(v.Attribute) })
	}
	clear := func(text *string, field string) {
		if drop(field) {
			*text = ""
		}
	}
	switch o := o.(type) {
	case *trackedEntityWrite:
		c := *o
		if drop(fieldOrgUnit) {
			c.orgUnit = nil
		}
		if drop(fieldGeometry) {
			c.geometry = nil
		}
		c.values = attributes(o.values)
		return &c
	case *enrollmentWrite:
		c := *o
		b := &c.body
		for field, texts := range map[string][]*string{fieldOrgUnit: {&b.OrgUnit}, fieldStatus: {&b.Status, &b.CompletedAt}, fieldEnrolled: {&b.EnrolledAt},
			fieldOccurred: {&b.OccurredAt}, fieldCombo: {&b.AttributeOptionCombo}} {
			for _, text := range texts {
				clear(text, field)
			}
		}
		if drop(fieldGeometry) {
			b.Geometry = nil
		}
		c.followUp = c.followUp && !drop(fieldFollowUp)
		b.Attributes = attributes(b.Attributes)
		return &c
	case *eventWrite:
		c := *o
		b := &c.body
		for field, texts := range map[string][]*string{fieldOrgUnit: {&b.OrgUnit}, fieldStatus: {&b.Status, &b.CompletedAt}, fieldOccurred: {&b.OccurredAt},
			fieldScheduled: {&b.ScheduledAt}, fieldCombo: {&b.AttributeOptionCombo}} {
			for _, text := range texts {
				clear(text, field)
			}
		}
		if drop(fieldGeometry) {
			b.Geometry = nil
		}
		if drop(fieldAssigned) {
			b.AssignedUser = nil
		}
		b.DataValues = slices.DeleteFunc(slices.Clone(b.DataValues), func(v client.EventValue) bool { return drop(v.DataElement) })
		return &c
	}
	return o
}
