package dhis2

import (
	"strings"
	"testing"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/rules/diag"
)

const (
	dateOfBirth = "FaVymXsLADq"
	phone       = "x3UwJpfw8Ag"
)

// weighedRule finds people by number or telephone, or by name and date of birth together.
func weighedRule(t testing.TB, matchBy string) *compiled { return weighedRules(t, matchBy)[0] }

// weighedRules are rules of one project, each of which finds people in a way of its own.
func weighedRules(t testing.TB, matchBy ...string) (list []*compiled) {
	text := strings.ReplaceAll(registration, "WHEN_DELETED", "when_deleted: fail")
	s := snapshot(t)
	for i := range s.Programs {
		for j := range s.Programs[i].Attributes {
			s.Programs[i].Attributes[j].Searchable = true
		}
	}
	x := metadata.NewIndex(s)
	kinds := Kinds(x, kindOptions())
	for _, by := range matchBy {
		list = append(
			list,
			loadOf(t, kinds, x, strings.Replace(text, "match_by: National ID", "match_by: "+by, 1), womanSample),
		)
	}
	return list
}

// TestRulesThatTellPeopleByOtherThings has records of two rules, which compare different attributes,
// come for one person whom nobody knows yet: in one batch, and in two at the same moment. The second
// waits until the first is there, and then meets the person.
func TestRulesThatTellPeopleByOtherThings(t *testing.T) {
	const byNumber, byName = "{any: [National ID]}", "{or: {First name: 2, Date of birth: 3, at_least: 5}}"
	for _, order := range [][]string{{byNumber, byName}, {byName, byNumber}} {
		b, list := newBench(t), weighedRules(t, order...)
		first := list[0].plans(t, woman(1, "first", "Gnima", "dob", "1993-03-03", "nid", "NID-1"))
		second := list[1].plans(t, woman(2, "first", "GNIMA", "dob", "1993-03-03", "nid", "NID-1"))
		other := list[1].plans(t, woman(3, "first", "Awa", "dob", "1994-03-03", "nid", "NID-3"))
		results := b.deliver(first[0], second[0], other[0])
		want(t, results, "DDD RRR DDD")
		if o := results[1].Outcomes[0]; o.Code != actions.ObjectBusy {
			t.Errorf("%+v", o)
		}
		results = b.deliver(second...)
		want(t, results, "FFF")
		if o := results[0].Outcomes[0]; o.Code != "person-taken" {
			t.Errorf("%+v", o)
		}

		// While one delivery looks, another does not.
		b = newBench(t)
		b.server.beforeFind = func([]string) error {
			b.server.beforeFind = nil
			want(t, b.target.Deliver(t.Context(), second), "RRR")
			return nil
		}
		want(t, b.deliver(first...), "DDD")
		want(t, b.deliver(second...), "FFF")
	}
}

const anyOrWeights = "{any: [National ID, Phone number], or: {First name: 2, Date of birth: 3, at_least: 5}}"

// registered registers somebody by hand.
func (b *bench) registered(uid, first, dob, nid, tel string) {
	e := client.TrackedEntity{TrackedEntity: uid, TrackedEntityType: person0, OrgUnit: coral}
	for a, v := range map[string]string{firstName: first, dateOfBirth: dob, nationalID: nid, phone: tel} {
		if v != "" {
			e.Attributes = append(e.Attributes, client.AttributeValue{Attribute: a, Value: v})
		}
	}
	b.server.entities[uid] = e
}

func TestPeopleFoundByWhatHasWeight(t *testing.T) {
	b, rule := newBench(t), weighedRule(t, anyOrWeights)
	for _, d := range rule.findings.List {
		if d.Severity == 0 {
			t.Fatal(d)
		}
	}
	b.registered("aaaaaaaaaaa", "Fátou", "1990-05-01T00:00:00.000", "", "")
	b.registered("bbbbbbbbbbb", "Fatou", "1990-05-02", "NID-2", "")
	b.registered("ccccccccccc", "Awa", "1990-05-03", "", "+221771111111")
	b.registered("ddddddddddd", "Dado", "1991-01-01", "", "")
	b.registered("eeeeeeeeeee", " dado ", "1991-01-01", "", "")
	b.registered("fffffffffff", "Other", "1992-02-02", "", "")
	who := func(want string, record string) {
		t.Helper()
		results := b.deliver(rule.plans(t, record)...)
		o := results[0].Outcomes[0]
		if got := o.ObjectID; o.Code != "" || got != want {
			t.Errorf("it is %s, want %s: %s %s", got, want, o.Code, o.Message)
		}
	}
	who("bbbbbbbbbbb", woman(2, "dob", "1999-09-09", "first", "Nobody"))
	who("ccccccccccc", woman(3, "nid", "NID-33", "phone", "+221771111111", "dob", "1999-09-09"))
	who(uidOf(6), woman(6, "first", "Fatou", "dob", "1992-02-02", "nid", "", "phone", ""))
	who(uidOf(7), woman(7, "first", "Unknown", "dob", "1990-05-01", "nid", "", "phone", ""))
	// Two fit: the record fails, and lists them.
	results := b.deliver(rule.plans(t, woman(4, "first", "Dado", "dob", "1991-01-01", "nid", "", "phone", ""))...)
	want(t, results, "FFF")
	o := results[0].Outcomes[0]
	if o.Code != "several-matches" || !strings.Contains(o.Hint, "ddddddddddd") ||
		!strings.Contains(o.Hint, "eeeeeeeeeee") || strings.Contains(o.Message+o.Hint, "1991") {
		t.Errorf("%+v", o)
	}
	// Two records of one batch about one person whom nobody knows yet.
	results = b.deliver(rule.plans(t, woman(8, "first", "Gnima", "dob", "1993-03-03", "nid", "", "phone", ""),
		woman(9, "first", "GNIMA", "dob", "1993-03-03", "nid", "", "phone", ""))...)
	want(t, results, "DDD FFF")
	if o := results[1].Outcomes[0]; o.Code != "person-taken" || !strings.Contains(o.Hint, `"case-8"`) ||
		!strings.Contains(o.Hint, `"case-9"`) {
		t.Errorf("%+v", o)
	}
}

// TestCaseAndAccentsDoNotCount holds that a date asked for exactly finds the person whose name is
// written a little differently.
func TestCaseAndAccentsDoNotCount(t *testing.T) {
	b, rule := newBench(t), weighedRule(t, anyOrWeights)
	b.registered("aaaaaaaaaaa", "FÁTOU ", "1990-05-01", "", "")
	results := b.deliver(rule.plans(t, woman(1, "first", "Fatou", "dob", "1990-05-01", "nid", "", "phone", ""))...)
	want(t, results, "DDD")
	if results[0].Outcomes[0].ObjectID != "aaaaaaaaaaa" {
		t.Errorf("it is %s", results[0].Outcomes[0].ObjectID)
	}
}

func TestMistakesInWeights(t *testing.T) {
	for matchBy, code := range map[string]string{
		"{any: [National ID], or: {First name: 2, Date of birth: 3}}":                "match-by-weights",
		"{any: [National ID], or: {First name: 2, Date of birth: 3, at_least: 6}}":   "match-by-weights",
		"{any: [National ID], or: {First name: two, Date of birth: 3, at_least: 3}}": "match-by-weights",
		"{any: [National ID], or: {First name: 3, Date of birth: 3, at_least: 3}}":   "match-by-weights",
		"{any: [National ID], or: {Last name: 2, Date of birth: 3, at_least: 5}}":    "match-by-without-value",
		"{any: [National I], or: {First name: 2, Date of birth: 3, at_least: 5}}":    "unknown-attribute",
		"{any: [National ID], and: {First name: 2}}":                                 "unknown-key",
		"{any: National ID, or: [First name]}":                                       "wrong-shape",
	} {
		found := false
		for _, d := range weighedRule(t, matchBy).findings.List {
			found = found || d.Code == code
		}
		if !found {
			t.Errorf("%s has no %s: %v", matchBy, code, weighedRule(t, matchBy).findings.List)
		}
	}
}

// TestSearchByWhatIsNotSearchable holds that it is warned of, and that a refusal fails the record
// at once: no later try changes it.
func TestSearchByWhatIsNotSearchable(t *testing.T) {
	s := snapshot(t)
	s.User.ID, s.User.Authorities = "user0000000", nil
	rule := loadRule(t, metadata.NewIndex(s), strings.Replace(strings.ReplaceAll(registration, "WHEN_DELETED",
		"when_deleted: fail"), "match_by: National ID", "match_by: {any: [Phone number]}", 1), womanSample)
	warned := false
	for _, d := range rule.findings.List {
		warned = warned || d.Code == "match-by-not-searchable"
	}
	if !warned {
		t.Error(rule.findings.List)
	}
	b := newBench(t)
	b.server.beforeFind = func([]string) error {
		return &client.Error{Kind: client.Refused, Status: 409, Problem: diag.Problem{Message: "refused"},
			Detail: "Non-searchable attribute(s) can not be used during global search: [x3UwJpfw8Ag]"}
	}
	results := b.deliver(weighedRule(t, "{any: [Phone number]}").plans(t, woman(1))...)
	want(t, results, "FFF")
	if o := results[0].Outcomes[0]; o.Code != "lookup-refused" {
		t.Errorf("%+v", o)
	}
}
