package value

import (
	"strings"
	"testing"

	"github.com/culvert/culvert/rules/diag"
)

// TestHintOfADayThatIsNot holds that a date of a known form which the calendar lacks is not taken for another form.
func TestHintOfADayThatIsNot(t *testing.T) {
	for _, kind := range []string{"DATE", "AGE"} {
		k := &Kind{Type: kind}
		p := &diag.Problem{Code: "wrong-type", Message: "is not a date", Hint: "otherwise"}
		for day, want := range map[string]string{
			"31/02/1990": "no such day", "31.02.1990": "no such day", "2026-02-31": "no such day", "31/12/1990": "`format: d/M/yyyy`",
			"Mar 4, 1998": "`format: \"MMM d, yyyy\"`", "4 mars 1998": `date(…, "d MMMM yyyy", "fr")`,
			"34": "otherwise", "a/b/1990": "otherwise", "1990": "year alone",
		} {
			if got := k.Hint(p, day); !strings.Contains(got, want) {
				t.Errorf("%s %s: %q, want %q", kind, day, got, want)
			}
		}
	}
}
