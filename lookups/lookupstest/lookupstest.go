// Package lookupstest asks lookups of rules as a run does, for the tests of their kinds.
package lookupstest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/culvert/culvert/lookups"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/sources"
)

// Compile gives what the lookup "found" of a rule asks for, and the findings about it, one a line.
func Compile(t testing.TB, kind lookups.Kind, lookup string) (lookups.Asked, string) {
	t.Helper()
	text := "trigger: {webhook: {path: /x}}\nid: trigger.id\nlookups:\n  found: {" + lookup + "}\n" +
		"actions:\n  - dhis2.event: {program: found}\n"
	r, findings := rules.Load("rules/a.yaml", []byte(text), rules.Environment{Asked: kind,
		TriggerKinds: []rules.TriggerKind{{Name: "webhook"}}, Kinds: []settings.Spec{{Name: "dhis2.event"}}})
	var b strings.Builder
	for _, d := range findings.List {
		if d.Severity == diag.Error {
			fmt.Fprintf(&b, "%s [%s] %s\n", d.Message, d.Code, d.Hint)
		}
	}
	if r == nil || len(r.Lookups) != 1 {
		t.Fatalf("%s: %s", lookup, b.String())
	}
	asked, _ := r.Lookups[0].Asked().(lookups.Asked)
	return asked, b.String()
}

// Ask asks a desk for values of fields, a question for each list of values, and gives what was found
// or the code of why not.
func Ask(t testing.TB, d *lookups.Desk, asked lookups.Asked, fields []string, values ...[]string) []any {
	t.Helper()
	questions := make([]rules.Question, len(values))
	for i, v := range values {
		questions[i] = rules.Question{Lookup: "found", Asked: asked, Fields: fields, Values: v}
	}
	answers, err := d.Answer(t.Context(), questions)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]any, len(answers))
	for i, a := range answers {
		out[i] = a.Found
		if a.Err != nil {
			out[i] = d.Unanswered(a.Err)
		}
	}
	return out
}

// Connections gives a connection by its name.
func Connections(list ...sources.Connection) func(name string) (sources.Connection, error) {
	return func(name string) (sources.Connection, error) {
		for _, c := range list {
			if c.Name == name {
				return c, nil
			}
		}
		return sources.Connection{}, fmt.Errorf("it is not in culvert.yaml")
	}
}
