package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/culvert/culvert/rules/diag"
)

const (
	findValues  = 400  // values asked for at once
	findLength  = 4500 // bytes of values in one address, escaped
	findPage    = 1000 // people to a page; more than values, since the server also finds other spellings
	findAtOnce  = 3    // questions under way
	findPages   = 20   // bounds what one question may make us read
	findColumns = "trackedEntity,orgUnit,attributes[attribute,value],enrollments[" + enrollmentFields + "]"
)

// FindTrackedEntities looks people up by a unique attribute, many values in one request; the
// comparison is exact in the answer even where the server's is not (DHIS2 ignores letters' case).
// Where two people hold the same value both are in the answer. The error is an *UnreadError when
// the server refuses to look for some of the values, which are asked for alone then.
func (c *Client) FindTrackedEntities(ctx context.Context, q FindQuery) ([]Found, error) {
	_, minor, err := c.Version(ctx)
	if err != nil {
		return nil, err
	}
	values := slices.Compact(slices.Sorted(slices.Values(q.Values)))
	values = slices.DeleteFunc(values, func(v string) bool { return v == "" })
	var parts [][]string
	for len(values) > 0 {
		n := together(values)
		parts = append(parts, values[:n])
		values = values[n:]
	}
	found, unread, errs := make([][]Found, len(parts)), make([]UnreadError, len(parts)), make([]error, len(parts))
	var asking sync.WaitGroup
	free := make(chan struct{}, findAtOnce)
	for n, part := range parts {
		free <- struct{}{}
		asking.Go(func() {
			defer func() { <-free }()
			found[n], errs[n] = c.findHalving(ctx, q, part, minor, &unread[n])
		})
	}
	asking.Wait()
	if err := firstError(errs...); err != nil {
		return nil, err
	}
	all := &UnreadError{}
	for n := range unread {
		all.takes(unread[n].orNil())
	}
	return slices.Concat(found...), all.orNil()
}

// together is how many of the values can go into one request. A semicolon cannot be escaped in a list.
func together(values []string) int {
	length := 0
	for i, v := range values {
		length += len(url.QueryEscape(escapeFilter(v))) + len("%3B")
		if strings.Contains(v, ";") {
			return max(i, 1)
		}
		if i == findValues || i > 0 && length > findLength {
			return i
		}
	}
	return len(values)
}

// findHalving asks for a list, and for its halves where it is refused: the list may be what is
// refused (an operator that the attribute does not allow, more hits than may be shown at once), or
// one value in it.
func (c *Client) findHalving(ctx context.Context, q FindQuery, values []string, minor int,
	unread *UnreadError) ([]Found, error) {
	found, err := c.findSome(ctx, q, values, minor)
	var failed *Error
	if !errors.As(err, &failed) || failed.Kind != Refused || failed.Request && failed.Status == 0 {
		return found, err
	}
	if len(values) == 1 {
		unread.add(values[0], failed)
		return nil, nil
	}
	if failed.Status >= 400 && failed.Status < 500 && !failed.Request && len(values) <= findAlone {
		return c.findEach(ctx, q, values, minor, unread)
	}
	left, err := c.findHalving(ctx, q, values[:len(values)/2], minor, unread)
	if err != nil {
		return nil, err
	}
	right, err := c.findHalving(ctx, q, values[len(values)/2:], minor, unread)
	return append(left, right...), err
}

// findAlone is how short a refused list is for it to be likelier that lists as such are refused
// than that a half of it is not.
const findAlone = 12

func (c *Client) findEach(ctx context.Context, q FindQuery, values []string, minor int, unread *UnreadError) ([]Found,
	error) {
	var all []Found
	for i := range values {
		found, err := c.findHalving(ctx, q, values[i:i+1], minor, unread)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// findQuery asks for one value or a list, as the server's version takes it.
func findQuery(q FindQuery, values []string, minor int) url.Values {
	query := url.Values{"fields": {findColumns}, "pageSize": {strconv.Itoa(findPage)}}
	if q.Program != "" {
		query.Set("program", q.Program)
	} else {
		query.Set("trackedEntityType", q.TrackedEntityType)
	}
	// 2.41 takes both names of the parameter, 2.42 only the newer.
	if minor >= 41 {
		query.Set("orgUnitMode", "ACCESSIBLE")
	} else {
		query.Set("ouMode", "ACCESSIBLE")
	}
	escaped := make([]string, len(values))
	for i, v := range values {
		escaped[i] = escapeFilter(v)
	}
	operator := "eq"
	if len(values) > 1 {
		operator = "in"
	}
	query.Set("filter", q.Attribute+":"+operator+":"+join(escaped, ";"))
	return query
}

// findSome asks for one value or a list that fits into one address. More people than may be read
// are a refusal of the list, as if the server had refused it.
func (c *Client) findSome(ctx context.Context, q FindQuery, values []string, minor int) ([]Found, error) {
	query := findQuery(q, values, minor)
	var all []Found
	for page := 1; page <= findPages; page++ {
		query.Set("page", strconv.Itoa(page))
		objects, err := c.listed(ctx, "tracker/trackedEntities", "trackedEntities", query)
		if err != nil {
			return nil, err
		}
		for _, o := range objects {
			found, fits, err := c.foundBy(o, q, values)
			if err != nil {
				return nil, err
			}
			if fits {
				all = append(all, found)
			}
		}
		if len(objects) < findPage {
			return all, nil
		}
	}
	// Who is on the pages that follow is not known, and must not pass for nobody.
	return nil, &Error{Kind: Refused,
		Problem: diag.Problem{Message: fmt.Sprintf("DHIS2 at %s finds more than %d people by the attribute %s", c.name,
			findPages*findPage-1,
			q.Attribute),
			Hint: "narrow the search: look people up by an attribute whose values are unique, or in one program"}}
}

// escapeFilter writes a value so that its commas, colons and slashes do not end it.
func escapeFilter(v string) string {
	return strings.NewReplacer("/", "//", ",", "/,", ":", "/:").Replace(v)
}

func (c *Client) foundBy(text json.RawMessage, q FindQuery, values []string) (Found, bool, error) {
	e, err := decodeEntity(text)
	if err != nil {
		return Found{}, false, c.brokenReply(&answer{status: 200}, err)
	}
	for _, a := range e.Attributes {
		if a.Attribute == q.Attribute {
			f := Found{TrackedEntity: e.TrackedEntity, OrgUnit: e.OrgUnit, Value: a.Value, Enrollments: e.Enrollments,
				Attributes: e.Attributes}
			fits := slices.ContainsFunc(values, func(v string) bool {
				return v == a.Value || q.AnyCase && strings.EqualFold(strings.TrimSpace(v), strings.TrimSpace(a.Value))
			})
			return f, fits, nil
		}
	}
	return Found{}, false, &Error{Kind: Refused, Request: true,
		Problem: diag.Problem{Message: "DHIS2 at " + c.name + " finds people by the attribute " + q.Attribute +
			" but does not show it",
			Hint: "look it up in a program that has the attribute, or make it an attribute of the tracked entity type"}}
}
