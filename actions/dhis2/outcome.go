package dhis2

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/codes"
	"github.com/culvert/culvert/rules/diag"
)

// wholeFailure is the outcome of a request that failed as a whole.
func wholeFailure(err error) actions.Outcome {
	var e *client.Error
	if !errors.As(err, &e) {
		return retryLater("the request could not be made", err)
	}
	o := actions.Outcome{Status: actions.Retry, Code: e.Code, Cause: e.Message, Hint: e.Hint, Detail: e.Detail, RetryAfter: e.RetryAfter}
	switch e.Kind {
	case client.Unauthorized:
		o.Class, o.Code = actions.ClassCredentials, orElse(o.Code, "credentials")
	case client.Forbidden:
		o.Status, o.Class, o.Code = actions.Failed, actions.ClassRights, orElse(o.Code, "forbidden")
	case client.Refused:
		o = refusedAlone(e, o)
	default:
		o.Class, o.Code = actions.ClassServer, orElse(o.Code, "server-away")
	}
	return o
}

// refusedAlone is the outcome of a record that the server refuses even on its own. A server that stumbled (5xx, or 409 without a report) may do better
// later; what it could not read it never will, nor what Culvert asks in a way that it does not take.
func refusedAlone(e *client.Error, o actions.Outcome) actions.Outcome {
	if e.Request {
		o.Status, o.Class, o.Code = actions.Failed, actions.ClassMetadata, "request-refused"
		return o
	}
	if e.Unreadable() || e.Status >= 400 && e.Status < 500 && e.Status != http.StatusConflict && e.Status != http.StatusNotFound {
		o.Status, o.Class, o.Code = actions.Failed, actions.ClassData, "refused"
		return o
	}
	o.Code = orElse(o.Code, "refused")
	o.Class = actions.ClassTransient
	if e.Code != "" {
		if entry, ok := codes.Explain(e.Code); ok {
			o.Class = entry.Class
			o.Status = statusOf(o.Class)
		}
	}
	return o
}

func orElse(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// statusOf says whether an outcome of a class may heal by itself.
func statusOf(c actions.Class) actions.Status {
	switch c {
	case actions.ClassParent, actions.ClassTransient, actions.ClassServer, actions.ClassCredentials:
		return actions.Retry
	}
	return actions.Failed
}

// explain puts what DHIS2 said of an object in words: which object, which field of the rule, why, and what to do.
func (d *delivery) explain(i *item, issue client.Issue) actions.Outcome {
	entry, _ := codes.Explain(issue.Code)
	o := actions.Outcome{
		Status: statusOf(entry.Class), Class: entry.Class, Code: issue.Code, Hint: entry.Hint, Detail: issue.Message,
	}
	if o.Code == "" {
		o.Code = "refused"
	}
	label := i.write.Object.Label()
	if name, place, ok := fieldOf(i.write.Object, issue); ok {
		label, o.Place = fmt.Sprintf("%q of %s", name, label), place
	}
	o.Cause = label + ": " + entry.Cause
	if r := ruleOf(d.x, issue); r != nil {
		o.Cause = label + ": " + ruleCause(r)
		o.Hint = "correct the record by what the rule asks; a rule of DHIS2 that is wrong is changed there, and all of them can be left out with `skip_rule_engine`"
	}
	if who := people(i.write.Object); issue.Code == "E1064" && len(who) > 0 {
		o.Hint = "add match_by to the rule, so that people who are already in DHIS2 are found"
		if len(who[0].match) > 0 {
			o.Hint = "match_by did not find who has it: widen the search org units of Culvert's user in DHIS2, or say who it is with culvert ids, then replay the record"
		}
	}
	return o
}

// fieldOf finds the field of the rule that an issue is about, by the uid of its attribute or data element in what DHIS2 says.
func fieldOf(o actions.Object, issue client.Issue) (name string, place diag.Place, ok bool) {
	var b *blueprint
	switch o := o.(type) {
	case *trackedEntityWrite:
		b = o.blueprint
	case *enrollmentWrite:
		b = o.blueprint
	case *eventWrite:
		b = o.blueprint
	case *dataValueWrite:
		return o.name, o.place, true
	default:
		return "", place, false
	}
	for uid, name := range b.names {
		if strings.Contains(issue.Message, uid) {
			return name, b.places[uid], true
		}
		for _, arg := range issue.Args {
			if strings.Contains(arg, uid) {
				return name, b.places[uid], true
			}
		}
	}
	return "", place, false
}
