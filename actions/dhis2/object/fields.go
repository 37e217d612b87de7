package object

import (
	"slices"

	"github.com/culvert/culvert/actions/dhis2/client"
)

// Names of fields that are no attributes or data elements. The journal keeps them: they must never change.
const (
	fieldOrgUnit   = "orgUnit"
	fieldGeometry  = "geometry"
	FieldStatus    = "status"
	fieldEnrolled  = "enrolledAt"
	fieldOccurred  = "occurredAt"
	fieldScheduled = "scheduledAt"
	fieldFollowUp  = "followUp"
	fieldCombo     = "attributeOptionCombo"
	fieldAssigned  = "assignedUser"
)

// fieldList collects the fields that a write sets.
type fieldList []string

func (l *fieldList) add(set bool, field string) {
	if set {
		*l = append(*l, field)
	}
}

func (l *fieldList) attributes(values []client.AttributeValue) {
	for _, v := range values {
		*l = append(*l, v.Attribute)
	}
}

func (l fieldList) sorted() []string {
	slices.Sort(l)
	return l
}

// dropper empties the fields that are not to be sent.
type dropper []string

func (keep dropper) drops(field string) bool { return !slices.Contains(keep, field) }

func (keep dropper) clear(field string, texts ...*string) {
	if keep.drops(field) {
		for _, text := range texts {
			*text = ""
		}
	}
}

func (keep dropper) attributes(values []client.AttributeValue) []client.AttributeValue {
	return slices.DeleteFunc(slices.Clone(values), func(v client.AttributeValue) bool { return keep.drops(v.Attribute) })
}
