package rules

import (
	"github.com/culvert/culvert/rules/expression"
	"github.com/culvert/culvert/rules/settings"
)

// What a rule file may hold stands here, each key once, with what it says. Those who read a file go
// by it, and so do the JSON Schema of rule files, which is the first check of each and what editors
// complete by, and the tables of the reference: both are made of it by the tests of engine/project.
// What is read by hand, and why, is said in package settings.

// ownWay is the way of a rule's own file: keys that go with it alone are not taken over from others.
const ownWay = "rule"

// ruleKeys declares the keys of a rule file; trigger, defaults and actions take more, of the kinds that exist.
var ruleKeys = []settings.Field{
	{Name: "rule", Type: settings.Free, Schema: []string{"string", "number"}, With: []string{ownWay},
		Doc: "the rule's name, unique in the project; the file's name when left out"},
	{Name: "description", With: []string{ownWay}, Doc: "what the rule is for, in a sentence"},
	{Name: "server", Doc: "the server of culvert.yaml to send to; the default one when left out"},
	{Name: "enabled", Type: settings.Switch, Default: "true",
		Doc: "false lets the rule rest: it is checked and can be tried and tested, but takes and sends nothing"},
	{Name: "window", Type: settings.Mapping, Schema: []string{"string", "object"}, Fields: windowKeys,
		Doc: "when records are sent, such as 18:00-06:00 in quotes; or hours, days and time_zone. Outside of it they " +
			"are taken, and wait"},
	{Name: "retry", Type: settings.Mapping, Fields: retryKeys,
		Doc: "how often, and after which pauses, a record is tried again that could not be delivered for a reason that " +
			"may pass, or because an object that it needs is not there yet. A server that is away does not count"},
	{Name: "on_failure", Type: settings.Word, Words: []string{"continue", onFailureStop},
		Doc: "what a record that fails means for the others: they go on (continue), or the rule is paused (stop) until " +
			"somebody has looked and resumes it"},
	{Name: "namespace", Type: settings.Mapping, Schema: []string{"string", "object"}, Fields: namespaceKeys,
		Doc: "whose ids the rule's are. Two rules share the ids of records only when both name the same namespace; " +
			"`project` is the one of the whole project. Never change it once data has been sent"},
	{Name: "extends", Type: settings.Texts, With: []string{ownWay},
		Doc: "a file, or several, whose keys this rule takes over where it does not write them itself; relative to " +
			"the project"},
	{Name: "trigger", Type: settings.Mapping, Fields: triggerKeys},
	{Name: "when", Ref: "expression", Doc: "condition; records for which it is not true are skipped"},
	{Name: "id", Ref: "expression",
		Doc: "what identifies a record, such as a form's instance id. The same id with the same content is not sent " +
			"twice; a hash of the content when left out"},
	{Name: "version", Ref: "expression",
		Doc: "what tells a newer version of a record from an older one: a time, or a number that goes up. Left out: " +
			"what CommCare, Kobo and ODK say of it, else the order in which records come"},
	{Name: "key", Ref: "expression",
		Doc: "records with the same key reach DHIS2 in the order in which they came. Defaults to the first action's " +
			"external_id"},
	{Name: "lookups", Type: settings.Named, Each: &settings.Field{Ref: "lookup"},
		Doc: "objects of the synced metadata, and rows of reference tables, by the names that expressions use"},
	{Name: "maps", Type: settings.Named, Each: &settings.Field{Ref: "map"},
		Doc: "value maps by name. Fields use them with map:, expressions as functions"},
	{Name: "defaults", Type: settings.Mapping,
		Doc: "keys for every action of a kind, or under `actions` for all, where the action does not write them itself"},
	{Name: "actions", Type: settings.List, Min: 1, Each: &settings.Field{Type: settings.Mapping, Min: 1, Max: 1},
		Doc: "what is done with a record, in order"},
	{Name: "tests", Type: settings.List, With: []string{ownWay}, Each: &settings.Field{Ref: "test"},
		Doc: "tests, run by `culvert test`"},
}

// namespaceKeys declares the keys of namespace, where it is more than one name.
var namespaceKeys = []settings.Field{
	{Name: "records", Doc: "namespace of the ids of records, and of events that are known by them. The rule's own, " +
		"under its name, when left out"},
	{Name: "people", Doc: "namespace of external ids. The project's when left out: rules that speak of the same person " +
		"find each other"},
}

// triggerKeys declares the keys of a trigger that say what is known of its records, not where they come from.
var triggerKeys = []settings.Field{
	{Name: "sample", Doc: "a real payload or file, relative to the project. It types the expressions, so that a wrong " +
		"field name is found before any record comes, and feeds `try` and the tests"},
	{Name: "missing", Type: settings.Texts, Schema: []string{"string", "number", "array"},
		Doc: "words by which the source says that there is no answer, such as [n/a, none, 999]: a value that is one of " +
			"them is blank everywhere in the rule. Case does not matter"},
	{Name: "fields", Type: settings.Named, Schema: []string{"object", "array"},
		Each: &settings.Field{Type: settings.Word, Words: expression.DeclarableTypes()},
		Doc: "fields that records may have though the sample has not: path below `trigger` and type (text, number, " +
			"boolean, date, list, object, any), or a list of paths"},
}

// actionKeys declares the keys that every action takes, whatever its kind.
var actionKeys = []settings.Field{
	{Name: "id", Doc: "name under which later actions read this action's result, such as woman.enrollment"},
	{Name: "for_each", Type: settings.Free, Schema: []string{"string", "number", "boolean", "array"},
		Each: &settings.Field{Ref: "expression"},
		Doc: "a list; the action runs once for every item. `item` and `index` are in scope. One object counts as a list " +
			"of one, a blank value as an empty list. Several lists, such as [trigger.visits, item.children], are inside " +
			"of each other: `parent` is the item around `item`"},
	{Name: "when", Ref: "expression",
		Doc: "condition; the action runs only for records (or items) for which it is true"},
	{Name: "after", Type: settings.Word, Words: []string{"delivered", "failed", "settled"},
		Doc: "of an action that writes elsewhere than the first one: it comes once the actions whose results it reads (the " +
			"first ones of the rule where it reads none) were delivered (the default), have failed, or either; " +
			"`delivery.state`, `delivery.code`, `delivery.cause` and `delivery.hint` say what became of them"},
	{Name: "server", Doc: "of an action that writes to DHIS2: the server of culvert.yaml that it writes to, whose metadata it " +
		"is checked against; the rule's own when left out"},
	{Name: "blank", Ref: "blank", Type: settings.Word, Words: blankWords,
		Doc: "what a blank value does in every field of this action that does not say otherwise"},
	{Name: "invalid", Ref: "invalid", Words: invalidWords,
		Doc: "what a value that does not fit does in every field of this action that does not say otherwise"},
}

// ActionKeys declares the keys that every action takes, which the language reads.
func ActionKeys() []settings.Field { return actionKeys }

// blankWords are the words of blank: in the order of the policies; invalidWords those of invalid:, of
// which the last holds when it is left out.
var (
	blankWords   = []string{"omit", "clear", "fail"}
	invalidWords = []string{"omit", "fail"}
)

// fieldKeys declares the long form of a value.
var fieldKeys = []settings.Field{
	{Name: "from", Ref: "expression", Doc: "expression for the value"},
	{Name: "value", Type: settings.Free, Schema: []string{"string", "number", "boolean", "null"},
		Doc: "a fixed value, kept as it is written"},
	{Name: "map", Type: settings.Free, Schema: []string{"string", "object"},
		Doc: "a value map of `maps:` by name, or one written here"},
	{Name: "format", Doc: "how the source writes a date or number, such as dd/MM/yyyy, or '1.234,5' in quotes"},
	{Name: "missing", Type: settings.Texts, Schema: []string{"string", "number", "array"},
		Doc: "words that mean no answer in this field, such as [999]: they are blank. What stands here is all that " +
			"counts for match_by; [] lets every value count"},
	{Name: "default", Ref: "expression",
		Doc: "expression for the value to take when the value is blank, or when the map says `other: default`"},
	{Name: "invalid", Ref: "invalid", Words: invalidWords},
	{Name: "blank", Ref: "blank", Type: settings.Word, Words: blankWords},
}

// mapKeys declares the long form of a value map, which has values: or file:. Its shapes are wide, for
// each key may be an ordinary value of a short one.
var mapKeys = []settings.Field{
	{Name: "file", With: []string{"file"},
		Doc: "a CSV file of the project with the columns from and to, or with two columns only"},
	{Name: "in", Type: settings.Free, Schema: []string{"string", "number"}, With: []string{"in"},
		Doc: "metadata that two servers of culvert.yaml have, such as organisationUnits: the map takes the uid at the " +
			"one, of options the code, and gives that of the counterpart at the other"},
	{Name: "from", Type: settings.Free, Schema: []string{"string", "number"}, With: []string{"file", "in"},
		Doc: "with in: the server whose uids or codes come; with file: the column of incoming values"},
	{Name: "to", Type: settings.Free, Schema: []string{"string", "number"}, With: []string{"file", "in"},
		Doc: "with in: the server that is written to, the rule's own when left out; with file: the column of DHIS2 values"},
	{Name: "by", Type: settings.Free, Schema: []string{"string", "number"}, With: []string{"in"},
		Words: []string{"code", "name", "id"},
		Doc: "with in: what counterparts have in common: code (the default), name, id, or of org units the name of a " +
			"metadata attribute"},
	{Name: "among", Type: settings.Free, Schema: []string{"string", "number"}, With: []string{"in"},
		Doc: "with in: what the objects belong to at both servers, as in lookups: the option set of options, the program of " +
			"programStages"},
	{Name: "within", Type: settings.Free, Schema: []string{"string", "number"}, With: []string{"in"},
		Doc: "with in: organisationUnits: only this org unit of the server that is read, and those below it"},
	{Name: "values", Type: settings.Free, Schema: []string{"object", "string", "number", "boolean", "array"},
		With: []string{"values", "in"},
		Doc:  "the values, where a key such as other or file must be an ordinary value"},
	{Name: "match", Type: settings.Free, Schema: []string{"string", "number", "boolean", "array"},
		Words: []string{"exact", "ignore_case"},
		Doc:   "exact (the default) or ignore_case, beside values or file"},
	{Name: "other", Type: settings.Free, Schema: []string{"string", "number", "boolean", "null", "object", "array"},
		Words: policyNames,
		Doc: "what a value that is not in the map does: fail the record (the default), leave the field blank, pass as " +
			"it is, take the field's default; or {value: text}"},
}

// testKeys declares the keys of a test.
var testKeys = []settings.Field{
	{Name: "name", Doc: "what the test shows"},
	{Name: "given", Type: settings.Free, Schema: []string{"string", "object"}, Required: true,
		Doc: "the record: a sample file of the project, or the record itself"},
	{Name: "found", Type: settings.Mapping,
		Doc: "what lookups that ask the server find in this test, by their names: an object, a list of several, or null"},
	{Name: "row", Type: settings.Whole, Min: 1,
		Doc: "which record of a sample file with several; all of them when left out"},
	{Name: "source", Type: settings.Mapping, Doc: "what `source` shows, such as {file: june.csv, row: 2}"},
	{Name: "now",
		Doc: "the time that now() and today() give, such as 2024-06-30 or 2024-06-30T08:00:00Z. A fixed time when left out"},
	{Name: "expect", Type: settings.Free, Schema: []string{"object", "array", "string"},
		Doc: "the writes by the names used in the rule; `skipped` when the filter says no"},
	{Name: "fail", Doc: "the code of the failure that the record must end in"},
}
