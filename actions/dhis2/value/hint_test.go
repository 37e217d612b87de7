package value

import (
	"strings"
	"testing"
)

// TestHintOfADayThatIsNot holds that a date of a known form which the calendar lacks is not taken for another form.
func TestHintOfADayThatIsNot(t *testing.T) {
	for _, kind := range []string{"DATE", "AGE"} {
		k := &Kind{Type: kind}
		p := &Problem{"wrong-type", "is not a date", "otherwise"}
		for day, want := range map[string]string{
			"31/02/1990": "no such day", "31.02.1990": "no such day", "2026-02-31": "no such day", "31/12/1990": "dd/MM/yyyy",
			"34": "otherwise", "a/b/1990": "otherwise", "1990": "year alone",
		} {
			if got := k.Hint(p, day); !strings.Contains(got, want) {
				t.Errorf("%s %s: %q, want %q", kind, day, got, want)
			}
		}
	}
}
