package lsp

import (
	"fmt"
	"strings"
	"testing"
)

// where words a cursor: the keys above it, and whether it is in a key, a value, or between.
func where(c cursor) string {
	var parts []string
	for _, e := range c.parent.path() {
		switch {
		case e.item:
			parts = append(parts, "-")
		default:
			parts = append(parts, e.key)
		}
	}
	at := strings.Join(parts, "/")
	switch {
	case c.entry == nil:
		return at + " new"
	case c.inKey && c.entry.bare, c.inKey && c.entry.item:
		return at + " typing " + c.entry.value
	case c.inKey:
		return at + " key " + c.entry.key
	}
	return at + " value of " + c.entry.key + "=" + c.entry.value
}

func TestCursor(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a key", "trig|ger:\n", " key trigger"},
		{"a key being typed", "trigger:\n  webh|\n", "trigger typing webh"},
		{"an empty line", "trigger:\n  |\n", "trigger new"},
		{"an empty line at the left", "trigger:\n  webhook: {}\n|\n", " new"},
		{"a value", "when: trigger.a|\n", " value of when=trigger.a"},
		{"no value yet", "program: |\n", " value of program="},
		{"no value, no blank", "program:|\n", " value of program="},
		{"an item", "actions:\n  - |\n", "actions/- typing "},
		{"an item being typed", "actions:\n  - dhis|\n", "actions/- typing dhis"},
		{"below an item", "actions:\n  - dhis2.event:\n      program: A\n      |\n", "actions/-/dhis2.event new"},
		{"below an item, typing", "actions:\n  - dhis2.event:\n      program: A\n      sta|\n",
			"actions/-/dhis2.event typing sta"},
		{"in between", "actions:\n  - dhis2.event:\n      program: A\n      sta|\n      data_values:\n        x: y\n",
			"actions/-/dhis2.event typing sta"},
		{"a second item", "actions:\n  - dhis2.event:\n      program: A\n  |\n", "actions new"},
		{"items at the left", "actions:\n- dhis2.event:\n    program: |\n", "actions/-/dhis2.event value of program="},
		{"braces", "attributes:\n  Sex: {from: a.b, map: s|}\n", "attributes/Sex value of map=s"},
		{"braces, nothing yet", "attributes:\n  Sex: {from: a.b, map: |}\n", "attributes/Sex value of map="},
		{"braces, a key", "attributes:\n  Sex: {from: a.b, m|}\n", "attributes/Sex typing m"},
		{"empty braces", "attributes:\n  Sex: {|}\n", "attributes/Sex new"},
		{"open braces", "attributes:\n  Sex: {fr|\n  Age: x\n", "attributes/Sex typing fr"},
		{"braces in braces", "trigger: {webhook: {path: /a|}}\n", "trigger/webhook value of path=/a"},
		{"brackets", "for_each: [trigger.a, item.|]\n", "for_each value of =item."},
		{"quoted key", "attributes:\n  \"First na|me\": x\n", "attributes key First name"},
		{"quoted value", "code: \"a|b\"\n", " value of code=ab"},
		{"brackets of an expression in braces", "a: {from: trigger.form[\"@x\"], map: s|}\n", "a value of map=s"},
		{"behind a comment", "a: b # c|\nd: e\n", " new"},
		{"a text on several lines", "when: |\n  trigger.a\n  and tr^igger.b\n", " value of when=trigger.a\nand trigger.b"},
		{"maps", "maps:\n  sex:\n    f: |\n    m: Male\n", "maps/sex value of f="},
		{"over several lines in braces", "maps:\n  sex: {\n    f: F|,\n  }\n", "maps/sex value of f=F"},
	} {
		mark := "|"
		if strings.Contains(c.text, "^") {
			mark = "^"
		}
		before, after, _ := strings.Cut(c.text, mark)
		line := strings.Count(before, "\n")
		at := spot{line, len([]rune(before[strings.LastIndex(before, "\n")+1:]))}
		if got := where(newOutline(before + after).cursorAt(at)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// FuzzOutline: an outline is made of whatever is typed, and every place in it has a cursor.
func FuzzOutline(f *testing.F) {
	f.Add("a: {b: [c, d}\n- x: |\n  y\n\"k: v\n", 1, 2)
	f.Add("actions:\n- - -\n {\n", 0, 0)
	f.Fuzz(func(t *testing.T, text string, line, col int) {
		o := newOutline(text)
		at := spot{line, col}
		if line < 0 || line >= len(o.lines) || col < 0 || col > len(o.lines[line]) {
			return
		}
		_ = where(o.cursorAt(at))
		o.root.all(func(e *entry) {
			for _, s := range []spot{e.keyFrom, e.keyTo, e.from, e.to} {
				if s.line > len(o.lines) {
					t.Fatal(fmt.Sprint(e))
				}
			}
		})
	})
}
