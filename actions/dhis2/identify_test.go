package dhis2

import (
	"strings"
	"testing"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/identity"
)

// known registers somebody in DHIS2 by hand.
func (b *bench) known(uid, nid, status string) {
	b.server.entities[uid] = client.TrackedEntity{TrackedEntity: uid, TrackedEntityType: person0, OrgUnit: "jdonbyIYZzR",
		Attributes: []client.AttributeValue{{Attribute: nationalID, Value: nid}}}
	if status != "" {
		b.server.enrollments["E"+uid[1:]] = client.Enrollment{Enrollment: "E" + uid[1:], TrackedEntity: uid,
			Program: antenatal, OrgUnit: "jdonbyIYZzR", Status: status, EnrolledAt: "2026-01-01"}
	}
}

func TestPeopleWhoAreThereAlready(t *testing.T) {
	b, rule := newBench(t), registrationRule(t, "fail")
	b.known("aaaaaaaaaaa", "NID-1", "ACTIVE")
	b.known("bbbbbbbbbbb", "NID-2", "COMPLETED")
	b.known("ccccccccccc", "NID-3", "")
	b.known("ddddddddddd", "NID-4", "")
	b.known("eeeeeeeeeee", "NID-4", "")
	results := b.deliver(rule.plans(t, woman(1), woman(2), woman(3), woman(4), woman(5))...)
	want(t, results, "DDD DDD DDD FFF DDD")
	if o := results[3].Outcomes[0]; o.Code != "several-matches" || !strings.Contains(o.Hint, "ddddddddddd") ||
		!strings.Contains(o.Detail, "eeeeeeeeeee") {
		t.Errorf("two matches: %+v", o)
	}
	if got := b.server.entities["aaaaaaaaaaa"]; got.OrgUnit != "jdonbyIYZzR" ||
		attribute(got.Attributes, firstName) != "Fatou" {
		t.Errorf("a matched person moved or was not updated: %+v", got)
	}
	if got := b.server.enrollments["Eaaaaaaaaaa"]; got.EnrolledAt != "2026-01-01" || got.OrgUnit != "jdonbyIYZzR" {
		t.Errorf("her enrollment: %+v", got)
	}
	for _, e := range b.server.events {
		if e.Event == identity.EventUID("SO9SciPUi24", "Eaaaaaaaaaa", "", 0) && e.Enrollment != "Eaaaaaaaaaa" {
			t.Errorf("her event went to %s", e.Enrollment)
		}
	}
	if n := len(b.server.enrollmentsOf("aaaaaaaaaaa")); n != 1 {
		t.Errorf("she has %d enrollments", n)
	}
	if n := len(b.server.enrollmentsOf("bbbbbbbbbbb")); n != 2 {
		t.Errorf("who completed the program has %d enrollments", n)
	}
	// Next time the journal knows them; nobody is looked up.
	finds := b.server.finds
	want(t, b.deliver(rule.plans(t, woman(1), woman(2), woman(3))...), "UUU UUU UUU")
	if b.server.finds != finds {
		t.Error("they were looked up again")
	}
}

func TestSomebodyCreatedHerMeanwhile(t *testing.T) {
	b, rule := newBench(t), registrationRule(t, "fail")
	b.server.before = func(*client.TrackerPayload) error {
		b.server.before = nil
		b.server.entities["aaaaaaaaaaa"] = client.TrackedEntity{TrackedEntity: "aaaaaaaaaaa", OrgUnit: coral,
			Attributes: []client.AttributeValue{{Attribute: nationalID, Value: "NID-1"}}}
		return nil
	}
	results := b.deliver(rule.plans(t, woman(1), woman(2))...)
	want(t, results, "DDD DDD")
	if len(b.server.entities) != 2 || results[0].Outcomes[0].ObjectID != "aaaaaaaaaaa" {
		t.Errorf("%d people; hers is %s", len(b.server.entities), results[0].Outcomes[0].ObjectID)
	}
	if len(results[0].Identities) != 1 || results[0].Identities[0].Origin != identity.OriginMatched {
		t.Errorf("learned %+v", results[0].Identities)
	}
}

// TestSomebodyOutOfSight has the unique value and cannot be found: the user's search scope ends before.
func TestSomebodyOutOfSight(t *testing.T) {
	b, rule := newBench(t), registrationRule(t, "fail")
	b.known("aaaaaaaaaaa", "NID-1", "")
	b.server.hidden["aaaaaaaaaaa"] = true
	results := b.deliver(rule.plans(t, woman(1), woman(2))...)
	want(t, results, "FNN DDD")
	if o := results[0].Outcomes[0]; o.Code != "E1064" || o.Class != actions.ClassConflict ||
		!strings.Contains(o.Hint, "search org units") {
		t.Errorf("%+v", o)
	}
}

// TestTwoRecordsOfOnePerson are two external ids with one national id in a batch: DHIS2 would
// refuse both in one request.
func TestTwoRecordsOfOnePerson(t *testing.T) {
	b, rule := newBench(t), severalIDs(t)
	results := b.deliver(rule.plans(t, woman(1), woman(2, "nid", "NID-1"))...)
	want(t, results, "DDD UUU")
	if len(b.server.entities) != 1 || results[0].Outcomes[0].ObjectID != results[1].Outcomes[0].ObjectID {
		t.Errorf("%d people", len(b.server.entities))
	}
}

func TestSheHasAnActiveEnrollment(t *testing.T) {
	b, rule := newBench(t), registrationRule(t, "fail")
	b.deliver(rule.plans(t, woman(1))...)
	uid := uidOf(1)
	delete(b.server.enrollments, identity.EnrollmentUID(antenatal, uid, "", 0))
	b.server.events = map[string]client.Event{}
	b.server.enrollments["byHand00000"] = client.Enrollment{Enrollment: "byHand00000", TrackedEntity: uid,
		Program: antenatal, Status: "ACTIVE", OrgUnit: coral, EnrolledAt: "2026-01-05"}
	plans := rule.plans(t, woman(1))
	plans[0].Force = true
	want(t, b.deliver(plans...), "DDD")
	if len(b.server.enrollments) != 1 || len(b.server.events) != 1 {
		t.Errorf("%d enrollments, %d events", len(b.server.enrollments), len(b.server.events))
	}
}

func TestDeleted(t *testing.T) {
	t.Run("fail", func(t *testing.T) {
		b, rule := newBench(t), registrationRule(t, "fail")
		b.deliver(rule.plans(t, woman(1))...)
		b.server.deleted[uidOf(1)] = true
		results := b.deliver(rule.plans(t, woman(1, "first", "Awa"))...)
		want(t, results, "FUU")
		if o := results[0].Outcomes[0]; o.Class != actions.ClassGone || o.Code != "E1114" {
			t.Errorf("%+v", o)
		}
	})
	t.Run("recreate the person", func(t *testing.T) {
		b, rule := newBench(t), registrationRule(t, "recreate")
		b.deliver(rule.plans(t, woman(1))...)
		b.server.remove(&client.TrackerPayload{TrackedEntities: []client.TrackedEntity{{TrackedEntity: uidOf(1)}}},
			&client.TrackerReport{Written: map[client.ObjectKey]bool{}})
		results := b.deliver(rule.plans(t, woman(1, "first", "Awa"))...)
		want(t, results, "DDD")
		again := identity.TrackedEntityUID("test", person0, "case-1", 1)
		if results[0].Outcomes[0].ObjectID != again || b.server.entities[again].TrackedEntity == "" {
			t.Errorf("she is %s, want %s", results[0].Outcomes[0].ObjectID, again)
		}
		want(t, b.deliver(rule.plans(t, woman(1, "first", "Awa"))...), "UUU")
	})
	t.Run("recreate the event", func(t *testing.T) {
		b, rule := newBench(t), registrationRule(t, "recreate")
		b.deliver(rule.plans(t, woman(1))...)
		event := identity.EventUID("SO9SciPUi24", identity.EnrollmentUID(antenatal, uidOf(1), "", 0), "", 0)
		b.server.deleted[event] = true
		delete(b.server.events, event)
		results := b.deliver(rule.plans(t, woman(1, "weeks", "15"))...)
		want(t, results, "UUD")
		if id := results[0].Outcomes[2].ObjectID; id == event || len(b.server.events) != 1 {
			t.Errorf("the event is %s", id)
		}
	})
}
