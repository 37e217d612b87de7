package odk

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/httpget"
	"github.com/culvert/culvert/sources/tree"
)

// client asks the API of one server.
type client struct {
	base *url.URL
	get  httpget.Client
}

func newClient(c sources.Connection, log *slog.Logger) (*client, error) {
	u, err := url.Parse(strings.TrimSpace(c.URL))
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return nil, &httpget.Error{Problem: diag.Problem{
			Message: fmt.Sprintf("the address of connection %q cannot be read", c.Name),
			Hint:    "write odk: https://central.example.org"}}
	}
	if err := httpget.Protected(u, c.Name); err != nil {
		return nil, err
	}
	if c.Username == "" || c.Password == "" {
		return nil, &httpget.Error{Problem: diag.Problem{Message: fmt.Sprintf("connection %q has no credentials",
			c.Name),
			Hint: "give username and password"}}
	}
	// People copy the address from their browser, where it goes on with /#/projects/..., or from a
	// tool, where it goes on with /v1/...
	path, _, _ := strings.Cut(u.Path+"/", "/v1/")
	u.Path, u.RawPath, u.RawQuery, u.Fragment = strings.TrimRight(path, "/"), "", "", ""
	return &client{base: u, get: httpget.Client{Log: log, Username: c.Username, Password: c.Password}}, nil
}

// stamp is how filters name times.
const stamp = "2006-01-02T15:04:05.000Z"

// first gives the address of the first page of what came or changed since a time; of everything since the zero time.
func (c *client) first(r *Rule, since time.Time) *url.URL {
	u := c.base.JoinPath("v1", "projects", strconv.Itoa(r.Project), "forms", url.PathEscape(r.Form)+".svc", "Submissions")
	q := url.Values{"$top": {strconv.Itoa(r.Batch)}, "$expand": {"*"}}
	if !since.IsZero() {
		at := since.UTC().Format(stamp)
		filter := "__system/submissionDate ge " + at + " or __system/updatedAt ge " + at
		if r.Deletions {
			filter += " or __system/deletedAt ge " + at
		}
		q.Set("$filter", filter)
	}
	u.RawQuery = q.Encode()
	return u
}

// page is one page of the feed.
type page struct {
	items []submission
	next  string
}

// submission is one of them.
type submission struct {
	id        string
	changed   time.Time // when it came, was edited or reviewed, or was deleted
	deleted   bool
	encrypted bool
	review    string
	body      map[string]any
}

// maxDepth bounds how deep submissions nest.
const maxDepth = 64

func (c *client) page(ctx context.Context, at *url.URL) (page, error) {
	reply, err := c.get.Get(ctx, at)
	if err != nil {
		return page{}, err
	}
	return decodePage(reply.Body)
}

func decodePage(text []byte) (page, error) {
	strange := &httpget.Error{Problem: diag.Problem{Message: "the answer is no page of an OData feed",
		Hint: "check the address of the connection, the number of the project and the id of the form"}}
	v, err := tree.JSON(text, tree.Limits{Depth: maxDepth})
	if err != nil {
		return page{}, strange
	}
	reply, ok := v.(map[string]any)
	list, has := reply["value"].([]any)
	if !ok || !has {
		return page{}, strange
	}
	var p page
	p.next, _ = reply["@odata.nextLink"].(string)
	for _, item := range list {
		s, ok := submissionOf(item)
		if !ok {
			return page{}, &httpget.Error{Problem: diag.Problem{
				Message: "a submission of the answer has no __id or no time",
				Hint:    "report this to the server's administrators"}}
		}
		p.items = append(p.items, s)
	}
	return p, nil
}

func submissionOf(item any) (submission, bool) {
	body, ok := item.(map[string]any)
	id, _ := body["__id"].(string)
	system, has := body["__system"].(map[string]any)
	if !ok || !has || id == "" {
		return submission{}, false
	}
	s := submission{id: id, body: body, review: received}
	for _, key := range []string{"submissionDate", "updatedAt", "deletedAt"} {
		text, _ := system[key].(string)
		if t, err := time.Parse(time.RFC3339Nano, text); err == nil && t.After(s.changed) {
			s.changed = t
		}
	}
	if text, _ := system["deletedAt"].(string); text != "" {
		s.deleted = true
	}
	if text, _ := system["reviewState"].(string); text != "" {
		s.review = text
	}
	s.encrypted = system["status"] == "notDecrypted"
	withoutLinks(body)
	return s, !s.changed.IsZero()
}

// withoutLinks takes out the addresses of repeats, which are there as lists.
func withoutLinks(v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if strings.HasSuffix(key, "@odata.navigationLink") {
				delete(v, key)
				continue
			}
			withoutLinks(value)
		}
	case []any:
		for _, item := range v {
			withoutLinks(item)
		}
	}
}
