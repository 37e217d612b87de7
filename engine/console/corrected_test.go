package console

import (
	"slices"
	"testing"
)

// TestFieldsOfAContent finds the fields that are wrong in a content and sets them, with all else as it stands.
func TestFieldsOfAContent(t *testing.T) {
	const content = `{
  "id": 12345678901234567890,
  "form": {"gender": "w", "age": 12.50, "list": ["a"], "none": null, "deep": {"dob": "30\/02"}},
  "form.gender": "header", "a b": "x\"y", "lines": "a\nb"
}`
	for column, want := range map[string]string{"form.gender": "header", "form.age": "12.50", "form.none": "",
		"form.deep.dob": "30/02", "a b": `x"y`, "id": "12345678901234567890"} {
		got := wrongFields(content, []Fault{{Column: column}, {Column: column}})
		if len(got) != 1 || got[0].Value != want {
			t.Errorf("%s: %+v, want %q", column, got, want)
		}
	}
	if got := wrongFields(content, []Fault{{Column: "form.list"}, {Column: "form"}, {Column: "x"}, {Column: ""},
		{Column: "form.deep, id"}, {Column: "lines"}}); len(got) > 0 {
		t.Errorf("no single values: %+v", got)
	}
	got, err := setFields(content, []string{"form.age", "form.deep.dob", "a b"}, []string{"12.50", "30/02", `x"y`},
		[]string{"13", `2026-02-01"`, `x"y`})
	want := `{
  "id": 12345678901234567890,
  "form": {"gender": "w", "age": 13, "list": ["a"], "none": null, "deep": {"dob": "2026-02-01\""}},
  "form.gender": "header", "a b": "x\"y", "lines": "a\nb"
}`
	if err != nil || got != want {
		t.Errorf("%v\n%s", err, got)
	}
	for _, now := range []string{"douze", "", "[1]", " [1]"} {
		if got, err := setFields(`{"n": 1}`, []string{"n"}, []string{"1"}, []string{now}); err != nil ||
			got != `{"n": "`+now+`"}` {
			t.Errorf("%q: %s, %v", now, got, err)
		}
	}
	if _, err := setFields(content, []string{"id"}, []string{"1"}, []string{"2"}); err == nil {
		t.Error("a value that was changed elsewhere is overwritten")
	}
	if _, err := setFields(content, []string{"id"}, nil, []string{"2"}); err == nil {
		t.Error("a form that is cut off is taken")
	}
	if got, err := setFields("no json", []string{"id"}, []string{"1"}, []string{"1"}); err != nil || got != "no json" {
		t.Error(got, err)
	}
}

// FuzzFields holds that a content stays JSON whatever is written into a field of it.
func FuzzFields(f *testing.F) {
	f.Add(`{"a": {"b": 1}}`, "a.b", "x")
	f.Add(`{"a.b": null, "é": "\u00e9"}`, "é", `"`)
	f.Fuzz(func(t *testing.T, content, column, now string) {
		before := wrongFields(content, []Fault{{Column: column}})
		if len(before) == 0 {
			return
		}
		got, err := setFields(content, []string{column}, []string{before[0].Value}, []string{now})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := compact(content); err != nil {
			return
		}
		if _, err := compact(got); err != nil {
			t.Fatalf("%s: %v", got, err)
		}
		after := wrongFields(got, []Fault{{Column: column}})
		if !slices.ContainsFunc(after, func(w wrongField) bool { return true }) {
			t.Fatalf("%s has no %q any more", got, column)
		}
	})
}
