package dateformat_test

import (
	"slices"
	"testing"
	"time"

	"github.com/culvert/culvert/rules/dateformat"
)

// The forms in which forms, registers and spreadsheets write dates.
func TestFormsOfDates(t *testing.T) {
	for text, want := range map[string][]string{
		"31/08/2026":                   {"dd/MM/yyyy"},
		"08/31/2026":                   {"MM/dd/yyyy"},
		"05/08/2026":                   {"dd/MM/yyyy", "MM/dd/yyyy"},
		"5/8/2026":                     {"d/M/yyyy", "M/d/yyyy"},
		"31.08.26":                     {"dd.MM.yy{1930}"},
		"12/11/2026 09:05 am":          {"d/M/yyyy hh:mm a", "M/d/yyyy hh:mm a"},
		"2026/08/31":                   {"yyyy/MM/dd"},
		"20260831":                     {"yyyyMMdd"},
		"31082026":                     {"ddMMyyyy"},
		"Mar 4, 1998":                  {"MMM d, yyyy"},
		"Sept. 5, 2026":                {"MMM d, yyyy"},
		"Nov 30, 2026 1:02:03 PM":      {"MMM d, yyyy h:mm:ss a"},
		"11/30/2026 13:45:02":          {"M/d/yyyy H:mm:ss"},
		"30-Nov-26":                    {"d-MMM-yy{1930}"},
		"Thursday 20 August 2026":      {"EEEE d MMMM yyyy"},
		"Thu Aug 20 10:30:15 2026":     {"EEE MMM d H:mm:ss yyyy"},
		"30/11/2026T14:05:00.123+0300": {"d/M/yyyy'T'H:mm:ss.SSSX"},
		"30 novembre 2026":             {"d MMMM yyyy fr"},
		"5 août 2026":                  {"d MMMM yyyy fr"},
		"30 de novembro de 2026":       {"d 'de' MMMM 'de' yyyy pt"},
		"12 de mayo de 2026 14:05":     {"d 'de' MMMM 'de' yyyy H:mm es"},
		"":                             nil,
		"n/a":                          nil,
		"31/31/2026":                   nil,
		"30/02/2026":                   nil,
		"2026":                         nil,
		"12":                           nil,
		"0712345678":                   nil,
		"25:99":                        nil,
		"10:30":                        nil,
		"Marie 4, 1998":                nil,
		"1/2/3/4":                      nil,
	} {
		var got []string
		for _, w := range dateformat.Guess(text) {
			name := w.Pattern
			if w.Language != "" {
				name += " " + w.Language
			}
			got = append(got, name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q may be written as %q, want %q", text, got, want)
		}
	}
}

func FuzzGuess(f *testing.F) {
	f.Add("Nov 30, 2026 1:02:03 PM")
	f.Add("30 de novembro de 2026")
	f.Fuzz(func(t *testing.T, text string) {
		for _, w := range dateformat.Guess(text) {
			format, err := dateformat.Compile(w.Pattern)
			if err == nil && w.Language != "" {
				format, err = format.In(w.Language)
			}
			if err != nil {
				t.Fatalf("%q: the form %q: %v", text, w.Pattern, err)
			}
			if _, err := format.Parse(text, time.UTC); err != nil {
				t.Fatalf("%q is not read by its form %q: %v", text, w.Pattern, err)
			}
		}
	})
}
