package commcare

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"

	"github.com/culvert/culvert/sources/httpget"
)

// Connection is one project space on a CommCare HQ.
type Connection = sources.Connection

// client asks the API of one project space.
type client struct {
	base   *url.URL // of the project space, ends with a slash
	get    httpget.Client
	domain string
}

func newClient(c Connection, log *slog.Logger) (*client, error) {
	text := strings.TrimRight(c.URL, "/")
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return nil, &httpget.Error{Problem: diag.Problem{
			Message: fmt.Sprintf("the address of connection %q cannot be read", c.Name),
			Hint:    "write commcare: https://www.commcarehq.org"}}
	}
	if err := httpget.Protected(u, c.Name); err != nil {
		return nil, err
	}
	if c.Domain == "" {
		return nil, &httpget.Error{Problem: diag.Problem{Message: fmt.Sprintf("connection %q names no project space",
			c.Name), Hint: "add domain:"}}
	}
	// People copy the address from their browser, where it goes on with /a/ and the project space.
	path, _, _ := strings.Cut(u.Path+"/", "/a/")
	u.Path = strings.TrimRight(path, "/") + "/a/" + c.Domain + "/"
	u.RawPath, u.RawQuery, u.Fragment = "", "", ""
	out := &client{base: u, domain: c.Domain, get: httpget.Client{Log: log, Header: http.Header{}}}
	switch {
	case c.APIKey != "" && c.Username != "":
		out.get.Header.Set("Authorization", "ApiKey "+c.Username+":"+c.APIKey)
	case c.Username != "" && c.Password != "":
		out.get.Username, out.get.Password = c.Username, c.Password
	default:
		return nil, &httpget.Error{Problem: diag.Problem{Message: fmt.Sprintf("connection %q has no credentials",
			c.Name),
			Hint: "give username and api_key, or username and password"}}
	}
	return out, nil
}

// stream is one list that is pulled: all forms or cases of a rule, or those of one xmlns or type.
type stream struct {
	rule Rule
	only string
}

// name tells the streams of a rule apart.
func (s stream) name() string {
	if s.only == "" {
		return s.rule.Rule
	}
	return s.rule.Rule + "/" + s.only
}

// stamp is how CommCare HQ reads times.
const stamp = "2006-01-02T15:04:05.000000Z"

// first gives the address of the first page from a time of indexing on, which is inclusive.
func (c *client) first(s stream, from time.Time, skip int) *url.URL {
	q := url.Values{"limit": {strconv.Itoa(s.rule.Batch)}}
	set := func(key, value string) {
		if value != "" {
			q.Set(key, value)
		}
	}
	at := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.Format(stamp)
	}
	path := "api/v0.5/form/"
	if s.rule.Cases {
		path = "api/case/v2/"
		set("case_type", s.only)
		set("owner_id", s.rule.Owner)
		set("closed", s.rule.Closed)
		set("indexed_on.gte", at(from))
		set("indexed_on.lt", at(s.rule.Until))
	} else {
		q.Set("order_by", "indexed_on")
		set("xmlns", s.only)
		set("app_id", s.rule.App)
		if s.rule.Archived {
			q.Set("include_archived", "true")
		}
		set("indexed_on_start", at(from))
		set("indexed_on_end", at(s.rule.Until))
		if skip > 0 {
			q.Set("offset", strconv.Itoa(skip))
		}
	}
	u := c.base.JoinPath(path)
	u.RawQuery = q.Encode()
	return u
}

func (c *client) page(ctx context.Context, s stream, at *url.URL) (page, error) {
	reply, err := c.get.Get(ctx, at)
	if err != nil {
		return page{}, err
	}
	if s.rule.Cases {
		return decodeCases(reply.Body)
	}
	return decodeForms(reply.Body)
}

// place is where a pull stands.
type place struct {
	from time.Time // pages begin with this time of indexing
	skip int       // items of that time that were read already: forms of one time that fill a page
	next *url.URL  // of cases: the page that CommCare named
}

// address gives the next page of a place.
func (c *client) address(s stream, p place) *url.URL {
	if p.next != nil {
		return p.next
	}
	return c.first(s, p.from, p.skip)
}

// after gives the place behind a page that was read at p. more is false when it was the last one.
func (c *client) after(s stream, p place, got page) (next place, more bool, err error) {
	if len(got.items) == 0 || got.next == "" {
		return p, false, nil
	}
	last := got.items[len(got.items)-1].indexed
	if !s.rule.Cases {
		// The next page begins with the time where this one ends: pages by offset would shift while forms are indexed.
		if last.Equal(p.from) {
			return place{from: last, skip: p.skip + len(got.items)}, true, nil
		}
		return place{from: last}, true, nil
	}
	u, err := httpget.Follow(c.address(s, p), got.next)
	if err != nil {
		return p, false, err
	}
	return place{from: last, next: u}, true, nil
}
