package dhis2

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/actions/dhis2/client"
)

const visitRule = `
  - dhis2.event:
      program: Antenatal care
      stage: Follow-up visit
      external_id: trigger.case
      event_id: trigger.id
      org_unit: trigger.place
      occurred_at: trigger.date
      ACCESS
      data_values: {Weight (kg): trigger.weeks}
`

// protectedSite is a sandbox whose antenatal care is of an access level, with the targets of two users: one of the whole
// country, and a clerk of the coast who may search everywhere.
func protectedSite(t *testing.T, version, level string) (*site, actions.Target) {
	t.Helper()
	text, err := os.ReadFile("sandbox/testdata/tamala.json")
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	for _, p := range m["programs"].([]any) {
		if p := p.(map[string]any); p["id"] == antenatal {
			p["accessLevel"] = level
		}
	}
	s := newSiteWith(t, version, keptMetadata(t, m))
	web := httptest.NewServer(s.sandbox)
	c, err := client.New(client.Options{URL: web.URL,
		Credentials: client.Credentials{Username: "clerk", Password: "Clerk#2026"}, Transport: &http.Transport{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		web.Close()
	})
	return s, NewTarget(c, s.current, s.memory, testOptions())
}

// TestTemporaryAccess lets the user into people's data of a protected program only where the rule
// gives a reason, and only once DHIS2 has refused something.
func TestTemporaryAccess(t *testing.T) {
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			s, clerk := protectedSite(t, version, "PROTECTED")
			admin := s.target
			register := s.loadRule(strings.ReplaceAll(registration, "WHEN_DELETED", "when_deleted: fail"), womanSample)
			without := s.loadRule(ruleText(strings.Replace(visitRule, "ACCESS\n", "\n", 1)), womanSample)
			with := s.loadRule(ruleText(strings.Replace(visitRule, "ACCESS", "temporary_access: {value: Referral form}", 1)),
				womanSample)
			blank := s.loadRule(ruleText(strings.Replace(visitRule, "ACCESS", "temporary_access: trigger.nothing", 1)),
				`{"id": "x", "case": "c", "place": "TM-010202", "date": "2026-03-02", "weeks": "60", "nothing": ""}`)
			const inland = "TM-020102"
			want(t, s.deliver(register.plans(t, woman(1, "place", inland), woman(2, "place", inland),
				woman(3, "place", inland))...), "DDD DDD DDD")
			want(t, s.deliver(without.plans(t, woman(3, "weeks", "60", "id", "there", "place", inland))...), "D")

			s.target = clerk
			for name, rule := range map[string]*compiled{"no reason": without, "a blank one": blank} {
				results := s.deliver(rule.plans(t, woman(1, "weeks", "60", "nothing", ""))...)
				if o := results[0].Outcomes[0]; o.Class != actions.ClassRights || !strings.Contains(o.Hint, "temporary_access") {
					t.Fatalf("%s: %+v", name, o)
				}
			}
			want(t, s.deliver(with.plans(t, woman(1, "weeks", "60"), woman(1, "weeks", "61", "id", "form-1b"),
				woman(2, "weeks", "62"))...), "D D D")
			want(t, s.deliver(with.plans(t, woman(3, "weeks", "63", "id", "there", "place", inland))...), "D")
			want(t, s.deliver(with.plans(t, woman(3, "weeks", "63", "id", "there", "place", inland))...), "U")
			if o := s.deliver(with.plans(t, woman(9, "weeks", "60"))...)[0].Outcomes[0]; o.Status != actions.Retry {
				t.Errorf("somebody who is not there: %+v", o)
			}
			s.target = admin
		})
	}
}

// TestAccessOfOtherPrograms says that nobody is let into a closed program, and that an open one needs no reason.
func TestAccessOfOtherPrograms(t *testing.T) {
	for level, want := range map[string]string{"CLOSED": "error not-protected", "OPEN": "warning not-protected", "PROTECTED": ""} {
		s, clerk := protectedSite(t, "2.42", level)
		rule := loadRule(t, s.index, ruleText(strings.Replace(visitRule, "ACCESS",
			"temporary_access: {value: Referral form}", 1)), womanSample)
		got := ""
		for _, d := range rule.findings.List {
			got = d.Severity.String() + " " + d.Code
		}
		if got != want {
			t.Errorf("%s: %q, want %q", level, got, want)
		}
		if level != "CLOSED" {
			continue
		}
		register := s.loadRule(strings.ReplaceAll(registration, "WHEN_DELETED", "when_deleted: fail"), womanSample)
		s.deliver(register.plans(t, woman(1, "place", "TM-020102"))...)
		s.target = clerk
		without := s.loadRule(ruleText(strings.Replace(visitRule, "ACCESS\n", "\n", 1)), womanSample)
		o := s.deliver(without.plans(t, woman(1, "weeks", "60"))...)[0].Outcomes[0]
		if o.Class != actions.ClassRights || !strings.Contains(o.Hint, "the program is closed") {
			t.Errorf("a closed program: %+v", o)
		}
	}
}
