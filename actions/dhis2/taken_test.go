package dhis2

import (
	"errors"
	"strings"
	"testing"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/object"
	"github.com/culvert/culvert/rules"
)

// TestAPersonOfAnotherId holds that nobody is taken over: two ids that gave the same number are not
// one woman, unless the rule says so.
func TestAPersonOfAnotherId(t *testing.T) {
	b, rule := newBench(t), registrationRule(t, "fail")
	taken := func(r actions.Result, ids ...string) {
		t.Helper()
		o := r.Outcomes[0]
		if o.Code != "person-taken" || o.Class != actions.ClassConflict {
			t.Errorf("%+v", o)
		}
		for _, id := range append(ids, uidOf(1)) {
			if !strings.Contains(o.Hint, id) {
				t.Errorf("%q is not named: %s", id, o.Hint)
			}
		}
		if strings.Contains(o.Message, "case-") || strings.Contains(o.Message+o.Hint, "NID-1") {
			t.Errorf("it tells of the person: %s; %s", o.Message, o.Hint)
		}
	}
	// In one batch.
	results := b.deliver(rule.plans(t, woman(1), woman(2, "nid", "NID-1", "first", "Binta"))...)
	want(t, results, "DDD FNN")
	taken(results[1], "case-1", "case-2")
	// Later.
	results = b.deliver(rule.plans(t, woman(3, "nid", "NID-1", "first", "Coumba"))...)
	want(t, results, "FFF")
	taken(results[0], "case-1", "case-3")
	// Where the journal knows no more than that the person is ours.
	for key := range b.memory.identities {
		delete(b.memory.identities, key)
	}
	results = b.deliver(rule.plans(t, woman(4, "nid", "NID-1"))...)
	want(t, results, "FFF")
	taken(results[0], "case-4")
	if got := attribute(b.server.entities[uidOf(1)].Attributes, firstName); got != "Fatou" || len(b.server.entities) != 1 {
		t.Errorf("her name is %q, and there are %d people", got, len(b.server.entities))
	}
	// Her own correction goes through.
	want(t, b.deliver(rule.plans(t, woman(1, "first", "Awa"))...), "DUU")
	// The rule may say that several ids are one person.
	want(t, b.deliver(severalIDs(t).plans(t, woman(5, "nid", "NID-1", "first", "Dado"))...), "DUU")
	if got := attribute(b.server.entities[uidOf(1)].Attributes, firstName); got != "Dado" || len(b.server.entities) != 1 {
		t.Errorf("her name is %q, and there are %d people", got, len(b.server.entities))
	}
}

// TestAPersonOfABatchOnItsWay holds the same while the batch that made the person is not recorded yet.
func TestAPersonOfABatchOnItsWay(t *testing.T) {
	b, rule := newBench(t), registrationRule(t, "fail")
	first := b.target.Deliver(t.Context(), rule.plans(t, woman(1))) // not kept in the journal yet
	want(t, first, "DDD")
	results := b.target.Deliver(t.Context(), rule.plans(t, woman(2, "nid", "NID-1", "first", "Binta")))
	want(t, results, "FFF")
	if o := results[0].Outcomes[0]; o.Code != "person-taken" || !strings.Contains(o.Hint, `"case-1"`) {
		t.Errorf("%+v", o)
	}
	if got := attribute(b.server.entities[uidOf(1)].Attributes, firstName); got != "Fatou" {
		t.Errorf("her name is %q", got)
	}
}

// severalIDs is the rule that takes several ids for one person.
func severalIDs(t testing.TB) *compiled {
	text := strings.ReplaceAll(registration, "WHEN_DELETED", "when_deleted: fail")
	return mustCompile(t, strings.Replace(text, "match_by: National ID",
		"match_by: National ID\n      several_ids: same_person", 1), womanSample)
}

// TestNoAnswerMatchesNobody holds that a word for "no answer" is no one's number.
func TestNoAnswerMatchesNobody(t *testing.T) {
	rule := registrationRule(t, "fail")
	for _, word := range []string{"n/a", "N/A ", "none", "-", "999", "000-000", "-99", "unknown", "Inconnu", "xxx",
		"9999999999"} {
		if f := rule.failure(t, woman(1, "nid", word)); f == nil || f.Code != "placeholder" || f.Field != "National ID" ||
			f.Value != strings.TrimSpace(word) && f.Value != word {
			t.Errorf("%q: %+v", word, f)
		}
	}
	for _, word := range []string{"NID-1", "99", "9990", "100", "A-999"} {
		if f := rule.failure(t, woman(1, "nid", word)); f != nil {
			t.Errorf("%q: %+v", word, f)
		}
	}
	if f := rule.failure(t, woman(1, "case", "n/a")); f == nil || f.Code != "placeholder" || f.Field != "external_id" {
		t.Errorf("%+v", f)
	}
	declared := strings.ReplaceAll(registration, "WHEN_DELETED", "when_deleted: fail")
	one := mustCompile(t, strings.Replace(declared, "National ID: trigger.nid",
		"National ID: {from: trigger.nid, missing: [none, 0]}", 1), womanSample)
	if f := one.failure(t, woman(1, "nid", "999")); f != nil {
		t.Errorf("what the field does not declare: %+v", f)
	}
	all := mustCompile(t, strings.Replace(declared, "  sample: sample.json\n",
		"  sample: sample.json\n  missing: [N/A, 771234567]\n", 1), womanSample)
	plans := all.plans(t, woman(1, "nid", "n/a"))
	values := plans[0].Writes[0].Object.(*object.TrackedEntity).Values
	if attribute(values, "IcYmkidyP9K") != "" || attribute(values, "x3UwJpfw8Ag") != "" ||
		attribute(values, firstName) != "Fatou" {
		t.Errorf("%+v", values)
	}
}

// failure gives why a record cannot be used; nil when it can.
func (c *compiled) failure(t testing.TB, record string) *rules.Failure {
	t.Helper()
	var f *rules.Failure
	if _, err := c.plan(decode(t, record)); err != nil && !errors.As(err, &f) {
		t.Fatal(err)
	}
	return f
}
