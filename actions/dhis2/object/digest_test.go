package object

import (
	"testing"

	"github.com/culvert/culvert/actions/dhis2/client"
)

// TestSumsStay compares with sums that earlier versions kept in journals: others would have
// everything sent again after an upgrade, over what people have changed in DHIS2 since.
func TestSumsStay(t *testing.T) {
	for _, c := range []struct {
		name  string
		write Write
		want  uint64
	}{
		{"event", &Event{Body: client.Event{OrgUnit: "ou", Status: "COMPLETED", OccurredAt: "2026-03-04",
			DataValues: []client.EventValue{{DataElement: "de", Value: "1"}}}}, 751696693},
		{"enrollment", &Enrollment{Body: client.Enrollment{OrgUnit: "ou", EnrolledAt: "2026-03-04",
			Attributes: []client.AttributeValue{{Attribute: "at", Value: "Amina"}}}}, 2082196772},
		{"tracked entity", &TrackedEntity{Values: []client.AttributeValue{{Attribute: "at", Value: "Amina"}}}, 3366695946},
	} {
		if got := c.write.Digest([]string{"parent"}); got != c.want {
			t.Errorf("the sum of the %s is %d, not %d", c.name, got, c.want)
		}
	}
}
