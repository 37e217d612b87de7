package rules

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/culvert/culvert/rules/settings"
)

const agesFile = `functions:
  age_group:
    description: the age group of our reports
    parameters: {born: date, on: date}
    body: '!not_blank(born) ? nil : full_years(born, on) < 5 ? "under 5" : "5 and over"'
    tests:
      - {call: 'age_group("2024-01-01", "2026-06-30")', gives: under 5}
      - {call: 'age_group("", "2026-06-30")', gives: null}
      - {call: 'age_group("soon", "2026-06-30")', fail: wrong-value}
  full_years:
    parameters: {born: date, on: date}
    body: diff(born, on, "years")
  doubled:
    parameters: {n: number}
    body: n * 2
    tests:
      - {call: doubled(1.5), gives: 3}
      - {call: 'doubled("2")', gives: 4}
  sexes:
    parameters: {list: list}
    body: map(list, sex(#))
    tests:
      - {call: 'sexes(["f", "m"])', gives: [Female, Male]}
  today_text:
    body: text(today())
    tests:
      - {call: today_text(), gives: "2026-03-01", now: 2026-03-01}
maps:
  sex: {f: Female, m: Male}
`

// library loads files of functions; what is wrong is given as code and line.
func library(t *testing.T, texts ...string) (*Library, []string) {
	t.Helper()
	var files []LibraryFile
	for i, text := range texts {
		files = append(files, LibraryFile{Path: fmt.Sprintf("functions/f%d.yaml", i), Text: []byte(text)})
	}
	l, list := LoadLibrary(files, Environment{})
	var found []string
	for _, d := range list {
		found = append(found, fmt.Sprintf("%s:%d %s", d.Place.File, d.Place.Range.Start.Line, d.Code))
	}
	return l, found
}

// withLibrary loads a rule of one action that sends fields.
func withLibrary(t *testing.T, l *Library, text string) (*Rule, *Findings) {
	t.Helper()
	return Load("rules/a.yaml", []byte(text), Environment{Library: l, Kinds: []settings.Spec{{Name: "dhis2.event"}},
		TriggerKinds: []TriggerKind{{Name: "webhook"}}})
}

func TestFunctionsAreTested(t *testing.T) {
	l, found := library(t, agesFile)
	if len(found) > 0 {
		t.Fatal(found)
	}
	n := 0
	for _, f := range l.Functions() {
		for _, test := range f.Tests {
			n++
			if problems := test.Run(time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)); len(problems) > 0 {
				t.Errorf("%s: %v", test.Text, problems)
			}
		}
	}
	if n != 7 {
		t.Errorf("%d tests", n)
	}
	wrong, _ := library(t, strings.NewReplacer("gives: under 5", "gives: 5 and over", "gives: null", "gives: none",
		"fail: wrong-value", "fail: unmapped-value", "gives: 4", "fail: wrong-value").Replace(agesFile))
	failed := 0
	for _, f := range wrong.Functions() {
		for _, test := range f.Tests {
			if len(test.Run(time.Now())) > 0 {
				failed++
			}
		}
	}
	if failed != 4 {
		t.Errorf("%d of 4 wrong tests fail", failed)
	}
}

// TestFunctionsInRules calls functions and maps of the project, and says where they fail.
func TestFunctionsInRules(t *testing.T) {
	l, _ := library(t, agesFile)
	rule, findings := withLibrary(t, l, `rule: a
trigger:
  webhook: {path: /a}
  fields: {id: text, born: text, seen: text, sex: text}
id: trigger.id
when: age_group(trigger.born, trigger.seen) == "under 5"
key: sex(trigger.sex)
actions: [{dhis2.event: {}}]
`)
	if findings.List.HasErrors() {
		t.Fatal(findings.List)
	}
	s := rule.Begin(Input{Body: map[string]any{"id": "1", "born": "2024-05-01", "seen": "2026-01-01", "sex": "m"}})
	if ok, err := rule.Filter(s); err != nil || !ok {
		t.Error(ok, err)
	}
	if _, key, err := rule.Identify(s); err != nil || key != "Male" {
		t.Error(key, err)
	}
	s = rule.Begin(Input{Body: map[string]any{"id": "1", "born": "last year", "seen": "2026-01-01", "sex": "m"}})
	_, err := rule.Filter(s)
	f, ok := err.(*Failure)
	if !ok || f.Place.File != "rules/a.yaml" || f.Place.Range.Start.Line != 6 ||
		!strings.Contains(f.Message, "in the function full_years (functions/f0.yaml:12)") &&
			!strings.Contains(f.Message, "in the function age_group (functions/f0.yaml:5)") {
		t.Errorf("%+v", err)
	}
	if text := string(rule.Text()); !strings.Contains(text, "functions/f0.yaml") || !strings.Contains(text, "full_years") {
		t.Error("a change of the function does not change the rule")
	}
	if list := l.Unused([]*Rule{rule}); len(list) != 3 {
		t.Errorf("unused: %v", list)
	}
}

// TestOwnMapsGoFirst has a rule's own value map hide the project's.
func TestOwnMapsGoFirst(t *testing.T) {
	l, _ := library(t, agesFile)
	rule, findings := withLibrary(t, l, `rule: a
trigger: {webhook: {path: /a}, fields: {id: text, sex: text}}
id: sex(trigger.sex)
maps:
  sex: {m: own}
actions: [{dhis2.event: {}}]
`)
	if findings.List.HasErrors() {
		t.Fatal(findings.List)
	}
	if id, _, err := rule.Identify(rule.Begin(Input{Body: map[string]any{"sex": "m"}})); err != nil || id != "own" {
		t.Error(id, err)
	}
	if strings.Contains(string(rule.Text()), "functions/") {
		t.Error("the rule is said to use the project's map")
	}
}

func TestMistakesInFunctions(t *testing.T) {
	for text, want := range map[string][]string{
		"functions:\n  a: {body: b(1)}\n  b: {parameters: {n: number}, body: c(n)}\n  c: {parameters: {n: number}, body: b(n)}\n": {
			"functions/f0.yaml:4 function-cycle"},
		"functions:\n  a: {parameters: {n: number}, body: a(n)}\n": {"functions/f0.yaml:2 function-cycle"},
		"functions:\n  upper: {body: '1'}\n":                       {"functions/f0.yaml:2 name-taken"},
		"functions:\n  a: {body: '1'}\nmaps:\n  a: {x: y}\n":       {"functions/f0.yaml:2 name-taken"},
		"functions:\n  a: {body: trigger.form}\n":                  {"functions/f0.yaml:2 unknown-name"},
		"functions:\n  a: {parameters: {n: whole}, body: n}\n":     {"functions/f0.yaml:2 not-allowed"},
		"functions:\n  a: {parameters: {n: list}, body: upper(n)}\n": {
			"functions/f0.yaml:2 wrong-type"},
		"functions:\n  a: {parameters: {n: number, unread: text}, body: n}\n": {"functions/f0.yaml:2 unused-parameter"},
		"functions:\n  a: {parameters: {n: number}}\n":                        {"functions/f0.yaml:2 missing-key"},
		"functions:\n  a: {body: '1', tests: [{call: a(2), gives: 1}]}\n":     {"functions/f0.yaml:2 wrong-arguments"},
		"functions:\n  a: {body: '1', tests: [{call: a()}]}\n":                {"functions/f0.yaml:2 test-expects"},
		"fonctions: {}\n": {"functions/f0.yaml:1 unknown-key"},
	} {
		if _, found := library(t, text); !slices.Equal(found, want) {
			t.Errorf("%s\n%v", text, found)
		}
	}
	if _, found := library(t, "functions:\n  a: {body: '1'}\n", "functions:\n  a: {body: '2'}\n"); !slices.Equal(found,
		[]string{"functions/f1.yaml:2 name-taken"}) {
		t.Error(found)
	}
}

// TestBrokenFunction tells the rules that call a function of its mistake, and leaves the others alone.
func TestBrokenFunction(t *testing.T) {
	l, _ := library(t, "functions:\n  a: {parameters: {x: text}, body: uper(x)}\n  b: {body: a(\"1\")}\n")
	_, findings := withLibrary(t, l, "rule: a\ntrigger: {webhook: {path: /a}, fields: {id: text}}\nid: a(trigger.id)\n"+
		"actions: [{dhis2.event: {}}]\n")
	if len(findings.List) != 1 || findings.List[0].Code != "broken-function" {
		t.Error(findings.List)
	}
}

// TestFunctionsShareTheLimits keeps functions that call each other twice, again and again, from running for long.
func TestFunctionsShareTheLimits(t *testing.T) {
	text := "functions:\n  f0: {parameters: {x: text}, body: upper(x)}\n"
	for i := 1; i < 60; i++ {
		text += fmt.Sprintf("  f%d: {parameters: {x: text}, body: f%d(x) + f%d(x)}\n", i, i-1, i-1)
	}
	l, found := library(t, text)
	if len(found) > 0 {
		t.Fatal(found)
	}
	rule, _ := withLibrary(t, l, "rule: a\ntrigger: {webhook: {path: /a}, fields: {id: text}}\nid: f59(trigger.id)\n"+
		"actions: [{dhis2.event: {}}]\n")
	_, _, err := rule.Identify(rule.Begin(Input{Body: map[string]any{"id": "x"}}))
	if f, ok := err.(*Failure); !ok || f.Code != "too-large" {
		t.Error(err)
	}
}

func FuzzLibrary(f *testing.F) {
	f.Add(agesFile)
	f.Add("functions:\n  a: {parameters: {n: list}, body: a(n)}\n")
	f.Fuzz(func(t *testing.T, text string) {
		l, _ := LoadLibrary([]LibraryFile{{Path: "functions/a.yaml", Text: []byte(text)}}, Environment{})
		for _, fn := range l.Functions() {
			for _, test := range fn.Tests {
				test.Run(time.Time{})
			}
		}
	})
}
