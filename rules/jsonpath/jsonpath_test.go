package jsonpath

import (
	"encoding/json"
	"testing"
)

const document = `{"data": {"items": [{"code": "a", "place": {"id": 1}}, {"code": "b", "place": {"id": 2}}], "a.b": "dotted",
	"nested": [[{"x": 1}], [{"x": 2}]]}, "odd name": true}`

func TestAll(t *testing.T) {
	t.Parallel()
	var v any
	if err := json.Unmarshal([]byte(document), &v); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"data.items[0].code":     `["a"]`,
		"$.data.items[0].code":   `["a"]`,
		"data.items[-1].code":    `["b"]`,
		"data.items[*].code":     `["a","b"]`,
		"data.items.place.id":    `[1,2]`,
		`data["a.b"]`:            `["dotted"]`,
		`$['odd name']`:          `[true]`,
		"data.nested.x":          `[1,2]`,
		"data.nested[1][0].x":    `[2]`,
		"data.items[7].code":     `null`,
		"data.nothing":           `null`,
		"data.items[0].code.sub": `null`,
	} {
		p, err := Parse(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		got, err := json.Marshal(p.All(v))
		if err != nil || string(got) != want {
			t.Errorf("%s: %s, want %s (%v)", path, got, want, err)
		}
	}
	whole, err := Parse("$")
	if err != nil || len(whole.All(v)) != 1 || len(whole.Items([]any{1, 2})) != 2 {
		t.Errorf("the whole: %v", err)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"data..code", "data.", "data[", "data[x]", `data["x]`, "data[?(@.a)]", "data[0]x", "$data",
		"data[0:2]"} {
		if p, err := Parse(path); err == nil {
			t.Errorf("%s is taken: %+v", path, p)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, path := range []string{"data.items[0].code", `$["a"]`, "a[*]", "a..b", "[", "$.", "a[-1]"} {
		f.Add(path)
	}
	var v any
	if err := json.Unmarshal([]byte(document), &v); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(_ *testing.T, path string) {
		p, err := Parse(path)
		if err == nil {
			p.Items(v)
		}
	})
}

func TestNames(t *testing.T) {
	for path, want := range map[string]bool{"data": true, "data.rows": false, "data.list": true, "data.list[*].a": true,
		"none": true, "none.deeper": true, "other": false, "some[*].a": true, "some[*].b": false, "": true} {
		p, err := Parse(path)
		if err != nil {
			t.Fatal(err)
		}
		v := map[string]any{"data": map[string]any{"list": []any{}}, "none": nil, "some": []any{map[string]any{"a": 1}}}
		if got := p.Names(v); got != want {
			t.Errorf("%s: %t", path, got)
		}
	}
}
