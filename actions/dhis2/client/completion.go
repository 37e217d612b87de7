package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/culvert/culvert/rules/diag"
)

// Complete registers or withdraws a data set's completion. The error is an *Error; withdrawing what
// was not registered is none.
func (c *Client) Complete(ctx context.Context, x Completion) error {
	if _, err := c.writable(ctx); err != nil {
		return err
	}
	if x.undoes() {
		return c.undoCompletion(ctx, x)
	}
	body, err := encodeCompletion(x)
	if err != nil {
		return &Error{Kind: Refused, Problem: diag.Problem{Message: "the completion cannot be put as JSON"}, Err: err}
	}
	a, err := c.do(ctx, request{method: http.MethodPost, path: "completeDataSetRegistrations", body: body})
	if err != nil {
		return err
	}
	summary, err := c.readSummary(a)
	if err != nil {
		return err
	}
	if len(summary.Conflicts) > 0 || summary.Status == "ERROR" {
		e := c.refused(a, &webMessage{})
		for _, f := range summary.Conflicts {
			e.Code = orElse(e.Code, x.code(f))
			e.Detail = orElse(e.Detail, shorten(f.Object+": "+f.Value))
		}
		e.Message = "DHIS2 at " + c.name + " does not take the completion"
		e.Hint = "see the detail: data set, period and org unit must exist and be open"
		return e
	}
	return nil
}

// undoes tells whether a completion is withdrawn by DELETE, which knows the default attribute option combo only.
func (x Completion) undoes() bool { return x.Undo && x.AttributeOptionCombo == "" }

func encodeCompletion(x Completion) ([]byte, error) {
	registration := map[string]any{"dataSet": x.DataSet, "period": x.Period, "organisationUnit": x.OrgUnit,
		"completed": !x.Undo}
	if x.AttributeOptionCombo != "" {
		registration["attributeOptionCombo"] = x.AttributeOptionCombo
	}
	if x.Date != "" {
		registration["date"] = x.Date
	}
	return json.Marshal(map[string]any{"completeDataSetRegistrations": []any{registration}})
}

func (x Completion) undoQuery() url.Values {
	return url.Values{"ds": {x.DataSet}, "pe": {x.Period}, "ou": {x.OrgUnit}}
}

// undoCompletion takes back a completion of the default attribute option combo.
func (c *Client) undoCompletion(ctx context.Context, x Completion) error {
	a, err := c.do(ctx, request{method: http.MethodDelete, path: "completeDataSetRegistrations",
		query: x.undoQuery()})
	if err != nil {
		return err
	}
	if a.status >= 200 && a.status < 300 || a.status == http.StatusNotFound {
		return nil
	}
	return c.refused(a, webMessageOf(a))
}

// code is the code of a conflict. Those of completions have none: the thing that they name tells
// which of the codes of data values it is.
func (x Completion) code(f conflict) string {
	switch f.Object {
	case "":
		return f.Code
	case x.DataSet:
		return orElse(f.Code, "E7600")
	case x.OrgUnit:
		return orElse(f.Code, "E7603")
	case x.AttributeOptionCombo:
		return orElse(f.Code, "E7604")
	case x.Period:
		return orElse(f.Code, "E7611")
	}
	return f.Code
}
