package deliver

import (
	"math/rand/v2"
	"testing"

	"github.com/culvert/culvert/actions/dhis2/client"
)

// TestWeightiest picks one of several issues whatever their order.
func TestWeightiest(t *testing.T) {
	for _, test := range []struct {
		want  string
		codes []string
	}{
		{"E1313", []string{"E1079", "E1313"}}, // as 2.42 and 2.43 say of an event whose enrollment is not there
		{"E1079", []string{"E1079"}},
		{"E1079", []string{"E5000", "E1079"}},
		{"E1007", []string{"E1313", "E1007", "E1079", "E5000"}},
		{"E1068", []string{"E5000", "E1068"}},
		{"E1007", []string{"E1125", "E1007"}},
		{"E5000", []string{"E5000"}},
	} {
		var issues []client.Issue
		for _, code := range test.codes {
			issues = append(issues, client.Issue{Code: code})
		}
		for range 20 {
			rand.Shuffle(len(issues), func(i, j int) { issues[i], issues[j] = issues[j], issues[i] })
			if got := weightiest(issues).Code; got != test.want {
				t.Errorf("of %v it is %s, want %s", issues, got, test.want)
			}
		}
	}
}
