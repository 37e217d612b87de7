package commcare

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/lookups"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources/commcare"
	"github.com/culvert/culvert/sources/httpget"
)

// New implements lookups.Kind.
func (Kind) New(env lookups.Env) lookups.Finder {
	if env.Log == nil {
		env.Log = slog.New(slog.DiscardHandler)
	}
	return &finder{env: env, http: httpget.NewHTTP(), several: map[string]bool{}, longest: lookups.LongestReading}
}

type finder struct {
	env   lookups.Env
	http  *http.Client
	lists lookups.Lists // by what is asked for

	longest time.Duration // that the pages of one question may come

	mu      sync.Mutex
	several map[string]bool // by the connection: whether it finds cases by one of several values
}

const (
	idsTogether    = 1000
	valuesTogether = 100
)

// Takes implements lookups.Finder.
func (f *finder) Takes(a lookups.Asked) bool {
	_, ok := a.(*Asked)
	return ok
}

// Close implements lookups.Finder.
func (f *finder) Close() { f.http.CloseIdleConnections() }

// call is the asking of one lookup for one batch.
type call struct {
	*finder
	asked   *Asked
	api     *commcare.API
	several bool // one request may ask for several values
}

// Find implements lookups.Finder.
func (f *finder) Find(ctx context.Context, asked lookups.Asked, questions []rules.Question) ([]actions.Answer, error) {
	a := asked.(*Asked)
	connection, err := f.env.Connection(a.ConnectionName())
	if err != nil {
		return nil, lookups.Unusable(a.ConnectionName(), err)
	}
	api, err := commcare.Open(connection, f.http, a.Timeout, f.env.Log)
	if err != nil {
		return nil, lookups.OfHTTP(err)
	}
	c := &call{finder: f, asked: a, api: api}
	if a.isList() {
		return c.list(ctx, questions)
	}
	if c.several, err = c.findsSeveral(ctx, questions); err != nil {
		return nil, lookups.OfHTTP(err)
	}
	answers := make([]actions.Answer, len(questions))
	told := func(err error) {
		f.env.Log.Error("a lookup broke down", "connection", a.ConnectionName(), "fault", err)
	}
	lookups.InParts(c.parts(questions), answers, told, func(part []int) { c.part(ctx, questions, part, answers) })
	return answers, nil
}

// list answers from a table or from the locations, which are kept or read now.
func (c *call) list(ctx context.Context, questions []rules.Question) ([]actions.Answer, error) {
	now := c.env.Now()
	l := c.lists.Get(c.asked.Same(), now)
	if l == nil {
		rows, err := c.within(ctx, func(ctx context.Context) ([]any, error) {
			if c.asked.Collection == tables {
				return c.api.Table(ctx, c.asked.Table)
			}
			return c.api.Locations(ctx)
		})
		if err != nil {
			return nil, lookups.OfHTTP(err)
		}
		l = lookups.NewList(rows)
		c.lists.Keep(c.asked.Same(), l, now, now.Add(c.asked.Long))
	}
	answers := make([]actions.Answer, len(questions))
	for i, q := range questions {
		answers[i].Found = l.Find(q, cell)
	}
	return answers, nil
}

// errEndless ends the reading of pages that come and come, each in time.
var errEndless = errors.New("the pages have no end")

// within bounds how long all pages of one question may take together: the batch waits for them.
func (c *call) within(ctx context.Context, read func(context.Context) ([]any, error)) ([]any, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.longest, errEndless)
	defer cancel()
	found, err := read(ctx)
	if err != nil && context.Cause(ctx) == errEndless { //nolint:errorlint // it is the cause itself
		return nil, &httpget.Error{Problem: diag.Problem{
			Message: fmt.Sprintf("CommCare HQ gives no end of pages within %s", c.longest),
			Hint:    "say more of what is looked for, such as case_type:, or look at how large the table is"}}
	}
	return found, err
}

func cell(row any, field string) []any {
	o, _ := row.(map[string]any)
	switch v := o[field].(type) {
	case nil:
		return nil
	case []any:
		return v
	default:
		return []any{v}
	}
}

// parts puts questions together that one request can ask: cases that differ in one value.
func (c *call) parts(questions []rules.Question) [][]int {
	if c.asked.Collection == forms {
		parts := make([][]int, len(questions))
		for i := range questions {
			parts[i] = []int{i}
		}
		return parts
	}
	var parts [][]int
	open := map[string]int{} // by what all of a part have in common
	for i, q := range questions {
		at := leading(q)
		common := strings.Join(q.Fields, "\x00") + "\x00\x00" +
			strings.Join(slices.Concat(q.Values[:at], []string{""}, q.Values[at+1:]), "\x00")
		if n, ok := open[common]; ok && c.fits(questions, append(parts[n], i)) {
			parts[n] = append(parts[n], i)
			continue
		}
		open[common] = len(parts)
		parts = append(parts, []int{i})
	}
	return parts
}

// leading gives the field by which a question is asked together with others: the case's id, else the first.
func leading(q rules.Question) int { return max(slices.Index(q.Fields, "case_id"), 0) }

func (c *call) fits(questions []rules.Question, part []int) bool {
	if questions[part[0]].Fields[leading(questions[part[0]])] == "case_id" {
		return len(part) <= idsTogether
	}
	return c.several && len(part) <= valuesTogether && c.api.Fits(c.params(questions, part))
}

// findsSeveral tells whether the project space finds cases by one of several values; it is asked once.
func (c *call) findsSeveral(ctx context.Context, questions []rules.Question) (bool, error) {
	byValue := func(q rules.Question) bool { return q.Fields[leading(q)] != "case_id" }
	if c.asked.Collection != cases || len(questions) < 2 || !slices.ContainsFunc(questions, byValue) {
		return false, nil
	}
	name := c.asked.ConnectionName()
	c.mu.Lock()
	defer c.mu.Unlock()
	if several, known := c.finder.several[name]; known {
		return several, nil
	}
	several, known, err := c.api.FindsSeveral(ctx)
	if known {
		c.finder.several[name] = several
	}
	return several, err
}

// part asks one request for some of the questions.
func (c *call) part(ctx context.Context, questions []rules.Question, part []int, answers []actions.Answer) {
	lookups.Halved(part, answers, false, func(part []int) error {
		found, err := c.within(ctx, func(ctx context.Context) ([]any, error) { return c.ask(ctx, questions, part) })
		if err != nil {
			return err
		}
		for _, i := range part {
			answers[i].Found = c.pick(found, questions[i])
		}
		return nil
	})
}

func (c *call) ask(ctx context.Context, questions []rules.Question, part []int) ([]any, error) {
	q := questions[part[0]]
	at := leading(q)
	switch field := q.Fields[at]; {
	case c.asked.Collection == forms && field == "id" || c.asked.Collection == forms && slices.Contains(q.Fields, "id"):
		form, err := c.api.Form(ctx, q.Values[slices.Index(q.Fields, "id")])
		if form == nil {
			return nil, err
		}
		return []any{form}, err
	case c.asked.Collection == forms:
		params := url.Values{"case_id": {q.Values[at]}}
		set(params, "xmlns", c.asked.XMLNS)
		set(params, "app_id", c.asked.App)
		return c.api.Forms(ctx, params)
	case field == "case_id":
		return c.api.CasesByID(ctx, values(questions, part))
	}
	return c.api.Cases(ctx, c.params(questions, part))
}

func set(params url.Values, name, value string) {
	if value != "" {
		params.Set(name, value)
	}
}

// values gives what the questions of a part ask for, each once.
func values(questions []rules.Question, part []int) (list []string) {
	for _, i := range part {
		if v := questions[i].Values[leading(questions[i])]; !slices.Contains(list, v) {
			list = append(list, v)
		}
	}
	return list
}

// params gives the parameters that find the cases of a part.
func (c *call) params(questions []rules.Question, part []int) url.Values {
	params := url.Values{}
	set(params, "case_type", c.asked.Type)
	set(params, "closed", c.asked.Closed)
	q := questions[part[0]]
	for n, field := range q.Fields {
		if n == leading(q) {
			params[parameter(field)] = values(questions, part)
		} else {
			params[parameter(field)] = []string{q.Values[n]}
		}
	}
	return params
}

// ownFields are those of a case that are no properties.
var ownFields = []string{"case_id", "external_id", "case_name", "owner_id", "case_type"}

// parameter names a field as CommCare's API does.
func parameter(field string) string {
	if slices.Contains(ownFields, field) || strings.HasPrefix(field, indices) {
		return field
	}
	return "properties." + field
}

const indices = "indices."

// fieldOf gives the value of a field of a case.
func fieldOf(item any, field string) []any {
	c, _ := item.(map[string]any)
	if name, ok := strings.CutPrefix(field, indices); ok {
		all, _ := c["indices"].(map[string]any)
		index, _ := all[name].(map[string]any)
		return []any{index["case_id"]}
	}
	if slices.Contains(ownFields, field) {
		return []any{c[field]}
	}
	properties, _ := c["properties"].(map[string]any)
	return []any{properties[field]}
}

// pick gives what a question finds among what a request found.
func (c *call) pick(found []any, q rules.Question) []any {
	if c.asked.Collection == forms {
		return c.take(found)
	}
	var own []any
	for _, item := range found {
		o, _ := item.(map[string]any)
		closed, _ := o["closed"].(bool)
		if lookups.Fits(item, q, fieldOf) && (c.asked.Type == "" || o["case_type"] == c.asked.Type) &&
			(c.asked.Closed == "" || closed == (c.asked.Closed == "true")) {
			own = append(own, item)
		}
	}
	return own
}

// take chooses among forms, which come in the order in which they were received.
func (c *call) take(found []any) []any {
	var own []any
	for _, item := range found {
		form, _ := item.(map[string]any)
		content, _ := form["form"].(map[string]any)
		if (c.asked.XMLNS == "" || content["@xmlns"] == c.asked.XMLNS) &&
			(c.asked.App == "" || form["app_id"] == c.asked.App) {
			own = append(own, item)
		}
	}
	switch {
	case len(own) == 0:
		return nil
	case c.asked.Take == "last":
		return own[len(own)-1:]
	case c.asked.Take == "first":
		return own[:1]
	}
	return own
}
