package value

import (
	"strings"
	"testing"

	"github.com/culvert/culvert/rules/diag"
)

// A form in French says oui and non: the fix is a value map, and non is no sign of a missing answer.
func TestAnswersOfForms(t *testing.T) {
	for text, want := range map[string]bool{"oui": true, "Non": true, "não": true, "douze": false} {
		k := &Kind{Type: "BOOLEAN"}
		p := &diag.Problem{Code: "wrong-type", Hint: "other words"}
		if got := strings.Contains(k.Hint(p, text), "value map"); got != want || k.Answers(text) != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
	if (&Kind{Type: "NUMBER"}).Answers("non") {
		t.Error("a number is no yes or no")
	}
}
