package metadata

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTranslations reads names in other languages as a server says them and as they lie on disk,
// and objects of snapshots that have none.
func TestTranslations(t *testing.T) {
	for text, want := range map[string]Translations{
		`{"id": "a", "name": "Weight"}`:                                  nil,
		`{"id": "a", "name": "Weight", "translations": []}`:              nil,
		`{"id": "a", "name": "Weight", "translations": null}`:            nil,
		`{"id": "a", "name": "Weight", "translations": {"fr": "Poids"}}`: {"fr": "Poids"},
		`{"id": "a", "name": "Weight", "translations": [{"property": "NAME", "locale": "fr", "value": "Poids"},
			{"property": "SHORT_NAME", "locale": "fr", "value": "P."}, {"property": "NAME", "locale": "pt_BR",
			"value": "Peso"}, {"property": "NAME", "locale": "sw", "value": " "}]}`: {"fr": "Poids", "pt_BR": "Peso"},
	} {
		var e DataElement
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if d := cmp.Diff(want, e.Translations); d != "" {
			t.Errorf("%s: %s", text, d)
		}
		again, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var back DataElement
		if err := json.Unmarshal(again, &back); err != nil || !cmp.Equal(e, back) {
			t.Errorf("%s: written as %s, read as %+v, %v", text, again, back, err)
		}
	}
	var e DataElement
	if err := json.Unmarshal([]byte(`{"id": "a", "translations": [1]}`), &e); err == nil {
		t.Error("a list of numbers is taken for translations")
	}
}
