package deliver

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/codes"
	"github.com/culvert/culvert/actions/dhis2/identity"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/rules/diag"
)

// explain says what DHIS2 said of an object: which object, which field of the rule, why, and what to do.
func (d *delivery) explain(i *item, issue client.Issue) actions.Outcome {
	entry, _ := codes.Explain(issue.Code)
	o := actions.Outcome{
		Status: codes.StatusOf(entry.Class), Class: entry.Class,
		Problem: diag.Problem{Code: cmp.Or(issue.Code, "refused"), Hint: entry.Hint},
		Detail:  issue.Message,
	}
	label := i.object.Label()
	if f, ok := i.object.FieldAt(issue); ok {
		label, o.Place, o.Column = fmt.Sprintf("%q of %s", f.Name, label), f.Place, f.Column
		if sent, ok := i.object.(interface{ SentValue(uid string) string }); ok {
			o.Value = sent.SentValue(f.UID)
		}
	}
	o.Message = label + ": " + entry.Cause
	if r := ruleOf(d.x, issue); r != nil {
		o.Message = label + ": " + ruleCause(r)
		o.Hint = "correct the record by what the rule asks; a rule of DHIS2 that is wrong is changed there, and all of " +
			"them can be left out with `skip_rule_engine`"
	}
	if entry.Class == actions.ClassParent {
		o.Hint = cmp.Or(awaitedHint(i), o.Hint)
	}
	if issue.Code == "E1102" {
		o.Hint = cmp.Or(ownerHint(d.x, i), o.Hint)
	}
	if people := i.object.Refs().People; issue.Code == "E1064" && len(people) > 0 {
		o.Hint = "add match_by to the rule, so that people who are already in DHIS2 are found"
		if len(people[0].Match) > 0 {
			o.Hint = "match_by did not find who has it: widen the search org units of Culvert's user in DHIS2, " +
				"or say who it is with culvert ids, then replay the record"
		}
	}
	return o
}

// ownerHint says what can be done where another org unit owns a person, by how open the program is.
func ownerHint(x *metadata.Index, i *item) string {
	enrollments := i.object.Refs().Enrollments
	if len(enrollments) == 0 {
		return ""
	}
	p := x.ProgramByID(enrollments[0].Program)
	switch {
	case p == nil:
		return ""
	case p.AccessLevel == "CLOSED":
		return "the program is closed, so that only the org unit that owns the person may write: have it transfer her, or " +
			"give Culvert's user that org unit; nobody is let in for a while"
	case p.AccessLevel == "PROTECTED":
		return "the program is protected: give Culvert's user the org unit that owns the person, have it transfer her, or " +
			"say in the rule with which reason it may write all the same (temporary_access)"
	}
	return ""
}

// awaitedHint says what to look at when DHIS2 has nobody, or no enrollment, for what a record is
// about: mostly the record that brings them is still to come, but a rule may also name the wrong
// person. Empty: the object is about nobody, or is the person.
func awaitedHint(i *item) string {
	refs := i.object.Refs()
	if len(refs.People) == 0 || i.key.Type == client.TypeTrackedEntity {
		return ""
	}
	for _, p := range refs.People {
		id := p.Key.ExternalID
		if len(refs.Events) > 0 && id != "" && (id == i.job.plan.Record.RecordID ||
			slices.ContainsFunc(refs.Events, func(e *identity.Event) bool { return e.ID == id })) {
			return "external_id gives the record's own id. If that is not the id of the person, as the rule that registers " +
				"her gives it, name that one, and put what tells events apart into event_id; else it is sent again by itself " +
				"once she is registered and enrolled"
		}
	}
	return "it is sent again by itself once the record that registers and enrolls the person has come. When that is there " +
		"already, external_id (and enrolled_at or enrollment_id, where one of the rules has it) has to give what it gives in " +
		"the rule that registers her"
}
