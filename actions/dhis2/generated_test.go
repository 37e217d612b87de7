package dhis2

import (
	"errors"
	"strings"
	"testing"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/rules/diag"
)

const caseID = "x6vzbnyGvVj"

// generatedIndex is the country with a case id that DHIS2 generates and the program requires.
func generatedIndex(t testing.TB, pattern string) *metadata.Index {
	s := snapshot(t)
	for i := range s.TrackedEntityAttributes {
		if a := &s.TrackedEntityAttributes[i]; a.ID == caseID {
			a.Generated, a.Pattern = true, pattern
		}
	}
	for i := range s.Programs {
		for j := range s.Programs[i].Attributes {
			if a := &s.Programs[i].Attributes[j]; a.Attribute.ID == caseID {
				a.Mandatory = true
			}
		}
	}
	return metadata.NewIndex(s)
}

// TestGeneratedValues holds that people get the values that DHIS2 generates when they are created,
// many reserved at once, and the same ones at every try.
func TestGeneratedValues(t *testing.T) {
	x := generatedIndex(t, `ORG_UNIT_CODE(...) + "-" + SEQUENTIAL(####)`)
	b := newBench(t)
	b.target = NewTarget(b.server, func() *metadata.Index { return x }, b.memory, testOptions())
	rule := loadRule(t, x, strings.ReplaceAll(registration, "WHEN_DELETED", "when_deleted: fail"), womanSample)
	for _, d := range rule.findings.List {
		if d.Severity == 0 {
			t.Fatal(d)
		}
	}
	away := true
	b.server.before = func(*client.TrackerPayload) error {
		if away {
			return &client.Error{Kind: client.Unreachable, Problem: diag.Problem{Message: "away"}}
		}
		return nil
	}
	want(t, b.deliver(rule.plans(t, woman(1), woman(2), woman(3))...), "RRR RRR RRR")
	if b.server.reservations != 1 || b.server.reserved != 3 {
		t.Errorf("%d values in %d reservations", b.server.reserved, b.server.reservations)
	}
	first := attribute(b.server.requests[0].TrackedEntities[0].Attributes, caseID)
	away = false
	want(t, b.deliver(rule.plans(t, woman(1), woman(2), woman(3))...), "DDD DDD DDD")
	if b.server.reservations != 1 {
		t.Errorf("%d reservations after a retry", b.server.reservations)
	}
	seen := map[string]bool{}
	for n := 1; n <= 3; n++ {
		seen[attribute(b.server.entities[uidOf(n)].Attributes, caseID)] = true
	}
	if len(seen) != 3 || !seen[first] || !strings.HasPrefix(first, "x6vTM-010202-") {
		t.Errorf("they have %v; the first try sent %s", seen, first)
	}
	// A correction leaves the value alone, and so does somebody who is there already.
	sent := len(b.server.requests)
	b.known("aaaaaaaaaaa", "NID-7", "")
	want(t, b.deliver(rule.plans(t, woman(1, "first", "Awa"), woman(7))...), "DUU DDD")
	for _, p := range b.server.requests[sent:] {
		for _, e := range p.TrackedEntities {
			if attribute(e.Attributes, caseID) != "" {
				t.Errorf("%s was sent a value again", e.TrackedEntity)
			}
		}
	}
	if b.server.reservations != 1 {
		t.Errorf("%d reservations", b.server.reservations)
	}
	// No value to be had: the record says why.
	b.server.noReserve = &client.Error{Kind: client.Refused, Status: 400,
		Problem: diag.Problem{Message: "all values of the pattern are taken"}}
	results := b.deliver(rule.plans(t, woman(9))...)
	want(t, results, "FNN")
	if o := results[0].Outcomes[0]; o.Code != "not-reserved" || !strings.Contains(o.Message, "CommCare case ID") {
		t.Errorf("%+v", o)
	}
	b.server.noReserve = errors.New("the line broke")
	want(t, b.deliver(rule.plans(t, woman(9))...), "RNN")
}
