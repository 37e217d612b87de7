package service

import (
	"testing"

	"github.com/culvert/culvert/actions/dhis2/metadata"
)

// TestUnitsCalled finds org units as people type them in a search.
func TestUnitsCalled(t *testing.T) {
	t.Parallel()
	unit := func(id, name, code string) metadata.OrgUnit {
		return metadata.OrgUnit{Named: metadata.Named{ID: id, Name: name, Code: code}, Path: "/" + id}
	}
	x := metadata.NewIndex(&metadata.Snapshot{OrgUnits: []metadata.OrgUnit{
		unit("ouaaaaaaaa1", "Coral Health Centre", "TM-1"), unit("ouaaaaaaaa2", "CORAL Health Centre", "TM-2"),
		unit("ouaaaaaaaa3", "Heron", "TM-3"),
	}})
	for text, want := range map[string]int{"Coral Health Centre": 1, "coral health centre": 2, " heron ": 1, "TM-3": 1, "ouaaaaaaaa1": 1,
		"her%": 0, "*": 0, "'": 0, "  ": 0} {
		if got, _ := unitsCalled(x, text); len(got) != want {
			t.Errorf("%q: %d org units, not %d", text, len(got), want)
		}
	}
}
