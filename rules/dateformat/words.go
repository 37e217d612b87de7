package dateformat

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/culvert/culvert/rules/calendar"
)

// words are the names of months and weekdays in a language, Monday first.
type words struct {
	months, shortMonths, weekdays, shortWeekdays []string
}

// languages by their two letters. In French, Portuguese and Spanish the names are written small.
var languages = sync.OnceValue(func() map[string]*words {
	list := strings.Fields
	english := &words{
		months:   list("January February March April May June July August September October November December"),
		weekdays: list("Monday Tuesday Wednesday Thursday Friday Saturday Sunday"),
	}
	english.shortMonths, english.shortWeekdays = firstThree(english.months), firstThree(english.weekdays)
	portuguese := &words{
		months:        list("janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro"),
		weekdays:      list("segunda-feira terça-feira quarta-feira quinta-feira sexta-feira sábado domingo"),
		shortWeekdays: list("seg ter qua qui sex sáb dom"),
	}
	portuguese.shortMonths = firstThree(portuguese.months)
	return map[string]*words{
		"en": english,
		"fr": {
			months:        list("janvier février mars avril mai juin juillet août septembre octobre novembre décembre"),
			shortMonths:   list("janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc."),
			weekdays:      list("lundi mardi mercredi jeudi vendredi samedi dimanche"),
			shortWeekdays: list("lun. mar. mer. jeu. ven. sam. dim."),
		},
		"pt": portuguese,
		"es": {
			months:        list("enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"),
			shortMonths:   list("ene feb mar abr may jun jul ago sept oct nov dic"),
			weekdays:      list("lunes martes miércoles jueves viernes sábado domingo"),
			shortWeekdays: list("lun mar mié jue vie sáb dom"),
		},
	}
})

func firstThree(names []string) []string {
	short := make([]string, len(names))
	for i, name := range names {
		short[i] = string([]rune(name)[:3])
	}
	return short
}

// Variants lists what In takes: languages by their two letters, and calendars.
func Variants() []string { return append([]string{"en", "es", "fr", "pt"}, calendar.Names()...) }

// In gives the format with the names of months and weekdays of a language (en, es, fr, pt), or with
// the years, months and days of a calendar (ethiopian, nepali). The error says what there is.
func (f *Format) In(variant string) (*Format, error) {
	other := *f
	if w, ok := languages()[variant]; ok {
		other.words = w
		return &other, nil
	}
	c := calendar.ByName(variant)
	if c == nil {
		return nil, fail("there is no such language or calendar", "it is one of "+strings.Join(Variants(), ", "))
	}
	for _, tok := range f.tokens {
		if tok.letter == 'y' && tok.count == 2 {
			return nil, fail(fmt.Sprintf("a year of the %s calendar is written with four digits", c.Name()), "write yyyy")
		}
	}
	other.words = &words{months: c.Months(), shortMonths: firstThree(c.Months()), weekdays: f.words.weekdays,
		shortWeekdays: f.words.shortWeekdays}
	other.calendar = c
	return &other, nil
}

// monthOf gives the number of a month by its name or, where short ones are meant, by its first
// letters; 0 where it is none.
func (w *words) monthOf(name string, short bool) int {
	if i := slices.IndexFunc(w.months, func(m string) bool { return plainWord(m) == plainWord(name) }); i >= 0 {
		return i + 1
	}
	if !short {
		return 0
	}
	found := 0
	for i, m := range w.months {
		given := plainWord(name)
		if len(given) >= 3 && strings.HasPrefix(plainWord(m), given) || plainWord(w.shortMonths[i]) == given {
			if found != 0 {
				return 0
			}
			found = i + 1
		}
	}
	return found
}

// isWeekday tells whether a word is the name of a weekday, or the beginning of one.
func (w *words) isWeekday(name string) bool {
	given := plainWord(name)
	return slices.ContainsFunc(w.weekdays, func(d string) bool {
		full := plainWord(d)
		return full == given || strings.TrimSuffix(full, "-feira") == given || len(given) == 3 &&
			strings.HasPrefix(full, given)
	})
}

// plainWord is a word in small letters without accents and points, so that "Fevr." is février.
func plainWord(s string) string {
	return accents.Replace(strings.ToLower(strings.TrimSuffix(s, ".")))
}

// accents are those of the names in words.
var accents = strings.NewReplacer("é", "e", "û", "u", "ç", "c", "á", "a")
