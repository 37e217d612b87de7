package web

import (
	"context"
	"net/url"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/lookups"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources/httpget"
	"github.com/culvert/culvert/sources/tree"
)

// decode reads a reply as JSON.
func decode(at *url.URL, reply *httpget.Reply) (any, error) {
	text, err := reply.Text()
	if err != nil {
		return nil, err
	}
	v, err := tree.JSON(text, tree.Limits{Depth: maxDepth, Memory: maxMemory})
	if err != nil {
		hint := "check path: it has to lead to JSON, and not to a page to log in"
		return nil, &httpget.Error{Problem: diag.Problem{Message: at.Host + " does not answer with JSON that can be read",
			Hint: hint}}
	}
	return v, nil
}

// pick gives what a question finds among the items of a reply: those that have its values, where
// they were not sent to be found by, and of each what value: names.
func (a *Asked) pick(items []any, q rules.Question) []any {
	var found []any
	for _, item := range items {
		if a.matches(item, q) {
			found = append(found, a.Value.Items(item)...)
		}
	}
	return found
}

// matches compares an item. What a request asks for alone is what the system found by it, and is not
// compared again: it may be an alias, or another way to write it.
func (a *Asked) matches(item any, q rules.Question) bool {
	for n, name := range q.Fields {
		if a.Batch <= 1 && a.sent(name) {
			continue
		}
		if !lookups.Among(a.paths[name].All(item), q.Values[n]) {
			return false
		}
	}
	return true
}

func (a *Asked) sent(name string) bool {
	for _, p := range a.places {
		if p == name {
			return true
		}
	}
	return false
}

// list answers from a list that is the same for all records: the one that is kept, or read now.
func (c *call) list(ctx context.Context, questions []rules.Question) ([]actions.Answer, error) {
	l, err := c.current(ctx)
	if err != nil {
		return nil, err
	}
	answers := make([]actions.Answer, len(questions))
	values := func(item any, field string) []any { return c.asked.paths[field].All(item) }
	for i, q := range questions {
		for _, item := range l.Find(q, values) {
			answers[i].Found = append(answers[i].Found, c.asked.Value.Items(item)...)
		}
	}
	return answers, nil
}

// current gives the list as it is now.
func (c *call) current(ctx context.Context) (*lookups.List, error) {
	now := c.env.Now()
	if l := c.lists.Get(c.asked.Same(), now); l != nil {
		return l, nil
	}
	items, err := c.read(ctx, c.address(nil, nil), c.body(nil, nil))
	if err != nil {
		return nil, lookups.OfHTTP(err)
	}
	l := lookups.NewList(items)
	c.lists.Keep(c.asked.Same(), l, now, now.Add(c.asked.Long))
	return l, nil
}
