package yamlnode

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/culvert/culvert/rules/diag"
)

const edited = `# a rule
rule: anc   # its name
when: trigger.form["@name"] == "ANC" # which
maps:
  sex: {f: Female, m: Male}
actions:
  - dhis2.event: # what is written
      program: 'Child''s care'
      empty:  # nothing yet
      long: >-
        a + b +
        c
      data_values:
        # Height: …   # NUMBER, mandatory
        Weight (kg): trigger.w # measured
        Sex: {from: trigger.sex, map: sex}
      # attributes:
        # Name: …   # TEXT
  - dhis2.event:
      program: Other
      data_values:
        One: a
`

func TestEditsChangeOneLine(t *testing.T) {
	event := []string{"actions", "0", "dhis2.event"}
	values := append(event, "data_values")
	at := func(path []string, more ...string) []string { return append(path[:len(path):len(path)], more...) }
	set := func(path []string, value string) func([]byte) ([]byte, error) {
		return func(text []byte) ([]byte, error) { return SetText("r.yaml", text, path, value) }
	}
	raw := func(path []string, value string) func([]byte) ([]byte, error) {
		return func(text []byte) ([]byte, error) { return SetYAML("r.yaml", text, path, value) }
	}
	add := func(path []string, key, value string) func([]byte) ([]byte, error) {
		return func(text []byte) ([]byte, error) { return AddEntry("r.yaml", text, path, key, value) }
	}
	remove := func(path ...string) func([]byte) ([]byte, error) {
		return func(text []byte) ([]byte, error) { return RemoveEntry("r.yaml", text, path) }
	}
	for _, c := range []struct {
		name     string
		do       func([]byte) ([]byte, error)
		out, in  string // lines that go and come; "" where none does
		refusing bool
	}{
		{name: "an expression", do: set(at(values, "Weight (kg)"), "trigger.weight"),
			out: "        Weight (kg): trigger.w # measured", in: "        Weight (kg): trigger.weight # measured"},
		{name: "one that needs quotes", do: set(at(values, "Weight (kg)"), `"a: b" + trigger.x`),
			out: "        Weight (kg): trigger.w # measured", in: `        Weight (kg): '"a: b" + trigger.x' # measured`},
		{name: "one in braces", do: set(at(values, "Sex", "from"), "upper(trigger.sex, 1)"),
			out: "        Sex: {from: trigger.sex, map: sex}", in: "        Sex: {from: 'upper(trigger.sex, 1)', map: sex}"},
		{name: "within quotes", do: set(at(event, "program"), "Child's health"),
			out: "      program: 'Child''s care'", in: "      program: 'Child''s health'"},
		{name: "no value yet", do: set(at(event, "empty"), "now()"), out: "      empty:  # nothing yet",
			in: "      empty: now()  # nothing yet"},
		{name: "a value taken away", do: set(at(values, "Weight (kg)"), ""),
			out: "        Weight (kg): trigger.w # measured", in: "        Weight (kg): # measured"},
		{name: "one line of a folded text", do: set(at(event, "long"), "a + b + cc"), out: "        c", in: "        cc"},
		{name: "the top", do: set([]string{"when"}, `trigger.form["@name"] == "PNC"`),
			out: `when: trigger.form["@name"] == "ANC" # which`, in: `when: trigger.form["@name"] == "PNC" # which`},
		{name: "a map to a field", do: raw(at(values, "Weight (kg)"), "{from: trigger.w, map: sex}"),
			out: "        Weight (kg): trigger.w # measured", in: "        Weight (kg): {from: trigger.w, map: sex} # measured"},
		{name: "a field that stood as a comment", do: add(values, "Height", "trigger.h"),
			out: "        # Height: …   # NUMBER, mandatory", in: "        Height: trigger.h # NUMBER, mandatory"},
		{name: "a field", do: add(values, "Colour: of", "trigger.c"), in: "        'Colour: of': trigger.c"},
		{name: "a key of an action", do: add(event, "when", "trigger.ok"), in: "      when: trigger.ok"},
		{name: "a value of a map", do: add([]string{"maps", "sex"}, "other", "blank"), out: "  sex: {f: Female, m: Male}",
			in: "  sex: {f: Female, m: Male, other: blank}"},
		{name: "a map gone from a field", do: remove(at(values, "Sex", "map")...),
			out: "        Sex: {from: trigger.sex, map: sex}", in: "        Sex: {from: trigger.sex}"},
		{name: "a text in braces", do: func(text []byte) ([]byte, error) {
			return AddText("r.yaml", text, []string{"maps", "sex"}, "u", "a, b")
		}, out: "  sex: {f: Female, m: Male}", in: "  sex: {f: Female, m: Male, u: 'a, b'}"},
		{name: "a field gone", do: remove(at(values, "Weight (kg)")...), out: "        Weight (kg): trigger.w # measured"},
		{name: "a value of a map gone", do: remove("maps", "sex", "f"), out: "  sex: {f: Female, m: Male}",
			in: "  sex: {m: Male}"},
		{name: "what is not there", do: remove("maps", "none"), refusing: true},
		{name: "a key that is there", do: add(values, "Sex", "x"), refusing: true},
		{name: "no YAML", do: raw(at(values, "Sex"), "{from: x"), refusing: true},
		{name: "several lines", do: raw(at(values, "Sex"), "a\nrule: b"), refusing: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, end := range []string{"\n", "\r\n"} {
				before := strings.ReplaceAll(edited, "\n", end)
				got, err := c.do([]byte(before))
				if c.refusing {
					if !errors.Is(err, ErrUneditable) && err == nil {
						t.Fatalf("it became\n%s", got)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				gone, come := difference(strings.Split(before, end), strings.Split(string(got), end))
				if strings.Join(gone, "\n") != c.out || strings.Join(come, "\n") != c.in {
					t.Errorf("went %q, came %q", gone, come)
				}
			}
		})
	}
}

func TestRemovedWithWhatItWasAloneIn(t *testing.T) {
	got, err := RemoveEntry("r.yaml", []byte(edited), []string{"actions", "1", "dhis2.event", "data_values", "One"})
	if want := strings.Replace(edited, "      data_values:\n        One: a\n", "", 1); err != nil || string(got) != want {
		t.Errorf("%v\n%s", err, got)
	}
}

func TestAddedWithWhatIsAroundIt(t *testing.T) {
	got, err := AddEntry("r.yaml", []byte(edited), []string{"actions", "1", "dhis2.event", "attributes"}, "A", "b")
	if want := edited + "      attributes:\n        A: b\n"; err != nil || string(got) != want {
		t.Errorf("%v\n%s", err, got)
	}
	got, err = AddEntry("r.yaml", []byte(edited), []string{"actions", "0", "dhis2.event", "attributes"}, "Name", "b")
	want := strings.Replace(edited, "      # attributes:\n        # Name: …   # TEXT\n",
		"      attributes:\n        Name: b # TEXT\n", 1)
	if err != nil || string(got) != want {
		t.Errorf("%v\n%s", err, got)
	}
}

// difference gives the lines that went and those that came between the same beginning and end.
func difference(before, after []string) (gone, come []string) {
	for len(before) > 0 && len(after) > 0 && before[0] == after[0] {
		before, after = before[1:], after[1:]
	}
	for len(before) > 0 && len(after) > 0 && before[len(before)-1] == after[len(after)-1] {
		before, after = before[:len(before)-1], after[:len(after)-1]
	}
	return before, after
}

// FuzzEdits changes, adds and removes in whatever text there is: what comes out differs in that alone.
func FuzzEdits(f *testing.F) {
	f.Add(edited, "actions/0/dhis2.event/data_values/Sex/from", "a, b")
	f.Add("a: |\n  x\n  y\nb: \"q\\n\"\n", "a", "x\ny\nz")
	f.Add("a: [1, {b: c}]\n", "a/1/b", "d # e")
	f.Add("\ufeffa: é\n", "a", "è")
	f.Fuzz(func(t *testing.T, text, at, value string) {
		path := strings.Split(at, "/")
		var list diag.List
		doc := Parse("f.yaml", []byte(text), &list)
		if doc == nil || list.HasErrors() || doc.Root == nil {
			return
		}
		if got, err := SetText("f.yaml", []byte(text), path, value); err == nil {
			after := Parse("f.yaml", got, &list)
			if n := after.Root.At(path); n == nil || n.Value != value {
				t.Errorf("it says %q", n.Plain())
			}
			if !reflect.DeepEqual(without(doc.Root.Plain(), path), without(after.Root.Plain(), path)) {
				t.Errorf("something else changed:\n%s", got)
			}
			if bytes.HasPrefix([]byte(text), []byte("\ufeff")) != bytes.HasPrefix(got, []byte("\ufeff")) {
				t.Error("the mark of byte order changed")
			}
		}
		if got, err := RemoveEntry("f.yaml", []byte(text), path); err == nil {
			if after := Parse("f.yaml", got, &list); after == nil || after.Root.At(path) != nil && len(path) > 0 &&
				doc.Root.At(path[:len(path)-1]).Kind == Mapping {
				t.Errorf("it is still there:\n%s", got)
			}
		}
		if got, err := AddEntry("f.yaml", []byte(text), path, "new key", "1"); err == nil {
			if after := Parse("f.yaml", got, &list); after.Root.At(append(path, "new key")).Plain() == nil {
				t.Errorf("it is not there:\n%s", got)
			}
		}
	})
}
