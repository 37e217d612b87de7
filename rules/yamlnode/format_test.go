package yamlnode

import (
	"errors"
	"testing"

	"github.com/culvert/culvert/rules/diag"
)

func TestFormat(t *testing.T) {
	in := "# top\nrule:   a   # name\ntrigger:\n      webhook: {path:   /x}\n\n\n# the filter\nwhen:  x == " +
		"1\nactions:\n- dhis2.event:\n      program:  P\n\n- dhis2.event:\n      program: Q\n"
	want := "# top\nrule: a # name\ntrigger:\n  webhook: {path: /x}\n\n# the filter\nwhen: x == 1\nactions:\n  - " +
		"dhis2.event:\n      program: P\n\n  - dhis2.event:\n      program: Q\n"
	got, err := Format("a.yaml", []byte(in))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Fatalf("got\n%s\nwant\n%s", got, want)
	}
	again, err := Format("a.yaml", got)
	if err != nil || string(again) != want {
		t.Fatalf("formatting twice changed it (%v):\n%s", err, again)
	}
}

// TestFormatKeepsFolds: a long expression behind > stays broken where its author broke it.
func TestFormatKeepsFolds(t *testing.T) {
	in := "rule:  a\nitems: >-\n     map(trigger.entry,\n       {.resource})\n\n     ?? []\nwhen: >\n  a\n  && b\n\n\nactions:\n" +
		"- x: >-\n      text\n      goes on\n"
	want := "rule: a\nitems: >-\n  map(trigger.entry,\n    {.resource})\n\n  ?? []\nwhen: >\n  a\n  && b\n\nactions:\n" +
		"  - x: >-\n      text\n      goes on\n"
	got, err := Format("a.yaml", []byte(in))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if again, err := Format("a.yaml", got); err != nil || string(again) != want {
		t.Errorf("formatting twice changed it (%v):\n%s", err, again)
	}
}

func TestFormatRefusesBrokenFiles(t *testing.T) {
	if _, err := Format("a.yaml", []byte("a: [1\nb: 2")); !errors.Is(err, ErrBroken) {
		t.Fatalf("err = %v", err)
	}
}

func FuzzFormat(f *testing.F) {
	f.Add("a: 1\n\n# c\nb: [x, y]\n")
	f.Add("- a\n\n- |\n  x\n")
	f.Fuzz(func(t *testing.T, text string) {
		out, err := Format("f.yaml", []byte(text))
		if err != nil {
			return
		}
		var list diag.List
		if Parse("f.yaml", out, &list); list.HasErrors() {
			t.Fatalf("%q became %q, which does not parse: %v", text, out, list)
		}
	})
}

func TestMarshalPutsKeysInOrder(t *testing.T) {
	got, err := Marshal([]map[string]any{{"b": "1", "event": "First", "values": map[string]any{"x": "yes", "a": nil}}},
		[]string{"event"})
	if err != nil {
		t.Fatal(err)
	}
	want := "- event: First\n  b: \"1\"\n  values:\n    a: null\n    x: yes\n"
	if string(got) != want {
		t.Fatalf("got\n%s\nwant\n%s", got, want)
	}
}
