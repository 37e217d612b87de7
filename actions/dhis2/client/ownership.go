package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/culvert/culvert/rules/diag"
)

// Transfer gives a tracked entity's data of a program to an org unit, whose people may see and change it from then on.
type Transfer struct {
	TrackedEntity, Program, OrgUnit string
}

// ErrAbsent is what errors wrap about an object that is not there yet.
var ErrAbsent = errors.New("it is not there")

// transferPath takes its parameters in the address. How they are called differs:
// TrackerOwnershipController of 2.40 to 2.43.
const transferPath = "tracker/ownership/transfer"

func (x Transfer) query(minor int) url.Values {
	entity, unit := "trackedEntity", "orgUnit"
	if minor <= 40 {
		entity = "trackedEntityInstance"
	}
	if minor <= 41 {
		unit = "ou"
	}
	return url.Values{entity: {x.TrackedEntity}, "program": {x.Program}, unit: {x.OrgUnit}}
}

func (x Transfer) ownerQuery() url.Values {
	return url.Values{"program": {x.Program}, "fields": {"trackedEntity,programOwners[program,orgUnit]"}}
}

// Transfer makes an org unit the owner. It is no error when it is that already. The error wraps
// ErrAbsent when the person is not in the program; else it is an *Error. Servers up to 2.42 answer
// that all went well even where nothing was done, so that the owner is read before and after.
func (c *Client) Transfer(ctx context.Context, x Transfer) error {
	minor, err := c.writable(ctx)
	if err != nil {
		return err
	}
	owner, err := c.owner(ctx, x)
	if err != nil || owner == x.OrgUnit {
		return err
	}
	if owner == "" {
		return fmt.Errorf("nobody of the program: %w", ErrAbsent)
	}
	a, err := c.do(ctx, request{method: http.MethodPut, path: transferPath, query: x.query(minor)})
	if err != nil {
		return err
	}
	if err := c.refusal(a); err != nil {
		return err
	}
	if owner, err = c.owner(ctx, x); err == nil && owner != x.OrgUnit {
		return &Error{Kind: Refused, Status: http.StatusConflict, Problem: diag.Problem{Code: "not-transferred",
			Message: c.name + " answered that all went well, and did not transfer the person",
			Hint:    "see that the org unit is assigned to the program and still there, then sync and replay the record"}}
	}
	return nil // one that may not be read any more has been given away
}

// owner gives the org unit that owns a tracked entity's data of a program; empty when none does.
func (c *Client) owner(ctx context.Context, x Transfer) (string, error) {
	a, err := c.do(ctx, request{method: http.MethodGet, path: "tracker/trackedEntities/" + x.TrackedEntity,
		query: x.ownerQuery()})
	if err != nil {
		return "", err
	}
	if a.status == http.StatusNotFound {
		return "", fmt.Errorf("no such tracked entity: %w", ErrAbsent)
	}
	if err := c.refusal(a); err != nil {
		return "", err
	}
	var entity struct {
		ProgramOwners []struct {
			Program string `json:"program"`
			OrgUnit string `json:"orgUnit"`
		} `json:"programOwners"`
	}
	if err := json.Unmarshal(a.body, &entity); err != nil {
		return "", c.brokenReply(a, err)
	}
	for _, o := range entity.ProgramOwners {
		if o.Program == x.Program {
			return o.OrgUnit, nil
		}
	}
	return "", nil
}

// Transfer notes the reading of the owner and the transfer.
func (p *Preview) Transfer(_ context.Context, x Transfer) error {
	p.note(http.MethodGet, "tracker/trackedEntities/"+x.TrackedEntity, x.ownerQuery(), nil)
	p.note(http.MethodPut, transferPath, x.query(p.Minor), nil)
	return nil
}

// TemporaryAccess lets the user into a person's data of a protected program for three hours, although
// another org unit owns them. DHIS2 keeps the reason.
type TemporaryAccess struct {
	TrackedEntity, Program, Reason string
}

// LetIn takes temporary access ("breaks the glass"). The error wraps ErrAbsent when the person is not
// there; else it is an *Error: of a user who may not search where the owner is, or of a program that
// is not protected.
func (c *Client) LetIn(ctx context.Context, x TemporaryAccess) error {
	minor, err := c.writable(ctx)
	if err != nil {
		return err
	}
	entity := "trackedEntity"
	if minor <= 40 {
		entity = "trackedEntityInstance"
	}
	a, err := c.do(ctx, request{method: http.MethodPost, path: "tracker/ownership/override",
		query: url.Values{entity: {x.TrackedEntity}, "program": {x.Program}, "reason": {x.Reason}}})
	if err != nil {
		return err
	}
	if a.status == http.StatusNotFound {
		return fmt.Errorf("no such tracked entity: %w", ErrAbsent)
	}
	return c.refusal(a)
}

// LetIn is never asked for: a preview is refused nothing.
func (*Preview) LetIn(context.Context, TemporaryAccess) error { return nil }
