package value

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/culvert/culvert/rules/dateformat"
	"github.com/culvert/culvert/rules/diag"
)

// Hint says what to do about a problem with a value, in the words of whoever keeps the table that
// it stands in: the nearest option, or the format in which a date or a number is written. It may name an option
// of the metadata, and holds nothing of the value.
func (k *Kind) Hint(p *diag.Problem, v any) string {
	s, ok := Text(k.unwrap(v), nil)
	if !ok {
		return p.Hint
	}
	s = strings.TrimSpace(s)
	switch {
	case formulaFailed.MatchString(s):
		return "the formula of the spreadsheet has failed there: correct it in the source"
	case p.Code == "unknown-option" && k.Options != nil:
		return k.optionHint(s, p.Hint)
	case p.Code == "out-of-range" && k.Type == "UNIT_INTERVAL":
		return shareHint(s, p.Hint)
	case p.Code != "wrong-type":
	case k.Type == "DATE" || k.Type == "AGE" || k.Type == "DATETIME":
		return k.dateHint(s, p.Hint)
	case k.Type == "TIME":
		return k.timeHint(s, p.Hint)
	case k.Answers(s):
		return "a value map says what the words of the form mean, such as {oui: yes, non: no}"
	case isNumeric(k.Type):
		return k.numberHint(s, p.Hint)
	case k.Type == "PHONE_NUMBER":
		return phoneHint(s, p.Hint)
	case k.Type == "COORDINATE" || k.Type == "GEOJSON":
		return placeHint(s, p.Hint)
	}
	return p.Hint
}

// formulaFailed is what spreadsheets show where a formula has no result.
var formulaFailed = regexp.MustCompile(`^#(REF!|N/A|VALUE!|DIV/0!|NAME\?|NUM!|NULL!)$`)

// optionHint names the options that were probably meant. Of several choices the first that is none is looked at.
func (k *Kind) optionHint(s, otherwise string) string {
	if k.Type == "MULTI_TEXT" {
		parts, _ := choices(s)
		for _, part := range parts {
			if k.Options.Find(part) == nil {
				s = part
				break
			}
		}
	}
	if near := nearestOptions(s, k.Options.Names()); len(near) > 0 {
		return "did you mean " + diag.Names(near, "or") + "? Correct it in the source, or map it"
	}
	return otherwise + "; " + diag.Known(k.Options.Names(), "options")
}

// phoneHint says what makes a text no phone number.
func phoneHint(s, otherwise string) string {
	_, number := canonical(s)
	switch {
	case number && strings.ContainsAny(s, "eE"):
		return "it is written with an exponent, as spreadsheets do: format the column as text and enter the number again"
	case phoneInWords.MatchString(s):
		return `take the words out of it: regex_extract(…, "[0-9+ ]{6,}") gives the first number`
	case len(s) < shortestPhone && digits(s):
		return "DHIS2 takes 6 characters at least: correct it in the source"
	}
	return otherwise
}

// shortestPhone is how many characters a phone number has at least, as DHIS2 counts.
const shortestPhone = 6

// phoneInWords is a phone number with words beside it.
var phoneInWords = regexp.MustCompile(`\pL.*[0-9+ ]{6}|[0-9+ ]{6}.*\pL`)

// placeHint says how a position that is not understood can be read.
func placeHint(s, otherwise string) string {
	switch {
	case commaPair.MatchString(s):
		return `its numbers have a decimal comma: replace(…, ",", ".")`
	case strings.ContainsAny(s, "°′'\"") && strings.ContainsFunc(s, unicode.IsDigit):
		return "degrees and minutes are not understood: give decimal degrees, such as 6.1725 1.2314"
	}
	return otherwise
}

// commaPair is two numbers with decimal commas.
var commaPair = regexp.MustCompile(`^-?[0-9]{1,3},[0-9]+[ ;]+-?[0-9]{1,3},[0-9]+$`)

// Answers tells whether a text that the kind does not understand is yes or no in a language that forms come in. There
// "non" is an answer, not the lack of one.
func (k *Kind) Answers(text string) bool {
	if k.Type != "BOOLEAN" && k.Type != "TRUE_ONLY" {
		return false
	}
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "oui", "non", "vrai", "faux", "sim", "não", "nao", "verdadeiro", "falso", "sí", "si", "ndiyo", "hapana":
		return true
	}
	return false
}

// nearestOptions gives the options that were probably meant, whatever the case and the accents of their letters: those
// that are alike, else the only one that begins with the text.
func nearestOptions(s string, names []string) []string {
	folded := make([]string, len(names))
	byFolded := make(map[string]string, len(names))
	for i, name := range names {
		folded[i] = plainLetters(name)
		byFolded[folded[i]] = name // the name where a code differs in case only: it stands behind it
	}
	s = plainLetters(s)
	if name, ok := byFolded[s]; ok {
		return []string{name}
	}
	var out []string
	for _, near := range diag.Nearest(s, folded) {
		out = append(out, byFolded[near])
	}
	if len(out) > 0 || s == "" {
		return out
	}
	for _, name := range folded {
		if strings.HasPrefix(name, s) {
			out = append(out, byFolded[name])
		}
	}
	if len(out) > 1 {
		return nil
	}
	return out
}

// plainLetters is a text in small letters without accents.
func plainLetters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFD.String(s))
}

func isNumeric(kind string) bool {
	switch kind {
	case "NUMBER", "INTEGER", "INTEGER_POSITIVE", "INTEGER_NEGATIVE", "INTEGER_ZERO_OR_POSITIVE", "UNIT_INTERVAL",
		"PERCENTAGE":
		return true
	}
	return false
}

// dateHint names the format in which a date is written.
func (k *Kind) dateHint(s, otherwise string) string {
	if _, _, iso := instant(s, nil); iso {
		return otherwise
	}
	fits := dateformat.Guess(s)
	if k.Type == "DATETIME" && len(fits) > 0 && !strings.Contains(fits[0].Pattern, "mm") {
		return "it is a date without a time of day: add the time in the expression, or send it to a data element of the " +
			"type DATE"
	}
	day, clock, timed := strings.Cut(s, "T")
	_, isDay := isoDate(day)
	parts := strings.FieldsFunc(day, func(r rune) bool { return r == '-' || r == '/' || r == '.' })
	switch {
	case isYear(s):
		return "it is a year alone: give the whole date, such as 1995-01-01 where only the year is known"
	case len(fits) == 0 && timed && isDay && clock != "":
		return noTime
	case len(fits) == 0 && len(parts) == 3 && (len(parts[0]) == 4 || len(parts[2]) == 4) &&
		digits(strings.Join(parts, "")):
		return "the calendar has no such day: correct it in the source"
	case len(fits) == 0 && isMonth(s):
		return `it is a month without a day: where the first is meant, write it in the expression, such as … + "-01"`
	case len(fits) == 0 && k.Type == "AGE" && isAge.MatchString(s):
		return `it is an age, and DHIS2 keeps the date of birth: add(today(), -number(…), "years"), or "months"`
	case len(fits) == 0:
		return otherwise
	case fits[0].Language != "":
		return fmt.Sprintf("read it in the expression: date(…, %q, %q)", fits[0].Pattern, fits[0].Language)
	}
	patterns := make([]string, len(fits))
	for i, f := range fits {
		patterns[i] = f.Pattern
	}
	return formatHint(patterns, k.layout != nil)
}

const noTime = "there is no such time of day: correct it in the source"

// isAge is an age in years, months, weeks or days, in the languages of forms.
var isAge = regexp.MustCompile(`(?i)^[0-9]{1,3} ?(y|yrs?|years?|ans?|anos?|años?|m|mo|months?|mois|m[eê]s|meses|` +
	`w|weeks?|semaines?|semanas?|d|days?|jours?|dias?)?\.?$`)

// isYear tells whether a text is a year in which somebody now alive may have been born, or some year soon.
func isYear(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && len(s) == 4 && n >= 1900 && n <= 2100
}

// isMonth tells whether a text is a month of a year, with which a day would be a date.
func isMonth(s string) bool {
	if strings.Contains(s, ":") || !slices.ContainsFunc(strings.FieldsFunc(s, notDigit), isYear) {
		return false
	}
	for _, day := range []string{s + "-01", "01/" + s, "1 " + s} {
		if _, iso := isoDate(day); iso || len(dateformat.Guess(day)) > 0 {
			return true
		}
	}
	return false
}

func notDigit(r rune) bool { return r < '0' || r > '9' }

// formatHint names the formats in which something is written, the likeliest first; declared tells whether the rule
// has another one.
func formatHint(fits []string, declared bool) string {
	switch {
	case declared:
		return "it is written as " + asYAML(fits[0]) +
			", and the rule says another format: correct it in the source, or split such rows off"
	case len(fits) == 1:
		return "write `format: " + asYAML(fits[0]) + "`, as it is written"
	}
	return "its form is that of `format: " + asYAML(fits[0]) + "` and of `format: " + asYAML(fits[1]) +
		"`: write the one that the source means"
}

// timeForms are the formats in which times of day are written, beside 14:30.
var timeForms = []string{"h:mm a", "h:mma", "H'h'mm", "H'H'mm", "H'h' mm", "H.mm", "HHmm"}

// timeHint names the format in which a time of day is written.
func (k *Kind) timeHint(s, otherwise string) string {
	if clockForm.MatchString(s) {
		return noTime
	}
	var fits []string
	for _, pattern := range timeForms {
		if f, err := dateformat.Compile(pattern); err == nil && f.Reads(s) {
			return formatHint([]string{pattern}, k.layout != nil)
		}
	}
	for _, f := range dateformat.Guess(s) {
		if f.Language == "" && strings.Contains(f.Pattern, "mm") {
			fits = append(fits, f.Pattern)
		}
	}
	if len(fits) > 0 {
		return formatHint(fits, k.layout != nil)
	}
	return otherwise
}

// clockForm is what looks like a time of day.
var clockForm = regexp.MustCompile(`^[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?$`)

// asYAML is a format as it can stand anywhere in a rule file.
func asYAML(pattern string) string {
	if strings.ContainsAny(pattern, ",:'{}") {
		return strconv.Quote(pattern)
	}
	return pattern
}
