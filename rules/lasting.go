package rules

import (
	"slices"
	"strconv"
	"strings"
)

// changing are fields of collecting tools that do not stay the same for a submission, with what does.
var changing = map[string]string{
	"_uuid": `KoboToolbox and Ona give an edited submission a new one: use trigger._id, or ` +
		`trigger["meta/rootUuid"]`,
	"meta/instanceID": `an edited submission gets a new one: use trigger._id, or trigger["meta/rootUuid"]`,
	"meta/deprecatedID": `it is the id of the version before, and only edits have one: use trigger._id, or ` +
		`trigger["meta/rootUuid"]`,
	"deprecatedID": "it is the id of the version before, and only edits have one: use what all versions have, " +
		"such as trigger.__id in ODK's OData",
	"_submission__uuid": "KoboToolbox gives an edited submission a new one: use trigger._submission__id",
	"_index": "it is the number of the row in one export, and another in the next: use trigger._id, or " +
		"trigger._submission__id in a sheet of repeats",
	"_parent_index":      "it is the number of a row in one export, and another in the next: use trigger._submission__id",
	"_submission__index": "it is the number of a row in one export, and another in the next: use trigger._submission__id",
	"source.row":         "a row moves when one before it is deleted: use a column that tells one record from another",
}

// lasting warns of an id that does not stay with its record: a correction would make a second
// object, or another record would be taken for this one.
func (c *compiler) lasting(e *Expr, key string, samples []string) {
	if e == nil {
		return
	}
	for _, path := range e.Paths() {
		if hint, ok := changing[path]; ok {
			c.warn(e.Place, "id-not-lasting", key+" is "+path+", which does not stay the same", hint)
			return
		}
		steps := pathStep.FindAllStringSubmatch(path, -1)
		if len(steps) < 2 || !strings.HasPrefix(path, "trigger") {
			continue
		}
		last := steps[len(steps)-1]
		name := last[1] + last[2]
		hint, ok := changing[name]
		if name == partInstance && c.openRosa() {
			hint, ok = "an edited submission gets a new one, and names the one before in deprecatedID: Culvert follows it "+
				"where the whole id: is this, not in event_id or external_id; "+
				`use trigger["meta/rootUuid"] or trigger.__id where the source has it`,
				key != "id" || !c.rule.Trigger.About.Submissions || c.sampleOfEdits()
		}
		if ok {
			c.warn(e.Place, "id-not-lasting", key+" is "+name+", which an edit of the submission changes", hint)
			return
		}
	}
	if c.rule.Trigger.About.Tables && rowNumbers(samples) {
		c.warn(e.Place, "id-not-lasting",
			key+" looks like a row number: the sample counts 1, 2, 3, and the next file may begin at 1 again",
			"use what tells one record from another in every file, such as a register's number with its facility and year: "+
				"join([trigger.facility, trigger.year, trigger.no], \"-\")")
	}
}

// openRosa tells whether the sample is a form of a tool whose edits get new instance ids. CommCare's keep theirs.
func (c *compiler) openRosa() bool {
	for _, body := range c.samples {
		m, ok := body.(map[string]any)
		if !ok {
			continue
		}
		form, meta := metaOf(m, metaDepth)
		ofCommCare := func(names map[string]any, keys ...string) bool {
			return slices.ContainsFunc(keys, func(key string) bool { return names[key] != nil })
		}
		if meta != nil && !ofCommCare(meta, "userID", "username", "timeEnd") && !ofCommCare(form, "@name", "@xmlns", "case") {
			return true
		}
	}
	return false
}

// sampleOfEdits tells whether the sample shows that submissions are edited: then it also shows what stays the same.
func (c *compiler) sampleOfEdits() bool {
	return slices.ContainsFunc(c.samples, func(body any) bool {
		m, ok := body.(map[string]any)
		if !ok {
			return false
		}
		s := SubmissionOf(body)
		return s.Edit() || s.Root != "" || m["__id"] != nil
	})
}

// rowNumbers tells whether ids are 1, 2, 3 in the order of the rows.
func rowNumbers(ids []string) bool {
	return len(ids) > 1 && !slices.ContainsFunc(ids, func(id string) bool { return !smallNumber.MatchString(id) }) &&
		slices.Equal(ids, countTo(len(ids)))
}

func countTo(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = strconv.Itoa(i + 1)
	}
	return list
}

// koboFields are the names with which KoboToolbox and Ona begin fields of their own.
var koboFields = []string{
	"_id", "_uuid", "_attachments", "_bamboo_dataset_id", "_date_modified", "_deleted", "_deviceid", "_duration",
	"_edited", "_geolocation", "_last_edited", "_media_all_received", "_media_count", "_notes", "_returned", "_review_comment",
	"_review_status", "_status", "_submission_time", "_submitted_by", "_supplementalDetails", "_tags", "_total_media",
	"_userform_id", "_validation_status", "_version", "_xform_id", "_xform_id_string",
}

// unsentByKobo warns of fields that look as if KoboToolbox sent them, and that it does not: such a
// field in a sample that somebody wrote by hand is blank in every record that comes.
func (c *compiler) unsentByKobo() {
	if c.rule.Trigger.About.Tables || !c.fromKobo() {
		return
	}
	warned := map[string]bool{}
	for _, f := range c.fields {
		if f.From == nil {
			continue
		}
		for _, path := range f.From.Paths() {
			steps := pathStep.FindAllStringSubmatch(path, -1)
			if len(steps) != 2 || !strings.HasPrefix(path, "trigger") {
				continue
			}
			name := steps[1][1] + steps[1][2]
			if !strings.HasPrefix(name, "_") || strings.HasPrefix(name, "__") ||
				slices.Contains(koboFields, name) || warned[name] {
				continue
			}
			warned[name] = true
			hint := "take the question's own name, or declare it under fields: of the trigger when the form has it"
			if strings.HasPrefix(name, "_geolocation") {
				hint = "write trigger._geolocation, which is [latitude, longitude], or the name of the question for the place"
			}
			c.warn(f.From.Place, "unsent-field", "KoboToolbox and Ona send no field "+name+" with a submission", hint)
		}
	}
}

// fromKobo tells whether the sample is a submission of KoboToolbox or Ona.
func (c *compiler) fromKobo() bool {
	return slices.ContainsFunc(c.samples, func(body any) bool {
		m, _ := body.(map[string]any)
		_, time := m["_submission_time"]
		_, id := m["_id"]
		_, uuid := m["_uuid"]
		return time && (id || uuid)
	})
}
