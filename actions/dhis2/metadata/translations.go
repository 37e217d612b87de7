package metadata

import (
	"encoding/json"
	"strings"
)

// Translations are the names of an object in other languages, by locale as DHIS2 writes it: fr, pt_BR.
type Translations map[string]string

// translated is what sync asks for of the objects whose names people read in the console.
const translated = "translations[property,locale,value]"

// propertyName is the property of a translation that is of the name.
const propertyName = "NAME"

// UnmarshalJSON reads what a server says, a list with an entry for each property and locale, of
// which those of the name are kept, and what lies on disk: the names by locale.
func (t *Translations) UnmarshalJSON(text []byte) error {
	*t = nil
	if !strings.HasPrefix(strings.TrimSpace(string(text)), "[") {
		return json.Unmarshal(text, (*map[string]string)(t))
	}
	var list []struct {
		Property string `json:"property"`
		Locale   string `json:"locale"`
		Value    string `json:"value"`
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return err
	}
	for _, x := range list {
		if name := strings.TrimSpace(x.Value); strings.EqualFold(x.Property, propertyName) && x.Locale != "" && name != "" {
			if *t == nil {
				*t = Translations{}
			}
			(*t)[x.Locale] = name
		}
	}
	return nil
}
