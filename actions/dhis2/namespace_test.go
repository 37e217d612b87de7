package dhis2

import "testing"

// TestNamespacesKeepTheirIds holds how a namespace changes what is derived: not at all for the project's, which is how ids were derived before.
func TestNamespacesKeepTheirIds(t *testing.T) {
	if got, want := PersonUID("test", PersonType(person0, "project"), "case-1", 0), TrackedEntityUID("test", person0, "case-1", 0); got != want {
		t.Errorf("the project's: %s, want %s", got, want)
	}
	if got := PersonUID("test", PersonType(person0, "north"), "case-1", 0); got != "kVlmFiOp4pF" {
		t.Errorf("of a namespace: %s", got)
	}
	text := ruleText("\n  - dhis2.event:\n      program: Malaria case notification\n      org_unit: trigger.place\n      occurred_at: trigger.date\n      data_values: {Case age (years): trigger.weeks, Case sex: {value: Male}}")
	before := EventUID("sIJOpbzw0kN", "test", "form-1/0/0", 0)
	for _, test := range []struct{ head, want string }{
		{"", "hebvlnErOSp"},
		{"namespace: test\n", "hebvlnErOSp"},
		{"namespace: north\n", "XCkFZdlEwLF"},
		{"namespace: project\n", before},
		{"namespace: {records: project, people: north}\n", before},
	} {
		w := mustCompile(t, test.head+text, womanSample).plans(t, woman(1))[0].Writes[0].Object.(*eventWrite)
		d := newDelivery(&target{options: testOptions(), index: country}, nil, false)
		if got := d.eventUID(w); got != test.want {
			t.Errorf("%q: %s of %s, want %s", test.head, got, w.stage, test.want)
		}
	}
}
