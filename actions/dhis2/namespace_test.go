package dhis2

import (
	"testing"

	"github.com/culvert/culvert/actions/dhis2/identity"
	"github.com/culvert/culvert/actions/dhis2/object"
)

// TestEventsOfNamespaces holds how a namespace changes the ids of events: not at all for the
// project's, which is how ids were derived before.
func TestEventsOfNamespaces(t *testing.T) {
	text := ruleText("\n  - dhis2.event:\n      program: Malaria case notification\n      org_unit: trigger.place\n    " +
		"  occurred_at: trigger.date\n      data_values: {Case age (years): trigger.weeks, Case sex: {value: Male}}")
	before := identity.EventUID("sIJOpbzw0kN", "test", "form-1/0/0", 0)
	for _, test := range []struct{ head, want string }{
		{"", "hebvlnErOSp"},
		{"namespace: test\n", "hebvlnErOSp"},
		{"namespace: north\n", "XCkFZdlEwLF"},
		{"namespace: project\n", before},
		{"namespace: {records: project, people: north}\n", before},
	} {
		w := mustCompile(t, test.head+text, womanSample).plans(t, woman(1))[0].Writes[0].Object.(*object.Event)
		book := identity.NewBook(nil, nil, nil, nil, nil, identity.Options{Project: "test"})
		if got := book.EventUID(w.Ref); got != test.want {
			t.Errorf("%q: %s of %s, want %s", test.head, got, w.Ref.Stage, test.want)
		}
	}
}
