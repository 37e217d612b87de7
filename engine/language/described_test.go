package language

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/culvert/culvert/rules/expression"
)

// Every language says what the keys of files and the functions of expressions are for.
func TestEveryDescriptionIsTranslated(t *testing.T) {
	keys := map[string]bool{}
	for _, name := range []string{"rule.schema.json", "culvert.schema.json"} {
		text, err := os.ReadFile(filepath.Join(root, "schemas", name))
		if err != nil {
			t.Fatal(err)
		}
		var schema any
		if err := json.Unmarshal(text, &schema); err != nil {
			t.Fatal(err)
		}
		descriptionsIn(schema, keys)
	}
	functions := map[string]bool{}
	for _, f := range expression.Functions() {
		functions[f.Summary] = true
	}
	for _, tag := range Tags()[1:] {
		d, err := explanationsIn(tag)
		if err != nil {
			t.Fatal(err)
		}
		missing := map[string]bool{}
		for key := range keys {
			doc, otherwise := partsOf(key)
			if d.Keys[doc] == "" {
				missing["keys:      "+fmt.Sprintf("%q", doc)] = true
			}
			if strings.Contains(otherwise, " ") && d.Otherwise[otherwise] == "" {
				missing["otherwise: "+fmt.Sprintf("%q", otherwise)] = true
			}
		}
		for key := range functions {
			if d.Functions[key] == "" && d.Keys[key] == "" {
				missing["functions: "+fmt.Sprintf("%q", key)] = true
			}
		}
		for _, line := range slices.Sorted(maps.Keys(missing)) {
			t.Errorf("descriptions/%s.yaml lacks below %s: \"\"", tag, line)
		}
		stale(t, tag, keys, functions, d)
	}
}

// partsOf parts a description as a catalog has it.
func partsOf(description string) (doc, otherwise string) {
	for _, pattern := range []*regexp.Regexp{leftOut, needed} {
		if m := pattern.FindStringSubmatch(description); m != nil {
			return m[1] + ".", m[2]
		}
	}
	return description, ""
}

// stale finds what nothing says any more.
func stale(t *testing.T, tag string, keys, functions map[string]bool, d *explanations) {
	t.Helper()
	docs, others := map[string]bool{}, map[string]bool{}
	for key := range keys {
		doc, otherwise := partsOf(key)
		docs[doc], others[otherwise] = true, true
	}
	for _, part := range []struct {
		said  map[string]string
		there map[string]bool
	}{{d.Keys, docs}, {d.Otherwise, others}, {d.Functions, functions}} {
		for english := range part.said {
			if !part.there[english] {
				t.Errorf("descriptions/%s.yaml translates %q, which is said no more", tag, english)
			}
		}
	}
}

// Descriptions are found as schemas write them and as sentences take them up.
func TestDescriptions(t *testing.T) {
	l, _ := Find("fr")
	for english, want := range map[string]string{
		"How often CommCare is asked; 10m when left out.": "À quel intervalle CommCare est interrogé ; par défaut : 10m.",
		"User name; needed.":                              "Nom d'utilisateur ; nécessaire.",
		"write x (how often CommCare is asked)":           "écrivez x (à quel intervalle CommCare est interrogé)",
		"Nothing that anybody says of a key at all.":      "Nothing that anybody says of a key at all.",
		"how often CommCare is asked":                     "à quel intervalle CommCare est interrogé",
		"the name":                                        "the name",
	} {
		if got := l.Text(english); got != want {
			t.Errorf("%q: %q, want %q", english, got, want)
		}
	}
	if got := l.Help("Say who may log in\nto the console\n\nnobody said this", 20); got !=
		"Dire qui peut se\nconnecter à la\nconsole\n\nnobody said this" {
		t.Errorf("%q", got)
	}
}

// descriptionsIn collects the descriptions of a JSON Schema.
func descriptionsIn(schema any, found map[string]bool) {
	switch s := schema.(type) {
	case map[string]any:
		if text, ok := s["description"].(string); ok {
			found[text] = true
		}
		for _, v := range s {
			descriptionsIn(v, found)
		}
	case []any:
		for _, v := range s {
			descriptionsIn(v, found)
		}
	}
}
