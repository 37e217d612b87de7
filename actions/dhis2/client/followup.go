package client

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/culvert/culvert/rules/diag"
)

// FollowUp marks an aggregate value for follow-up, or takes the mark away.
type FollowUp struct {
	DataElement          string `json:"dataElement"`
	Period               string `json:"period"`
	OrgUnit              string `json:"orgUnit"`
	CategoryOptionCombo  string `json:"categoryOptionCombo,omitempty"`
	AttributeOptionCombo string `json:"attributeOptionCombo,omitempty"`
	On                   bool   `json:"followup"`
}

const followUpPath = "dataValues/followups"

// MarkFollowUps marks values that are there already. It takes all of them or none: the error is an
// *Error then. The mark has a request of its own because servers up to 2.42 pass over one that
// comes with the value.
func (c *Client) MarkFollowUps(ctx context.Context, list []FollowUp) error {
	if _, err := c.writable(ctx); err != nil {
		return err
	}
	body, err := encodeFollowUps(list)
	if err != nil {
		return &Error{Kind: Refused, Problem: diag.Problem{Message: "the follow-up marks cannot be put as JSON"},
			Err: err}
	}
	a, err := c.do(ctx, request{method: http.MethodPut, path: followUpPath, body: body})
	if err != nil {
		return err
	}
	if a.status >= 200 && a.status < 300 {
		return nil
	}
	return c.refused(a, webMessageOf(a))
}

func encodeFollowUps(list []FollowUp) ([]byte, error) {
	return json.Marshal(map[string]any{"values": list})
}

// MarkFollowUps notes the marks.
func (p *Preview) MarkFollowUps(_ context.Context, list []FollowUp) error {
	body, err := encodeFollowUps(list)
	if err != nil {
		return &Error{Kind: Refused, Problem: diag.Problem{Message: "the follow-up marks cannot be put as JSON"},
			Err: err}
	}
	p.note(http.MethodPut, followUpPath, nil, body)
	return nil
}
