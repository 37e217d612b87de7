package rules

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/rules/diag"
)

const householdSample = `{"id": "h1", "visits": [
	{"date": "2026-01-07", "children": [{"name": "A", "doses": [{"d": 1}, {"d": 2}]}, {"name": "B", "doses": {"d": 3}}]},
	{"date": "2026-02-07"},
	{"date": "2026-03-07", "children": {"name": "C", "doses": [{"d": 4}]}}]}`

func household(forEach, values string) string {
	return "rule: nest\ntrigger: {webhook: {path: /n}, sample: samples/n.json}\nid: trigger.id\nactions:\n  - " +
		"dhis2.event:\n      for_each: " + forEach + "\n" +
		"      data_values: " + values + "\n"
}

func TestNestedForEach(t *testing.T) {
	for _, c := range []struct {
		name, forEach, values string
		want                  []string
	}{
		{"one list in a list", "[trigger.visits, item.children]",
			"{A: 'parent.date + item.name + text(parent_index) + text(index)'}",
			[]string{"0.0 2026-01-07A00", "0.1 2026-01-07B01", "2.0 2026-03-07C20"}},
		{"three deep", "[trigger.visits, item.children, item.doses]",
			"{A: 'grandparent.date + parent.name + text(item.d) + text(grandparent_index) + text(parent_index)'}",
			[]string{"0.0.0 2026-01-07A100", "0.0.1 2026-01-07A200", "0.1.0 2026-01-07B301", "2.0.0 2026-03-07C420"}},
		{"a list of one list", "[trigger.visits]", "{A: item.date}",
			[]string{"0 2026-01-07", "1 2026-02-07", "2 2026-03-07"}},
		{"flattened", "flatten(map(trigger.visits, .children))", "{A: item.name}", []string{"0 A", "1 B", "2 C"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, fields := load(t, household(c.forEach, c.values), files{"samples/n.json": householdSample})
			s := r.Begin(Input{Body: body(t, householdSample)})
			var got []string
			if err := r.Actions[0].Each(s, func(s *Scope) error {
				v, err := fields["A"].Eval(s)
				got = append(got, fmt.Sprint(s.Position(), " ", v.Value))
				return err
			}); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
			for _, name := range []string{"item", "parent", "index", "parent_index"} {
				if _, left := s.env[name]; left {
					t.Errorf("%s is still in scope", name)
				}
			}
		})
	}
}

// TestBlankItems holds that an item of which nothing was answered writes nothing, and that the others keep their numbers.
func TestBlankItems(t *testing.T) {
	r, fields := load(t, household("trigger.visits", "{A: item.date}"), files{"samples/n.json": householdSample})
	s := r.Begin(Input{Body: body(t, `{"id": "h1", "visits": [null, {"date": "a"}, "", {"date": "b"}]}`)})
	var got []string
	if err := r.Actions[0].Each(s, func(s *Scope) error {
		v, err := fields["A"].Eval(s)
		got = append(got, fmt.Sprint(s.Position(), " ", v.Value))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"1 a", "3 b"}, got); d != "" {
		t.Error(d)
	}
}

func TestNestedForEachNamesTheItem(t *testing.T) {
	r, _ := load(t, household("[trigger.visits, item.children]", "{A: item.name}"),
		files{"samples/n.json": householdSample})
	s := r.Begin(Input{Body: body(t, householdSample)})
	err := r.Actions[0].Each(s, func(s *Scope) error {
		if s.Position() == "0.1" {
			return &Failure{Problem: diag.Problem{Message: "no"}}
		}
		return nil
	})
	var f *Failure
	if !errors.As(err, &f) || f.Message != "no (item 1.2)" {
		t.Error(err)
	}
	many := `{"id": "h1", "visits": [` +
		strings.TrimSuffix(strings.Repeat(`{"date": "2026-01-07", "children": [{"name": "A"}]},`, maxItems/2+1), ",") + `]}`
	s = r.Begin(Input{Body: body(t, many)})
	if err := r.Actions[0].Each(s, func(*Scope) error { return nil }); !errors.As(err, &f) || f.Code != "too-large" {
		t.Error(err)
	}
}

func TestLookupsOfOuterItems(t *testing.T) {
	const lookup = "lookups: {place: {in: organisationUnits, code: parent.clinic}}\n"
	sample := `{"id": "h1", "visits": [{"clinic": "C1", "children": [{"name": "A"}]}]}`
	for _, c := range []struct{ rule, want string }{
		{household("trigger.visits", "{A: place.name}") + lookup, `the lookup "place" is about the parent of an item`},
		{household("trigger.visits", "{A: parent.name}"), `unknown name "parent"`},
		{household("[trigger.visits, item.childen]", "{A: item.name}"), `childen`},
		{household("[trigger.visits, item.children]", "{A: parent.nme}"), `nme`},
		{household("[]", "{A: trigger.id}"), `for_each has 0 lists`},
		{household("[trigger.visits, item.children, item.x, item.y]", "{A: item.name}"), `for_each has 4 lists`},
		{household("[trigger.visits, item.children]", "{A: parent.clinic}") + "maps: {parent: {a: b}}\n",
			`"parent" is the item around an item`},
	} {
		r, findings := Load("rules/test.yaml", []byte(c.rule), testEnvironment(files{"samples/n.json": sample}))
		if r != nil {
			compileFields(r)
			r.Finish()
		}
		if !strings.Contains(fmt.Sprint(findings.List), c.want) || !findings.List.HasErrors() {
			t.Errorf("%s: %v", c.want, findings.List)
		}
	}
	// Where nothing goes through several lists, parent may be the name of anything.
	load(t, household("trigger.visits", "{A: parent(item.clinic)}")+"maps: {parent: {C1: b}}\n",
		files{"samples/n.json": sample})
}
