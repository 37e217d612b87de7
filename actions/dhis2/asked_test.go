package dhis2

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
)

// askingRule asks for a woman by her National ID and for her last visit.
func askingRule(lookups string) string {
	return `trigger: {webhook: {path: /x}, sample: s.json}
id: trigger.id
lookups:
` + lookups + `
actions:
  - dhis2.event:
      when: before.values["Weight (kg)"] != number(trigger.kg)
      program: Antenatal care
      stage: Follow-up visit
      external_id: trigger.id
      match_by: {National ID: trigger.nid}
      org_unit: {value: Coral Health Centre}
      occurred_at: trigger.day
      data_values: {Weight (kg): trigger.kg}
`
}

const (
	askingSample = `{"id": "r1", "nid": "N1", "kg": "61", "day": "2026-04-01"}`
	askedWoman   = "  woman: {in: trackedEntities, program: Antenatal care, where: {National ID: trigger.nid}%s}\n"
	askedEvents  = "  before: {in: events, of: woman, stage: Follow-up visit, on_missing: blank%s}"

	weightElement = "DSyKLVrDSl7"
	followUp      = "qgrv8l2KyHh"
)

func TestAskedFindings(t *testing.T) {
	woman := fmt.Sprintf(askedWoman, "")
	var b strings.Builder
	for _, c := range []struct{ name, lookups string }{
		{"nothing is wrong", woman + fmt.Sprintf(askedEvents, "")},
		{"an unknown attribute", "  woman: {in: trackedEntities, program: Antenatal care, where: {National Id: " +
			"trigger.nid}}\n" + fmt.Sprintf(askedEvents, "")},
		{"an unknown program", "  woman: {in: trackedEntities, program: Antenatal, where: {National ID: trigger.nid}}\n" +
			fmt.Sprintf(askedEvents, "")},
		{"an event program", "  woman: {in: trackedEntities, program: Malaria case notification, where: {National ID: " +
			"trigger.nid}}\n" + fmt.Sprintf(askedEvents, "")},
		{"neither program nor type",
			"  woman: {in: trackedEntities, where: {National ID: trigger.nid}}\n" + fmt.Sprintf(askedEvents, "")},
		{"an unknown stage", woman + "  before: {in: events, of: woman, stage: Follow up, on_missing: blank}"},
		{"events of nobody", woman + "  before: {in: events, stage: Follow-up visit, on_missing: blank}"},
		{"a cache of a week", woman + fmt.Sprintf(askedEvents, ", cache: 170h")},
		{"a key of another way", "  woman: {in: trackedEntities, program: Antenatal care, where: {National ID: " +
			"trigger.nid}, level: 3}\n" + fmt.Sprintf(askedEvents, "")},
	} {
		fmt.Fprintf(&b, "%s\n%s", c.name, printed(loadRule(t, country(), askingRule(c.lookups), askingSample).findings.List))
	}
	early := strings.Replace(askingRule(woman+fmt.Sprintf(askedEvents, "")), "id: trigger.id", "id: woman.id", 1)
	fmt.Fprintf(&b, "an id that is asked for\n%s", printed(loadRule(t, country(), early, askingSample).findings.List))
	golden(t, "asked.golden", b.String())
}

// asking is a target that holds people and counts what it is asked.
type asking struct {
	actions.Target
	fake     *fakePeople
	answerer actions.Asker
}

func (a *asking) Answer(ctx context.Context, q []rules.Question) ([]actions.Answer, error) {
	return a.answerer.Answer(ctx, q)
}

func (a *asking) Unanswered(err error) actions.Outcome { return a.answerer.Unanswered(err) }

// fakePeople answers as a server that holds one woman with visits; it notes its requests.
type fakePeople struct {
	fake
	requests []string
	away     bool
	refused  string // value that the server does not look for
}

func (f *fakePeople) FindTrackedEntities(_ context.Context, q client.FindQuery) ([]client.Found, error) {
	f.requests = append(f.requests, fmt.Sprintf("find %d", len(q.Values)))
	if f.away {
		return nil, &client.Error{Kind: client.Unreachable, Problem: diag.Problem{Message: "no answer"}}
	}
	var list []client.Found
	unread := &client.UnreadError{}
	for _, v := range q.Values {
		switch {
		case v == f.refused:
			unread.Failed = map[string]*client.Error{v: {Kind: client.Refused, Status: 400,
				Problem: diag.Problem{Message: "not searchable"}}}
		case strings.HasPrefix(v, "N"):
			list = append(list, client.Found{TrackedEntity: "uid" + v, OrgUnit: "ou", Value: v,
				Attributes: []client.AttributeValue{{Attribute: nationalID, Value: v}}})
		}
	}
	if len(unread.Failed) > 0 {
		return list, unread
	}
	return list, nil
}

func (f *fakePeople) EventsOf(_ context.Context, people []string, _ string) (map[string][]client.Event, error) {
	f.requests = append(f.requests, fmt.Sprintf("events %d", len(people)))
	found := map[string][]client.Event{}
	for _, uid := range people {
		weigh := func(day, kg string) client.Event {
			return client.Event{Event: "e" + day, ProgramStage: followUp, OccurredAt: day,
				DataValues: []client.EventValue{{DataElement: weightElement, Value: kg}}}
		}
		found[uid] = []client.Event{weigh("2026-03-01", "61"), weigh("2026-02-01", "60"),
			{Event: "eother", ProgramStage: "other", OccurredAt: "2026-03-09"},
			{Event: "eplanned", ProgramStage: followUp, ScheduledAt: "2026-05-01", Status: "SCHEDULE"}}
	}
	return found, nil
}

func plansOf(t *testing.T, c *compiled, records ...string) []actions.Plan {
	t.Helper()
	flow := &program.Flow{Rule: c.rule, Actions: c.actions}
	var plans []actions.Plan
	for _, text := range records {
		parts := strings.Split(text, " ")
		e, err := program.Evaluate(flow, rules.Input{Body: map[string]any{"id": parts[0], "nid": parts[1], "kg": parts[2],
			"day": "2026-04-01"}})
		if err != nil || e.Failure != nil {
			t.Fatalf("%s: %v %v", text, err, e.Failure)
		}
		plans = append(plans, e.Plan)
	}
	return plans
}

func TestAskedTogether(t *testing.T) {
	server := &fakePeople{refused: "X9"}
	asker := NewTarget(server, country, nil, testOptions()).(actions.Asker)
	target := &asking{fake: server, answerer: asker}
	c := mustCompile(t, askingRule(fmt.Sprintf(askedWoman, ", on_missing: wait")+fmt.Sprintf(askedEvents, "")),
		askingSample)
	plans := plansOf(t, c, "r1 N1 61", "r2 N2 62", "r3 Z1 60", "r4 X9 60", "r5 N1 63")
	for i := range plans {
		if plans[i].Pending == nil || plans[i].Empty() {
			t.Fatalf("plan %d asks nothing", i)
		}
	}
	var got []string
	for i, a := range program.Ask(context.Background(), program.Askers{Home: target}, plans) {
		switch {
		case a.Outcome != nil:
			got = append(got, fmt.Sprintf("%s %v %s", a.Outcome.Code, a.Outcome.Status, a.Outcome.Class))
		case a.Failure != nil, a.Err != nil, a.Skipped:
			got = append(got, fmt.Sprintf("%v %v %v", a.Failure, a.Err, a.Skipped))
		default:
			got = append(got, fmt.Sprintf("%d writes", len(plans[i].Writes)))
		}
	}
	want := []string{"0 writes", "1 writes", "lookup-missing 3 parent", "refused 2 data", "1 writes"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"find 4", "events 2"}, server.requests); diff != "" {
		t.Errorf("the requests of five records: %s", diff)
	}
	server.away = true
	away := plansOf(t, c, "r6 N6 60")
	if a := program.Ask(context.Background(), program.Askers{Home: target}, away); a[0].Outcome == nil ||
		a[0].Outcome.Class != actions.ClassServer || away[0].Pending == nil {
		t.Errorf("a server that is away gives %+v", a[0])
	}
}

// What all items of a repeat group ask for is asked at once.
func TestAskedOfItems(t *testing.T) {
	server := &fakePeople{}
	target := &asking{fake: server, answerer: NewTarget(server, country, nil, testOptions()).(actions.Asker)}
	c := mustCompile(t, `trigger: {webhook: {path: /x}, sample: s.json}
id: trigger.id
lookups:
  woman: {in: trackedEntities, program: Antenatal care, where: {National ID: item.nid}, on_missing: fail}
actions:
  - dhis2.event:
      for_each: trigger.women
      program: Malaria case notification
      event_id: woman.id
      org_unit: {value: Coral Health Centre}
      occurred_at: item.day
      data_values: {Case age (years): item.age}
`, `{"id": "r1", "women": [{"nid": "N1", "age": "30", "day": "2026-04-01"}]}`)
	var women []any
	for i := range 50 {
		women = append(women, map[string]any{"nid": fmt.Sprintf("N%d", i), "age": "30", "day": "2026-04-01"})
	}
	e, err := program.Evaluate(&program.Flow{Rule: c.rule, Actions: c.actions},
		rules.Input{Body: map[string]any{"id": "r1", "women": women}})
	if err != nil || e.Failure != nil {
		t.Fatal(err, e.Failure)
	}
	plans := []actions.Plan{e.Plan}
	if a := program.Ask(context.Background(), program.Askers{Home: target}, plans); a[0].Outcome != nil || a[0].Failure != nil ||
		len(plans[0].Writes) != 50 {
		t.Errorf("%+v with %d writes", a[0], len(plans[0].Writes))
	}
	if diff := cmp.Diff([]string{"find 50"}, server.requests); diff != "" {
		t.Error(diff)
	}
}

func TestAskedCache(t *testing.T) {
	server := &fakePeople{}
	now := time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)
	o := testOptions()
	o.Now = func() time.Time { return now }
	target := &asking{fake: server, answerer: NewTarget(server, country, nil, o).(actions.Asker)}
	c := mustCompile(t, askingRule(fmt.Sprintf(askedWoman, ", cache: 10m")+fmt.Sprintf(askedEvents, "")), askingSample)
	for _, at := range []time.Duration{0, 5 * time.Minute, 11 * time.Minute} {
		now = time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC).Add(at)
		if a := program.Ask(context.Background(), program.Askers{Home: target}, plansOf(t, c, "r1 N1 62")); a[0].Outcome != nil ||
			a[0].Failure != nil {
			t.Fatal(a[0])
		}
	}
	if diff := cmp.Diff([]string{"find 1", "events 1", "events 1", "find 1", "events 1"}, server.requests); diff != "" {
		t.Error(diff)
	}
}

func TestNobodyIsAskedOnTrial(t *testing.T) {
	c := mustCompile(t, askingRule(fmt.Sprintf(askedWoman, "")+fmt.Sprintf(askedEvents, "")), askingSample)
	e, err := program.Evaluate(&program.Flow{Rule: c.rule, Actions: c.actions},
		rules.Input{Body: map[string]any{"id": "r1", "nid": "N1", "kg": "61", "day": "2026-04-01"},
			Answers: c.rule.SampleAnswers(nil)})
	if err != nil {
		t.Fatal(err)
	}
	if f := e.NoSample(); f == nil || f.Code != "no-sample" || !errors.As(error(f), new(*rules.Failure)) ||
		!strings.Contains(f.Hint, "sample:") {
		t.Errorf("a lookup without a sample gives %+v", f)
	}
}
