// Package database answers lookups from the tables of a database: by one statement for the values of
// many records, where the query allows it.
package database

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/lookups"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/sources"
	"github.com/culvert/culvert/sources/charset"
	"github.com/culvert/culvert/sources/database"
)

// Kind is the lookup in: database.
type Kind struct{}

const collection = "database"

// Collections implements rules.AskedKind.
func (Kind) Collections() []string { return []string{collection} }

// Keys implements rules.AskedKind.
func (Kind) Keys(string) []settings.Field {
	return append([]settings.Field{
		lookups.ConnectionField("name one of connections: in culvert.yaml, of kind database"),
		{Name: "query", Required: true, Hint: "write the SELECT that finds the rows",
			Doc: "one SELECT (or WITH). Its columns are compared with `where`, for many records at once; or it names values of " +
				"`where` itself: as `IN (:code)`, for many records at once, or as `= :code`, for each value alone"},
		{Name: "encoding", LeftOut: "such text fails where it is used", Words: charset.Common,
			Doc: "the encoding of text that the database gives and that is not UTF-8, such as windows-1252"},
		{Name: "timeout", Type: settings.Duration, Default: "30s", Least: time.Second, Most: 5 * time.Minute,
			Doc: "how long one statement may take"},
	}, lookups.CommonFields()...)
}

// Asked is what one lookup asks for.
type Asked struct {
	lookups.Common
	Query database.Lookup
}

// Cache implements lookups.Asked.
func (a *Asked) Cache() (time.Duration, bool) { return a.Long, true }

// Compile implements rules.AskedKind.
func (Kind) Compile(_ string, r settings.Reader, _ func(string) (rules.Asked, bool)) rules.Asked {
	a := &Asked{Common: lookups.ReadCommon(r, database.Kind{}.Connection().Name)}
	query, problems := database.ParseLookup(r.Text("query"))
	if n := r.Node("query"); n != nil {
		for _, p := range problems {
			r.Problem(n, p.From, p.To, "query", p.Message, p.Hint)
		}
	}
	query.Timeout, query.Encoding = r.Duration("timeout"), charset.Setting(r, "encoding")
	a.Query = query
	groups := lookups.Where(r.Config)
	for _, g := range groups {
		var names []string
		for _, p := range g.Pairs() {
			names = append(names, p.Key.Value)
			if len(query.Parameters) > 0 && !slices.Contains(query.Parameters, p.Key.Value) {
				r.Wrong(p.Key, "unknown-parameter", fmt.Sprintf("the query does not name :%s", p.Key.Value),
					diag.Suggest(p.Key.Value, query.Parameters, "parameters"))
			}
			if len(query.Parameters) == 0 && !database.IsColumn(p.Key.Value) {
				r.Wrong(p.Key, "unknown-parameter", fmt.Sprintf("%q is no column of the query's result", p.Key.Value),
					"write the name alone, without table or quotes, as the result names it")
			}
		}
		for _, name := range query.Parameters {
			if !slices.Contains(names, name) {
				r.Wrong(g, "unknown-parameter", fmt.Sprintf("the query names :%s, which where: does not have", name),
					diag.Suggest(name, names, "fields"))
			}
		}
	}
	if len(groups) == 0 && len(query.Parameters) > 0 {
		r.Wrong(r.Node("query"), "lookup-where", fmt.Sprintf("nothing says what :%s stands for", query.Parameters[0]),
			fmt.Sprintf("add where: {%s: trigger.code}", query.Parameters[0]))
	}
	a.Whole = len(groups) == 0
	a.Identify(collection, query.Text, query.Encoding)
	return a
}

// New implements lookups.Kind.
func (Kind) New(env lookups.Env) lookups.Finder { return &finder{env: env, open: map[string]*opened{}} }

// finder keeps one open database for every connection that is asked.
type finder struct {
	env lookups.Env

	mu   sync.Mutex
	open map[string]*opened
}

// opened is a database with what it was opened by, and who uses it.
type opened struct {
	*database.Database
	by    sources.Connection
	users int
	stale bool // it was opened by settings that have changed
}

// Takes implements lookups.Finder.
func (f *finder) Takes(a lookups.Asked) bool {
	_, ok := a.(*Asked)
	return ok
}

// Close implements lookups.Finder.
func (f *finder) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, o := range f.open {
		_ = o.Close() // only read
		delete(f.open, name)
	}
}

// get gives the database of a connection as culvert.yaml says now, and what gives it back.
func (f *finder) get(name string) (*database.Database, func(), error) {
	c, err := f.env.Connection(name)
	if err != nil {
		return nil, nil, lookups.Unusable(name, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	o := f.open[name]
	if o != nil && !reflect.DeepEqual(o.by, c) {
		o.stale = true
		if o.users == 0 {
			_ = o.Close() // only read
		}
		delete(f.open, name)
		o = nil
	}
	if o == nil {
		d, err := database.Open(database.ConnectionOf(c))
		if err != nil {
			return nil, nil, failure(err)
		}
		o = &opened{Database: d, by: c}
		f.open[name] = o
	}
	o.users++
	return o.Database, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if o.users--; o.users == 0 && o.stale {
			_ = o.Close() // only read
		}
	}, nil
}

// failure says of a database's error what it means for the records that ask.
func failure(err error) *lookups.Error {
	out := &lookups.Error{Away: true, Problem: diag.Problem{Code: lookups.CodeAway,
		Message: "the database of the lookup could not be asked", Hint: "the record waits and is looked up again by itself"}}
	if p, ok := errors.AsType[*diag.Problem](err); ok {
		out.Message = p.Message
		out.Hint = strings.TrimSuffix("the record waits and is looked up again by itself: "+p.Hint, ": ")
	}
	if database.Answers(err) {
		out.Code, out.Away = lookups.CodeRefused, false
	}
	return out
}

// Find implements lookups.Finder.
func (f *finder) Find(ctx context.Context, asked lookups.Asked, questions []rules.Question) ([]actions.Answer, error) {
	a := asked.(*Asked)
	d, done, err := f.get(a.ConnectionName())
	if err != nil {
		return nil, err
	}
	defer done()
	answers := make([]actions.Answer, len(questions))
	for _, part := range byFields(questions) {
		fields := questions[part[0]].Fields
		wanted := make([]database.Wanted, len(part))
		for n, i := range part {
			wanted[n] = questions[i].Values
		}
		found, err := d.Ask(ctx, &a.Query, fields, wanted)
		if err != nil {
			return nil, failure(err)
		}
		for n, i := range part {
			answers[i].Found = found[n].Rows
			if found[n].Bad {
				answers[i].Err = badValue(questions[i])
			}
		}
	}
	return answers, nil
}

func badValue(q rules.Question) error {
	return &lookups.Error{Fault: true, Problem: diag.Problem{Code: lookups.CodeValue, Field: q.Lookup,
		Message: "the lookup " + q.Lookup + " cannot compare the value: the database says that it is not of the column's type",
		Hint:    "correct the value in the source, or compare text in the query: CAST(code AS text)"}}
}

// byFields groups questions that name the same fields: those of one candidate of any_of.
func byFields(questions []rules.Question) [][]int {
	var parts [][]int
	at := map[string]int{}
	for i, q := range questions {
		key := strings.Join(q.Fields, "\x00")
		n, ok := at[key]
		if !ok {
			n = len(parts)
			at[key] = n
			parts = append(parts, nil)
		}
		parts[n] = append(parts[n], i)
	}
	return parts
}
