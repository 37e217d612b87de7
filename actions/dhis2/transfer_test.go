package dhis2

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/culvert/culvert/actions"
)

const transferRule = `
  - dhis2.transfer:
      program: Antenatal care
      external_id: trigger.case
      org_unit: trigger.place
`

// owner is the org unit that has a woman's data of antenatal care.
func (s *site) owner(n int) string {
	s.t.Helper()
	r := httptest.NewRequest(http.MethodGet,
		"/api/tracker/trackedEntities/"+uidOf(n)+"?fields=programOwners[program,orgUnit]&program="+antenatal, nil)
	r.SetBasicAuth("admin", "district")
	w := httptest.NewRecorder()
	s.sandbox.ServeHTTP(w, r)
	var held struct {
		ProgramOwners []struct{ Program, OrgUnit string }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &held); err != nil {
		s.t.Fatal(err, w.Body)
	}
	for _, o := range held.ProgramOwners {
		if o.Program == antenatal {
			return o.OrgUnit
		}
	}
	return ""
}

// TestTransfer holds that a person is given to another org unit once, on every version, also where
// DHIS2 refuses to do it again; that one who is not there yet is waited for; and that a transfer
// within one record comes after the enrollment.
func TestTransfer(t *testing.T) {
	everyVersion(t, func(t *testing.T, s *site) {
		register := s.loadRule(strings.ReplaceAll(registration, "WHEN_DELETED", "when_deleted: fail"), womanSample)
		transfer := s.loadRule(ruleText(transferRule), womanSample)
		one, _, _ := s.index.OrgUnit("TM-010202")
		other, _, _ := s.index.OrgUnit("TM-010201")
		want(t, s.deliver(transfer.plans(t, woman(1, "place", other.Code))...), "R")
		want(t, s.deliver(register.plans(t, woman(1))...), "DDD")
		if got := s.owner(1); got != one.ID {
			t.Fatalf("owned by %q at first", got)
		}
		want(t, s.deliver(transfer.plans(t, woman(1, "place", other.Code))...), "D")
		want(t, s.deliver(transfer.plans(t, woman(1, "place", other.Code))...), "U")
		if got := s.owner(1); got != other.ID {
			t.Errorf("owned by %q, want %q", got, other.ID)
		}
		s.memory = newMemory() // lost: asked again, it is the owner already
		s.target = NewTarget(s.client, s.current, s.memory, testOptions())
		want(t, s.deliver(transfer.plans(t, woman(1, "place", other.Code))...), "D")
		want(t, s.deliver(transfer.plans(t, woman(1))...), "D")
		if got := s.owner(1); got != one.ID {
			t.Errorf("owned by %q after all", got)
		}
		both := append(register.plans(t, woman(2)), transfer.plans(t, woman(2, "place", other.Code))...)
		together := actions.Plan{Record: both[0].Record, Writes: append(both[0].Writes[:2], both[1].Writes...)}
		want(t, s.deliver(together), "DDD")
		if got := s.owner(2); got != other.ID {
			t.Errorf("the other woman is owned by %q", got)
		}
	})
}

// TestTransferFindings holds what validate says of transfers.
func TestTransferFindings(t *testing.T) {
	for name, test := range map[string]struct{ change, with, code string }{
		"event program": {"Antenatal care", "Malaria case notification", "wrong-program-type"},
		"no org unit":   {"      org_unit: trigger.place\n", "", "missing-key"},
		"no person":     {"      external_id: trigger.case\n", "", "missing-key"},
		"another key":   {"      org_unit:", "      enrolled_at: trigger.date\n      org_unit:", "unknown-key"},
		"not assigned":  {"org_unit: trigger.place", "org_unit: {value: Tamala}", "org-unit-not-assigned"},
	} {
		list := findings(t, country(), strings.Replace(transferRule, test.change, test.with, 1))
		if len(list) == 0 || list[0].Code != test.code {
			t.Errorf("%s: %s", name, printed(list))
		}
	}
}
