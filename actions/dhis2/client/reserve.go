package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
)

const (
	// reserveAtOnce bounds one reservation: DHIS2 makes the values one by one.
	reserveAtOnce = 500
	// reserveDays is how long reserved values are kept for us, so that a record that waits for weeks still gets its own.
	reserveDays = 60
	// rehearseDays is how long a rehearsal keeps them, which is no longer than DHIS2 can count.
	rehearseDays = 1
)

// ReserveQuery asks for values of an attribute that DHIS2 generates.
type ReserveQuery struct {
	Attribute   string
	OrgUnitCode string // of the org unit, for patterns with ORG_UNIT_CODE; else empty
	Count       int
	Rehearse    bool // they are not going to be used
}

// query asks for so many values.
func (q ReserveQuery) query(n int) url.Values {
	query := url.Values{"numberToReserve": {strconv.Itoa(n)}, "expiration": {strconv.Itoa(reserveDays)}}
	if q.Rehearse {
		query.Set("expiration", strconv.Itoa(rehearseDays))
	}
	if q.OrgUnitCode != "" {
		query.Set("ORG_UNIT_CODE", q.OrgUnitCode)
	}
	return query
}

// Reserve has DHIS2 generate values of an attribute and keep them for us: nobody else gets them,
// and it makes none twice.
func (c *Client) Reserve(ctx context.Context, q ReserveQuery) ([]string, error) {
	var all []string
	for len(all) < q.Count {
		n := min(q.Count-len(all), reserveAtOnce)
		query := q.query(n)
		var page []struct {
			Value string `json:"value"`
		}
		if err := c.patiently(ctx, func() error {
			return c.Get(ctx, "trackedEntityAttributes/"+q.Attribute+"/generateAndReserve", query, &page)
		}); err != nil {
			return nil, err
		}
		for _, v := range page {
			if v.Value != "" {
				all = append(all, v.Value)
			}
		}
		if len(page) == 0 {
			return nil, c.notDHIS2(http.StatusOK, "no value was reserved", "")
		}
	}
	return all[:q.Count], nil
}
