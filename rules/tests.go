package rules

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
)

// Test is one entry of a rule's tests.
type Test struct {
	Name   string
	Given  string // path of the sample, relative to the project; empty when Record is set
	Expect *yamlnode.Node
	Fail   string    // code of the expected failure, or empty
	Now    time.Time // zero when the test names none
	Place  diag.Place

	// Record is the record itself, where the test holds it, or nil.
	Record *yamlnode.Node
	// Row is which record of the sample is meant, from 1; 0: all.
	Row int
	// Source is what `source` shows, or nil.
	Source *yamlnode.Node
	// Found is what lookups that ask the server find, by their names, or nil.
	Found *yamlnode.Node
}

// Bodies gives the records of the test: the one that it holds, or those that its sample file holds,
// as the trigger's source decodes them.
func (t *Test) Bodies(sample func(file string) ([]any, error)) ([]any, error) {
	if t.Record != nil {
		return []any{plainBody(t.Record.Plain())}, nil
	}
	bodies, err := sample(t.Given)
	if err != nil {
		return nil, err
	}
	switch {
	case t.Row == 0:
		return bodies, nil
	case t.Row > len(bodies):
		return nil, fmt.Errorf("it has no record %d but %d", t.Row, len(bodies))
	}
	return bodies[t.Row-1 : t.Row], nil
}

// SourceFields gives what the test says of where the record comes from; empty when it says nothing.
func (t *Test) SourceFields() map[string]any {
	fields, _ := plainBody(t.Source.Plain()).(map[string]any)
	return fields
}

// plainBody makes numbers what sources make of them.
func plainBody(v any) any {
	switch v := v.(type) {
	case json.Number:
		if f, err := v.Float64(); err == nil {
			return f
		}
		return v.String()
	case map[string]any:
		for key, field := range v {
			v[key] = plainBody(field)
		}
	case []any:
		for i, item := range v {
			v[i] = plainBody(item)
		}
	}
	return v
}

// tests reads the tests of the rule's own file.
func (c *compiler) tests() {
	names := map[string]diag.Place{}
	for i, n := range c.doc.Root.Get("tests").Items() {
		if n.Kind != yamlnode.Mapping {
			continue // the schema has said so
		}
		r := c.reader(fmt.Sprintf("test %d", i+1), n, testKeys)
		t := &Test{Name: r.Label, Place: n.Place(), Expect: r.Node("expect"), Source: r.Node("source"),
			Found: r.Node("found"), Row: r.Whole("row"), Fail: r.Text("fail")}
		if v := r.Node("name"); isValue(v) {
			t.Name, t.Place = v.Value, v.Place()
			if first, ok := names[v.Value]; ok {
				c.report(diag.Diagnostic{
					Problem: diag.Problem{Code: "duplicate-test",
						Message: fmt.Sprintf("two tests are named %q", v.Value), Hint: "rename one of them",
						Place: v.Place()},
					Related: []diag.Related{{Place: first, Message: "the other test"}},
				})
			}
			names[v.Value] = v.Place()
		}
		c.given(t, r.Node("given"))
		if v := r.Node("now"); isValue(v) {
			c.testTime(t, v)
		}
		switch {
		case t.Fail != "" && t.Expect != nil:
			c.fault(n.Key("fail").Place(), "test-expects", fmt.Sprintf("the test %q expects both writes and a failure", t.Name),
				"keep expect: or fail:")
		case t.Fail == "" && t.Expect == nil:
			c.warn(t.Place, "test-expects", fmt.Sprintf("the test %q expects nothing", t.Name),
				"add expect: or fail:, or run `culvert test --update` to have it written")
		}
		c.rule.Tests = append(c.rule.Tests, t)
	}
}

func (c *compiler) given(t *Test, n *yamlnode.Node) {
	switch {
	case n == nil || n.IsNull():
	case n.Kind == yamlnode.Mapping:
		t.Record = n
	case n.Kind == yamlnode.Scalar:
		name, ok := c.path(n)
		if !ok {
			return
		}
		if name == c.rule.Trigger.Sample {
			t.Given = name // its own finding says what is wrong with it
		} else if _, ok := c.read(n, name, "the sample"); ok {
			t.Given = name
		}
	}
}

func (c *compiler) testTime(t *Test, n *yamlnode.Node) {
	layouts := []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly}
	if !slices.ContainsFunc(layouts, func(layout string) bool {
		at, err := time.ParseInLocation(layout, n.Value, c.env.Zone)
		if err == nil {
			t.Now = at
		}
		return err == nil
	}) {
		c.fault(n.Place(), "bad-date", fmt.Sprintf("%q is not a date or time", n.Value),
			"write it as 2024-06-30 or 2024-06-30T08:00:00Z")
	}
}
