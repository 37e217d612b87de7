package tree

import (
	"strings"
	"testing"
)

// TestNamesThatComeTwice are refused with the name's path and both places: which value is meant
// cannot be told.
func TestNamesThatComeTwice(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"age": 4, "age": 40}`: `line 1: age is given twice, at line 1 character 2 and line 1 character 12; ` +
			`have the sender give every name once: it cannot be told which of the two values is meant`,
		"{\"form\":\n{\"sex\": \"f\",\n \"sex\": \"m\"}}":                  `line 3: form.sex is given twice, at line 2 character 2 and line 3 character 2;`,
		`{"visits": [{"w": 1}, {"w": 1, "\u0077": 2}]}`:                    `visits[1].w is given twice, at line 1 character 24 and line 1 character 32;`,
		`[{"a": {"b": [[{"c": 1, "c": 1}]]}}]`:                             `[0].a.b[0][0].c is given twice`,
		`{"a": {}, "b": [], "a": {}}`:                                      `a is given twice`,
		`{"form": {"@name": 1, "@name": 1}}`:                               `form["@name"] is given twice`,
		`{"é": 1, "é": 2}`:                                                 `"é" is given twice, at line 1 character 2 and line 1 character 10;`,
		`{"": 1, "": 2}`:                                                   `"" is given twice`,
		`{"a": 12345678901234567890, "a": 1}`:                              `a is given twice`,
		`{"a": {"x": 1, "y": 2, "z": {"q": 1}}, "a": null}`:                `a is given twice`,
		`{"` + strings.Repeat("n", 99) + `":1,"` + strings.Repeat("n", 99): `ends too early`,
		`{"a": {"a": 1}, "b": {"a": [{"a": 1}, "a"]}}`:                     "",
		`[{"a": 1}, {"a": 2}, "a", "a:a"]`:                                 "",
		`{"a": 1, "A": 2}`:                                                 "",
		`{"t": "10:30", "x\":": ":"}`:                                      "",
		`{}`:                                                               "",
	} {
		_, err := JSON([]byte(text), Limits{Depth: 20, Once: true})
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", text, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	if v, err := JSON([]byte(`{"a": 1, "a": 2}`), Limits{}); err != nil || v.(map[string]any)["a"] != 2.0 {
		t.Errorf("a reply that is not asked about: %v, %v", v, err)
	}
}

func FuzzNames(f *testing.F) {
	f.Add([]byte(`{"a": {"b": 1, "b": "x"}, "c": ["a:", {"d": null}]}`))
	f.Add([]byte(`[{"a\"": 1, "a\u0022": 2}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		_, plain := JSON(text, Limits{Depth: 20})
		_, once := JSON(text, Limits{Depth: 20, Once: true})
		if plain != nil {
			if once == nil || once.Error() != plain.Error() {
				t.Fatalf("%q: %v, with Once %v", text, plain, once)
			}
			return
		}
		if found := repeated(text); (found == nil) != (once == nil) {
			t.Fatalf("%q: a look at every name says %v, JSON says %v", text, found, once)
		}
	})
}

func BenchmarkNames(b *testing.B) {
	text := []byte(
		"[" + strings.Repeat(`{"name": "Amina", "visits": [{"date": "2026-01-01", "weight": 54.5}]},`, 2000) + "{}]",
	)
	for name, once := range map[string]bool{"any": false, "once": true} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := JSON(text, Limits{Depth: 20, Once: once}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
