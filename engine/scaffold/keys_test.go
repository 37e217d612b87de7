package scaffold

import (
	"strings"
	"testing"

	"github.com/culvert/culvert/actions/dhis2/metadata"
)

// TestPlaceAndDayAreFoundByWhatFormsCallThem: by other words for the day of a visit, and with what is wrong said of a
// column of org units of which one is misspelt. Decimal commas are read where they can be nothing else.
func TestPlaceAndDayAreFoundByWhatFormsCallThem(t *testing.T) {
	element := metadata.DataElement{Named: metadata.Named{ID: "ddddddddddd", Name: "Weight (kg)"}, ValueType: "NUMBER",
		DomainType: "TRACKER"}
	s := &metadata.Snapshot{DataElements: []metadata.DataElement{element},
		OrgUnits: []metadata.OrgUnit{{Named: metadata.Named{ID: "ooooooooooo", Name: "Coral", Code: "TM-01"}},
			{Named: metadata.Named{ID: "ooooooooooz", Name: "Heron", Code: "TM-02"}}},
		Programs: []metadata.Program{{Named: metadata.Named{ID: "ppppppppppp", Name: "Visits"},
			Type: metadata.WithoutRegistration,
			Stages: []metadata.ProgramStage{{Named: metadata.Named{ID: "sssssssssss", Name: "Visit"},
				DataElements: []metadata.StageElement{{DataElement: metadata.Ref{ID: element.ID}}}}}}}}
	for _, test := range []struct {
		name string
		rows []any
		want string
	}{
		{"French", []any{map[string]any{"Date de la consultation": "2026-01-01", "Date du retour": "2026-02-01"}},
			`occurred_at: trigger["Date de la consultation"] #`},
		{"the day of the visit before that of the form", []any{map[string]any{"today": "2026-01-02", "visit": "2026-01-01"}},
			`occurred_at: trigger.visit #`},
		{"the day of the form names the others", []any{map[string]any{"today": "2026-01-02", "seen": "2026-01-01"}},
			`occurred_at: trigger.today # a date called "today"; is it the day that the record is about, or is it trigger.seen?`},
		{"one misspelt place", []any{map[string]any{"structure": "Coral"}, map[string]any{"structure": "Coral"},
			map[string]any{"structure": "Corral"}}, `trigger.structure holds org units, but none is like "Corral"`},
		{"a day that fits two formats", []any{map[string]any{"Date visite": "03/02/2026"}},
			`perhaps trigger["Date visite"], but its dates fit several formats: add format: dd/MM/yyyy or MM/dd/yyyy`},
		{"decimal comma", []any{map[string]any{"Poids": "61,5"}, map[string]any{"Poids": "58"}},
			`Weight (kg): {from: trigger.Poids, format: '1.234,5'} #`},
		{"comma that could be either", []any{map[string]any{"Poids": "1,234"}},
			`its numbers fit several formats: add format: 1.234,5 or 1,234.5`},
		{"decimal point", []any{map[string]any{"Poids": "61.5"}}, `Weight (kg): trigger.Poids #`},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := draft(t, Request{Name: "v", Trigger: "files", Address: "drop", Bodies: test.rows,
				Program: &s.Programs[0], Index: metadata.NewIndex(s)})
			if !strings.Contains(text, test.want) {
				t.Errorf("%q is not in\n%s", test.want, text)
			}
		})
	}
}
