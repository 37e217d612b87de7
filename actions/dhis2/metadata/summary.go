package metadata

import (
	"fmt"
	"strings"
)

// Summary says in a line what a snapshot holds.
func (s *Snapshot) Summary() string {
	parts := []string{}
	add := func(n int, one, many string) {
		switch n {
		case 0:
		case 1:
			parts = append(parts, "1 "+one)
		default:
			parts = append(parts, fmt.Sprintf("%d %s", n, many))
		}
	}
	add(len(s.OrgUnits), "org unit", "org units")
	add(len(s.Programs), "program", "programs")
	add(len(s.TrackedEntityAttributes), "tracked entity attribute", "tracked entity attributes")
	add(len(s.DataSets), "data set", "data sets")
	add(len(s.DataElements), "data element", "data elements")
	add(len(s.OptionSets), "option set", "option sets")
	if len(parts) == 0 {
		return "nothing that the user may see"
	}
	return strings.Join(parts, ", ")
}
