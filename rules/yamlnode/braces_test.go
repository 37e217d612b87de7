package yamlnode

import (
	"strings"
	"testing"

	"github.com/culvert/culvert/rules/diag"
)

// Whoever writes an expression inside of braces hears which one needs quotes, and with them it is read.
func TestBareExpressionInBraces(t *testing.T) {
	for _, expression := range []string{
		`round(trigger.weight, 1)`,
		`if(trigger.a, trigger.b, trigger.c)`,
		`phone(trigger.phone, "KE")`,
		`phone(split(trigger.phone, "/")[0], "GH")`,
		`trigger.name ?? "a, b"`,
		`[trigger.a, trigger.b][0]`,
		`trigger["@id"]`,
		`trigger['x y']`,
		`trigger.a == "x" ? "y: z" : "n"`,
		`map(trigger.a, {x: 1})`,
		`"a" + trigger.b`,
		`concat("it's", trigger.b)`,
	} {
		for _, form := range []string{"a: {from: %, blank: omit}\n", "a: {blank: omit, from: %}\n",
			"a:\n  - {\"b\": {from: %}, c: [x, y]} # why\n"} {
			text := strings.ReplaceAll(form, "%", expression)
			var list diag.List
			Parse("rule.yaml", []byte(text), &list)
			found := list
			if len(found) != 1 {
				t.Errorf("%s: %d findings: %v", text, len(found), found)
				continue
			}
			quoted, ok := strings.CutPrefix(found[0].Hint, "put the value in single quotes: ")
			if !ok {
				t.Errorf("%s: hint %q", text, found[0].Hint)
				continue
			}
			at := found[0].Place.Range
			line := strings.Split(text, "\n")[at.Start.Line-1]
			if got := line[at.Start.Column-1 : at.End.Column-1]; got != expression {
				t.Errorf("%s: points at %q", text, got)
			}
			list = diag.List{}
			fixed := strings.Replace(text, expression, quoted, 1)
			doc := Parse("rule.yaml", []byte(fixed), &list)
			if len(list) > 0 {
				t.Errorf("%s: the fix is refused: %v", fixed, list)
				continue
			}
			a := doc.Root.Get("a")
			if a.Kind == Sequence {
				a = a.Items()[0].Get("b")
			}
			if got := a.Get("from").Value; got != expression {
				t.Errorf("%s: the fix reads %q", fixed, got)
			}
		}
	}
}

// What YAML reads as it is meant is left alone.
func TestTextsInBracesThatAreRead(t *testing.T) {
	for _, text := range []string{
		`a: {from: trigger.a, map: {x: "1, 2", y: [b, c]}}`, `a: {x: (one) (two), y: }`, `a: {"b (c": d, e: }`,
		`a: {from: 'round(trigger.a, 1)', blank: omit}`, `a: {Weight (kg): trigger.w, Height (cm): trigger.h}`, `a: {b, c}`,
		`a: {x: one (of, y: two}`,
	} {
		var list diag.List
		Parse("rule.yaml", []byte(text), &list)
		if found := list; len(found) > 0 {
			t.Errorf("%s: %v", text, found)
		}
	}
}
