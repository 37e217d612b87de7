package kobo

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"

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
			Hint:    "write kobo: https://kf.kobotoolbox.org"}}
	}
	if err := httpget.Protected(u, c.Name); err != nil {
		return nil, err
	}
	// People copy the address from their browser, where it goes on with /#/forms/...; of the API's own
	// pages only the host matters.
	path, _, _ := strings.Cut(u.Path+"/", "/api/")
	u.Path, u.RawPath, u.RawQuery, u.Fragment = strings.TrimRight(path, "/"), "", "", ""
	out := &client{base: u, get: httpget.Client{Log: log, Header: http.Header{}}}
	switch {
	case c.APIKey != "":
		out.get.Header.Set("Authorization", "Token "+c.APIKey)
	case c.Username != "" && c.Password != "":
		out.get.Username, out.get.Password = c.Username, c.Password
	default:
		return nil, &httpget.Error{Problem: diag.Problem{Message: fmt.Sprintf("connection %q has no credentials",
			c.Name),
			Hint: "give api_key, or username and password"}}
	}
	return out, nil
}

// page is one page of submissions.
type page struct {
	count int
	items []submission
}

// submission is one of them, or what was asked of it.
type submission struct {
	id     uint64
	uuid   string // of this version
	root   string // of the first one
	time   string // _submission_time
	status string // uid of the validation status; empty: none
	body   map[string]any
}

// maxDepth bounds how deep submissions nest.
const maxDepth = 64

// submissions asks for one page in the order of ids. fields are what is asked of each; all when there are none.
func (c *client) submissions(ctx context.Context, asset, query string, limit int, fields ...string) (page, error) {
	at := c.base.JoinPath("api", "v2", "assets", asset, "data.json")
	q := url.Values{"limit": {strconv.Itoa(limit)}, "sort": {`{"_id":1}`}}
	if query != "" {
		q.Set("query", query)
	}
	if len(fields) > 0 {
		text, err := json.Marshal(fields)
		if err != nil {
			return page{}, fmt.Errorf("name the fields: %w", err)
		}
		q.Set("fields", string(text))
	}
	at.RawQuery = q.Encode()
	reply, err := c.get.Get(ctx, at)
	if err != nil {
		return page{}, err
	}
	return decodePage(reply.Body)
}

func decodePage(text []byte) (page, error) {
	items, count, err := submissionsOf(text)
	if err != nil {
		return page{}, err
	}
	for n := 1; n < len(items); n++ {
		if items[n-1].id >= items[n].id {
			return page{}, &httpget.Error{Problem: diag.Problem{
				Message: "the submissions of the answer are not in the order of their _id",
				Hint:    "report this to the server's administrators"}}
		}
	}
	return page{count: count, items: items}, nil
}

// submissionsOf reads a page in whatever order. count is how many all pages hold.
func submissionsOf(text []byte) (items []submission, count int, err error) {
	strange := &httpget.Error{Problem: diag.Problem{Message: "the answer is no page of submissions",
		Hint: "check that the address is that of the server where the project is edited, such as https://kf.kobotoolbox.org"}}
	v, err := tree.JSON(text, tree.Limits{Depth: maxDepth})
	if err != nil {
		return nil, 0, strange
	}
	reply, ok := v.(map[string]any)
	list, has := reply["results"].([]any)
	if !ok || !has {
		return nil, 0, strange
	}
	count = len(list)
	if n, ok := reply["count"].(float64); ok {
		count = int(n)
	}
	for _, item := range list {
		s, ok := submissionOf(item)
		if !ok {
			return nil, 0, &httpget.Error{Problem: diag.Problem{Message: "a submission of the answer has no _id",
				Hint: "look at the API's answer with a browser"}}
		}
		items = append(items, s)
	}
	return items, count, nil
}

func submissionOf(item any) (submission, bool) {
	body, ok := item.(map[string]any)
	id, has := body["_id"].(float64)
	if !ok || !has || id < 1 || id != float64(uint64(id)) {
		return submission{}, false
	}
	s := submission{id: uint64(id), body: body}
	s.uuid, _ = body["_uuid"].(string)
	s.time, _ = body["_submission_time"].(string)
	if s.root, _ = body["meta/rootUuid"].(string); s.root == "" && s.uuid != "" {
		s.root = "uuid:" + s.uuid // servers of before have none
	}
	if status, ok := body["_validation_status"].(map[string]any); ok {
		s.status, _ = status["uid"].(string)
	}
	return s, true
}
