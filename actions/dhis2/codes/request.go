package codes

import (
	"cmp"
	"errors"
	"net/http"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/rules/diag"
)

// OfRequest is the outcome of what was in a request that failed as a whole.
func OfRequest(err error) actions.Outcome {
	var e *client.Error
	if !errors.As(err, &e) {
		return Later("the request could not be made", err)
	}
	o := actions.Outcome{Status: actions.Retry, Problem: e.Problem, Detail: e.Detail, RetryAfter: e.RetryAfter}
	switch e.Kind {
	case client.Unauthorized:
		o.Class, o.Code = actions.ClassCredentials, cmp.Or(o.Code, "credentials")
	case client.Forbidden:
		o.Status, o.Class, o.Code = actions.Failed, actions.ClassRights, cmp.Or(o.Code, "forbidden")
	case client.Refused:
		o = refused(e, o)
	default:
		o.Class, o.Code = actions.ClassServer, cmp.Or(o.Code, "server-away")
	}
	return o
}

// refused is the outcome of a record that the server refuses even on its own. A server that
// stumbled (5xx, or 409 without a report) may do better later; what it could not read it never
// will, nor what Culvert asks in a way that it does not take.
func refused(e *client.Error, o actions.Outcome) actions.Outcome {
	if e.Request {
		o.Status, o.Class, o.Code = actions.Failed, actions.ClassMetadata, "request-refused"
		return o
	}
	if e.Unreadable() || e.Status >= 400 && e.Status < 500 && e.Status != http.StatusConflict &&
		e.Status != http.StatusNotFound {
		o.Status, o.Class, o.Code = actions.Failed, actions.ClassData, "refused"
		return o
	}
	o.Code = cmp.Or(o.Code, "refused")
	o.Class = actions.ClassTransient
	if e.Code != "" {
		if entry, ok := Explain(e.Code); ok {
			o.Class = entry.Class
			o.Status = StatusOf(o.Class)
		}
	}
	return o
}

// Later is the outcome of what could not be tried for a reason of our own that passes.
func Later(cause string, err error) actions.Outcome {
	return actions.Outcome{
		Status: actions.Retry, Class: actions.ClassTransient, Problem: diag.Problem{Code: "not-ready", Message: cause,
			Hint: "it is tried again by itself"},
		Detail: err.Error(),
	}
}

// StatusOf says whether an outcome of a class may heal by itself.
func StatusOf(c actions.Class) actions.Status {
	switch c {
	case actions.ClassParent, actions.ClassTransient, actions.ClassServer, actions.ClassCredentials:
		return actions.Retry
	}
	return actions.Failed
}
