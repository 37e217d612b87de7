package codes

import "github.com/culvert/culvert/actions"

const (
	closedHint = "correct the period; or whoever manages data sets gives the org unit a lock exception for it, or gives " +
		"Culvert's user the authority F_EDIT_EXPIRED; then replay"
	inputHint    = "correct the period, or have whoever maintains the data set open it among its data input periods; then replay"
	approvedHint = "have whoever approved it, or a higher level, take the approval back in the Data Approval app; then replay"
	comboHint    = "name the options of the data element's own categories"
	unitHint     = runSync + "; correct the record's org unit if it is wrong"
	assignHint   = "assign the data set to the org unit in DHIS2, or correct the record's org unit"
)

// dataValues explains what a data value can be refused for to 2.42.
func dataValues() []Entry {
	return []Entry{
		{"E7600", actions.ClassMetadata, "the data set does not exist on the server or is not for Culvert's user", runSync},
		{"E7601", actions.ClassRights, "Culvert's user may not write data of this data set",
			"grant data write access in the sharing of the data set"},
		{"E7602", actions.ClassData, "a completion needs a data set", "name the data set in the rule"},
		{"E7603", actions.ClassMetadata, "the org unit does not exist on the server or is not for Culvert's user", unitHint},
		{"E7604", actions.ClassData, "the attribute option combo does not exist on the server or is not for Culvert's user",
			runSync},
		{"E7610", actions.ClassMetadata, "the data element does not exist on the server or is not for Culvert's user",
			runSync},
		{"E7611", actions.ClassData, "the period is missing or none of DHIS2's",
			"correct the period: 202601, 2026W5, 2026Q1, 2026 or a date, as the data set's period type asks"},
		{"E7612", actions.ClassMetadata, "the org unit does not exist on the server or is not for Culvert's user", unitHint},
		{"E7613", actions.ClassMetadata,
			"the category option combo does not exist on the server or is not for Culvert's user", runSync},
		{"E7614", actions.ClassRights, "Culvert's user may not write data of a category option",
			"grant data write access in the sharing of the category option"},
		{"E7615", actions.ClassMetadata,
			"the attribute option combo does not exist on the server or is not for Culvert's user", runSync},
		{"E7616", actions.ClassRights, "Culvert's user may not write data of an attribute option",
			"grant data write access in the sharing of the category option"},
		{"E7617", actions.ClassRights, "Culvert's user may not capture data in this org unit",
			"add the org unit, or one above it, to the user's data capture org units in DHIS2, or correct the record's " +
				"org unit"},
		{"E7618", actions.ClassData, "the data value is empty",
			"fill it in the record; use `blank: clear` where a value is to be removed"},
		{"E7619", actions.ClassData, "the value does not fit the data element's value type",
			"correct the value, or convert it in the rule (format, map)"},
		{"E7620", actions.ClassData, "the comment cannot be stored", "shorten the comment"},
		{"E7621", actions.ClassData, "the value is not the code of an option of the option set",
			"map the incoming value to an option in the rule"},
		{"E7630", actions.ClassData, "the category option combo is missing", comboHint},
		{"E7631", actions.ClassData, "the attribute option combo is missing",
			"name the options of the data set's own categories"},
		{"E7632", actions.ClassData, "the period is of another type than the data set's",
			"send the type of period that the data set has"},
		{"E7633", actions.ClassData, "the data element is not one of the data set's",
			"name another data set, or add the data element to it in DHIS2"},
		{"E7634", actions.ClassData, "the category option combo is not of the data element's category combo", comboHint},
		{"E7635", actions.ClassData, "the attribute option combo is not of the data set's category combo",
			"name the options of the data set's own categories"},
		{"E7636", actions.ClassMetadata, "no data set with the data element is assigned to the org unit", assignHint},
		{"E7637", actions.ClassData, "the name of who stored the value is not valid",
			"report this: Culvert does not send one"},
		{"E7638", actions.ClassData, "the period is outside the time in which the attribute option is valid",
			"correct the period or the option"},
		{"E7639", actions.ClassData, "the attribute option is not for this org unit", "correct the option or the org unit"},
		{"E7640", actions.ClassClosed, "the period is locked: the data set's expiry days are over", closedHint},
		{"E7641", actions.ClassClosed, "the period is in the future and not open yet",
			"send it when the period is over, or let the data set open future periods in DHIS2"},
		{"E7642", actions.ClassClosed, "the data of this period and org unit is approved",
			approvedHint},
		{"E7643", actions.ClassClosed, "the period is not open for the data set at this time", inputHint},
		{"E7644", actions.ClassClosed, "the period is none of those that the data set is open for", inputHint},
		{"E7645", actions.ClassData, "the file that the value points to does not exist", "upload the file first"},
	}
}

// dataEntry explains what a group of data values can be refused for from 2.43 on.
func dataEntry() []Entry {
	decode := func(code, what string, class actions.Class, hint string) Entry {
		return Entry{code, class, what + "; from 2.43 on nothing of such a request is written", hint}
	}
	value := "correct the value, or convert it in the rule (format, map)"
	return []Entry{
		{"E8000", actions.ClassData, "one of the values cannot be written, so none was",
			"correct the value that is named beside this"},
		{"E8002", actions.ClassData, "several data sets have these data elements, and none was named",
			"name the data set in the rule"},
		{"E8003", actions.ClassMetadata, "no data set has the data element",
			"add the data element to a data set in DHIS2, and name it in the rule"},
		{"E8004", actions.ClassData, "the data set of the values cannot be told", "name the data set in the rule"},
		{"E8005", actions.ClassMetadata, "the data set does not exist on the server", runSync},
		{"E8008", actions.ClassData, "the completion was not registered because values were refused",
			"correct the values that are named beside this"},
		{"E8009", actions.ClassData, "the completion lacks data set, period or org unit", "give all three in the rule"},
		{"E8010", actions.ClassRights, "Culvert's user may not write data of this data set",
			"grant data write access in the sharing of the data set"},
		{"E8011", actions.ClassRights, "Culvert's user may not capture data in this org unit",
			"add the org unit, or one above it, to the user's data capture org units in DHIS2, or correct the record's " +
				"org unit"},
		{"E8012", actions.ClassRights, "Culvert's user may not write data of a category option",
			"grant data write access in the sharing of the category option"},
		{"E8020", actions.ClassMetadata, "the data element is not one of the data set's, or one of the two does not exist",
			"name the data set that has it, or add it in DHIS2, then " + runSync},
		{"E8021", actions.ClassMetadata, "the period is not of the data set's period type",
			"send the type of period that the data set has"},
		{"E8022", actions.ClassMetadata, "the data set is not assigned to the org unit, or the org unit does not exist",
			assignHint},
		{"E8023", actions.ClassMetadata, "the attribute option combo is not of the data set's category combo",
			"name the options of the data set's own categories"},
		{"E8024", actions.ClassMetadata,
			"the category option combo is not of the data element's category combo in the data set", comboHint},
		{"E8025", actions.ClassData, "the attribute option is not for this org unit", "correct the option or the org unit"},
		{"E8030", actions.ClassClosed, "the period is not open for the data set", closedHint},
		{"E8031", actions.ClassClosed, "the org unit is not open in the period: it was opened later or is closed",
			"correct the period or the org unit"},
		{"E8032", actions.ClassClosed, "the attribute option is not valid in the period", "correct the period or the option"},
		{"E8033", actions.ClassClosed, "the data of this period and org unit is approved",
			approvedHint},
		decode("E8100", "a value has no period", actions.ClassData, "map `period` in the rule"),
		decode("E8101", "a value lacks its org unit", actions.ClassData, "map `org_unit` in the rule"),
		decode("E8102", "a value lacks its data element", actions.ClassData, "see the detail"),
		decode("E8103", "a data element does not exist on the server", actions.ClassMetadata, runSync),
		decode("E8104", "a value cannot be read", actions.ClassData, "see the detail for which part of it"),
		decode("E8105", "a value cannot be read", actions.ClassData, "see the detail for which part of it"),
		decode("E8106", "a value cannot be read", actions.ClassData, "see the detail for which part of it"),
		decode("E8107", "something that a value names does not exist on the server", actions.ClassMetadata, runSync),
		decode("E8108", "something that a value names does not exist on the server", actions.ClassMetadata, runSync),
		decode("E8109", "a value cannot be read", actions.ClassData, "see the detail for which part of it"),
		decode("E8110", "something that a value names does not exist on the server", actions.ClassMetadata, runSync),
		decode("E8111", "a value cannot be read", actions.ClassData, "see the detail for which part of it"),
		{"E8120", actions.ClassData, "the data value is empty",
			"fill it in the record; use `blank: clear` where a value is to be removed"},
		{"E8121", actions.ClassData, "the data value is empty",
			"fill it in the record; use `blank: clear` where a value is to be removed"},
		{"E8122", actions.ClassData, "the value does not fit the data element's value type", value},
		{"E8123", actions.ClassData, "the value is not the code of an option of the option set",
			"map the incoming value to an option in the rule"},
		{"E8124", actions.ClassData, "the value or its comment cannot be stored", value},
		{"E8125", actions.ClassData, "the value or its comment cannot be stored", value},
		{"E8126", actions.ClassData, "the value or its comment cannot be stored", value},
		{"E8127", actions.ClassData, "the value or its comment cannot be stored", value},
		{"E8128", actions.ClassData, "the same data value is given more than once in one request",
			"let the rule send each cell once: add the values up, or take the last"},
	}
}
