package value

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/culvert/culvert/rules/dateformat"
	"github.com/culvert/culvert/rules/diag"
)

// Hint says what to do about a problem with a value, in the words of whoever keeps the table that
// it stands in: the nearest option, or the format in which a date is written. It may name an option
// of the metadata, and holds nothing of the value.
func (k *Kind) Hint(p *diag.Problem, v any) string {
	s, ok := Text(k.unwrap(v), nil)
	if !ok {
		return p.Hint
	}
	s = strings.TrimSpace(s)
	switch {
	case p.Code == "unknown-option" && k.Options != nil:
		if near := nearestOptions(s, k.Options.Names()); len(near) > 0 {
			return "did you mean " + diag.Names(near, "or") + "? Correct it in the source, or map it"
		}
		return p.Hint + "; " + diag.Known(k.Options.Names(), "options")
	case p.Code != "wrong-type":
	case k.Type == "DATE" || k.Type == "AGE" || k.Type == "DATETIME":
		return dateHint(s, k.layout != nil, p.Hint)
	case k.Answers(s):
		return "a value map says what the words of the form mean, such as {oui: yes, non: no}"
	case isNumeric(k.Type) && beforeWords.MatchString(s):
		return `words stand behind the number: where they always mean the same, take it out of them with ` +
			`regex_extract(…, "[0-9.]+")`
	case strings.Contains(s, ",") && k.format == "" && isNumeric(k.Type):
		if _, ok := canonical(strings.Replace(s, ",", ".", 1)); ok && strings.Count(s, ",") == 1 &&
			!strings.Contains(s, ".") {
			return `it is written with a decimal comma: write format: "1.234,5" (or format: "1,234.5" if the comma separates ` +
				`thousands)`
		}
	}
	return p.Hint
}

// beforeWords is a number with words behind it, such as "25 years" or "60kg". What they mean is for the rule to say:
// 25 months are no 25 years.
var beforeWords = regexp.MustCompile(`^[0-9]+(\.[0-9]+)? ?\pL{1,20}\.?$`)

// Answers tells whether a text that the kind does not understand is yes or no in a language that forms come in. There
// "non" is an answer, not the lack of one.
func (k *Kind) Answers(text string) bool {
	if k.Type != "BOOLEAN" && k.Type != "TRUE_ONLY" {
		return false
	}
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "oui", "non", "sim", "não", "nao", "sí", "si", "ndiyo", "hapana":
		return true
	}
	return false
}

// nearestOptions gives the options that were probably meant, whatever the case of their letters.
func nearestOptions(s string, names []string) []string {
	folded := make([]string, len(names))
	byFolded := make(map[string]string, len(names))
	for i, name := range names {
		folded[i] = strings.ToLower(name)
		byFolded[folded[i]] = name // the name where a code differs in case only: it stands behind it
	}
	var out []string
	for _, near := range diag.Nearest(strings.ToLower(s), folded) {
		out = append(out, byFolded[near])
	}
	return out
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
func dateHint(s string, declared bool, otherwise string) string {
	if _, _, iso := instant(s, nil); iso {
		return otherwise
	}
	fits := dateformat.Guess(s)
	day, _, _ := strings.Cut(s, "T")
	parts := strings.FieldsFunc(day, func(r rune) bool { return r == '-' || r == '/' || r == '.' })
	switch {
	case len(s) == 4 && digits(s):
		return "it is a year alone: give the whole date, such as 1995-01-01 where only the year is known"
	case len(fits) == 0 && len(parts) == 3 && (len(parts[0]) == 4 || len(parts[2]) == 4) &&
		digits(strings.Join(parts, "")):
		return "the calendar has no such day: correct it in the source"
	case len(fits) == 0:
		return otherwise
	case fits[0].Language != "":
		return fmt.Sprintf("read it in the expression: date(…, %q, %q)", fits[0].Pattern, fits[0].Language)
	case declared:
		return "it is written as " + asYAML(fits[0]) +
			", and the rule says another format: correct it in the source, or split such rows off"
	case len(fits) == 1:
		return "write `format: " + asYAML(fits[0]) + "`, as it is written"
	}
	return "its form is that of `format: " + asYAML(fits[0]) + "` and of `format: " + asYAML(fits[1]) +
		"`: write the one that the source means"
}

// asYAML is a format as it can stand anywhere in a rule file.
func asYAML(w dateformat.Written) string {
	if strings.ContainsAny(w.Pattern, ",:'{}") {
		return strconv.Quote(w.Pattern)
	}
	return w.Pattern
}
