package dhis2

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/identity"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/rules/diag"
)

const (
	antenatal = "HKEoH96oH4U"
	coral     = "ygq0iefHYLW"
	person0   = "DEEHBfgFvHr"
)

func TestOneRequestForMany(t *testing.T) {
	b, rule := newBench(t), registrationRule(t, "fail")
	var records []string
	for n := range 50 {
		records = append(records, woman(n))
	}
	results := b.deliver(rule.plans(t, records...)...)
	want(t, results, strings.TrimSpace(strings.Repeat("DDD ", 50)))
	if len(b.server.requests) != 1 || b.server.finds != 1 || b.server.reads != 0 {
		t.Errorf("%d requests, %d look-ups, %d reads", len(b.server.requests), b.server.finds, b.server.reads)
	}
	if len(b.server.entities) != 50 || len(b.server.enrollments) != 50 || len(b.server.events) != 50 {
		t.Errorf("%d people, %d enrollments, %d events", len(b.server.entities), len(b.server.enrollments),
			len(b.server.events))
	}
	// The same again is recognised and costs no request at all.
	want(t, b.deliver(rule.plans(t, records...)...), strings.TrimSpace(strings.Repeat("UUU ", 50)))
	if len(b.server.requests) != 1 || b.server.finds != 1 {
		t.Errorf("sent again: %d requests, %d look-ups", len(b.server.requests), b.server.finds)
	}
	// A correction sends what changed only.
	results = b.deliver(rule.plans(t, woman(7, "first", "Awa"))...)
	want(t, results, "DUU")
	last := b.server.requests[len(b.server.requests)-1]
	if len(last.TrackedEntities) != 1 || len(last.Enrollments)+len(last.Events) != 0 {
		t.Errorf("sent %d people, %d enrollments, %d events", len(last.TrackedEntities), len(last.Enrollments),
			len(last.Events))
	}
	// Force sends all of it.
	plans := rule.plans(t, woman(7, "first", "Awa"))
	plans[0].Force = true
	want(t, b.deliver(plans...), "DDD")
}

// TestNothingIsResetByAccident holds that what somebody set in DHIS2 survives an update by a rule
// that does not speak of it.
func TestNothingIsResetByAccident(t *testing.T) {
	b, rule := newBench(t), registrationRule(t, "fail")
	b.deliver(rule.plans(t, woman(1))...)
	uid := uidOf(1)
	e := b.server.entities[uid]
	e.PotentialDuplicate, e.Inactive, e.Geometry = true, true, []byte(`{"type":"Point","coordinates":[1,2]}`)
	b.server.entities[uid] = e
	enrollment := identity.EnrollmentUID(antenatal, uid, "", 0)
	en := b.server.enrollments[enrollment]
	en.Status, en.CompletedAt, en.FollowUp, en.OccurredAt = "COMPLETED", "2026-05-01", true, "2026-02-01"
	b.server.enrollments[enrollment] = en
	event := identity.EventUID("SO9SciPUi24", enrollment, "", 0)
	ev := b.server.events[event]
	ev.Status, ev.CompletedAt, ev.ScheduledAt, ev.AssignedUser = "COMPLETED", "2026-03-03", "2026-03-01",
		&client.AssignedUser{UID: "k5pApcKQnIw"}
	b.server.events[event] = ev

	want(t, b.deliver(rule.plans(t, woman(1, "first", "Awa", "date", "2026-03-04", "phone", ""))...), "DDD")
	e = b.server.entities[uid]
	if !e.PotentialDuplicate || !e.Inactive || e.Geometry == nil || attribute(e.Attributes, firstName) != "Awa" ||
		attribute(e.Attributes, "x3UwJpfw8Ag") != "" {
		t.Errorf("tracked entity: %+v", e)
	}
	en = b.server.enrollments[enrollment]
	if en.Status != "COMPLETED" || en.CompletedAt != "2026-05-01" || !en.FollowUp || en.OccurredAt != "2026-02-01" ||
		en.EnrolledAt != "2026-03-04" {
		t.Errorf("enrollment: %+v", en)
	}
	ev = b.server.events[event]
	if ev.Status != "COMPLETED" || ev.CompletedAt != "2026-03-03" || ev.ScheduledAt != "2026-03-01" ||
		ev.AssignedUser == nil || ev.OccurredAt != "2026-03-04" {
		t.Errorf("event: %+v", ev)
	}
}

// TestALostJournal holds the same when the journal knows nothing of what was sent before.
func TestALostJournal(t *testing.T) {
	b, rule := newBench(t), registrationRule(t, "fail")
	b.deliver(rule.plans(t, woman(1), woman(2))...)
	enrollment := identity.EnrollmentUID(antenatal, uidOf(1), "", 0)
	en := b.server.enrollments[enrollment]
	en.Status, en.CompletedAt = "COMPLETED", "2026-05-01"
	b.server.enrollments[enrollment] = en
	delete(b.server.events, identity.EventUID("SO9SciPUi24", identity.EnrollmentUID(antenatal, uidOf(2), "", 0), "", 0))
	b.memory = newMemory()
	b.target = NewTarget(b.server, countryIndex, b.memory, testOptions())
	want(t, b.deliver(rule.plans(t, woman(1, "first", "Awa"), woman(2), woman(3))...), "DDD DDD DDD")
	if en = b.server.enrollments[enrollment]; en.Status != "COMPLETED" || en.CompletedAt != "2026-05-01" {
		t.Errorf("it was opened again: %+v", en)
	}
	if len(b.server.events) != 3 || attribute(b.server.entities[uidOf(1)].Attributes, firstName) != "Awa" {
		t.Errorf("%d events", len(b.server.events))
	}
}

func TestOneBadObject(t *testing.T) {
	b, rule := newBench(t), registrationRule(t, "fail")
	b.server.entities["aaaaaaaaaaa"] = client.TrackedEntity{TrackedEntity: "aaaaaaaaaaa"}
	results := b.deliver(rule.plans(t, woman(1), woman(2, "weeks", "999"), woman(3))...)
	want(t, results, "DDD DDF DDD")
	o := results[1].Outcomes[2]
	if o.Code != "E1302" || o.Class != actions.ClassData || o.Place.Range.Start.Line != 26 || o.Column != "weeks" || o.Value != "999" ||
		!strings.Contains(o.Message, "Gestational age (weeks)") ||
		o.Hint == "" {
		t.Errorf("%+v", o)
	}
	// Its parent failed: the cause is the parent's.
	b.server.deleted[uidOf(4)] = true
	results = b.deliver(rule.plans(t, woman(4))...)
	want(t, results, "FNN")
	if o := results[0].Outcomes[2]; o.Code != "E1114" || !strings.Contains(o.Message, "tracked entity Person") {
		t.Errorf("child: %+v", o)
	}
}

func TestParentsThatAreNotThere(t *testing.T) {
	b := newBench(t)
	visit := mustCompile(t, ruleText(`
  - dhis2.event:
      program: Antenatal care
      stage: Follow-up visit
      external_id: trigger.case
      org_unit: trigger.place
      occurred_at: trigger.date
      data_values: {Weight (kg): trigger.weight}
`), womanSample)
	record := `{"id": "v1", "case": "case-1", "place": "TM-010202", "date": "2026-04-06", "weight": "61"}`
	results := b.deliver(visit.plans(t, record)...)
	want(t, results, "R")
	if o := results[0].Outcomes[0]; o.Class != actions.ClassParent || !strings.Contains(o.Hint, "in the rule that registers her") {
		t.Errorf("%+v", o)
	}
	// The id of the visit is no person's.
	plans := visit.plans(t, strings.ReplaceAll(record, "case-1", "v1"))
	plans[0].Record.RecordID = "v1"
	if o := b.deliver(plans...)[0].Outcomes[0]; !strings.Contains(o.Hint, "external_id gives the record's own id") {
		t.Errorf("%+v", o)
	}
	// Once she is registered the same event goes in.
	b.deliver(registrationRule(t, "fail").plans(t, woman(1))...)
	want(t, b.deliver(visit.plans(t, record)...), "D")
	// A server set back to a backup has lost her, and the next correction of the record sends all of it again.
	b.server.entities, b.server.enrollments, b.server.events = map[string]client.TrackedEntity{},
		map[string]client.Enrollment{}, map[string]client.Event{}
	want(t, b.deliver(registrationRule(t, "fail").plans(t, woman(1, "weeks", "15"))...), "DDD")
}

func TestAWholeRequestFails(t *testing.T) {
	tests := []struct {
		kind  client.FailureKind
		state string
		class actions.Class
	}{
		{client.Unreachable, "RRR", actions.ClassServer},
		{client.Overloaded, "RRR", actions.ClassServer},
		{client.NotDHIS2, "RRR", actions.ClassServer},
		{client.Unauthorized, "RRR", actions.ClassCredentials},
		{client.Forbidden, "FFF", actions.ClassRights},
	}
	for _, test := range tests {
		b, rule := newBench(t), registrationRule(t, "fail")
		b.server.before = func(*client.TrackerPayload) error {
			return &client.Error{Kind: test.kind, Problem: diag.Problem{Message: "no", Hint: "wait"}, RetryAfter: 7}
		}
		results := b.deliver(rule.plans(t, woman(1), woman(2))...)
		want(t, results, test.state+" "+test.state)
		if o := results[1].Outcomes[2]; o.Class != test.class || o.RetryAfter != 7 || o.Message != "no" {
			t.Errorf("%d: %+v", test.kind, o)
		}
		if len(b.server.requests) != 1 {
			t.Errorf("%d: %d requests", test.kind, len(b.server.requests))
		}
	}
}

// TestTheCulpritIsAlone holds that a batch refused as a whole is split: k bad records cost about k log n requests.
func TestTheCulpritIsAlone(t *testing.T) {
	b, rule := newBench(t), registrationRule(t, "fail")
	bad := []string{uidOf(13), uidOf(77)}
	b.server.before = func(p *client.TrackerPayload) error {
		for _, e := range p.TrackedEntities {
			if slices.Contains(bad, e.TrackedEntity) {
				return &client.Error{Kind: client.Refused, Status: 400,
					Problem: diag.Problem{Message: "JSON parse error", Hint: "see the detail"}}
			}
		}
		return nil
	}
	var records, expected []string
	for n := range 128 {
		records = append(records, woman(n))
		if n == 13 || n == 77 {
			expected = append(expected, "FFF")
		} else {
			expected = append(expected, "DDD")
		}
	}
	want(t, b.deliver(rule.plans(t, records...)...), strings.Join(expected, " "))
	if n := len(b.server.requests); n > 2*2*8 {
		t.Errorf("%d requests", n)
	}
}

func TestNotConfirmed(t *testing.T) {
	b, rule := newBench(t), registrationRule(t, "fail")
	b.server.silent[uidOf(1)] = true
	results := b.deliver(rule.plans(t, woman(1))...)
	want(t, results, "RDD")
	if o := results[0].Outcomes[0]; o.Class != actions.ClassTransient || o.Code != "not-confirmed" {
		t.Errorf("%+v", o)
	}
}

// TestTheSameObjectTwice are records of different keys about one woman: never in one request, and
// the last word is the last record's.
func TestTheSameObjectTwice(t *testing.T) {
	b, rule := newBench(t), registrationRule(t, "fail")
	plans := rule.plans(t, woman(1, "first", "A"), woman(1, "first", "B"), woman(1, "first", "C"))
	want(t, b.deliver(plans...), "DDD DUU DUU")
	if got := attribute(b.server.entities[uidOf(1)].Attributes, firstName); got != "C" || len(b.server.requests) != 3 {
		t.Errorf("her name is %q after %d requests", got, len(b.server.requests))
	}
}

func TestStatusAndDeletion(t *testing.T) {
	b, rule := newBench(t), registrationRule(t, "fail")
	complete := mustCompile(t, ruleText(`
  - dhis2.complete:
      program: Antenatal care
      external_id: trigger.case
      status: trigger.sex
      completed_at: trigger.date
`), womanSample)
	record := func(status string) string {
		return fmt.Sprintf(`{"id": "c", "case": "case-1", "date": "2026-06-01", "sex": %q}`, status)
	}
	results := b.deliver(complete.plans(t, record("completed"))...)
	want(t, results, "R")
	if o := results[0].Outcomes[0]; o.Class != actions.ClassParent {
		t.Errorf("%+v", o)
	}
	b.deliver(rule.plans(t, woman(1))...)
	enrollment := identity.EnrollmentUID(antenatal, uidOf(1), "", 0)
	for _, test := range []struct{ status, date string }{{"COMPLETED", "2026-06-01"}, {"CANCELLED", "2026-06-01"}, {"ACTIVE", ""}} {
		want(t, b.deliver(complete.plans(t, record(strings.ToLower(test.status)))...), "D")
		if e := b.server.enrollments[enrollment]; e.Status != test.status || e.CompletedAt != test.date ||
			e.EnrolledAt != "2026-03-02" || e.OrgUnit != coral {
			t.Errorf("%+v", e)
		}
	}
	remove := mustCompile(t, ruleText(`
  - dhis2.delete:
      what: tracked_entity
      confirm: true
      tracked_entity_type: Person
      external_id: trigger.case
`), womanSample)
	want(t, b.deliver(remove.plans(t, record(""))...), "D")
	if len(b.server.entities) != 0 {
		t.Error("she is still there")
	}
	plans := remove.plans(t, record(""))
	plans[0].Force = true
	want(t, b.deliver(plans...), "D")
}

func TestRehearsalWritesNothing(t *testing.T) {
	b, rule := newBench(t), registrationRule(t, "fail")
	results := b.target.Rehearse(context.Background(), rule.plans(t, woman(1), woman(2, "weeks", "999")))
	want(t, results, "DDD DDF")
	if len(b.server.entities) != 0 {
		t.Error("it wrote")
	}
	for _, r := range results {
		if len(r.Digests)+len(r.Identities) > 0 {
			t.Errorf("it remembers %+v", r)
		}
	}
}

func countryIndex() *metadata.Index { return country() }

func BenchmarkDeliver(b *testing.B) {
	rule := registrationRule(b, "fail")
	var records []string
	for n := range 100 {
		records = append(records, woman(n))
	}
	plans := rule.plans(b, records...)
	b.ReportAllocs()
	for b.Loop() {
		bench := newBench(b)
		bench.deliver(plans...)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/record")
}

// TestDeliveringIsTold holds that a batch says when it is sent and whether the server took anything of it.
func TestDeliveringIsTold(t *testing.T) {
	b := newBench(t)
	var said []string
	o := testOptions()
	o.Delivering = func(context.Context) func(bool) {
		said = append(said, "begins")
		return func(wrote bool) { said = append(said, fmt.Sprint(wrote)) }
	}
	b.target = NewTarget(b.server, countryIndex, b.memory, o)
	plans := registrationRule(t, "fail").plans(t, woman(1))
	b.target.Rehearse(t.Context(), plans)
	b.deliver(plans...)
	b.deliver(registrationRule(t, "fail").plans(t, woman(1))...)
	if got, want := strings.Join(said, " "), "begins true begins false"; got != want {
		t.Errorf("%s; want %s", got, want)
	}
}
