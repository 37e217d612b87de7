package commcare

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources/httpget"
	"github.com/culvert/culvert/sources/tree"
)

// API finds single things of a project space, where the trigger pulls lists of what is new.
type API struct {
	c    *client
	most int // bytes of all pages of one question
}

const (
	findPage    = 1000
	maxFound    = 20_000 // of one question
	findPages   = 200
	maxAnswer   = 96 << 20 // bytes
	maxReply    = 32 << 20
	maxDecoded  = 192 << 20
	maxAddress  = 4000 // bytes: proxies on the way take no more for sure
	formVersion = "api/v0.5/form/"
	caseVersion = "api/case/v2/"
)

// Open makes what asks a project space: once, within a time for each request. HTTP keeps connections between questions.
func Open(c Connection, client *http.Client, timeout time.Duration, log *slog.Logger) (*API, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	hq, err := newClient(c, log)
	if err != nil {
		return nil, err
	}
	hq.get.HTTP, hq.get.Tries, hq.get.Timeout, hq.get.MaxBytes, hq.get.Secret = client, 1, timeout, maxReply, true
	return &API{c: hq, most: maxAnswer}, nil
}

// CasesByID gives the cases with the ids, those that there are, in the shape in which data forwarding sends
// them. It takes up to 5,000 ids (CommCare HQ's bulk-fetch of the Case API, version 2).
func (a *API) CasesByID(ctx context.Context, ids []string) ([]any, error) {
	body, err := json.Marshal(map[string][]string{"case_id": ids})
	if err != nil {
		return nil, err
	}
	reply, err := a.c.get.Post(ctx, a.c.base.JoinPath(caseVersion, "bulk-fetch/"), body)
	if err != nil {
		return nil, err
	}
	list, _, err := a.list(reply.Body, "cases")
	if err != nil {
		return nil, err
	}
	var found []any
	for _, v := range list {
		c, ok := v.(map[string]any)
		if !ok {
			return nil, notHQ("one of its cases is no object")
		}
		if c["error"] == nil {
			found = append(found, forwarded(c))
		}
	}
	return found, nil
}

// Cases gives all cases that fit; of a parameter with several values any may fit.
func (a *API) Cases(ctx context.Context, params url.Values) ([]any, error) {
	found, err := a.pages(ctx, a.casesAt(params), "cases")
	for _, v := range found {
		if c, ok := v.(map[string]any); ok {
			forwarded(c)
		}
	}
	return found, err
}

func (a *API) casesAt(params url.Values) *url.URL {
	at := a.c.base.JoinPath(caseVersion)
	q := url.Values{"limit": {strconv.Itoa(findPage)}}
	for name, values := range params {
		q[name] = values
	}
	at.RawQuery = q.Encode()
	return at
}

// Fits tells whether parameters of Cases fit into an address.
func (a *API) Fits(params url.Values) bool { return len(a.casesAt(params).String()) <= maxAddress }

// Form gives the form with an id, nil when there is none.
func (a *API) Form(ctx context.Context, id string) (any, error) {
	reply, err := a.c.get.Get(ctx, a.c.base.JoinPath(formVersion, url.PathEscape(id)+"/"))
	if e, ok := err.(*httpget.Error); ok && e.Status == http.StatusNotFound { //nolint:errorlint // Get's own
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	form, err := a.object(reply.Body)
	if err != nil {
		return nil, err
	}
	if form["id"] != id {
		return nil, notHQ("it is not the form that was asked for")
	}
	return form, nil
}

// Forms gives the forms that fit, in the order in which CommCare received them.
func (a *API) Forms(ctx context.Context, params url.Values) ([]any, error) {
	at := a.c.base.JoinPath(formVersion)
	q := url.Values{"limit": {strconv.Itoa(findPage)}, "order_by": {"received_on"}}
	for name, values := range params {
		q[name] = values
	}
	at.RawQuery = q.Encode()
	return a.pages(ctx, at, "objects")
}

// Table gives the rows of a lookup table, each as its cells by field.
func (a *API) Table(ctx context.Context, name string) ([]any, error) {
	at := a.c.base.JoinPath("api/v0.5/fixture/")
	at.RawQuery = url.Values{"fixture_type": {name}, "limit": {"0"}}.Encode()
	found, err := a.pages(ctx, at, "objects")
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, &httpget.Error{Status: http.StatusOK, Problem: diag.Problem{
			Message: "CommCare HQ has no rows of a lookup table " + name,
			Hint:    "write the Table ID that stands under Data, Manage Tables"}}
	}
	rows := make([]any, 0, len(found))
	for _, v := range found {
		item, _ := v.(map[string]any)
		fields, ok := item["fields"].(map[string]any)
		if !ok {
			return nil, notHQ("one of its rows has no fields")
		}
		if tag, named := item["fixture_type"].(string); named && tag != name {
			return nil, notHQ("it lists rows of other tables")
		}
		for field, cell := range fields {
			fields[field] = fixtureCell(cell)
		}
		rows = append(rows, fields)
	}
	return rows, nil
}

// fixtureCell gives the value of a cell: of one that has attributes, such as a language, the text of the
// only value, or those of all.
func fixtureCell(v any) any {
	o, ok := v.(map[string]any)
	if !ok {
		return v
	}
	list, _ := o["field_list"].([]any)
	var values []any
	for _, one := range list {
		if one, ok := one.(map[string]any); ok {
			values = append(values, one["field_value"])
		}
	}
	if len(values) == 1 {
		return values[0]
	}
	return values
}

// Locations gives all locations, each as its cells by column, as the table of a sync has them.
func (a *API) Locations(ctx context.Context) ([]any, error) {
	list, err := a.c.locations(ctx)
	if err != nil {
		return nil, err
	}
	found := make([]any, len(list))
	for i, l := range list {
		row := make(map[string]any, len(l))
		for name, cell := range l {
			row[name] = cell
		}
		found[i] = row
	}
	return found, nil
}

// pages reads a list with all its pages.
func (a *API) pages(ctx context.Context, at *url.URL, key string) ([]any, error) {
	var found []any
	seen := map[string]bool{}
	bytes := 0
	for range findPages {
		if seen[at.String()] || bytes > a.most {
			break
		}
		seen[at.String()] = true
		reply, err := a.c.get.Get(ctx, at)
		if err != nil {
			return nil, err
		}
		bytes += len(reply.Body)
		list, next, err := a.list(reply.Body, key)
		if err != nil {
			return nil, err
		}
		if found = append(found, list...); len(found) > maxFound && key != "objects" {
			break
		}
		if next == "" {
			return found, nil
		}
		if at, err = httpget.Follow(at, next); err != nil {
			return nil, err
		}
	}
	return nil, &httpget.Error{Status: http.StatusOK, Problem: diag.Problem{
		Message: "CommCare HQ gives more than is taken", Hint: "say more of what is looked for, such as case_type:"}}
}

// list reads a reply with a list behind a key, and the address of the next page where there is one.
func (a *API) list(text []byte, key string) (list []any, next string, err error) {
	reply, err := a.object(text)
	if err != nil {
		return nil, "", err
	}
	list, ok := reply[key].([]any)
	if !ok {
		return nil, "", notHQ("it has no " + key)
	}
	next, _ = reply["next"].(string)
	if meta, ok := reply["meta"].(map[string]any); ok {
		next, _ = meta["next"].(string)
	}
	return list, next, nil
}

func (a *API) object(text []byte) (map[string]any, error) {
	v, err := tree.JSON(text, tree.Limits{Depth: maxDepth, Memory: maxDecoded})
	if err != nil {
		return nil, notHQ("it is no JSON that can be read")
	}
	reply, ok := v.(map[string]any)
	if !ok {
		return nil, notHQ("it is no object")
	}
	return reply, nil
}

// notHQ is the error of an answer that is none of CommCare HQ, such as a page to log in.
func notHQ(what string) error {
	return &httpget.Error{Status: http.StatusOK, Problem: diag.Problem{
		Message: "the reply is not one of CommCare HQ: " + what,
		Hint:    "check address and project space of the connection"}}
}

// FindsSeveral tells whether a CommCare HQ takes several values of a parameter of Cases for any of them. Older
// ones go by the last and pass over the others without a word. known is false where there are no cases to tell by.
func (a *API) FindsSeveral(ctx context.Context) (several, known bool, err error) {
	one := func(types ...string) ([]any, error) {
		at := a.c.base.JoinPath(caseVersion)
		q := url.Values{"limit": {"1"}}
		if len(types) > 0 {
			q["case_type"] = types
		}
		at.RawQuery = q.Encode()
		reply, err := a.c.get.Get(ctx, at)
		if err != nil {
			return nil, err
		}
		list, _, err := a.list(reply.Body, "cases")
		return list, err
	}
	first, err := one()
	if err != nil || len(first) == 0 {
		return false, false, err
	}
	c, _ := first[0].(map[string]any)
	typ, ok := c["case_type"].(string)
	if !ok {
		return false, false, notHQ("a case has no type")
	}
	found, err := one(typ, typ+"-none-of-these")
	return len(found) > 0, err == nil, err
}
