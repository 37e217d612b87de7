package project

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/culvert/culvert/actions/dhis2/metadata"
)

// TestWanted reads of rule files what a sync is to read beyond what it always does, however it is written.
func TestWanted(t *testing.T) {
	for text, want := range map[string]metadata.Wanted{
		"lookups:\n  nurse: {in: users, username: trigger.nurse}\n":          {Users: true},
		"lookups:\n  nurse:\n    in: \"users\"\n":                            {Users: true},
		"lookups:\n  ward: {in: organisationUnits, among: Hospitals}\n":      {GroupMembers: true},
		"actions:\n  - x: {when: 'any(clinic.groups, .code == \"URBAN\")'}":  {GroupMembers: true},
		"lookups:\n  clinic: {in: organisationUnits, code: trigger.users}\n": {},
		"{{{": {},
	} {
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, RulesDir, "below"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, RulesDir, "below", "a.yaml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := Wanted(dir); err != nil || got != want {
			t.Errorf("%s: %+v, want %+v (%v)", text, got, want, err)
		}
	}
}
