package conformance

import (
	"context"
	"strings"
	"testing"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/identity"
)

func (s *suite) delete(t *testing.T) {
	sample := fields{"id": "x", "case": "c", "child": "d", "visit": "v", "month": "2015-04"}
	record := sample.with("id", s.external(1), "case", s.external(1), "child", s.external(20), "visit", "b")
	remove := func(text string) *flow { return s.compile(t, "  - dhis2.delete:\n      confirm: true\n"+text, sample) }
	for _, text := range []string{
		"      what: relationship\n      type: Mother of\n      from: {external_id: trigger.case}\n      to: " +
			"{external_id: trigger.child}\n",
		"      what: event\n      program: Antenatal care\n      stage: Follow-up visit\n      external_id: " +
			"trigger.case\n      event_id: trigger.visit\n",
		"      what: data_value\n      data_element: Malaria deaths\n      data_set: Malaria monthly report\n      " +
			"org_unit: {value: Coral Health Centre}\n      period: trigger.month\n",
		"      what: enrollment\n      program: Child immunisation\n      external_id: trigger.child\n",
		"      what: tracked_entity\n      tracked_entity_type: Person\n      external_id: trigger.child\n",
	} {
		remove(text).twice(t, 1, sent{"ok", record})
	}
	if s.linked(t, 1, 20) {
		t.Error("the relationship is still there")
	}
	s.wantNobody(t, 20)
	if list, err := s.client.Events(context.Background(),
		[]client.InProgram{{UID: s.visit(followUp, 1, "b"), Program: antenatal}}); err != nil || len(list) > 0 {
		t.Errorf("the event is still there: %v", err)
	}
	s.readEvent(t, antenatal, s.visit(followUp, 1, "a"))
	if got := s.readTexts(t, malariaMonthly, "201504"); len(got) > 0 {
		t.Errorf("April still holds %v", got)
	}
	// What was deleted is not written again by accident, and comes back under another uid when the rule says so.
	text := `
  - dhis2.tracked_entity:
      tracked_entity_type: Person
      external_id: trigger.case
      WHEN
      org_unit: {value: Coral Health Centre}
      attributes: {First name: {value: Moussa}}
`
	child := sample.with("id", s.external(20), "case", s.external(20))
	s.forget()
	s.compile(t, strings.Replace(text, "WHEN", "when_deleted: fail", 1), sample).send(t, sent{"E1114|E1082", child})
	s.wantNobody(t, 20)
	s.compile(t, strings.Replace(text, "WHEN", "when_deleted: recreate", 1), sample).send(t, sent{"ok", child})
	second := identity.TrackedEntityUID(s.project, person, s.external(20), 1)
	if list, err := s.client.TrackedEntities(context.Background(), []string{second}, ""); err != nil || len(list) != 1 {
		t.Errorf("she is not there again: %v", err)
	}
}

// clean deletes whatever the run has made, and looks whether it is gone.
func (s *suite) clean(t *testing.T) {
	t.Helper()
	ctx := context.Background()
	var people []string
	for n := range 100 {
		for generation := range 2 {
			people = append(people, identity.TrackedEntityUID(s.project, person, s.external(n), generation))
		}
	}
	there, err := s.client.TrackedEntities(ctx, people, "")
	if err != nil {
		t.Error(err)
	}
	var p client.TrackerPayload
	for _, e := range there {
		p.TrackedEntities = append(p.TrackedEntities, client.TrackedEntity{TrackedEntity: e.TrackedEntity})
	}
	for uid := range s.events {
		p.Events = append(p.Events, client.Event{Event: uid})
	}
	if r, err := s.client.ImportTracker(ctx, &p, client.TrackerOptions{Delete: true}); err != nil || len(r.Errors) > 0 {
		t.Errorf("what the run has made could not be deleted: %v %+v", err, r)
	}
	for _, c := range cells {
		s.cleanCell(t, c.dataSet, c.period)
	}
	if left, err := s.client.TrackedEntities(ctx, people, ""); err != nil || len(left) > 0 {
		t.Errorf("%d people of the run are left: %v", len(left), err)
	}
	for _, c := range cells {
		if n := len(s.readValues(t, c.dataSet, c.period)); n > 0 || s.completed(t, c.dataSet, c.period) {
			t.Errorf("%d values of data set %s are left for %s, or a completion", n, c.dataSet, c.period)
		}
	}
}

// cleanCell deletes the values of a data set and withdraws its completions.
func (s *suite) cleanCell(t *testing.T, dataSet, period string) {
	t.Helper()
	values := s.readValues(t, dataSet, period)
	combos := map[string]bool{}
	for i := range values {
		values[i].Deleted = true
		combos[values[i].AttributeOptionCombo] = true
	}
	if len(values) > 0 {
		r, err := s.client.ImportDataValues(context.Background(), &client.DataValueSet{DataSet: dataSet, Values: values},
			client.DataValueOptions{})
		if err != nil || r.Refused || len(r.Issues)+len(r.General) > 0 {
			t.Errorf("values of the run could not be deleted: %v %+v", err, r)
		}
	}
	for combo := range combos {
		if err := s.client.Complete(context.Background(),
			client.Completion{DataSet: dataSet, Period: period, OrgUnit: coral, AttributeOptionCombo: combo,
				Undo: true}); err != nil {
			t.Errorf("a completion of the run could not be withdrawn: %v", err)
		}
	}
}
