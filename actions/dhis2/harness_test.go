package dhis2

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/identity"
)

// bench is a target on a fake server.
type bench struct {
	t      testing.TB
	server *fake
	memory *memory
	target actions.Target
}

func newBench(t testing.TB) *bench {
	b := &bench{t: t, server: newFake(), memory: newMemory()}
	b.target = NewTarget(b.server, countryIndex, b.memory, testOptions())
	return b
}

// deliver sends plans and keeps what is to be remembered.
func (b *bench) deliver(plans ...actions.Plan) []actions.Result {
	b.t.Helper()
	results := b.target.Deliver(context.Background(), plans)
	for n, r := range results {
		if len(r.Outcomes) != len(plans[n].Writes) {
			b.t.Fatalf("plan %d has %d writes and %d outcomes", n, len(plans[n].Writes), len(r.Outcomes))
		}
	}
	b.memory.keep(results)
	b.target.(actions.Recorder).Recorded(results)
	return results
}

// states sums up results: D delivered, U unchanged, F failed, R retry, N not tried, S superseded;
// one word for each record.
func states(results []actions.Result) string {
	var words []string
	for _, r := range results {
		var b strings.Builder
		for _, o := range r.Outcomes {
			b.WriteByte("DUFRNS"[o.Status])
		}
		words = append(words, b.String())
	}
	return strings.Join(words, " ")
}

func want(t testing.TB, results []actions.Result, expected string) {
	t.Helper()
	if got := states(results); got != expected {
		t.Errorf("outcomes %s, want %s", got, expected)
		for n, r := range results {
			for _, o := range r.Outcomes {
				t.Logf("  %d: %d %s %s %s | %s", n, o.Status, o.Class, o.Code, o.Message, o.Detail)
			}
		}
	}
}

// wantGood wants everything to be on the server, whichever of two records about one object was sent.
func wantGood(t testing.TB, results []actions.Result) {
	t.Helper()
	if got := states(results); strings.Trim(got, "DU ") != "" {
		t.Errorf("outcomes %s", got)
	}
}

const registration = `rule: test
trigger:
  webhook: {path: /test}
  sample: sample.json
id: trigger.id
actions:
  - dhis2.create_and_enroll:
      program: Antenatal care
      external_id: trigger.case
      match_by: National ID
      WHEN_DELETED
      org_unit: trigger.place
      enrolled_at: trigger.date
      attributes:
        First name: trigger.first
        Date of birth: trigger.dob
        National ID: trigger.nid
        Phone number: {from: trigger.phone, blank: clear}
  - dhis2.event:
      program: Antenatal care
      stage: First visit
      external_id: trigger.case
      WHEN_DELETED
      org_unit: trigger.place
      occurred_at: trigger.date
      data_values: {Gestational age (weeks): trigger.weeks}
`

func registrationRule(t testing.TB, whenDeleted string) *compiled {
	return mustCompile(t, strings.ReplaceAll(registration, "WHEN_DELETED", "when_deleted: "+whenDeleted), womanSample)
}

// woman is a record of one woman.
func woman(n int, changes ...string) string {
	fields := map[string]string{
		"id": fmt.Sprintf("form-%d", n), "case": fmt.Sprintf("case-%d", n), "date": "2026-03-02", "first": "Fatou",
		"dob": "1996-01-09",
		"nid": fmt.Sprintf("NID-%d", n), "phone": "771234567", "place": "TM-010202", "weeks": "14",
	}
	for i := 0; i+1 < len(changes); i += 2 {
		fields[changes[i]] = changes[i+1]
	}
	var parts []string
	for k, v := range fields {
		parts = append(parts, fmt.Sprintf("%q: %q", k, v))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func uidOf(n int) string {
	return identity.TrackedEntityUID("test", person0, fmt.Sprintf("case-%d", n), 0)
}
