package conformance

import (
	"testing"

	"github.com/culvert/culvert/actions/dhis2/client"
)

var versions = []string{"2.38", "2.39", "2.40", "2.41", "2.42", "2.43", "2.44"}

// TestConformance runs the suite against the server that the environment names, or else against the
// sandbox as every version.
func TestConformance(t *testing.T) {
	if o, ok := realServer(); ok {
		conform(t, o)
		return
	}
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			o, server := startSandbox(t, version)
			conform(t, o)
			// A completion that was withdrawn stays, as in DHIS2, as a registration that says so.
			if c := server.Counts(); c.TrackedEntities+c.Enrollments+c.Events+c.DataValues+c.Relationships > 0 {
				t.Errorf("the suite has left something behind: %+v", c)
			}
		})
	}
}

// conform runs every action. The parts build on each other: the people of the first are those of the others.
func conform(t *testing.T, o client.Options) {
	c, x := connect(t, o)
	s := newSuite(c, x)
	s.login = o.Credentials
	s.refuseOthersValues(t)
	full, _, err := c.Version(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("DHIS2 %s at %s, run %s", full, c.URL(), s.run)
	defer s.clean(t)
	for _, part := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"create_and_enroll", s.createAndEnroll},
		{"match_by", s.matchBy},
		{"duplicate unique value", s.duplicateUnique},
		{"tracked_entity", s.trackedEntity},
		{"enroll", s.enroll},
		{"event of an enrollment", s.trackerEvent},
		{"event of an event program", s.eventProgram},
		{"scheduled event", s.scheduled},
		{"complete, cancel and reopen", s.complete},
		{"relationship", s.relationship},
		{"data_value", s.dataValue},
		{"data_value_set", s.dataValueSet},
		{"data_value_set by partner", s.dataValueSetByPartner},
		{"files, shapes and flags", s.files},
		{"shapes of events", s.shapes},
		{"attribute options", s.partners},
		{"transfer", s.transfer},
		{"follow-up of values", s.valueFlags},
		{"org_unit", s.orgUnits},
		{"analytics", s.analytics},
		{"delete", s.delete},
	} {
		if !t.Run(part.name, part.run) {
			t.Logf("%s failed; what follows may fail because of it", part.name)
		}
	}
}
