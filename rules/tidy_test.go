package rules

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/unicode/norm"
)

// TestTidy holds which texts that look alike are one.
func TestTidy(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"plain", " Mary ", " Mary "},
		{"accent apart", "Zoe\u0301", "Zoé"},
		{"accent in one piece", " Zoé ", " Zoé "},
		{"byte order mark", "\uFEFFu-1", "u-1"},
		{"space of no width", "f \u200B", "f"},
		{"number copied from a phone book", "\u202A+254 712 000 001\u202C", "+254 712 000 001"},
		{"inside", "a\u200Bb", "a\u200Bb"},
		{"Arabic mark behind a word", "محمد\u200F", "محمد"},
		{"joiners that letters need", "می\u200Cخواهم", "می\u200Cخواهم"},
		{"nothing else", "\u200B\uFEFF", ""},
		{"a lost letter", "Zo\uFFFD", "Zo\uFFFD"},
	} {
		if got := tidy(test.in); got != test.want {
			t.Errorf("%s: tidy(%q) = %q, want %q", test.name, test.in, got, test.want)
		}
	}
}

// TestTidyRecord holds that names and values are tidied wherever they stand, and the record itself is left alone.
func TestTidyRecord(t *testing.T) {
	const apart = "pre\u0301nom"
	record := map[string]any{apart: "x", "visits": []any{map[string]any{"id": "\uFEFF1"}}, "n/a?": "\u200BN/A"}
	got := wordSet{"n/a": true}.without(record)
	want := map[string]any{"prénom": "x", "visits": []any{map[string]any{"id": "1"}}, "n/a?": nil}
	if d := cmp.Diff(any(want), got); d != "" {
		t.Error(d)
	}
	if record[apart] != "x" || len(record) != 3 {
		t.Errorf("the record was changed: %v", record)
	}
	both := map[string]any{apart: "apart", "prénom": "whole"}
	if d := cmp.Diff(any(both), wordSet{}.without(both)); d != "" {
		t.Errorf("two names that tidy to one: %s", d)
	}
	unseen := map[string]any{"\u200Bx": "before", "x\u200B": "behind", "\uFEFFy": "z"}
	for range 20 { // in whatever order the names come
		if d := cmp.Diff(any(map[string]any{"\u200Bx": "before", "x\u200B": "behind", "y": "z"}), wordSet{}.without(unseen)); d != "" {
			t.Fatalf("two names of which neither is tidy: %s", d)
		}
	}
}

// TestTidyRule holds that a rule reads a record whichever of the two has its accents apart, and that maps do.
func TestTidyRule(t *testing.T) {
	const text = `trigger: {webhook: {path: /forms}, fields: [id, prénom, sexe]}
id: trigger.id
maps:
  sex: {féminin: F}
actions:
  - dhis2.event:
      program: Antenatal care
      data_values:
        A: trigger["prénom"]
        B: {from: trigger.sexe, map: sex}
        C: '{"féminin": "yes"}[trigger.sexe]'
`
	want := map[string]any{"A": "Zoé", "B": "F", "C": "yes"}
	for _, rule := range []string{text, norm.NFD.String(text)} {
		r, findings := Load("rules/a.yaml", []byte(rule), testEnvironment(nil))
		if findings.List.HasErrors() {
			t.Fatal(findings.List)
		}
		fields := compileFields(r)
		r.Finish()
		for _, record := range []string{`{"id": "1", "prénom": "Zoé", "sexe": "féminin"}`} {
			for _, in := range []string{record, norm.NFD.String(record)} {
				s, got := r.Begin(Input{Body: body(t, in)}), map[string]any{}
				for name, f := range fields {
					result, err := f.Eval(s)
					if err != nil {
						t.Fatal(err)
					}
					got[name] = result.Value
				}
				if d := cmp.Diff(want, got); d != "" {
					t.Error(d)
				}
			}
		}
	}
}
