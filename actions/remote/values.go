package remote

import (
	"fmt"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/expression"
)

// TextOf gives the value of a field as text; ok is false where it is blank. The error is a *rules.Failure.
func TextOf(f *rules.Field, s *rules.Scope) (text string, ok, clear bool, err error) {
	v, err := f.Eval(s)
	if err != nil || v.Blank {
		return "", false, v.Clear, err
	}
	if o, is := v.Value.(*rules.Object); is {
		return o.ID, true, false, nil
	}
	return expression.AsText(v.Value), true, false, nil
}

// Needed gives the value of an expression that must not be blank. The error is a *rules.Failure.
func Needed(e *rules.Expr, s *rules.Scope, field string) (string, error) {
	text, err := e.EvalText(s)
	if err == nil && text == "" {
		err = &rules.Failure{Problem: diag.Problem{Code: "blank-value", Field: field, Place: e.Place, Column: e.Column(),
			Message: fmt.Sprintf("%q is blank, so that it is not known what is meant", field),
			Hint:    "fill it in at the source, or add when: for records that have none"}}
	}
	if err != nil {
		return "", err
	}
	return text, rules.TooLongID(e, field, text)
}
