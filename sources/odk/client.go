package odk

import (
	"context"
	"errors"
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
	// The count tells afterwards whether the pages held all of it.
	q := url.Values{"$top": {strconv.Itoa(r.Batch)}, "$count": {"true"}}
	u, came := c.base.JoinPath("v1", "projects", strconv.Itoa(r.Project)), "submissionDate"
	if r.entities() {
		u, came = u.JoinPath("datasets", url.PathEscape(r.EntityList)+".svc", "Entities"), "createdAt"
	} else {
		u = u.JoinPath("forms", url.PathEscape(r.Form)+".svc", "Submissions")
		q.Set("$expand", "*")
	}
	if !since.IsZero() {
		at := since.UTC().Format(stamp)
		filter := "__system/" + came + " ge " + at + " or __system/updatedAt ge " + at
		if r.Deletions {
			filter += " or __system/deletedAt ge " + at
		}
		q.Set("$filter", filter)
	}
	u.RawQuery = q.Encode()
	return u
}

// skipping gives the address of the same, so many passed over, the oldest first: what comes meanwhile stands at the
// end. Central takes no token together with an order of ours.
func skipping(u *url.URL, r *Rule, n int) *url.URL {
	came := "submissionDate"
	if r.entities() {
		came = "createdAt"
	}
	out, q := *u, u.Query()
	q.Set("$orderby", "__system/"+came+" asc")
	q.Set("$skip", strconv.Itoa(n))
	out.RawQuery = q.Encode()
	return &out
}

// page is one page of the feed.
type page struct {
	items []item
	next  string
	count int // of all pages; -1: the server does not say
}

// item is a submission, or an entity.
type item struct {
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
	if refused, ok := errors.AsType[*httpget.Error](err); ok && refused.Status == http.StatusNotFound {
		refused.Hint = elsewhere
	}
	if err != nil {
		return page{}, err
	}
	return decodePage(reply.Body)
}

// elsewhere says what to look at where there is no feed.
const elsewhere = "check the address of the connection, the number of the project, and the id of the form or the name of the " +
	"entity list"

func decodePage(text []byte) (page, error) {
	strange := &httpget.Error{Problem: diag.Problem{Message: "the answer is no page of an OData feed",
		Hint: elsewhere}}
	v, err := tree.JSON(text, tree.Limits{Depth: maxDepth})
	if err != nil {
		return page{}, strange
	}
	reply, ok := v.(map[string]any)
	list, has := reply["value"].([]any)
	if !ok || !has {
		return page{}, strange
	}
	p := page{count: -1}
	p.next, _ = reply["@odata.nextLink"].(string)
	switch n := reply["@odata.count"].(type) {
	case float64:
		p.count = int(min(n, 1<<31))
	case string: // as entities have it
		if n, err := strconv.Atoi(n); err == nil {
			p.count = n
		}
	}
	for _, v := range list {
		s, ok := itemOf(v)
		if !ok {
			return page{}, &httpget.Error{Problem: diag.Problem{
				Message: "what the answer holds has no __id or no time",
				Hint:    "report this to the server's administrators"}}
		}
		p.items = append(p.items, s)
	}
	return p, nil
}

func itemOf(v any) (item, bool) {
	body, ok := v.(map[string]any)
	id, _ := body["__id"].(string)
	system, has := body["__system"].(map[string]any)
	if !ok || !has || id == "" {
		return item{}, false
	}
	s := item{id: id, body: body, review: received}
	for _, key := range []string{"submissionDate", "createdAt", "updatedAt", "deletedAt"} {
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
