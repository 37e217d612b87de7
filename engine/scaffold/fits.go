package scaffold

import (
	"slices"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/value"
	"github.com/culvert/culvert/rules/dateformat"
	"github.com/culvert/culvert/rules/diag"
)

// numberFormats are how numbers are written where not as 1234.5.
var (
	numberFormats = []string{"1.234,5", "1,234.5"}
	numberTypes   = []string{"NUMBER", "INTEGER", "INTEGER_POSITIVE", "INTEGER_NEGATIVE", "INTEGER_ZERO_OR_POSITIVE",
		"UNIT_INTERVAL", "PERCENTAGE"}
)

// fits tells whether all that a field holds can be converted to a type, and with which format.
func (m *matcher) fits(k value.Kind, f *field) (ok bool, format, ask string) {
	k.Future = true
	all := func(k value.Kind) *diag.Problem {
		for _, text := range f.distinct() {
			if _, p := k.Convert(text, m.context); p != nil {
				return p
			}
		}
		return nil
	}
	problem := all(k)
	if problem == nil {
		return true, "", ""
	}
	isDate := k.Type == "DATE" || k.Type == "AGE"
	if isDate || slices.Contains(numberTypes, k.Type) {
		fitting := func(candidates []string) (fit []string) {
			for _, candidate := range candidates {
				if formatted, err := k.WithFormat(candidate); err == nil && all(formatted) == nil {
					fit = append(fit, candidate)
				}
			}
			return fit
		}
		fit, what := fitting(numberFormats), "numbers"
		if isDate {
			fit, what = fittingDates(f, fitting), "dates"
		}
		if hint := m.dateFormat(f); isDate && slices.Contains(fit, hint) {
			fit = []string{hint}
		}
		switch len(fit) {
		case 1:
			return true, fit[0], ""
		case 0:
		default:
			return false, "", "its " + what + " fit several formats: add format: " + strings.Join(fit, " or ")
		}
	}
	return false, "", "what the sample holds does not fit: it " + problem.Message
}

// fittingDates gives the formats of dates that fit all a field holds: those that its first value may be written in, else
// those of a later one, for 12/11/2026 does not show how days below ten are written.
func fittingDates(f *field, fitting func(formats []string) []string) []string {
	for _, text := range f.distinct() {
		var formats []string
		for _, w := range dateformat.Guess(text) {
			if w.Language == "" {
				formats = append(formats, w.Pattern)
			}
		}
		if fit := fitting(formats); len(fit) > 0 {
			return fit
		}
	}
	return nil
}
