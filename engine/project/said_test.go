package project

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/culvert/culvert/engine/language"
	"github.com/culvert/culvert/rules/diag"
)

var (
	// sentences are the lines of golden files that hold what a finding says, its second places, and its hint.
	sentences = regexp.MustCompile(`(?m)^\s*(?:(?:\S*:)?\d+:\d+: )?(?:error|warning): (.*) \[[a-zA-Z0-9-]+\]$` +
		`|^\s*help: (.*)$|^\s*= \S*:\d+: (.*)$`)
	// asTheyAre are the parts of a sentence that no language changes: names, keys, code, what other programs say.
	asTheyAre = regexp.MustCompile("`[^`]*`|\"(?:[^\"\\\\]|\\\\.)*\"|'[^']*'|\\{[^}]*\\}|\\([^()]*\\.{3}\\)|" +
		`\b(?:from|from and to|of|with):|\bfrom (?:and|et|e) to\b|^from\b|unexpected end of JSON input`)
	english = regexp.MustCompile(`\b(the|is|of|not|and|to|with|that|are|be|this|has|have|it|by|from|which|cannot|write|` +
		`known|there|did|you|must|needs|add|give)\b`)
)

// leftEnglish tells whether a sentence is still English in a language: as a whole, or a word of it.
func leftEnglish(l *language.Language, sentence string) bool {
	said := l.Text(sentence)
	return said == sentence && english.MatchString(asTheyAre.ReplaceAllString(sentence, "")) ||
		english.MatchString(asTheyAre.ReplaceAllString(said, ""))
}

// described are hints that go on with what the reference says of a key, which is in English.
var described = regexp.MustCompile(`^add \w+: \(|^A value: an expression|^write .*, (?:without dashes|indented): \w`)

func checkSaid(t *testing.T, sentence string) {
	t.Helper()
	if sentence == "" || described.MatchString(sentence) {
		return
	}
	for _, tag := range language.Tags()[1:] {
		if l, _ := language.Find(tag); leftEnglish(l, sentence) {
			t.Errorf("%s: %q is said %q", tag, sentence, l.Text(sentence))
		}
	}
}

// Every finding and hint that the golden files hold is said in every language, to the last word.
func TestFindingsAreSaidInEveryLanguage(t *testing.T) {
	checked := 0
	for _, pattern := range []string{"rules/testdata/findings/*/want.txt", "actions/dhis2/testdata/*.golden"} {
		files, err := filepath.Glob(filepath.Join("../..", pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range sentences.FindAllStringSubmatch(string(text), -1) {
				checked++
				checkSaid(t, strings.Join(m[1:], ""))
			}
		}
	}
	if checked < 400 {
		t.Errorf("only %d sentences were checked", checked)
	}
}

// checkFindingsSaid checks what findings say in every language.
func checkFindingsSaid(t *testing.T, found diag.List) {
	t.Helper()
	for _, d := range found {
		checkSaid(t, d.Message)
		checkSaid(t, d.Hint)
		for _, r := range d.Related {
			checkSaid(t, r.Message)
		}
	}
}

// BenchmarkSaid says the findings of a large project in French.
func BenchmarkSaid(b *testing.B) {
	files, err := filepath.Glob("../../rules/testdata/findings/*/want.txt")
	if err != nil {
		b.Fatal(err)
	}
	var list []string
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		for _, m := range sentences.FindAllStringSubmatch(string(text), -1) {
			list = append(list, strings.Join(m[1:], ""))
		}
	}
	l, _ := language.Find("fr")
	for b.Loop() {
		for n := range 1000 {
			l.Text(list[n%len(list)])
		}
	}
}
