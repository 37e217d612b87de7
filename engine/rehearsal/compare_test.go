package rehearsal

import (
	"strings"
	"testing"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
)

func node(t *testing.T, text string) *yamlnode.Node {
	t.Helper()
	var list diag.List
	doc := yamlnode.Parse("t.yaml", []byte(text), &list)
	if doc == nil || list.HasErrors() {
		t.Fatalf("bad test: %v", list)
	}
	return doc.Root
}

func TestCompare(t *testing.T) {
	got := []map[string]any{
		{"event": "First visit", "occurred_at": "2026-03-02",
			"data_values": map[string]any{"Weight (kg)": "60.5", "Iron": "true"}},
		{"event": "Second", "notes": []any{"a", "b"}},
	}
	for name, c := range map[string]struct {
		expect  string
		skipped bool
		want    []string
	}{
		"fits": {`[{event: First visit, data_values: {Weight (kg): "60.5"}}, {event: Second, notes: [a, b]}]`, false, nil},
		"value": {`[{event: First visit, data_values: {Weight (kg): 61}}, {event: Second}]`, false,
			[]string{"write 1, data_values, Weight (kg): expected 61, got 60.5"}},
		"missing field": {`[{event: First visit, status: ACTIVE}, {event: Second}]`, false,
			[]string{"write 1, status: expected ACTIVE, and it is not there; there are: data_values, event, occurred_at"}},
		"one too few": {`[{event: First visit}]`, false, []string{"write 2 is not expected: {event: Second, notes: [a b]}"}},
		"one too many": {`[{event: First visit}, {event: Second}, {event: Third}]`, false,
			[]string{"write 3 is missing: event Third"}},
		"not a list": {`[{event: First visit, data_values: x}, {event: Second, notes: [a]}]`, false,
			[]string{"write 1, data_values: expected x", "write 2, notes: expected [a]"}},
		"skipped":     {`skipped`, true, nil},
		"not skipped": {`skipped`, false, []string{"it was expected to be skipped, and makes 2 writes"}},
		"filtered":    {`[{event: First visit}]`, true, []string{"the filter refused the record"}},
	} {
		t.Run(name, func(t *testing.T) {
			problems := compare(node(t, c.expect), got, c.skipped)
			if len(problems) != len(c.want) {
				t.Fatalf("got %q, want %q", problems, c.want)
			}
			for i := range problems {
				if !strings.HasPrefix(problems[i], c.want[i]) {
					t.Errorf("got %q, want %q", problems[i], c.want[i])
				}
			}
		})
	}
}

func TestUpdateWritesOnlyTheExpectation(t *testing.T) {
	file := "# top\nrule: a   # name\ntests:\n  - name: one\n    given: s.json   # the sample\n    expect:\n      - " +
		"event: Old\n        # stale\n        x: 1\n  - name: two\n    given: s.json\n    expect: skipped\n"
	outcomes := []Outcome{
		{Test: "one", Evaluated: true, Problems: []string{"differs"},
			Got: []map[string]any{{"occurred_at": "2026-03-02", "event": "New",
				"data_values": map[string]any{"Weight (kg)": "60.5"}}}},
		{Test: "two"},
	}
	got, done, err := Update("a.yaml", []byte(file), outcomes)
	if err != nil || len(done) != 1 || !done[0].Written {
		t.Fatal(done, err)
	}
	want := "# top\nrule: a   # name\ntests:\n  - name: one\n    given: s.json   # the sample\n    expect:\n      - " +
		"event: New\n        data_values:\n          Weight (kg): \"60.5\"\n        occurred_at: \"2026-03-02\"\n  - " +
		"name: two\n    given: s.json\n    expect: skipped\n"
	if string(got) != want {
		t.Fatalf("got\n%s\nwant\n%s", got, want)
	}
	if problems := compare(node(t, string(got)).Get("tests").Items()[0].Get("expect"), outcomes[0].Got,
		false); problems != nil {
		t.Fatalf("what was written does not pass: %q", problems)
	}
}

func TestUpdateWritesWhatHappened(t *testing.T) {
	differs := []string{"differs"}
	writes := Outcome{Test: "one", Evaluated: true, Problems: differs, Got: []map[string]any{{"event": "New"}}}
	failure := Outcome{Test: "one", Problems: differs,
		Failure: &rules.Failure{Problem: diag.Problem{Code: "wrong-type", Message: "is no number"}}}
	skipped := Outcome{Test: "one", Evaluated: true, Skipped: true, Problems: differs}
	for name, c := range map[string]struct {
		file, want string
		outcome    Outcome
	}{
		"a failure": {"tests:\n  - name: one\n    expect:\n      - event: Old\n",
			"tests:\n  - name: one\n    fail: wrong-type\n", failure},
		"no failure any more": {"tests:\n  - name: one\n    fail: x\n    given: s.json\n",
			"tests:\n  - name: one\n    expect:\n      - event: New\n    given: s.json\n", writes},
		"skipped": {"tests:\n  - name: one\n    fail: x\n", "tests:\n  - name: one\n    expect: skipped\n",
			skipped},
		"nothing expected yet": {"tests:\n  - name: one\n    given: s.json\n\n# end\n",
			"tests:\n  - name: one\n    given: s.json\n    expect:\n      - event: New\n\n# end\n", writes},
		"the first key": {"tests:\n- expect: skipped\n  given: s.json\n",
			"tests:\n- expect:\n    - event: New\n  given: s.json\n", writes},
		"no line end": {"tests:\n  - given: s.json", "tests:\n  - given: s.json\n    fail: wrong-type\n", failure},
		"in braces": {"rule: a # n\ntests:\n  - {given: s.json, expect: [{event: Old}]}\n",
			"rule: a # n\ntests:\n  - given: s.json\n    expect:\n      - event: New\n", writes},
		"all in braces": {"tests: [{given: s.json, expect: [{event: Old}]}, {name: two, expect: skipped}]\n",
			"tests:\n  - given: s.json\n    expect:\n      - event: New\n  - name: two\n    expect: skipped\n", writes},
		"cannot be read": {"tests:\n  - name: one\n    expect: skipped\n",
			"tests:\n  - name: one\n    expect: skipped\n", Outcome{Test: "one", Problems: differs}},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := Update("a.yaml", []byte(c.file), []Outcome{c.outcome})
			if err != nil || string(got) != c.want {
				t.Fatalf("got\n%s\nwant\n%s\n%v", got, c.want, err)
			}
		})
	}
}
