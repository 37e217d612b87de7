package dhis2

import (
	"testing"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
)

// TestSumsStay compares with sums that earlier versions kept in journals: others would have everything sent again after an upgrade, over what people have
// changed in DHIS2 since.
func TestSumsStay(t *testing.T) {
	for _, c := range []struct {
		name  string
		write actions.Object
		want  uint64
	}{
		{"event", &eventWrite{body: client.Event{OrgUnit: "ou", Status: "COMPLETED", OccurredAt: "2026-03-04", DataValues: []client.EventValue{{DataElement: "de", Value: "1"}}}}, 751696693},
		{"enrollment", &enrollmentWrite{body: client.Enrollment{OrgUnit: "ou", EnrolledAt: "2026-03-04", Attributes: []client.AttributeValue{{Attribute: "at", Value: "Amina"}}}}, 2082196772},
		{"tracked entity", &trackedEntityWrite{values: []client.AttributeValue{{Attribute: "at", Value: "Amina"}}}, 3366695946},
	} {
		if got := sumOf(c.write, []string{"parent"}); got != c.want {
			t.Errorf("the sum of the %s is %d, not %d", c.name, got, c.want)
		}
	}
}
