package value

import (
	"strings"
	"testing"

	"github.com/culvert/culvert/rules/diag"
)

func TestHintOfANumberWithWords(t *testing.T) {
	k := &Kind{Type: "INTEGER_ZERO_OR_POSITIVE"}
	p := &diag.Problem{Code: "wrong-type", Message: "is not a whole number", Hint: "otherwise"}
	for text, want := range map[string]string{
		"25 ans": "regex_extract", "60kg": "regex_extract", "3 yrs.": "regex_extract", "ans": "otherwise", "25 ou 26": "not one number",
		"1e5": "otherwise", "F001": "name the field",
	} {
		if got := k.Hint(p, text); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// TestHintOfADayThatIsNot holds that a date of a known form which the calendar lacks is not taken for another form.
func TestHintOfADayThatIsNot(t *testing.T) {
	for _, kind := range []string{"DATE", "AGE"} {
		k := &Kind{Type: kind}
		p := &diag.Problem{Code: "wrong-type", Message: "is not a date", Hint: "otherwise"}
		for day, want := range map[string]string{
			"31/02/1990": "no such day", "31.02.1990": "no such day", "2026-02-31": "no such day", "31/12/1990": "`format: d/M/yyyy`",
			"Mar 4, 1998": "`format: \"MMM d, yyyy\"`", "4 mars 1998": `date(…, "d MMMM yyyy", "fr")`,
			"a/b/1990": "otherwise", "1990": "year alone",
		} {
			if got := k.Hint(p, day); !strings.Contains(got, want) {
				t.Errorf("%s %s: %q, want %q", kind, day, got, want)
			}
		}
	}
}
