package schedule

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources/httpget"
	"github.com/culvert/culvert/sources/tree"
)

const (
	maxPages  = 10_000
	maxDepth  = 128
	listPages = 200 // items of one page of a DHIS2 list, unless the rule says otherwise
)

// http reads a web API page by page. What was handed over stays when a later page fails: the next try recognises it.
func (r *run) http(ctx context.Context, last, due time.Time) (int, error) {
	h := r.rule.HTTP
	client, err := r.client(h.Request)
	if err != nil {
		return 0, err
	}
	at, err := r.address(h.Request, last, due)
	if err != nil {
		return 0, err
	}
	form, err := r.form(h, last, due)
	if err != nil {
		return 0, err
	}
	if page := h.Next.Page; page != "" && !at.Query().Has(page) {
		at = with(at, page, strconv.Itoa(h.Next.First))
	}
	seen, count := map[string]bool{}, 0
	for page := 0; ; page++ {
		if page == maxPages || seen[at.String()] {
			return count, &httpget.Error{Problem: diag.Problem{Message: fmt.Sprintf("the pages of %s have no end",
				at.Host), Hint: "check next:"}}
		}
		seen[at.String()] = true
		reply, err := h.ask(ctx, client, at, form)
		if err != nil {
			return count, fmt.Errorf("page %d: %w", page+1, err)
		}
		text, err := reply.Text()
		if err != nil {
			return count, fmt.Errorf("page %d: %w", page+1, err)
		}
		body, err := tree.JSON(text, tree.Limits{Depth: maxDepth})
		if err != nil {
			return count, fmt.Errorf("page %d: the reply is not JSON: %w", page+1, err)
		}
		items, err := h.Items(body)
		if err != nil {
			return count, fmt.Errorf("page %d: %w", page+1, err)
		}
		if err := r.handOver(ctx, at.Host, items); err != nil {
			return count, err
		}
		count += len(items)
		next, err := h.Next.after(at, reply, body, len(items), h.Next.First+page+1)
		if err != nil || next == nil {
			return count, err
		}
		at = next
	}
}

// form gives the fields that an address is asked with by POST; nil where it is asked with GET.
func (r *run) form(h *HTTP, last, due time.Time) (url.Values, error) {
	if h.Form == nil {
		return nil, nil
	}
	form := url.Values{}
	for name, value := range fill(h.Form, last, due) {
		value, err := r.c.Resolve(value)
		if err != nil {
			return nil, err
		}
		form.Set(name, value)
	}
	return form, nil
}

func (h *HTTP) ask(ctx context.Context, client *httpget.Client, at *url.URL, form url.Values) (*httpget.Reply, error) {
	if form == nil {
		return client.Get(ctx, at)
	}
	return client.PostForm(ctx, at, form)
}

// after gives the address of the next page, nil when there is none.
func (n Next) after(at *url.URL, reply *httpget.Reply, body any, items, page int) (*url.URL, error) {
	found := ""
	switch {
	case n.Link:
		found = httpget.LinkNext(reply.Header)
	case n.Header != "":
		found = reply.Header.Get(n.Header)
	case n.Field != nil:
		var err error
		if found, err = n.Field(body); err != nil {
			return nil, fmt.Errorf("next page: %w", err)
		}
	case n.Page != "" && items > 0:
		return with(at, n.Page, strconv.Itoa(page)), nil
	}
	switch {
	case found == "":
		return nil, nil
	case n.Param != "":
		return with(at, n.Param, found), nil
	}
	return httpget.Follow(at, found)
}

func with(u *url.URL, param, value string) *url.URL {
	next := *u
	q := next.Query()
	q.Set(param, value)
	next.RawQuery = q.Encode()
	return &next
}

func (r *run) client(h Request) (*httpget.Client, error) {
	// Whoever keeps an address in a variable has a reason, such as a link that lets in everybody who has it.
	c := &httpget.Client{Timeout: h.Timeout, Log: r.log, Header: http.Header{}, Secret: strings.HasPrefix(h.URL, "${")}
	var bearer, key string
	for _, f := range []struct {
		from string
		to   *string
	}{{h.Auth.Username, &c.Username}, {h.Auth.Password, &c.Password}, {h.Auth.Bearer, &bearer}, {h.Auth.Key, &key}} {
		if f.from == "" {
			continue
		}
		v, err := r.c.Resolve(f.from)
		if err != nil {
			return nil, err
		}
		*f.to = v
	}
	if bearer != "" {
		c.Header.Set("Authorization", "Bearer "+bearer)
	}
	if key != "" {
		c.Header.Set(h.Auth.Header, key)
	}
	return c, nil
}

// address gives the address that is asked first.
func (r *run) address(h Request, last, due time.Time) (*url.URL, error) {
	text, err := r.c.Resolve(h.URL)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return nil, &httpget.Error{Problem: diag.Problem{Message: "url is no address",
			Hint: "write it as https://host/path"}}
	}
	u.Path, u.RawPath = withTimes(u.Path, last, due), ""
	q := u.Query()
	for name, values := range q {
		for i, value := range values {
			values[i] = withTimes(value, last, due)
		}
		// Those that need the run before are left out of the first one, as in params.
		if values = slices.DeleteFunc(values, needsLast); len(values) == 0 {
			q.Del(name)
			continue
		}
		q[name] = values
	}
	for name, value := range fill(h.Params, last, due) {
		if value, err = r.c.Resolve(value); err != nil {
			return nil, err
		}
		q.Set(name, value)
	}
	u.RawQuery = q.Encode()
	return u, nil
}

// fill puts the times of the runs into parameters. Those that need the run before are left out of the first one.
func fill(params map[string]string, last, due time.Time) map[string]string {
	out := make(map[string]string, len(params))
	for name, value := range params {
		if value = withTimes(value, last, due); !needsLast(value) {
			out[name] = value
		}
	}
	return out
}

// KoboToolbox and Ona keep _submission_time as a text without a zone, and compare texts: 2026-03-01T06:31:22 is less than
// 2026-03-01T06:31:22Z, so that what came in that second would never be asked for. They give the time before a submission
// can be found, which takes as long as they have to do.
const (
	textTime    = "_submission_time"
	textForm    = "2006-01-02T15:04:05"
	textOverlap = 5 * time.Minute
)

// withTimes puts the times of the runs into their places in a text; those of the run before stay where there was none.
func withTimes(text string, last, due time.Time) string {
	form, before := time.RFC3339, last
	if strings.Contains(text, textTime) {
		form, before = textForm, last.Add(-textOverlap)
	}
	replace := []string{"{due}", due.UTC().Format(form), "{due_date}", due.Format(time.DateOnly)}
	if !last.IsZero() {
		replace = append(replace, "{last}", before.UTC().Format(form), "{last_date}", last.Format(time.DateOnly))
	}
	return strings.NewReplacer(replace...).Replace(text)
}

// needsLast tells whether a text holds the time of the run before.
func needsLast(text string) bool {
	return strings.Contains(text, "{last}") || strings.Contains(text, "{last_date}")
}

// dhis2 reads a list of a DHIS2 server page by page.
func (r *run) dhis2(ctx context.Context, last, due time.Time) (int, error) {
	d := r.rule.DHIS2
	query := url.Values{}
	for name, value := range fill(d.Params, last, due) {
		query.Set(name, value)
	}
	if !query.Has("pageSize") {
		query.Set("pageSize", strconv.Itoa(listPages))
	}
	count := 0
	for page := 1; page <= maxPages; page++ {
		query.Set("page", strconv.Itoa(page))
		text, err := r.c.Lists.Get(ctx, d.Server, d.Path, query)
		if err != nil {
			return count, fmt.Errorf("page %d of %s: %w", page, d.Path, err)
		}
		items, paged, err := listOf(text, d)
		if err != nil {
			return count, fmt.Errorf("page %d of %s: %w", page, d.Path, err)
		}
		if err := r.handOver(ctx, d.Server, items); err != nil {
			return count, err
		}
		if count += len(items); len(items) == 0 || !paged {
			return count, nil
		}
	}
	return count, &httpget.Error{Problem: diag.Problem{Message: fmt.Sprintf("%s has more than %d pages", d.Path,
		maxPages),
		Hint: "read less at once, with a parameter such as updatedAfter"}}
}

// listOf gives the items of one page, and whether the server counts pages. DHIS2 names the list
// `instances`, or like the resource; analytics answer with headers and rows, of which each row
// becomes an object.
func listOf(text json.RawMessage, d *DHIS2) (items []any, paged bool, err error) {
	body, err := tree.JSON(text, tree.Limits{Depth: maxDepth})
	if err != nil {
		return nil, false, err
	}
	reply, ok := body.(map[string]any)
	if !ok {
		items, err = listed(body)
		return items, false, err
	}
	_, pager := reply["pager"]
	_, page := reply["page"]
	paged = pager || page
	if table, ok := table(reply); ok {
		reply["rows"] = table
	}
	items, err = d.Items(reply)
	return items, paged, err
}

// known gives the items of a DHIS2 reply where the rule does not say where they are.
func known(resource string) func(any) ([]any, error) {
	return func(body any) ([]any, error) {
		if reply, ok := body.(map[string]any); ok {
			for _, key := range []string{"instances", path.Base(resource), "rows"} {
				if list, ok := reply[key].([]any); ok {
					return list, nil
				}
			}
		}
		return listed(body)
	}
}

// table makes objects of the rows of an analytics reply.
func table(reply map[string]any) ([]any, bool) {
	headers, ok := reply["headers"].([]any)
	rows, also := reply["rows"].([]any)
	if !ok || !also {
		return nil, false
	}
	names := make([]string, len(headers))
	for i, h := range headers {
		header, ok := h.(map[string]any)
		if !ok {
			return nil, false
		}
		if names[i], ok = header["name"].(string); !ok {
			return nil, false
		}
	}
	out := make([]any, len(rows))
	for i, row := range rows {
		cells, ok := row.([]any)
		if !ok || len(cells) > len(names) {
			return nil, false
		}
		object := make(map[string]any, len(cells))
		for c, cell := range cells {
			object[names[c]] = cell
		}
		out[i] = object
	}
	return out, true
}
