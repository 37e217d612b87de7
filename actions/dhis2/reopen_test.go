package dhis2

import (
	"fmt"
	"strings"
	"testing"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/identity"
)

const closingRule = `
  - dhis2.complete:
      program: Antenatal care
      external_id: trigger.case
      status: trigger.status
      completed_at: trigger.date
  - dhis2.complete:
      when: trigger.status != "CANCELLED"
      program: Antenatal care
      stage: First visit
      external_id: trigger.case
      status: trigger.status
      completed_at: trigger.date
`

// TestClosingDates completes, cancels and reopens with dates, and corrects the dates: servers from
// 2.42 on take one with the change of the status only, and older ones none.
func TestClosingDates(t *testing.T) {
	everyVersion(t, func(t *testing.T, s *site) {
		s.deliver(s.loadRule(strings.ReplaceAll(registration, "WHEN_DELETED", "when_deleted: fail"), womanSample).plans(t,
			woman(1))...)
		rule := s.loadRule(ruleText(closingRule), `{"id": "x", "case": "c", "status": "COMPLETED", "date": "2026-04-01"}`)
		enrollment := identity.EnrollmentUID(antenatal, uidOf(1), "", 0)
		for n, step := range []struct{ status, date, event string }{
			{"COMPLETED", "2026-04-01", "2026-04-01"},
			{"COMPLETED", "2026-04-05", "2026-04-05"},
			{"CANCELLED", "2026-04-02", "2026-04-05"},
			{"CANCELLED", "2026-04-07", "2026-04-05"},
			{"ACTIVE", "", ""},
			{"COMPLETED", "2026-04-03", "2026-04-03"},
		} {
			record := fmt.Sprintf(`{"id": "s%d", "case": "case-1", "status": %q, "date": %q}`, n, step.status, step.date)
			wantGood(t, s.deliver(rule.plans(t, record)...))
			list, err := s.client.Enrollments(t.Context(), []client.InProgram{{UID: enrollment, Program: antenatal}})
			if err != nil || len(list) != 1 {
				t.Fatal(err, list)
			}
			e := list[0]
			events, err := s.client.EventsOf(t.Context(), []string{uidOf(1)}, antenatal)
			if err != nil || len(events[uidOf(1)]) != 1 {
				t.Fatal(err, events)
			}
			if e.Status != step.status {
				t.Errorf("step %d: %s", n, e.Status)
			}
			dated := strings.HasPrefix(e.CompletedAt, step.date) && (step.date != "" || e.CompletedAt == "") &&
				strings.HasPrefix(events[uidOf(1)][0].CompletedAt, step.event)
			if minor, _ := client.ParseVersion(s.index.Snapshot.Server.Version); minor >= 42 && !dated {
				t.Errorf("step %d: %s at %s, the event at %s", n, e.Status, e.CompletedAt, events[uidOf(1)][0].CompletedAt)
			}
		}
	})
}
