package compile

import (
	"fmt"
	"maps"

	"github.com/culvert/culvert/rules/settings"
)

// keysOf lists keys of an action: those that several take by their names in sharedKeys, and its own.
func keysOf(keys ...any) []settings.Field {
	shared := sharedKeys()
	fields := make([]settings.Field, len(keys))
	for i, key := range keys {
		switch k := key.(type) {
		case settings.Field:
			fields[i] = k
		case string:
			f, ok := shared[k]
			if !ok {
				panic(fmt.Sprintf("no key is shared as %q", k))
			}
			fields[i] = f
		}
	}
	return fields
}

// sharedKeys declares the keys that several actions take, by their names. Those that mean something
// else in other actions have a name with "of".
func sharedKeys() map[string]settings.Field {
	all := keysOfPeople()
	maps.Copy(all, keysOfEnrollments())
	maps.Copy(all, keysOfData())
	return all
}

// keysOfPeople are those that say who is meant, and how she is written.
func keysOfPeople() map[string]settings.Field {
	return map[string]settings.Field{
		"external_id": {Name: "external_id", Ref: "expression",
			Doc: "the id of the person or case in the source system. The same id always reaches the same tracked " +
				"entity"},
		"tracked_entity_type": {Name: "tracked_entity_type", Ref: "name",
			Doc: "the tracked entity type. Taken from the program when the action names one"},
		"match_by": {Name: "match_by", Type: settings.Free, Schema: []string{"string", "array", "object"},
			Each: &settings.Field{},
			Doc: "a unique attribute, or several, by which people who are already in DHIS2 are found. In an " +
				"action that sets no attributes: a mapping of attribute to its value. {any: [attributes], or: " +
				"{attribute: weight, at_least: points}} finds them by any of several, or by what has enough " +
				"weight together"},
		"several_ids": {Name: "several_ids", Type: settings.Word, Words: []string{"fail", "same_person"},
			Doc: "what happens when match_by finds a person for whom another external id stands already: the " +
				"record fails (the default), or both ids are the same person's"},
		"attributes": {Name: "attributes", Ref: "fields",
			Doc: "tracked entity attributes by name, code or UID, and their values"},
		"when_deleted": {Name: "when_deleted", Type: settings.Word, Words: []string{"recreate", "fail"},
			Doc: "what to do when somebody deleted the object in DHIS2: create it again under a new UID, or fail " +
				"the record (the default)"},
		"org_unit": {Name: "org_unit", Ref: "field",
			Doc: "the org unit: a lookup, or a fixed one as {value: name, code or UID}"},
		"geometry": {Name: "geometry", Type: settings.Expression, Schema: []string{"string", "object"},
			Doc: "where it lies, a position or an area as DHIS2 is set to: an expression for a phone's place, " +
				"GeoJSON or WKT, or {latitude: ..., longitude: ...}"},
		"program": {Name: "program", Ref: "name",
			Doc: "the program"},
		"temporary_access": {Name: "temporary_access", Ref: "field",
			Doc: "reason with which the rule may write into a protected program whose owner is another org unit; " +
				"DHIS2 keeps it. Nobody is let in without it"},
		"import": {Name: "import", Type: settings.Mapping,
			Doc: "import options of this action's writes; each gives up a check of the server for speed. Off unless " +
				"asked for",
			Fields: []settings.Field{
				{Name: "skip_rule_engine", Type: settings.Switch,
					Doc: "DHIS2 does not run program rules on these writes: faster, and values that rules would assign or " +
						"refuse are not"},
				{Name: "skip_side_effects", Type: settings.Switch,
					Doc: "DHIS2 sends no notifications and messages for these writes"},
				{Name: "skip_pattern_validation", Type: settings.Switch,
					Doc: "DHIS2 does not check generated attribute values against their pattern"},
				{Name: "async", Type: settings.Switch,
					Doc: "DHIS2 takes the batch as a job that is asked for until it is done"},
			}},
	}
}

// keysOfEnrollments are those of enrollments and events.
func keysOfEnrollments() map[string]settings.Field {
	return map[string]settings.Field{
		"enrollment_id": {Name: "enrollment_id", Ref: "expression",
			Doc: "what tells one time of a person in the program from another, such as the number of a pregnancy, " +
				"where people can be enrolled again. Without it there is one enrollment for each person and program"},
		"enrolled_at": {Name: "enrolled_at", Ref: "field",
			Doc: "date of enrollment"},
		"reenroll": {Name: "reenroll", Type: settings.Switch,
			Doc: "every enrolled date is an enrollment of its own. A corrected date then makes a second one: " +
				"enrollment_id is safer"},
		"incident_at": {Name: "incident_at", Ref: "field",
			Doc: "date of the incident, where the program has one"},
		"completed_at": {Name: "completed_at", Ref: "field",
			Doc: "date of completion"},
		"status": {Name: "status", Ref: "field", Words: []string{"ACTIVE", "COMPLETED", "CANCELLED"},
			Doc: "ACTIVE, COMPLETED or CANCELLED"},
		"follow_up": {Name: "follow_up", Ref: "field",
			Doc: "marks the enrollment for follow-up: yes or no"},
		"notes": {Name: "notes", Type: settings.Free, Schema: []string{"string", "array", "object"},
			Doc: "a note, or a list of notes, added to the object"},
		"attribute_category_options": {Name: "attribute_category_options", Ref: "fields",
			Doc: "category options of the program's or data set's attribute category combination, by category"},
		"attribute_option_combo": {Name: "attribute_option_combo", Ref: "field", Words: []string{"default"},
			Doc: "the attribute option combination, by name, code or UID, instead of its category options"},
		"enrolled_at of which": {Name: "enrolled_at", Ref: "field",
			Doc: "which enrollment is meant, where they are told apart by their date (reenroll)"},
		"event_id": {Name: "event_id", Ref: "expression",
			Doc: "which event, as the action that created it names it"},
	}
}

// keysOfData are those of aggregate data.
func keysOfData() map[string]settings.Field {
	return map[string]settings.Field{
		"data_set": {Name: "data_set", Ref: "nameOrField",
			Doc: "the data set: its name, or {from: expression} where the data name it. Left out, it is the one " +
				"that has the data element"},
		"period": {Name: "period", Ref: "field",
			Doc: "a date or a period; its form comes from the data set's period type"},
		"aggregate": {Name: "aggregate", Type: settings.Word, Words: []string{"count", "sum", "average", "last"},
			Doc: "the value is made of all records of the period: how many there are, their sum or average, or " +
				"the last of them, per org unit and category option combination. It is computed again when a " +
				"record is corrected or comes late"},
		"follow_up of data": {Name: "follow_up", Ref: "field",
			Doc: "marks the value for follow-up, or takes the mark away: yes or no. Blank leaves it as it is"},
		"attribute_option_combo of data": {Name: "attribute_option_combo", Ref: "field", Words: []string{"default"},
			Doc: "the attribute option combination, by name, code or UID; the default one when it is left out"},
		"attribute_category_options of data": {Name: "attribute_category_options", Ref: "fields",
			Doc: "category options of the data set's attribute category combination, by category, instead of the " +
				"combination itself"},
	}
}
