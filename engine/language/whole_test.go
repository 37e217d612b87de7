package language

import (
	"strings"
	"testing"
)

// A short pattern takes no sentence apart that the catalog knows better.
func TestShortPatterns(t *testing.T) {
	l, _ := Find("fr")
	for english, want := range map[string]string{
		"No such record. Nobody knows this": "Pas de telle fiche. Nobody knows this",
		"fix: give the person's or case's id in the source system; the same id always reaches the same tracked entity": "" +
			"à faire : donnez l'identifiant de la personne ou du cas dans le système source ; " +
			"le même identifiant atteint toujours la même entité suivie",
		`"Née le" is not a date of birth`:                  `"Née le" n'est pas une date de naissance`,
		`"Age" is not a whole number above 0 [wrong-type]`: `"Age" n'est pas un nombre entier au-dessus de 0 [wrong-type]`,
		`rule cpn: "Née le" is not a date of birth [x]`:    `règle cpn: "Née le" n'est pas une date de naissance [x]`,
		`record 1 of the sample s.xlsx fails here: "Poids" is not a number [wrong-type] [sample-fails]`: "" +
			`la fiche 1 de l'exemple s.xlsx échoue ici : "Poids" n'est pas un nombre [wrong-type] [sample-fails]`,
	} {
		if got := l.Text(english); got != want {
			t.Errorf("%s\n got %s\nwant %s", english, got, want)
		}
	}
}

// TestFrenchColons has a space before the colon between sentences that were put together, and none behind a place.
func TestFrenchColons(t *testing.T) {
	l, _ := Find("fr")
	for english, want := range map[string]string{
		"2 records of rule anc have failed: see `culvert failures`":  "2 fiches de la règle anc ont échoué : voyez `culvert failures`",
		"rules/anc.yaml:3:4: error: there is no action of this name": "rules/anc.yaml:3:4: ",
	} {
		if got := l.Text(english); !strings.HasPrefix(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
