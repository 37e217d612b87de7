package tracker

import (
	"github.com/culvert/culvert/actions/dhis2/sandbox/rest"
)

var (
	enrollmentStatuses = []string{"ACTIVE", "COMPLETED", "CANCELLED"}
	eventStatuses      = []string{"ACTIVE", "COMPLETED", "VISITED", "SCHEDULE", "OVERDUE", "SKIPPED"}
	userModes          = []string{"CURRENT", "PROVIDED", "NONE", "ANY", "ALL"}
	scopeModes         = []string{"SELECTED", "CHILDREN", "DESCENDANTS", "ACCESSIBLE", "CAPTURE", "ALL"}
)

var entityParams = []rest.Param{{Name: "filter", Kind: rest.Text}, {Name: "query", Kind: rest.Text, Until: 41},
	{Name: "attribute", Kind: rest.Text, Until: 41},
	{Name: "includeAllAttributes", Kind: rest.Text, Until: 41}, {Name: "orgUnits", Kind: rest.UIDs, From: 41},
	{Name: "orgUnit", Kind: rest.OldUIDs, Until: 41},
	{Name: "enrollmentStatus", Kind: rest.Enum, Values: enrollmentStatuses, From: 42},
	{Name: "programStage", Kind: rest.UID}, {Name: "updatedBefore", Kind: rest.End},
	{Name: "enrollmentEnrolledAfter", Kind: rest.Time}, {Name: "enrollmentEnrolledBefore", Kind: rest.End},
	{Name: "enrollmentOccurredAfter", Kind: rest.Time},
	{Name: "enrollmentOccurredBefore", Kind: rest.End}, {Name: "trackedEntityType", Kind: rest.UID},
	{Name: "trackedEntities", Kind: rest.UIDs, From: 41},
	{Name: "trackedEntity", Kind: rest.OldUIDs, Until: 41}, {Name: "assignedUserMode", Kind: rest.Enum, Values: userModes},
	{Name: "assignedUsers", Kind: rest.UIDs, From: 41}, {Name: "assignedUser", Kind: rest.OldUIDs, Until: 41},
	{Name: "eventStatus", Kind: rest.Enum, Values: eventStatuses}, {Name: "eventOccurredAfter", Kind: rest.Time},
	{Name: "eventOccurredBefore", Kind: rest.End},
	{Name: "potentialDuplicate", Kind: rest.Flag}}

var enrollmentParams = []rest.Param{{Name: "orgUnits", Kind: rest.UIDs, From: 41},
	{Name: "orgUnit", Kind: rest.OldUIDs, Until: 41},
	{Name: "status", Kind: rest.Enum, Values: enrollmentStatuses, From: 42}, {Name: "enrolledAfter", Kind: rest.Time},
	{Name: "enrolledBefore", Kind: rest.End},
	{Name: "trackedEntityType", Kind: rest.UID, Until: 42}, {Name: "trackedEntity", Kind: rest.UID},
	{Name: "enrollments", Kind: rest.UIDs, From: 41},
	{Name: "enrollment", Kind: rest.OldUIDs, Until: 41}, {Name: "attributeOptionCombo", Kind: rest.UID, From: 43}}

var eventParams = []rest.Param{{Name: "programStage", Kind: rest.UID},
	{Name: "enrollmentStatus", Kind: rest.Enum, Values: enrollmentStatuses, From: 42},
	{Name: "trackedEntity", Kind: rest.UID}, {Name: "orgUnit", Kind: rest.UID},
	{Name: "assignedUserMode", Kind: rest.Enum, Values: userModes},
	{Name: "assignedUsers", Kind: rest.UIDs, From: 41}, {Name: "assignedUser", Kind: rest.OldUIDs, Until: 41},
	{Name: "occurredAfter", Kind: rest.Time},
	{Name: "occurredBefore", Kind: rest.End}, {Name: "scheduledAfter", Kind: rest.Time},
	{Name: "scheduledBefore", Kind: rest.End}, {Name: "updatedBefore", Kind: rest.End},
	{Name: "enrollmentEnrolledAfter", Kind: rest.Time}, {Name: "enrollmentEnrolledBefore", Kind: rest.End},
	{Name: "enrollmentOccurredAfter", Kind: rest.Time},
	{Name: "enrollmentOccurredBefore", Kind: rest.End}, {Name: "status", Kind: rest.Enum, Values: eventStatuses},
	{Name: "attributeCc", Kind: rest.UID, Until: 41},
	{Name: "attributeCategoryCombo", Kind: rest.UID, From: 41}, {Name: "attributeCos", Kind: rest.OldUIDs, Until: 41},
	{Name: "attributeCategoryOptions", Kind: rest.UIDs, From: 41}, {Name: "events", Kind: rest.UIDs, From: 41},
	{Name: "event", Kind: rest.OldUIDs, Until: 41},
	{Name: "filter", Kind: rest.Text}, {Name: "filterAttributes", Kind: rest.Text}, {Name: "enrollments", Kind: rest.UIDs}}

var pageParams = []rest.Param{{Name: "page", Kind: rest.Number}, {Name: "pageSize", Kind: rest.Number},
	{Name: "totalPages", Kind: rest.Flag},
	{Name: "paging", Kind: rest.Flag, From: 41}, {Name: "skipPaging", Kind: rest.Flag, Until: 41},
	{Name: "order", Kind: rest.Order},
	{Name: "includeDeleted", Kind: rest.Flag}, {Name: "orgUnitMode", Kind: rest.Enum, Values: scopeModes, From: 41},
	{Name: "ouMode", Kind: rest.Enum, Values: scopeModes, Until: 41}, {Name: "program", Kind: rest.UID},
	{Name: "followUp", Kind: rest.Flag},
	{Name: "programStatus", Kind: rest.Enum, Values: enrollmentStatuses}, {Name: "updatedAfter", Kind: rest.Time},
	{Name: "updatedWithin", Kind: rest.Text}}
