package language

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/culvert/culvert/engine/language/languagetest"
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
	docs, others := map[string]bool{}, map[string]bool{}
	for key := range keys {
		doc, otherwise := partsOf(key)
		docs[doc] = true
		if strings.Contains(otherwise, " ") || leftOutWords[otherwise] {
			others[otherwise] = true
		}
	}
	for _, tag := range Tags()[1:] {
		languagetest.Complete(t, "descriptions/"+tag+".yaml",
			[]languagetest.Part{{Name: "otherwise", Texts: others}, {Name: "keys", Texts: docs},
				{Name: "functions", Texts: functions}}, *update)
	}
}

// leftOutWords are single words that say what holds; others are what a key is then, and stay.
var leftOutWords = map[string]bool{"all": true, "always": true, "both": true, "everybody": true, "needed": true,
	"never": true, "none": true}

// partsOf parts a description as a catalog has it.
func partsOf(description string) (doc, otherwise string) {
	if m := ofKinds.FindStringSubmatch(description); m != nil {
		description = upper(m[2])
	}
	for _, pattern := range []*regexp.Regexp{leftOut, needed} {
		if m := pattern.FindStringSubmatch(description); m != nil {
			return m[1] + ".", m[2]
		}
	}
	return description, ""
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
