package dhis2

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/culvert/culvert/actions"
)

// at gives the plan of one record at a place in the order of acceptance, of a source that gives
// versions where one is said.
func at(t testing.TB, rule *compiled, record string, seq int64, version ...int64) actions.Plan {
	t.Helper()
	p := rule.plans(t, record)[0]
	p.Order.Seq = seq
	if len(version) > 0 {
		p.Order.Version = actions.NumberVersion(version[0])
	}
	return p
}

// personRule updates the first name and the last name of a person, each where the record has it.
func personRule(t testing.TB) *compiled {
	t.Helper()
	return mustCompile(t, ruleText(`
  - dhis2.tracked_entity:
      tracked_entity_type: Person
      external_id: trigger.case
      org_unit: trigger.place
      attributes:
        First name: trigger.first
        Last name: trigger.phone
`), womanSample)
}

func (b *bench) person(n int) string {
	e := b.server.entities[uidOf(n)]
	return strings.TrimSpace(attribute(e.Attributes, firstName) + " " + attribute(e.Attributes, lastName))
}

// TestOlderRecord delivers an older record after a newer one, in every way in which that happens.
func TestOlderRecord(t *testing.T) {
	b, rule := newBench(t), personRule(t)
	want(t, b.deliver(at(t, rule, woman(1, "first", "New", "phone", "2"), 20)), "D")
	results := b.deliver(at(t, rule, woman(1, "first", "Old", "phone", "1"), 10))
	want(t, results, "S")
	if o := results[0].Outcomes[0]; o.By != 20 || o.ObjectID != uidOf(1) {
		t.Errorf("it was superseded by %d: %+v", o.By, o)
	}
	forced := at(t, rule, woman(1, "first", "Old", "phone", "1"), 10)
	forced.Force = true
	want(t, b.deliver(forced), "S")
	if got := b.person(1); got != "New 2" {
		t.Errorf("the person is %q", got)
	}
	forced.Insist = true
	want(t, b.deliver(forced), "D")
	want(t, b.deliver(at(t, rule, woman(1, "first", "Between", "phone", "3"), 15)), "S")
	if got := b.person(1); got != "Old 1" {
		t.Errorf("the person is %q after a person insisted", got)
	}
	want(t, b.deliver(at(t, rule, woman(1, "first", "Later", "phone", "4"), 30)), "D")
}

// TestUnchangedIsNewer finds the newest record unchanged: what came before it is older all the same.
func TestUnchangedIsNewer(t *testing.T) {
	b, rule := newBench(t), personRule(t)
	want(t, b.deliver(at(t, rule, woman(1, "first", "A"), 1)), "D")
	want(t, b.deliver(at(t, rule, woman(1, "first", "A"), 3)), "U")
	want(t, b.deliver(at(t, rule, woman(1, "first", "B"), 2)), "S")
	want(t, b.deliver(at(t, rule, woman(1, "first", "A"), 3)), "U")
	if got := b.person(1); got != "A 771234567" {
		t.Errorf("the person is %q", got)
	}
}

// TestOlderRecordAdds lets an older record set what no newer one has set.
func TestOlderRecordAdds(t *testing.T) {
	b, rule := newBench(t), personRule(t)
	want(t, b.deliver(at(t, rule, woman(1, "first", "", "phone", "2"), 20)), "D")
	results := b.deliver(at(t, rule, woman(1, "first", "Old", "phone", "1"), 10))
	want(t, results, "D")
	if o := results[0].Outcomes[0]; o.By != 20 {
		t.Errorf("a part was superseded by %d", o.By)
	}
	if got := b.person(1); got != "Old 2" {
		t.Errorf("the person is %q", got)
	}
	want(t, b.deliver(at(t, rule, woman(1, "first", "Older", "phone", ""), 5)), "S")
	want(t, b.deliver(at(t, rule, woman(1, "first", "Newer", "phone", ""), 15)), "D")
	if got := b.person(1); got != "Newer 2" {
		t.Errorf("the person is %q", got)
	}
}

// TestVersionDecides tells a repeated delivery from a real return: the greater version wins, whichever came last.
func TestVersionDecides(t *testing.T) {
	b, rule := newBench(t), personRule(t)
	a, c := woman(1, "first", "A"), woman(1, "first", "C")
	want(t, b.deliver(at(t, rule, a, 1, 1)), "D")
	want(t, b.deliver(at(t, rule, c, 2, 2)), "D")
	want(t, b.deliver(at(t, rule, a, 3, 1)), "S")
	want(t, b.deliver(at(t, rule, a, 4, 3)), "D")
	want(t, b.deliver(at(t, rule, c, 5)), "D") // a source without versions: its place decides
	want(t, b.deliver(at(t, rule, a, 6, 2)), "S")
	want(t, b.deliver(at(t, rule, a, 2, 4)), "S")
	want(t, b.deliver(at(t, rule, a, 6, 4)), "D")
}

// TestStatusAndEnrollment sets an enrollment's status by itself and with the enrollment, in both orders.
func TestStatusAndEnrollment(t *testing.T) {
	b := newBench(t)
	enroll := mustCompile(t, ruleText(`
  - dhis2.create_and_enroll:
      program: Antenatal care
      external_id: trigger.case
      org_unit: trigger.place
      enrolled_at: trigger.date
      status: {value: ACTIVE}
      attributes: {First name: trigger.first, Date of birth: trigger.dob}
`), womanSample)
	complete := mustCompile(t, ruleText(`
  - dhis2.complete:
      program: Antenatal care
      external_id: trigger.case
`), womanSample)
	status := func() string {
		for _, e := range b.server.enrollments {
			return e.Status + " " + e.EnrolledAt
		}
		return ""
	}
	want(t, b.deliver(at(t, enroll, woman(1), 1)), "DD")
	want(t, b.deliver(at(t, complete, woman(1), 5)), "D")
	want(t, b.deliver(at(t, enroll, woman(1, "date", "2026-03-05"), 3)), "UD")
	if got := status(); !strings.HasPrefix(got, "COMPLETED 2026-03-05") {
		t.Errorf("after the older enrollment it is %q", got)
	}
	want(t, b.deliver(at(t, enroll, woman(1, "date", "2026-03-06"), 9)), "UD")
	want(t, b.deliver(at(t, complete, woman(1), 7)), "S")
	if got := status(); !strings.HasPrefix(got, "ACTIVE 2026-03-06") {
		t.Errorf("after the older completion it is %q", got)
	}
}

// TestAttributesOfAnEnrollment sets a person's attribute with an enrollment and with the person, in both orders.
func TestAttributesOfAnEnrollment(t *testing.T) {
	b, person := newBench(t), personRule(t)
	enroll := mustCompile(t, ruleText(`
  - dhis2.enroll:
      program: Antenatal care
      external_id: trigger.case
      org_unit: trigger.place
      enrolled_at: trigger.date
      attributes: {First name: trigger.first, Date of birth: trigger.dob}
`), womanSample)
	named := func() string {
		name := ""
		for _, p := range b.server.requests {
			for _, e := range p.TrackedEntities {
				if v := attribute(e.Attributes, firstName); v != "" {
					name = v
				}
			}
			for _, e := range p.Enrollments {
				if v := attribute(e.Attributes, firstName); v != "" {
					name = v
				}
			}
		}
		return name
	}
	want(t, b.deliver(at(t, person, woman(1, "first", "A"), 1)), "D")
	want(t, b.deliver(at(t, enroll, woman(1, "first", "C"), 3)), "D")
	want(t, b.deliver(at(t, person, woman(1, "first", "B", "phone", ""), 2)), "D") // her org unit; her name is newer
	if got := named(); got != "C" {
		t.Errorf("after the older registration she is %q", got)
	}
	want(t, b.deliver(at(t, person, woman(1, "first", "D"), 5)), "D")
	want(t, b.deliver(at(t, enroll, woman(1, "first", "E", "date", "2026-03-09"), 4)), "D")
	if got := named(); got != "D" {
		t.Errorf("after the older enrollment she is %q", got)
	}
	want(t, b.deliver(at(t, enroll, woman(1, "first", "F"), 6)), "D")
	if got := named(); got != "F" {
		t.Errorf("after the newer enrollment she is %q", got)
	}
}

// TestDeletedStays lets nothing older make an object again that was deleted.
func TestDeletedStays(t *testing.T) {
	b, rule := newBench(t), personRule(t)
	gone := mustCompile(t, ruleText(`
  - dhis2.delete:
      what: tracked_entity
      confirm: true
      tracked_entity_type: Person
      external_id: trigger.case
`), womanSample)
	want(t, b.deliver(at(t, rule, woman(1), 1)), "D")
	want(t, b.deliver(at(t, gone, woman(1), 5)), "D")
	want(t, b.deliver(at(t, rule, woman(1, "first", "Old"), 3)), "S")
	if len(b.server.entities) != 0 {
		t.Error("the person is there again")
	}
}

// TestTwoDeliveriesOfOneObject sends an older and a newer record at once: whichever is sent first,
// the newer one stands.
func TestTwoDeliveriesOfOneObject(t *testing.T) {
	for _, first := range []int64{1, 2} {
		b, rule := newBench(t), personRule(t)
		plan := map[int64]actions.Plan{1: at(t, rule, woman(1, "first", "Old"), 1),
			2: at(t, rule, woman(1, "first", "New"), 2)}
		entered, proceed := make(chan struct{}), make(chan struct{})
		b.server.entered = func() { entered <- struct{}{}; <-proceed }
		done := make(chan struct{})
		send := func(seq int64) {
			b.target.Deliver(context.Background(), []actions.Plan{plan[seq]})
			done <- struct{}{}
		}
		go send(first)
		<-entered
		b.server.entered = nil
		go send(3 - first)
		close(proceed)
		<-done
		<-done
		if got := b.person(1); got != "New 771234567" {
			t.Errorf("with record %d first the person is %q", first, got)
		}
	}
}

// TestNewestWins delivers versions of a person in any order and any batches, with failures and
// crashes, and compares every field with what the newest delivered record says. What was sent and
// not recorded is sent again before what is newer, as the queue sends records of one key.
func TestNewestWins(t *testing.T) {
	rule := personRule(t)
	rapid.Check(t, func(rt *rapid.T) {
		b := newBench(t)
		records := map[int64]map[string]string{} // what each sets
		waiting := map[int64]bool{}              // accepted, or sent and not recorded
		delivered := map[int64]bool{}
		var doubt []int64 // sent, and a crash came before they were recorded
		plan := func(seq int64) actions.Plan {
			f := records[seq]
			p := at(t, rule, woman(1, "first", f["first"], "phone", f["phone"]), seq)
			p.Force = rapid.Bool().Draw(rt, "force")
			return p
		}
		send := func(seqs []int64, crash bool) {
			var plans []actions.Plan
			for _, seq := range seqs {
				plans = append(plans, plan(seq))
			}
			results := b.target.Deliver(context.Background(), plans)
			if crash {
				b.target = NewTarget(b.server, countryIndex, b.memory, testOptions())
				doubt = slices.Sorted(slices.Values(seqs))
				return
			}
			doubt = nil
			b.memory.keep(results)
			b.target.(actions.Recorder).Recorded(results)
			for n, r := range results {
				if s := r.Outcomes[0].Status; s != actions.Failed && s != actions.Retry {
					delivered[seqs[n]] = true
					delete(waiting, seqs[n])
				}
			}
		}
		next := int64(0)
		rt.Repeat(map[string]func(*rapid.T){
			"accept": func(rt *rapid.T) {
				next++
				records[next], waiting[next] = map[string]string{}, true
				for _, field := range []string{"first", "phone"} {
					if rapid.Bool().Draw(rt, field) {
						records[next][field] = fmt.Sprintf("7%d", rapid.Int64Range(1, max(2, next/2)).Draw(rt, "value"))
					}
				}
			},
			"send": func(rt *rapid.T) {
				all := slices.Sorted(maps.Keys(waiting))
				if len(all) == 0 {
					rt.Skip("nothing waits")
				}
				crash := rapid.IntRange(0, 4).Draw(rt, "crash") == 0
				if len(doubt) > 0 {
					send(doubt, crash)
					return
				}
				seqs := rapid.Permutation(all).Draw(rt, "order")
				send(seqs[:rapid.IntRange(1, len(seqs)).Draw(rt, "batch")], crash)
			},
			"replay": func(rt *rapid.T) {
				all := slices.Sorted(maps.Keys(delivered))
				if len(all) == 0 || len(doubt) > 0 {
					rt.Skip("nothing was delivered, or something else comes first")
				}
				send([]int64{rapid.SampledFrom(all).Draw(rt, "again")}, false)
			},
		})
		send(slices.Sorted(maps.Keys(waiting)), false)
		for _, field := range []string{"first", "phone"} {
			expected := ""
			for seq := range next {
				if v := records[seq+1][field]; v != "" {
					expected = v
				}
			}
			uid := map[string]string{"first": firstName, "phone": lastName}[field]
			if got := attribute(b.server.entities[uidOf(1)].Attributes, uid); got != expected {
				rt.Fatalf("%s is %q, the newest record says %q", field, got, expected)
			}
		}
	})
}
