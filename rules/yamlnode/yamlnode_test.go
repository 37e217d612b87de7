package yamlnode

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/culvert/culvert/rules/diag"
)

func parse(t testing.TB, text string) (*Document, diag.List) {
	t.Helper()
	var list diag.List
	doc := Parse("rule.yaml", []byte(text), &list)
	return doc, list
}

func TestScalarsKeepTheTextAsWritten(t *testing.T) {
	doc, list := parse(t, "a: 010\nb: yes\nc: 2024-01-31\nd: 1e3\ne: 0x1F\nf: 'no'\ng: ~\nh: 12:30\ni: true\n")
	if len(list) > 0 {
		t.Fatal(list)
	}
	got := map[string]string{}
	for _, p := range doc.Root.Pairs() {
		got[p.Key.Value] = p.Value.Value
	}
	want := map[string]string{"a": "010", "b": "yes", "c": "2024-01-31", "d": "1e3", "e": "0x1F", "f": "no", "g": "~",
		"h": "12:30", "i": "true"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestFindings(t *testing.T) {
	deep := strings.Repeat("[", MaxDepth+5) + strings.Repeat("]", MaxDepth+5)
	long := "rule: x\n" + strings.Repeat("# padding\n", 5) + "lookups:\n" + strings.Repeat("  a: {in: x}\n", 1)
	for _, c := range []struct{ name, text, want string }{
		{"duplicate key", "a: 1\nb: 2\na: 3\n", `3:1 duplicate-key`},
		{"duplicate key in an inner mapping", "a:\n  b: 1\n  \"b\": 2\n", `3:4 duplicate-key`},
		{"duplicate in flow", "a: {x: 1, y: 2, x: 3}\n", `1:17 duplicate-key`},
		{"anchor", "a: &x 1\nb: 2\n", `1:4 yaml-anchor`},
		{"alias", "a: &x 1\nb: *x\n", `1:4 yaml-anchor, 2:4 yaml-alias`},
		{"merge key", "a: &x {k: 1}\nb:\n  <<: *x\n", `1:4 yaml-anchor, 3:3 yaml-alias`},
		{"unknown alias", "a: 1\nb: *x\n", `2:4 yaml-alias`},
		{"tag", "a: !!str 010\n", `1:4 yaml-tag`},
		{"two documents", "a: 1\n---\nb: 2\n", `2:1 yaml-documents`},
		{"first separator only", "---\na: 1\n", ``},
		{"tab", "a:\n\tb: 1\n", `2:1 yaml-tab`},
		{"tab after spaces", "a:\n  \tb: 1\n  c: 2\n", `2:3 yaml-tab`},
		{"text after a quote", "a: 1\nwhen: \"ANC\" == trigger.x\nb: 1\n", `2:12 yaml-syntax`},
		{"second colon", "a: 1\nb: c: d\n", `2:5 yaml-syntax`},
		{"open quote", "a: 1\nb: \"open\nc: 2\nd: 3\n", `2:4 yaml-syntax`},
		{"open bracket", "a: 1\nb: [1, 2\nc: 2\n", `2:4 yaml-syntax`},
		{"bracket of an expression in braces", "a: {from: t[\"@id\"], blank: omit}\n", `1:11 yaml-syntax`},
		{"colon in an entry of braces", "a: {value: Town: north}\n", `1:12 yaml-syntax`},
		{"bad indentation", "a:\n  b: 1\n c: 2\nd: 3\n", `3:2 yaml-syntax`},
		{"item among keys", "a:\n  b: 1\n  - c\nd: 3\n", `3:3 yaml-syntax`},
		{"no colon", "a: 1\nbcd\ne: 1\n", `2:1 yaml-syntax`},
		{"reserved character", "a: 1\nb: @name\n", `2:4 yaml-syntax`},
		{"unknown escape", "a: \"x\\d\"\n", `1:6 yaml-syntax`},
		{"first line", "a: 'x' y\n", `1:7 yaml-syntax`},
		{"template", "a: {{ trigger.name }}\n", `1:4 yaml-key`},
		{"list as a key", "? [a, b]\n: 1\n", `1:3 yaml-key`},
		{"empty key", "~: 1\n", `1:1 yaml-key`},
		{"deep", "a: " + deep + "\n", `1:54 yaml-depth`},
		{"not UTF-8", "a: 1\nb: caf\xe9\n", `2:7 yaml-encoding`},
		{"control character", "a: 1\nb: x\x00\n", `2:5 yaml-character`},
		{"byte order mark", "\ufeffa: 1\na: 2\n", `2:1 duplicate-key`},
		{"carriage returns", "a: 1\r\nb: 2\r\na: 3\r\n", `3:1 duplicate-key`},
		{"far below", long + "b: 'x' y\n", `9:7 yaml-syntax`},
		{"brackets over several lines before the mistake", "a: [\n  1,\n  2\n]\nb:\n  c: 1\n d: 2\n", `7:2 yaml-syntax`},
		{"too big", "a: |\n" + strings.Repeat("  0123456789\n", MaxSize/13+1), `1:1 yaml-size`},
		{"empty", "", ``},
		{"only a comment", "# nothing\n", ``},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, list := parse(t, c.text)
			list.Sort()
			var got []string
			for _, d := range list {
				got = append(got, fmt.Sprintf("%d:%d %s", d.Place.Range.Start.Line, d.Place.Range.Start.Column, d.Code))
				if d.Message == "" || d.Hint == "" || d.Place.File != "rule.yaml" {
					t.Errorf("a finding needs message, hint and file: %+v", d)
				}
			}
			if d := cmp.Diff(c.want, strings.Join(got, ", ")); d != "" {
				t.Error(d, list)
			}
		})
	}
}

func TestPlaceOf(t *testing.T) {
	const text = `plain: trigger.form.name
single: 'it''s trigger'
double: "a \"b\" trigger"
literal: |
  first line
    second trigger
folded: >-  # why
  first line
  trigger
wrapped: one
  two trigger
"quoted": x
`
	doc, list := parse(t, text)
	if len(list) > 0 {
		t.Fatal(list)
	}
	want := map[string]string{
		"plain": "1:8-1:15", "single": "2:16-2:23", "double": "3:18-3:25", "literal": "6:12-6:19", "folded": "9:3-9:10",
		"wrapped": "11:7-11:14",
	}
	for key, place := range want {
		n := doc.Root.Get(key)
		before, _, found := strings.Cut(n.Value, "trigger")
		if !found {
			t.Fatal(key, n.Value)
		}
		from := utf8.RuneCountInString(before)
		r := n.PlaceOf(from, from+len("trigger")).Range
		if got := fmt.Sprintf("%d:%d-%d:%d", r.Start.Line, r.Start.Column, r.End.Line, r.End.Column); got != place {
			t.Errorf("%s: %s, want %s", key, got, place)
		}
	}
	if r := doc.Root.Key("quoted").Place().Range; r.Start != (diag.Position{Line: 12, Column: 2}) || r.End.Column != 8 {
		t.Errorf("a quoted key: %+v", r)
	}
}

// TestPlaceOfProperty writes random values in every style and checks that each rune is found again where it stands.
func TestPlaceOfProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.StringMatching(`[a-zé世"'\\.()=#:]{1,6}`), 1, 8).Draw(t, "words")
		indent := strings.Repeat(" ", rapid.IntRange(1, 4).Draw(t, "indent"))
		style := rapid.SampledFrom([]string{"plain", "single", "double", "|", ">", "|-", ">-"}).Draw(t, "style")
		if style == "plain" {
			words = rapid.SliceOfN(rapid.StringMatching(`[a-zé世][a-zé世"'\\.()]{0,5}`), 1, 8).Draw(t, "plain words")
		}
		breakEvery := rapid.IntRange(1, 5).Draw(t, "break")
		var b strings.Builder
		b.WriteString("outer:\n" + indent + "key: ")
		separator := func(i int) string {
			if i == 0 {
				return ""
			}
			if i%breakEvery == 0 {
				return "\n" + indent + indent
			}
			return strings.Repeat(" ", 1+i%2)
		}
		open, escape := "", func(s string) string { return s }
		switch style {
		case "plain":
		case "single":
			open, escape = "'", func(s string) string { return strings.ReplaceAll(s, "'", "''") }
		case "double":
			open, escape = `"`, func(s string) string {
				s = strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), `"`, `\"`)
				return strings.ReplaceAll(s, "é", `\u00e9`)
			}
		default:
			b.WriteString(style + "\n" + indent + indent)
		}
		b.WriteString(open)
		for i, w := range words {
			b.WriteString(separator(i) + escape(w))
		}
		b.WriteString(open + "\nnext: 1\n")

		var list diag.List
		doc := Parse("f", []byte(b.String()), &list)
		if len(list) > 0 {
			t.Fatalf("%v in\n%s", list, b.String())
		}
		n := doc.Root.Get("outer").Get("key")
		for i, r := range []rune(n.Value) {
			if isBlank(r) {
				continue
			}
			p := n.PlaceOf(i, i+1).Range
			line := []rune(doc.line(p.Start.Line))
			got := string(line[p.Start.Column-1 : p.End.Column-1])
			want := escape(string(r))
			if got != want {
				t.Fatalf("rune %d %q is placed at %v, where %q stands in\n%s", i, r, p, got, b.String())
			}
		}
	})
}

func TestMergeKeepsPlaces(t *testing.T) {
	var list diag.List
	base := Parse("base.yaml", []byte("a: {x: 1, y: 2}\nb: [1]\nc: 1\n"), &list)
	over := Parse("over.yaml", []byte("a: {y: 3, z: 4}\nb: [2]\n"), &list)
	merged := Merge(base.Root, over.Root)
	var got []string
	var walk func(path string, n *Node)
	walk = func(path string, n *Node) {
		for _, p := range n.Pairs() {
			walk(path+"/"+p.Key.Value, p.Value)
		}
		for _, i := range n.Items() {
			walk(path+"/-", i)
		}
		if n.Kind == Scalar {
			got = append(got, fmt.Sprintf("%s=%s@%s:%d", path, n.Value, n.Place().File, n.Place().Range.Start.Line))
		}
	}
	walk("", merged)
	want := []string{"/a/x=1@base.yaml:1", "/a/y=3@over.yaml:1", "/a/z=4@over.yaml:1", "/b/-=2@over.yaml:2",
		"/c=1@base.yaml:3"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestAbsentValuePointsToItsKey(t *testing.T) {
	doc, _ := parse(t, "a:\n  first:\n  second: 1\n")
	if p := doc.Root.Get("a").Get("first").Place().Range.Start; p != (diag.Position{Line: 2, Column: 3}) {
		t.Errorf("%+v", p)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"a: 1\n", "a: [1, {b: 2}]\n", "a: |\n  x\n", "a: \"\\u00e9\n  b\"\n", "? a\n: b\n",
		"\ta: 1", "a: *b", "--- !x\n%YAML 1.2\n...", "'", "{{ a }}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var list diag.List
		doc := Parse("f", text, &list)
		if doc == nil && len(list) == 0 {
			t.Fatal("nothing was read and nothing reported")
		}
		for _, d := range list {
			if p := d.Place.Range.Start; p.Line < 1 || p.Column < 1 {
				t.Fatalf("no place: %+v", d)
			}
		}
		if doc == nil {
			return
		}
		var walk func(n *Node)
		walk = func(n *Node) {
			n.Place()
			n.PlaceOf(1, 3)
			n.Plain()
			for _, p := range n.Pairs() {
				walk(p.Key)
				walk(p.Value)
			}
			for _, i := range n.Items() {
				walk(i)
			}
		}
		if doc.Root != nil {
			walk(doc.Root)
		}
	})
}

// A hint is tried by doing just what it says.
func TestHintsGiveWhatCanBeRead(t *testing.T) {
	for text, want := range map[string]string{
		"a: {from: t[\"@id\"], blank: omit}\n":    `put the value in single quotes: 't["@id"]'`,
		"a: {value: Town: north}\n":               `put the value in single quotes: 'Town: north'`,
		"a: {value: it's: so, x: 1}\n":            "close it",
		"a: \"x\" if b   # why\nc: 1\n":           `put the whole value in single quotes, such as '"x" if b'`,
		"a: {from: t[\"a b\"] + u[\"c\"]}\n":      `put the value in single quotes: 't["a b"] + u["c"]'`,
		"a: {from: t[\"x\"] == 'y', map: m}\n":    `put the value in single quotes: 't["x"] == ''y'''`,
		"a: {from: t[\"x\"] == 'y, z', map: m}\n": `put the value in single quotes: 't["x"] == ''y, z'''`,
	} {
		var list diag.List
		Parse("rule.yaml", []byte(text), &list)
		if len(list) != 1 || !strings.HasPrefix(list[0].Hint, want) {
			t.Errorf("%q has the finding %v with the hint %q, want %q", text, list, list[0].Hint, want)
		}
	}
}
