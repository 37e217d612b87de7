package identity

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestIdentifiersNeverChange(t *testing.T) {
	person := TrackedEntityUID("anc-pilot", "DEEHBfgFvHr", "case-1", 0)
	enrollment := EnrollmentUID("HKEoH96oH4U", person, "", 0)
	got := []string{
		person, TrackedEntityUID("anc-pilot", "DEEHBfgFvHr", "case-1", 1), enrollment,
		EnrollmentUID("HKEoH96oH4U", person, "2026-03-02", 0),
		EventUID("qgrv8l2KyHh", enrollment, "form-1/1/0", 0), EventUID("SO9SciPUi24", enrollment, "", 0),
		RelationshipUID("PwJpOJbnql9", person, enrollment, 0), NoteUID(enrollment, "a remark"),
	}
	for _, uid := range got {
		if !IsUID(uid) {
			t.Errorf("%q is no uid", uid)
		}
	}
	want := []string{"L5JvoZ8OXSc", "WiLzNHUNxCW", "nUuWrgXiv3K", "AL7H2StLhqi", "yc1MHgcoIAE", "aIyBrKJXxuF",
		"NWwbmkariXx", "RaljMjmAy7X"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ids that changed would write everything a second time:\n%s", diff)
	}
}

// TestNamespacesKeepTheirIds holds how a namespace changes what is derived: not at all for the
// project's, which is how ids were derived before.
func TestNamespacesKeepTheirIds(t *testing.T) {
	const typ = "DEEHBfgFvHr"
	if got, want := PersonUID("test", PersonType(typ, "project"), "case-1", 0),
		TrackedEntityUID("test", typ, "case-1", 0); got != want {
		t.Errorf("the project's: %s, want %s", got, want)
	}
	if got := PersonUID("test", PersonType(typ, "north"), "case-1", 0); got != "kVlmFiOp4pF" {
		t.Errorf("of a namespace: %s", got)
	}
}
