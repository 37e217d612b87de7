package compile

import "github.com/culvert/culvert/rules/settings"

// keysTrackedEntity declares the keys of dhis2.tracked_entity beside those that every action takes.
func keysTrackedEntity() []settings.Field {
	return keysOf(
		"external_id", "tracked_entity_type", "match_by", "several_ids", "attributes",
		settings.Field{Name: "when_absent", Type: settings.Word, Words: []string{"wait", "create"},
			Doc: "what to do when the tracked entity is not in DHIS2 yet: wait until another record registers it " +
				"(the default where mandatory attributes are not set), or create it (the default otherwise)"},
		"when_deleted", "org_unit", "geometry", "program", "import",
	)
}

// keysEnroll declares the keys of dhis2.enroll beside those that every action takes.
func keysEnroll() []settings.Field {
	return keysOf(
		"program", "external_id", "enrollment_id", "tracked_entity_type", "match_by", "several_ids",
		"attributes", "when_deleted", "org_unit", "enrolled_at", "reenroll", "incident_at", "completed_at",
		"status", "geometry", "follow_up", "notes", "attribute_category_options", "attribute_option_combo",
		"temporary_access", "import",
	)
}

// keysCreateAndEnroll declares those of dhis2.create_and_enroll, which writes two objects that may have a shape.
func keysCreateAndEnroll() []settings.Field {
	return append(keysEnroll(), settings.Field{Name: "enrollment_geometry", Type: settings.Free,
		Schema: []string{"string", "object"},
		Doc:    "where the enrollment lies, as the program is set to in DHIS2; geometry is that of the tracked entity"})
}

// keysEvent declares the keys of dhis2.event beside those that every action takes.
func keysEvent() []settings.Field {
	return keysOf(
		"program",
		settings.Field{Name: "stage", Ref: "name",
			Doc: "the program stage; may be left out when the program has one only"},
		settings.Field{Name: "event_id", Ref: "expression",
			Doc: "what identifies the event among those of its stage. Defaults to the record's id, the action and " +
				"the index, so that the same record always reaches the same event"},
		"external_id", "enrollment_id", "tracked_entity_type", "match_by", "several_ids", "when_deleted",
		"org_unit", "enrolled_at of which",
		settings.Field{Name: "occurred_at", Ref: "field",
			Doc: "date of the event (report date)"},
		settings.Field{Name: "scheduled_at", Ref: "field",
			Doc: "date for which the event is scheduled (due date)"},
		"completed_at",
		settings.Field{Name: "status", Ref: "field",
			Words: []string{"ACTIVE", "COMPLETED", "VISITED", "SCHEDULE", "OVERDUE", "SKIPPED"},
			Doc:   "ACTIVE, COMPLETED, VISITED, SCHEDULE, OVERDUE or SKIPPED"},
		settings.Field{Name: "data_values", Ref: "fields",
			Doc: "data elements of the stage by name, code or UID, and their values"},
		"geometry",
		settings.Field{Name: "follow_up", Ref: "field",
			Doc: "not for events: DHIS2 keeps the mark for the enrollment. Set it in dhis2.enroll"},
		"notes", "attribute_category_options", "attribute_option_combo",
		settings.Field{Name: "assigned_user", Ref: "field",
			Doc: "the user that the event is assigned to: user name or UID"},
		"temporary_access", "import",
	)
}

// keysComplete declares the keys of dhis2.complete beside those that every action takes.
func keysComplete() []settings.Field {
	return keysOf(
		"program",
		settings.Field{Name: "stage", Ref: "name",
			Doc: "the program stage, when an event is meant"},
		"event_id", "external_id", "enrollment_id", "tracked_entity_type", "match_by", "several_ids",
		"when_deleted", "enrolled_at of which", "completed_at",
		settings.Field{Name: "status", Ref: "field", Words: []string{"COMPLETED", "CANCELLED", "ACTIVE"},
			Doc: "COMPLETED (the default), CANCELLED, or ACTIVE to reopen"},
		"temporary_access", "import",
	)
}

// keysDataValue declares the keys of dhis2.data_value beside those that every action takes.
func keysDataValue() []settings.Field {
	return keysOf(
		"data_set", "period", "org_unit",
		settings.Field{Name: "data_element", Ref: "nameOrField",
			Doc: "the data element: its name, or {from: expression} where the data name it"},
		settings.Field{Name: "category_option_combo", Ref: "field",
			Doc: "the category option combination, by name, code or UID; the default one when it is left out"},
		settings.Field{Name: "value", Ref: "field",
			Doc: "the value"},
		"aggregate", "follow_up of data",
		settings.Field{Name: "comment", Ref: "field",
			Doc: "a comment on the value"},
		"attribute_option_combo of data", "attribute_category_options of data", "import",
	)
}

// keysDataValueSet declares the keys of dhis2.data_value_set beside those that every action takes.
func keysDataValueSet() []settings.Field {
	return keysOf(
		settings.Field{Name: "data_set", Ref: "name",
			Doc: "the data set"},
		"period", "org_unit",
		settings.Field{Name: "values", Type: settings.Free, Schema: []string{"object"},
			Each: &settings.Field{Type: settings.Expression,
				Schema: []string{"string", "number", "boolean", "null", "object"}},
			Doc: "data elements by name, code or UID; each a value, or a mapping of category option combination " +
				"to value"},
		settings.Field{Name: "columns", Type: settings.Mapping, Fields: []settings.Field{
			{Name: "file",
				Doc: "the CSV file, from the folder that holds culvert.yaml: maps/tb-quarterly.csv"},
		},
			Doc: "a CSV file that says which columns of the record are for which data elements, as wide files of " +
				"hundreds of columns need it: its own columns are column, data_element and category_option_combo"},
		settings.Field{Name: "complete_date", Ref: "field",
			Doc: "date on which the data set counts as complete"},
		settings.Field{Name: "completion", Ref: "field", Words: []string{completeSet, undoSet, leaveSet},
			Doc: "whether the data set is marked complete, marked incomplete again (undo), or left as it is (leave, the " +
				"default unless complete_date is given); or an expression for one of these words, or for yes (complete) " +
				"or no (leave)"},
		"follow_up of data",
		settings.Field{Name: "comment", Ref: "field",
			Doc: "a comment on every value of the record"},
		"aggregate", "attribute_option_combo of data", "attribute_category_options of data", "import",
	)
}

// keysRelationship declares the keys of dhis2.relationship beside those that every action takes.
func keysRelationship() []settings.Field {
	return keysOf(
		settings.Field{Name: "type", Ref: "name",
			Doc: "the relationship type"},
		settings.Field{Name: "from", Type: settings.Mapping, Open: true, Fields: endpointKeys(),
			Doc: "the first object: {external_id: ...} with tracked_entity_type or program, or " +
				"{event_id: ...} with stage"},
		settings.Field{Name: "to", Type: settings.Mapping, Open: true, Fields: endpointKeys(),
			Doc: "the second object, written as the first"},
		"import",
	)
}

// endpointKeys declares the keys of one side of a relationship.
func endpointKeys() []settings.Field {
	return []settings.Field{
		{Name: "external_id", Ref: "expression", Doc: "the id of the person or case in the source system"},
		{Name: "enrollment_id", Ref: "expression", Doc: "which enrollment of the person, as the action that made it says"},
		{Name: "event_id", Ref: "expression", Doc: "which event, as the action that created it names it"},
		{Name: "tracked_entity_type", Ref: "name", Doc: "the tracked entity type, where the relationship takes several"},
		{Name: "program", Ref: "name", Doc: "the program of an enrollment or event"},
		{Name: "stage", Ref: "name", Doc: "the program stage of an event"},
	}
}

// keysTransfer declares the keys of dhis2.transfer beside those that every action takes.
func keysTransfer() []settings.Field {
	return keysOf(
		"program", "external_id", "tracked_entity_type", "match_by", "several_ids", "when_deleted",
		settings.Field{Name: "org_unit", Ref: "field",
			Doc: "the org unit that has the person from then on: a lookup, or a fixed one"},
	)
}

// keysOrgUnit declares the keys of dhis2.org_unit beside those that every action takes.
func keysOrgUnit() []settings.Field {
	return keysOf(
		settings.Field{Name: "code", Ref: "field",
			Doc: "the code by which the registry knows the org unit. It is found by it, and a new one gets it"},
		settings.Field{Name: "uid", Ref: "field",
			Doc: "the uid of an org unit that is there. With it, code may change"},
		settings.Field{Name: "parent", Ref: "field",
			Doc: "the org unit above it: a code or uid, also of one that the same registry brings. Another one " +
				"moves it"},
		settings.Field{Name: "name", Ref: "field",
			Doc: "the name"},
		settings.Field{Name: "short_name", Ref: "field",
			Doc: "the short name. Made of the name when left out, and renamed with it"},
		settings.Field{Name: "opening_date", Ref: "field",
			Doc: "the day on which it opened. A new org unit needs one"},
		settings.Field{Name: "closed_date", Ref: "field",
			Doc: "the day on which it closed. Org units are closed, never deleted"},
		settings.Field{Name: "close", Ref: "field",
			Doc: "whether it is closed: true closes it, by closed_date or today; false opens it again"},
		settings.Field{Name: "geometry", Type: settings.Expression, Schema: []string{"string", "object"},
			Doc: "where it lies: a position or an area, as GeoJSON, WKT, or {latitude, longitude}"},
		settings.Field{Name: "description", Ref: "field",
			Doc: "a description"},
		settings.Field{Name: "comment", Ref: "field",
			Doc: "a comment"},
		settings.Field{Name: "url", Ref: "field",
			Doc: "an address on the web"},
		settings.Field{Name: "contact_person", Ref: "field",
			Doc: "whom to ask"},
		settings.Field{Name: "address", Ref: "field",
			Doc: "the postal address"},
		settings.Field{Name: "email", Ref: "field",
			Doc: "an e-mail address"},
		settings.Field{Name: "phone_number", Ref: "field",
			Doc: "a phone number"},
		settings.Field{Name: "group_sets", Type: settings.Mapping,
			Doc: "group set to group, by name or code: it belongs to that group of the set and to no other"},
		settings.Field{Name: "groups", Type: settings.Free, Schema: []string{"object", "array"},
			Doc: "org unit groups, by name or code: a list of those that it belongs to, or a mapping to yes or no"},
		settings.Field{Name: "programs", Type: settings.Free, Schema: []string{"object", "array"},
			Doc: "programs that it is assigned to: a list of names, or a mapping of names to yes or no"},
		settings.Field{Name: "data_sets", Type: settings.Free, Schema: []string{"object", "array"},
			Doc: "data sets that it is assigned to: a list of names, or a mapping of names to yes or no"},
		settings.Field{Name: "adopt", Type: settings.Switch,
			Doc: "a sibling of the same name that has no code is the same org unit, and gets the code. Otherwise " +
				"the record fails"},
		settings.Field{Name: "dry_run", Type: settings.Switch,
			Doc: "nothing is written; every org unit that would change fails with what would change. True unless " +
				"the rule says false"},
		settings.Field{Name: "max_changes", Type: settings.Whole, Min: 1,
			Doc: "how many org units may change in a day: 50 unless the rule says another number. The rest fail, " +
				"and can be replayed"},
	)
}

// keysDelete declares the keys of dhis2.delete beside those that every action takes.
func keysDelete() []settings.Field {
	return keysOf(
		settings.Field{Name: "what", Type: settings.Word,
			Words: []string{"tracked_entity", "enrollment", "event", "relationship", "data_value"},
			Doc:   "the kind of object"},
		settings.Field{Name: "confirm", Type: settings.Switch,
			Doc: "must be true: a deletion cannot be undone"},
		settings.Field{Name: "stage", Ref: "name",
			Doc: "the program stage, of an event"},
		"event_id",
		settings.Field{Name: "type", Ref: "name",
			Doc: "the relationship type, of a relationship"},
		settings.Field{Name: "from", Type: settings.Mapping, Open: true, Fields: endpointKeys(),
			Doc: "the first object of a relationship"},
		settings.Field{Name: "to", Type: settings.Mapping, Open: true, Fields: endpointKeys(),
			Doc: "the second object of a relationship"},
		settings.Field{Name: "data_element", Ref: "nameOrField",
			Doc: "the data element, of a data value: its name, or {from: expression} where the data name it"},
		settings.Field{Name: "category_option_combo", Ref: "field",
			Doc: "the category option combination, of a data value"},
		"program", "external_id", "enrollment_id", "tracked_entity_type", "match_by", "several_ids", "org_unit",
		"enrolled_at of which", "data_set", "period", "attribute_option_combo of data",
		"attribute_category_options of data", "import",
	)
}
