package dhis2

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/rules/diag"
)

func findings(t testing.TB, x *metadata.Index, actions string) diag.List {
	t.Helper()
	return loadRule(t, x, ruleText(actions), womanSample).findings.List
}

func printed(list diag.List) string {
	var b strings.Builder
	for _, d := range list {
		fmt.Fprintf(&b, "  %d:%d: %s: %s [%s]\n", d.Place.Range.Start.Line, d.Place.Range.Start.Column, d.Severity,
			d.Message, d.Code)
		if d.Hint != "" {
			fmt.Fprintf(&b, "    help: %s\n", d.Hint)
		}
	}
	return b.String()
}

func TestFindings(t *testing.T) {
	var b strings.Builder
	for _, m := range mistakes {
		list := findings(t, country(), m.actions)
		if len(list) == 0 {
			t.Errorf("%s: nothing found", m.name)
		}
		fmt.Fprintf(&b, "%s\n%s", m.name, printed(list))
	}
	golden(t, "findings.golden", b.String())
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (run with -update to accept):\n%s", path, diff)
	}
}

// TestFindingsOfTheServer are mistakes that depend on what the server holds.
func TestFindingsOfTheServer(t *testing.T) {
	const enroll = `
  - dhis2.enroll:
      program: Antenatal care
      external_id: trigger.case
      org_unit: {value: Coral Health Centre}
      enrolled_at: trigger.date`
	tests := []struct {
		name   string
		change func(*metadata.Snapshot)
		code   string
	}{
		{"closed", func(s *metadata.Snapshot) { unit(s, "Coral Health Centre").ClosedDate = "2025-12-31" },
			"org-unit-closed"},
		{"out of scope", func(s *metadata.Snapshot) { s.User.CaptureUnits = nil }, "org-unit-out-of-scope"},
		{"no write access", func(s *metadata.Snapshot) {
			s.User.Authorities = nil
			for i := range s.Programs {
				s.Programs[i].Access.Data.Write = false
			}
		}, "no-write-access"},
		{"two of one name", func(s *metadata.Snapshot) {
			for i := range s.Programs {
				s.Programs[i].Name = "Antenatal care"
			}
		}, "ambiguous-name"},
		{"renamed", func(s *metadata.Snapshot) {
			for i := range s.Programs {
				if s.Programs[i].Name == "Antenatal care" {
					s.Programs[i].Name = "Antenatal care 2026"
					s.Former = append(s.Former, metadata.FormerNames{Collection: metadata.Programs, ID: s.Programs[i].ID,
						Names: []string{"Antenatal care"}})
				}
			}
		}, "renamed"},
		{"several org units of one name", func(s *metadata.Snapshot) {
			unit(s,
				"Coral Market Dispensary").Name = "Coral Health Centre"
		}, "ambiguous-name"},
		{"type not shared", func(s *metadata.Snapshot) { s.TrackedEntityTypes = nil }, "no-tracked-entity-type"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := snapshot(t)
			test.change(s)
			list := findings(t, metadata.NewIndex(s), enroll)
			if len(list) == 0 || list[0].Code != test.code {
				t.Errorf("want %s, found:\n%s", test.code, printed(list))
			}
			if test.code == "renamed" && (list[0].Fix == nil || list[0].Fix.Text != "Antenatal care 2026") {
				t.Errorf("no fix: %+v", list[0])
			}
		})
	}
	if list := findings(t, nil, enroll); len(list) != 1 || list[0].Code != "no-snapshot" {
		t.Errorf("without a snapshot:\n%s", printed(list))
	}
}

func unit(s *metadata.Snapshot, name string) *metadata.OrgUnit {
	for i := range s.OrgUnits {
		if s.OrgUnits[i].Name == name {
			return &s.OrgUnits[i]
		}
	}
	return &s.OrgUnits[len(s.OrgUnits)-1]
}

// Values of these types cannot be sent at all: said when the rule is checked, not when the first record fails.
func TestTypesThatCannotBeSent(t *testing.T) {
	for kind, code := range map[string]string{"TRACKER_ASSOCIATE": "unsupported-type"} {
		s := snapshot(t)
		s.Server.Version = "2.43.1"
		for i := range s.DataElements {
			if s.DataElements[i].Name == "Value of type text" {
				s.DataElements[i].ValueType = kind
			}
		}
		list := findings(t, metadata.NewIndex(s), `
  - dhis2.event:
      program: Every value type
      org_unit: trigger.place
      occurred_at: trigger.date
      data_values: {Value of type text: trigger.first}`)
		if len(list) != 1 || list[0].Code != code || list[0].Place.Range.Start.Line != 12 {
			t.Errorf("%s: %s", kind, printed(list))
		}
	}
}
