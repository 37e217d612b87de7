package sandbox

var (
	enrollmentStatuses = []string{"ACTIVE", "COMPLETED", "CANCELLED"}
	eventStatuses      = []string{"ACTIVE", "COMPLETED", "VISITED", "SCHEDULE", "OVERDUE", "SKIPPED"}
	userModes          = []string{"CURRENT", "PROVIDED", "NONE", "ANY", "ALL"}
	scopeModes         = []string{"SELECTED", "CHILDREN", "DESCENDANTS", "ACCESSIBLE", "CAPTURE", "ALL"}
)

var entityParams = []param{{name: "filter", kind: aText}, {name: "query", kind: aText, until: 41}, {name: "attribute", kind: aText, until: 41},
	{name: "includeAllAttributes", kind: aText, until: 41}, {name: "orgUnits", kind: someUIDs, from: 41}, {name: "orgUnit", kind: oldUIDs, until: 41},
	{name: "enrollmentStatus", kind: anEnum, values: enrollmentStatuses, from: 42}, {name: "programStage", kind: aUID}, {name: "updatedBefore", kind: anEnd},
	{name: "enrollmentEnrolledAfter", kind: aTime}, {name: "enrollmentEnrolledBefore", kind: anEnd}, {name: "enrollmentOccurredAfter", kind: aTime},
	{name: "enrollmentOccurredBefore", kind: anEnd}, {name: "trackedEntityType", kind: aUID}, {name: "trackedEntities", kind: someUIDs, from: 41},
	{name: "trackedEntity", kind: oldUIDs, until: 41}, {name: "assignedUserMode", kind: anEnum, values: userModes},
	{name: "assignedUsers", kind: someUIDs, from: 41}, {name: "assignedUser", kind: oldUIDs, until: 41},
	{name: "eventStatus", kind: anEnum, values: eventStatuses}, {name: "eventOccurredAfter", kind: aTime}, {name: "eventOccurredBefore", kind: anEnd},
	{name: "potentialDuplicate", kind: aFlag}}

var enrollmentParams = []param{{name: "orgUnits", kind: someUIDs, from: 41}, {name: "orgUnit", kind: oldUIDs, until: 41},
	{name: "status", kind: anEnum, values: enrollmentStatuses, from: 42}, {name: "enrolledAfter", kind: aTime}, {name: "enrolledBefore", kind: anEnd},
	{name: "trackedEntityType", kind: aUID, until: 42}, {name: "trackedEntity", kind: aUID}, {name: "enrollments", kind: someUIDs, from: 41},
	{name: "enrollment", kind: oldUIDs, until: 41}, {name: "attributeOptionCombo", kind: aUID, from: 43}}

var eventParams = []param{{name: "programStage", kind: aUID}, {name: "enrollmentStatus", kind: anEnum, values: enrollmentStatuses, from: 42},
	{name: "trackedEntity", kind: aUID}, {name: "orgUnit", kind: aUID}, {name: "assignedUserMode", kind: anEnum, values: userModes},
	{name: "assignedUsers", kind: someUIDs, from: 41}, {name: "assignedUser", kind: oldUIDs, until: 41}, {name: "occurredAfter", kind: aTime},
	{name: "occurredBefore", kind: anEnd}, {name: "scheduledAfter", kind: aTime}, {name: "scheduledBefore", kind: anEnd}, {name: "updatedBefore", kind: anEnd},
	{name: "enrollmentEnrolledAfter", kind: aTime}, {name: "enrollmentEnrolledBefore", kind: anEnd}, {name: "enrollmentOccurredAfter", kind: aTime},
	{name: "enrollmentOccurredBefore", kind: anEnd}, {name: "status", kind: anEnum, values: eventStatuses}, {name: "attributeCc", kind: aUID, until: 41},
	{name: "attributeCategoryCombo", kind: aUID, from: 41}, {name: "attributeCos", kind: oldUIDs, until: 41},
	{name: "attributeCategoryOptions", kind: someUIDs, from: 41}, {name: "events", kind: someUIDs, from: 41}, {name: "event", kind: oldUIDs, until: 41},
	{name: "filter", kind: aText}, {name: "filterAttributes", kind: aText}, {name: "enrollments", kind: someUIDs}}
