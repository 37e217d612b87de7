package web

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/lookups"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources/httpget"
	"github.com/culvert/culvert/sources/tree"
)

// New implements lookups.Kind.
func (Kind) New(env lookups.Env) lookups.Finder {
	return &finder{env: env, http: httpget.NewHTTP()}
}

type finder struct {
	env   lookups.Env
	http  *http.Client
	lists lookups.Lists // by what is asked for
}

// Limits of what is read.
const (
	maxBytes   = 32 << 20  // of one reply
	maxAll     = 128 << 20 // of all pages
	maxMemory  = 192 << 20 // of one decoded reply
	maxDepth   = 64
	maxPages   = 1000
	maxItems   = 500_000
	maxAddress = 4000 // bytes: proxies on the way take no more for sure
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
	asked  *Asked
	client *httpget.Client
	base   *url.URL
}

// Find implements lookups.Finder.
func (f *finder) Find(ctx context.Context, asked lookups.Asked, questions []rules.Question) ([]actions.Answer, error) {
	a := asked.(*Asked)
	connection, err := f.env.Connection(a.ConnectionName())
	if err != nil {
		return nil, lookups.Unusable(a.ConnectionName(), err)
	}
	client, base, err := httpget.Connect(connection, f.env.Log)
	if err != nil {
		return nil, lookups.OfHTTP(err)
	}
	client.HTTP, client.Tries, client.Timeout, client.MaxBytes, client.Secret = f.http, 1, a.Timeout, maxBytes, true
	if client.Log == nil {
		client.Log = slog.New(slog.DiscardHandler)
	}
	c := &call{finder: f, asked: a, client: client, base: base}
	if a.isList() {
		return c.list(ctx, questions)
	}
	return c.each(ctx, questions), nil
}

// each asks with the values: as many in a request as the lookup says.
func (c *call) each(ctx context.Context, questions []rules.Question) []actions.Answer {
	answers := make([]actions.Answer, len(questions))
	var parts [][]int
	for i, q := range questions {
		if err := c.askable(q); err != nil {
			answers[i].Err = err
			continue
		}
		if n := len(parts) - 1; n >= 0 && len(parts[n]) < c.asked.Batch && c.fits(questions, append(parts[n], i)) {
			parts[n] = append(parts[n], i)
		} else {
			parts = append(parts, []int{i})
		}
	}
	told := func(err error) {
		c.client.Log.Error("a lookup broke down", "connection", c.asked.ConnectionName(), "fault", err)
	}
	lookups.InParts(parts, answers, told, func(part []int) { c.part(ctx, questions, part, answers) })
	return answers
}

// askable refuses values that would name another path.
func (c *call) askable(q rules.Question) error {
	for n, name := range q.Fields {
		if v := q.Values[n]; (v == "." || v == "..") && strings.Contains(c.asked.Path, "{"+name+"}") {
			return &lookups.Error{Fault: true, Problem: diag.Problem{Code: lookups.CodeValue,
				Message: "the lookup " + q.Lookup + " cannot ask for a value of dots alone", Field: q.Lookup,
				Hint: "correct the value in the source"}}
		}
	}
	return nil
}

// fits tells whether several values fit into one address.
func (c *call) fits(questions []rules.Question, part []int) bool {
	u := c.address(questions, part)
	return len(u.String()) <= maxAddress
}

// part asks one request for some of the questions.
func (c *call) part(ctx context.Context, questions []rules.Question, part []int, answers []actions.Answer) {
	lookups.Halved(part, answers, true, func(part []int) error {
		items, err := c.read(ctx, c.address(questions, part), c.body(questions, part))
		if err != nil {
			return err
		}
		for _, i := range part {
			answers[i].Found = c.asked.pick(items, questions[i])
		}
		return nil
	})
}

// read reads a reply, and its further pages, and gives its items.
func (c *call) read(ctx context.Context, at *url.URL, body []byte) ([]any, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, lookups.LongestReading, errEndless)
	defer cancel()
	var items []any
	size, seen := 0, map[string]bool{}
	for range maxPages {
		if seen[at.String()] {
			return nil, tooMuch(at, "names a page as the next one that was read already")
		}
		seen[at.String()] = true
		var reply *httpget.Reply
		var err error
		if body != nil {
			reply, err = c.client.Post(ctx, at, body)
		} else {
			reply, err = c.client.Get(ctx, at)
		}
		if err != nil {
			if context.Cause(ctx) == errEndless { //nolint:errorlint // it is the cause itself
				return nil, tooMuch(at, errEndless.Error())
			}
			return nil, err
		}
		if size += len(reply.Body); size > maxAll {
			return nil, tooMuch(at, fmt.Sprintf("gives more than %d MiB in all its pages", maxAll>>20))
		}
		v, err := decode(at, reply)
		if err != nil {
			return nil, err
		}
		found := c.asked.Items.Items(v)
		if len(found) == 0 && (c.asked.isList() || c.asked.Batch > 1) && !c.asked.Items.Names(v) && !tree.SaysNone(v) {
			return nil, noList(at, v)
		}
		if items = append(items, found...); len(items) > maxItems {
			return nil, tooMuch(at, "gives more items than are taken")
		}
		next := c.next(reply, v)
		if next == "" {
			return items, nil
		}
		if at, err = httpget.Follow(at, next); err != nil {
			return nil, err
		}
	}
	return nil, tooMuch(at, "gives more pages than are read")
}

// noList says that a reply is another one than items: was written for. A list that is there and empty is none of that.
func noList(at *url.URL, reply any) error {
	hint := "check items: against the reply"
	if keys := tree.Keys(reply); keys != "" {
		hint += ", which has " + keys
	}
	return &httpget.Error{Problem: diag.Problem{Message: at.Host + " answers with no list where items: looks for it",
		Hint: hint}}
}

// errEndless ends the reading of pages that come and come, each in time: the batch waits for them.
var errEndless = fmt.Errorf("gives no end of pages within %d minutes", int(lookups.LongestReading.Minutes()))

func tooMuch(at *url.URL, what string) error {
	return &httpget.Error{Problem: diag.Problem{Message: at.Host + " " + what,
		Hint: "ask for less: name what is looked for in path or params"}}
}

// next gives the address of the next page, "" when there is none.
func (c *call) next(reply *httpget.Reply, v any) string {
	if c.asked.NextLink {
		return httpget.LinkNext(reply.Header)
	}
	if c.asked.Next != nil {
		for _, found := range c.asked.Next.All(v) {
			if text, ok := found.(string); ok {
				return text
			}
		}
	}
	return ""
}

// address fills the places of path and params.
func (c *call) address(questions []rules.Question, part []int) *url.URL {
	a := c.asked
	path, query, _ := strings.Cut(a.Path, "?")
	u := *c.base
	u.RawPath = strings.TrimRight(c.base.EscapedPath(), "/")
	if path = strings.TrimLeft(a.fill(path, url.PathEscape, questions, part), "/"); path != "" {
		u.RawPath += "/" + path
	}
	if plain, err := url.PathUnescape(u.RawPath); err == nil {
		u.Path = plain
	}
	pairs := []string{}
	if query != "" {
		pairs = append(pairs, a.fill(query, url.QueryEscape, questions, part))
	}
	for _, p := range a.Params {
		pairs = append(pairs, url.QueryEscape(p.name)+"="+a.fillParam(p.value, questions, part))
	}
	u.RawQuery = strings.Join(pairs, "&")
	return &u
}

// fill puts values in the place of {name}, each escaped, with the separator between several.
func (a *Asked) fill(text string, escape func(string) string, questions []rules.Question, part []int) string {
	return place.ReplaceAllStringFunc(text, func(m string) string {
		values := valuesOf(m[1:len(m)-1], questions, part)
		for i, v := range values {
			values[i] = escape(v)
		}
		return strings.Join(values, a.Separator)
	})
}

// fillParam does the same of a value of params, whose own text is escaped too.
func (a *Asked) fillParam(text string, questions []rules.Question, part []int) string {
	var b strings.Builder
	at := 0
	for _, m := range place.FindAllStringIndex(text, -1) {
		b.WriteString(url.QueryEscape(text[at:m[0]]))
		values := valuesOf(text[m[0]+1:m[1]-1], questions, part)
		for i, v := range values {
			values[i] = url.QueryEscape(v)
		}
		b.WriteString(strings.Join(values, url.QueryEscape(a.Separator)))
		at = m[1]
	}
	b.WriteString(url.QueryEscape(text[at:]))
	return b.String()
}

// valuesOf gives the values of a field, each once.
func valuesOf(name string, questions []rules.Question, part []int) []string {
	var values []string
	seen := map[string]bool{}
	for _, i := range part {
		for n, field := range questions[i].Fields {
			if v := questions[i].Values[n]; field == name && !seen[v] {
				seen[v] = true
				values = append(values, v)
			}
		}
	}
	return values
}

// body fills the places of the body; nil when nothing is sent.
func (c *call) body(questions []rules.Question, part []int) []byte {
	if c.asked.Body == nil {
		return nil
	}
	text, err := json.Marshal(c.asked.filled(c.asked.Body, questions, part))
	if err != nil {
		return []byte("{}") // what YAML gave is JSON
	}
	return text
}

func (a *Asked) filled(v any, questions []rules.Question, part []int) any {
	switch v := v.(type) {
	case string:
		m := place.FindStringSubmatch(v)
		if m == nil || m[0] != v {
			return a.fill(v, func(s string) string { return s }, questions, part)
		}
		values := valuesOf(m[1], questions, part)
		if a.Batch > 1 {
			return values
		}
		return strings.Join(values, "")
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = a.filled(item, questions, part)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, in := range v {
			out[name] = a.filled(in, questions, part)
		}
		return out
	}
	return v
}
