package scaffold

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// People write more into the head of a column than what it is called: Prénom(s), Poids (kg), Date of
// birth (dd/mm/yyyy), Sex (M/F), 3. Tél. *. What stands in brackets tells the unit, or how dates are
// written, or what may be answered.

var (
	anyBrackets = regexp.MustCompile(`\s*[(\[{]([^()\[\]{}]*)[)\]}]`)
	plural      = regexp.MustCompile(`(\pL)\((?:s|es|e|x|as|os|a|ns)\)`)
	numbering   = regexp.MustCompile(`^\s*(?:[Qq]?\d{1,3}\s*[.):-]|[A-Za-z]\))\s*`)
	dateHint    = regexp.MustCompile(`^(?i)[djmya]{1,4}([-/. ])[djmya]{1,4}(?:([-/. ])[djmya]{1,4})?$`)
	answersHint = regexp.MustCompile(`[/=,;|]| ou | or `)
)

// plainHeading is a column's name without its numbering, its unit, and what else stands in brackets
// and tells no column from another. Brackets that say what is meant stay.
func plainHeading(name string) string {
	name = numbering.ReplaceAllString(plural.ReplaceAllString(name, "$1"), "")
	return strings.TrimSpace(anyBrackets.ReplaceAllStringFunc(name, func(b string) string {
		inner := strings.TrimSpace(anyBrackets.FindStringSubmatch(b)[1])
		if unitOf(inner) != "" || dateHint.MatchString(inner) || answersHint.MatchString(inner) || inner == "*" {
			return ""
		}
		return b
	}))
}

// sameUnits are ways to write a unit, after the first, which stands for all.
var sameUnits = [][]string{
	{"years", "year", "yrs", "y", "ans", "an", "annees", "anos", "ano"},
	{"months", "month", "mois", "meses", "mes"},
	{"weeks", "week", "wks", "semaines", "semaine", "semanas", "sa"},
	{"days", "day", "jours", "jour", "dias", "dia"},
	{"hours", "hour", "heures", "horas", "h"},
	{"minutes", "min", "minutos"},
	{"kg", "kgs", "kilos", "kilogrammes", "quilos"},
	{"g", "gr", "grammes", "gramas", "grams"},
	{"cm", "cms", "centimetres"}, {"mm", "millimetres"}, {"m", "metres", "metros"}, {"km"},
	{"ml"}, {"l", "litres", "litros"}, {"°c", "c", "celsius"}, {"%"}, {"lb", "lbs", "pounds"}, {"bpm"}, {"mmhg"},
	{"g/dl"}, {"mg/dl"}, {"mmol/l"}, {"yyyy-mm-dd"}, {"yes/no"},
}

// unitOf gives the unit that a text names, "" when it names none.
func unitOf(text string) string {
	small := strings.ToLower(strings.TrimSpace(text))
	for _, unit := range sameUnits {
		if slices.Contains(unit, small) || slices.Contains(unit, alike(text)) {
			return unit[0]
		}
	}
	return ""
}

// unitIn gives the unit that a name has in brackets.
func unitIn(name string) string {
	for _, b := range anyBrackets.FindAllStringSubmatch(name, -1) {
		if unit := unitOf(b[1]); unit != "" {
			return unit
		}
	}
	return ""
}

// unit is the one that the column counts in, where its name or label says it.
func (f *field) unit() string {
	for _, name := range append([]string{f.path[len(f.path)-1]}, f.labels...) {
		if unit := unitIn(name); unit != "" {
			return unit
		}
	}
	return ""
}

// dateFormat is how the column says that its dates are written; "" when it does not.
func (f *field) dateFormat() string {
	for _, name := range append([]string{f.path[len(f.path)-1]}, f.labels...) {
		for _, b := range anyBrackets.FindAllStringSubmatch(name, -1) {
			if inner := strings.TrimSpace(b[1]); dateHint.MatchString(inner) {
				return strings.NewReplacer("j", "d", "a", "y", "m", "M").Replace(strings.ToLower(inner))
			}
		}
	}
	return ""
}

// dateFormat is how a column's dates are written, as its own name says or, where it says nothing, as
// all those columns say that do.
func (m *matcher) dateFormat(f *field) string {
	if own := f.dateFormat(); own != "" {
		return own
	}
	all := ""
	for _, other := range m.fields {
		format := other.dateFormat()
		if format != "" && all != "" && format != all {
			return ""
		}
		all = cmp.Or(format, all)
	}
	return all
}
