package language

import (
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/culvert/culvert/rules/diag/explain"
)

// TestEveryPageIsTranslated sees to it that each paragraph of the pages on codes is said in every language, and that no
// translation is left of one that is gone. `-update` adds the new ones, to be filled in, and drops those.
func TestEveryPageIsTranslated(t *testing.T) {
	wanted := map[string]string{}
	for _, code := range explain.Codes() {
		text, _ := explain.Page(code)
		for _, p := range Paragraphs(text) {
			wanted[p] = code
		}
	}
	for _, tag := range Tags()[1:] {
		said, err := pagesIn(tag)
		if err != nil {
			t.Fatal(err)
		}
		if *update {
			var b strings.Builder
			for _, p := range slices.Sorted(maps.Keys(wanted)) {
				b.WriteString(strconv.Quote(p) + ": " + strconv.Quote(said[p]) + "\n")
			}
			if err := os.WriteFile("pages/"+tag+".yaml", []byte(b.String()), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		for p, code := range wanted {
			if said[p] == "" {
				t.Errorf("%s: the page on %s lacks %q", tag, code, p)
			} else if strings.Count(said[p], "`") != strings.Count(p, "`") {
				t.Errorf("%s: the page on %s has other code: %q", tag, code, said[p])
			}
		}
		for p := range said {
			if wanted[p] == "" {
				t.Errorf("%s: no page says %q", tag, p)
			}
		}
	}
}

// TestPageOnACode keeps headings, code, lists and tables as they are laid out.
func TestPageOnACode(t *testing.T) {
	l := &Language{pages: func() map[string]string {
		return map[string]string{"One and two.": "Un et deux.", "a b": "x", "| p | q |": "| r | s |", "Wrong:": "Faux :"}
	}}
	const page = "# code\n\nOne\nand two.\n\n- a\n  b\n- c\n\n| p | q |\n| --- | --- |\n\nWrong:\n\n```yaml\nOne and two.\n```\n"
	want := "# code\n\nUn et deux.\n\n- x\n- c\n\n| r | s |\n| --- | --- |\n\nFaux :\n\n```yaml\nOne and two.\n```\n"
	if got := l.Explain(page); got != want {
		t.Errorf("got\n%s", got)
	}
	if got := (*Language)(nil).Explain(page); got != page {
		t.Errorf("English: %s", got)
	}
}
