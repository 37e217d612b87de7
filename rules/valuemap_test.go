package rules

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/rules/diag"
)

func TestValueMaps(t *testing.T) {
	for _, c := range []struct{ m, in, want string }{
		{"{f: Female, m: Male}", "f", "Female"}, {"{f: Female}", " f ", "Female"}, {"{f: Female}", "F", "!"},
		{"{f: Female}", "---", ""},
		{"{f: Female, other: pass}", "x", "x"}, {"{f: Female, other: blank}", "x", ""},
		{"{f: Female, other: {value: Unknown}}", "x", "Unknown"}, {"{f: Female, other: fail}", "x", "!"},
		{"{f: Female, other: Other}", "other", "Other"}, {"{f: Female, other: Other}", "x", "!"},
		{"{values: {other: pass}}", "other", "pass"},
		{`{"0-4": young, ">=5": old}`, "4", "young"}, {`{"0-4": young, ">=5": old}`, "5.0", "old"},
		{`{"0-4": young, ">=5": old}`, "4.5", "!"}, {`{"0-4": young}`, "0-4", "young"},
		{`{"<0": minus, "0": zero}`, "-3", "minus"}, {`{"<0": minus, "0": zero}`, "0", "zero"}, {`{"1..2": a}`, "1.5", "a"},
		{`{"a|b": X}`, "b", "X"}, {"{Female: [f, fem, 1]}", "fem", "Female"}, {"{Female: [f, fem, 1]}", "1", "Female"},
		{"{f: ~}", "f", ""},
		{"{values: {Yes: 'true'}, match: ignore_case}", "  yEs", "true"}, {"{yes: true, no: false}", "no", "false"},
		{"{1: One}", "1", "One"}, {"{a: A, b: B}", "b a", `["B","A"]`}, {"{a: A, b: B}", "b c", "!"},
		{"{a: A, other: blank}", "b a", `["A"]`}, {"{a: A, other: blank}", "b c", ""}, {"{a: A, other: pass}", "b a", "b a"},
		{"{a: A, a b: AB, b: B}", "a b", "AB"},
		{"{file: m.csv}", "kan", "Kanyama"}, {"{file: m.csv, other: pass}", "x", "x"},
		{"{file: wide.csv, from: local, to: dhis2}", "b", "B"},
	} {
		t.Run(c.m+" of "+c.in, func(t *testing.T) {
			r, fields := load(t, head+"maps:\n  m: "+c.m+"\nactions:\n  - dhis2.event: {data_values: {A: {from: "+
				"trigger.form.gender, map: m, default: '\"\"'}}}\n",
				files{"m.csv": "\ufefffrom,to\nkan,Kanyama\n\n chi , Chilenga \n",
					"wide.csv": "id\tlocal\tdhis2\n1\ta\tA\n2\tb\tB\n"})
			s := r.Begin(Input{Body: map[string]any{"form": map[string]any{"gender": c.in}}})
			result, err := fields["A"].Eval(s)
			got := textOf(result.Value)
			if err != nil {
				got = "!"
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestMapOutputsHavePlaces(t *testing.T) {
	r, _ := load(t, head+"maps:\n  m: {file: m.csv}\n  n: {a: 1, 2: [x, y]}\nactions:\n  - dhis2.event: {data_values: "+
		"{A: {from: trigger.form.gender, map: m}, B: n(trigger.form.gender)}}\n", files{"m.csv": "from,to\nf,Female\n"})
	if d := cmp.Diff([]MapOutput{{In: "f", Out: "Female",
		Place: diag.Place{File: "m.csv", Range: diag.Range{Start: diag.Position{Line: 2, Column: 3},
			End: diag.Position{Line: 2, Column: 9}}}}}, r.Maps["m"].Outputs()); d != "" {
		t.Error(d)
	}
	var got []string
	for _, o := range r.Maps["n"].Outputs() {
		got = append(got, fmt.Sprintf("%s=%s at %d:%d", o.In, o.Out, o.Place.Range.Start.Line, o.Place.Range.Start.Column))
	}
	if d := cmp.Diff([]string{"a=1 at 5:10", "x=2 at 5:13"}, got); d != "" {
		t.Error(d)
	}
}
