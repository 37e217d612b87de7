package language

import (
	"regexp"
	"testing"
)

// forbidden are words that stand for one thing beside the word that docs/fr/glossaire.md and
// docs/pt/glossario.md have for it, where the English text is about that thing.
var forbidden = map[string][]struct{ english, word string }{
	"fr": {
		{`\brecords?\b`, `\bl'enregistrement\b|\benregistrements\b`},
		{`\bsamples?\b`, `échantillon`},
		{`\bstore\b`, `entrepôt|magasin`},
		{`\bschedule`, `programme horaire`},
		{``, `jeux? de données|unités? organisationnelle|enrôlement|\bstade|jeux? d'options|évènement`},
	},
	"pt": {
		{`\blookups?\b`, `\bpesquisas?\b`},
		{`\b[Ss]tages?\b`, `\betapas?\b|\bfases?\b`},
		{`\bmaps?\b`, `\bmapas?\b`},
		{`\bsamples?\b`, `\bamostras?\b`},
		{`\bstore\b`, `armazém($|[^ ]| [^d])`},
		{`\bdrop(ped)?\b`, `\bdeixad[oa]s?\b`},
		{``, `unidades? de organização|entidades? seguida|matrícula|usuário|\bregistros?\b|senha|actual`},
	},
}

// One thing has one word.
func TestOneWordForOneThing(t *testing.T) {
	for tag, list := range forbidden {
		l, ok := Find(tag)
		if !ok {
			t.Fatal(tag)
		}
		d, err := explanationsIn(tag)
		if err != nil {
			t.Fatal(err)
		}
		said := map[string]string{}
		for _, texts := range []map[string]string{d.Otherwise, d.Keys, d.Functions, d.Commands} {
			for english, text := range texts {
				said[english] = text
			}
		}
		for english, e := range l.entries {
			said[english] = e.other
		}
		for _, f := range list {
			about, word := regexp.MustCompile(f.english), regexp.MustCompile(f.word)
			for english, text := range said {
				if found := word.FindString(text); found != "" && about.MatchString(english) {
					t.Errorf("%s: %q says %q: %q", tag, text, found, english)
				}
			}
		}
	}
}
