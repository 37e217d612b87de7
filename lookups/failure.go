package lookups

import (
	"errors"
	"net/http"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources/httpget"
)

// OfHTTP says of why a system cannot be read what it means for the records that ask.
func OfHTTP(err error) *Error {
	e, ok := errors.AsType[*httpget.Error](err)
	if !ok {
		if p, isProblem := errors.AsType[*diag.Problem](err); isProblem {
			return &Error{Problem: diag.Problem{Code: CodeRefused, Message: p.Message, Hint: p.Hint}}
		}
		return &Error{Problem: diag.Problem{Code: CodeAway, Message: "the web API could not be asked",
			Hint: "it is asked again by itself"}}
	}
	out := &Error{Problem: e.Problem, After: e.RetryAfter}
	switch {
	case e.Passing():
		out.Code = CodeAway
		out.Hint = "the record waits and is looked up again by itself: " + e.Hint
		// One value may be too much for a system that answers others: a 500 is its alone.
		out.Away = e.Status != http.StatusInternalServerError && e.Status != http.StatusRequestTimeout
	default:
		out.Code = CodeRefused
		out.Hint = "the record waits until that is put right, and is looked up again by itself: " + e.Hint
		out.Away = e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden
	}
	return out
}

// Unusable is the error of a connection that cannot be opened as culvert.yaml says.
func Unusable(name string, err error) *Error {
	return &Error{Away: true, Problem: diag.Problem{Code: CodeRefused,
		Message: "the connection " + name + " cannot be used: " + err.Error(),
		Hint:    "put it right in culvert.yaml or in the environment"}}
}
