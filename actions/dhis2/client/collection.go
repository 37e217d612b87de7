package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
)

// ErrChanged is in the error of a collection that others changed while it was read: read it again.
var ErrChanged = errors.New("changed while it was read")

// maxPages bounds what a server may make us read.
const maxPages = 100_000

// Collection reads a metadata collection whole, page by page, calling each with every object.
func (c *Client) Collection(ctx context.Context, name, fields string, filters []string,
	each func(json.RawMessage) error) error {
	return c.Pages(ctx, name, fields, filters, 1000, each)
}

// Pages is Collection with a page size, smaller for collections of large objects. The error wraps
// ErrChanged when objects were added or removed meanwhile: each has then seen some objects twice or
// not at all.
func (c *Client) Pages(ctx context.Context, name, fields string, filters []string, size int,
	each func(json.RawMessage) error) error {
	query := url.Values{"fields": {fields}, "order": {"id:asc"}, "pageSize": {strconv.Itoa(size)}}
	if len(filters) > 0 {
		query["filter"] = filters
	}
	total, seen := -1, 0
	for page := 1; page <= maxPages; page++ {
		query.Set("page", strconv.Itoa(page))
		var answer map[string]json.RawMessage
		if err := c.Get(ctx, name, query, &answer); err != nil {
			return err
		}
		var pager struct {
			Page, PageCount, Total int
		}
		var objects []json.RawMessage
		if err := firstError(json.Unmarshal(answer["pager"], &pager), json.Unmarshal(answer[name], &objects)); err != nil {
			return c.notDHIS2(200, fmt.Sprintf("the answer is no page of %s", name), "")
		}
		if total >= 0 && pager.Total != total {
			return fmt.Errorf("reading %s of %s: %w", name, c.name, ErrChanged)
		}
		total = pager.Total
		for _, o := range objects {
			if err := each(o); err != nil {
				return err
			}
		}
		seen += len(objects)
		if page >= pager.PageCount || len(objects) == 0 {
			break
		}
	}
	if seen != total {
		return fmt.Errorf("reading %s of %s: %w (%d objects, %d were announced)", name, c.name, ErrChanged, seen, total)
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// ProgramOrgUnits gives the uids of the org units that each of the programs is assigned to.
func (c *Client) ProgramOrgUnits(ctx context.Context, programs []string) (map[string][]string, error) {
	units := map[string][]string{}
	for chunk := range chunks(programs, 20) {
		var answer map[string][]string
		if err := c.Get(ctx, "programs/orgUnits", url.Values{"programs": {join(chunk, ",")}}, &answer); err != nil {
			return nil, err
		}
		for program, list := range answer {
			units[program] = list
		}
	}
	return units, nil
}

// SystemInfo reads what the server says of itself into out: version, calendar, serverDate,
// serverTimeZoneId, systemId, systemName.
func (c *Client) SystemInfo(ctx context.Context, out any) error {
	return c.Get(ctx, "system/info", nil, out)
}

// Me reads the account that the credentials belong to into out, with its rights.
func (c *Client) Me(ctx context.Context, out any) error {
	return c.Get(ctx, "me", url.Values{"fields": {"id,username,authorities,organisationUnits[id]," +
		"teiSearchOrganisationUnits[id],programs,dataSets"}}, out)
}
