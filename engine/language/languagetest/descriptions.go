// Package languagetest holds what the tests of several packages need to keep the descriptions of
// each language complete: those of keys and functions, and those of commands.
package languagetest

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// Part is one part of a file of descriptions, and the English texts that it has to say.
type Part struct {
	Name  string
	Texts map[string]bool
}

// Complete holds that a file of descriptions says every text of the parts, and no others. With
// update it lists new texts there, empty, and takes out those that are said no more; other parts stay.
func Complete(t *testing.T, file string, parts []Part, update bool) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	for _, p := range parts {
		from := slices.Index(lines, p.Name+":")
		if from < 0 {
			t.Fatalf("%s has no part %s:", file, p.Name)
		}
		to := from + 1
		for to < len(lines) && strings.HasPrefix(lines[to], "  ") {
			to++
		}
		said := map[string]string{}
		if err := yaml.Unmarshal([]byte(strings.Join(lines[from+1:to], "\n")), &said); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if update {
			lines = slices.Replace(lines, from+1, to, listed(p.Texts, said)...)
			continue
		}
		compare(t, file, p, said)
	}
	if !update {
		return
	}
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil { //nolint:gosec // of the repository
		t.Fatal(err)
	}
}

// listed writes the lines of a part, sorted.
func listed(texts map[string]bool, said map[string]string) []string {
	var lines []string
	for _, english := range slices.Sorted(maps.Keys(texts)) {
		lines = append(lines, fmt.Sprintf("  %s: %s", quoted(english), quoted(said[english])))
	}
	return lines
}

// quoted writes a text in quotes, as YAML and JSON do, with its letters as they are.
func quoted(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`).Replace(text) + `"`
}

func compare(t *testing.T, file string, p Part, said map[string]string) {
	t.Helper()
	for _, english := range slices.Sorted(maps.Keys(p.Texts)) {
		if said[english] == "" {
			t.Errorf("%s, %s: no translation of %q: list it with -update, and fill it in", file, p.Name, english)
		}
	}
	for english := range said {
		if !p.Texts[english] {
			t.Errorf("%s, %s: %q is said no more: take it out with -update", file, p.Name, english)
		}
	}
}
