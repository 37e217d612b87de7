package client

import (
	"slices"
	"strconv"
	"strings"
)

// values gives the positions of the values that a conflict is about; none: it is about the request or group as a whole.
func (f *conflict) values(set *DataValueSet) []int {
	if named := f.named(set); len(named) > 0 {
		return named
	}
	at := slices.DeleteFunc(slices.Clone(f.Indexes), func(i int) bool { return i < 0 || i >= len(set.Values) })
	if len(at) > 0 {
		return at
	}
	if i, ok := f.numbered(); ok && i < len(set.Values) {
		return []int{i}
	}
	return f.matching(set)
}

// named narrows a refusal of a whole group (2.43 and later) down to the values that hold what the
// server objects to. Such conflicts list every value of the group, and in their arguments, in
// brackets, what did not fit.
func (f *conflict) named(set *DataValueSet) []int {
	var of func(i int) string
	switch f.Code {
	case "E8003", "E8020":
		of = func(i int) string { return set.Values[i].DataElement }
	case "E8021", "E8030", "E8031", "E8032":
		of = func(i int) string { return orElse(set.Values[i].Period, set.Period) }
	case "E8011", "E8022":
		of = func(i int) string { return orElse(set.Values[i].OrgUnit, set.OrgUnit) }
	case "E8023":
		of = func(i int) string { return orElse(set.Values[i].AttributeOptionCombo, set.AttributeOptionCombo) }
	case "E8024":
		of = func(i int) string { return set.Values[i].CategoryOptionCombo }
	default:
		return nil
	}
	before, things, ok := bracketed(f.Objects["args"])
	if !ok {
		return nil
	}
	var at []int
	for i := range set.Values {
		if !slices.Contains(things, of(i)) {
			continue
		}
		// What stands before the brackets is the data set, and the data element or org unit that the rest is about.
		if f.Code == "E8024" && !strings.Contains(before, set.Values[i].DataElement) ||
			f.Code == "E8031" && !strings.Contains(before, orElse(set.Values[i].OrgUnit, set.OrgUnit)) {
			continue
		}
		at = append(at, i)
	}
	return at
}

// bracketed splits "FSh2AafV4XC-[a, b]" into what is before and the parts inside.
func bracketed(args string) (before string, things []string, ok bool) {
	before, rest, ok := strings.Cut(args, "[")
	if !ok {
		return "", nil, false
	}
	inside, _, ok := strings.Cut(rest, "]")
	if !ok {
		return "", nil, false
	}
	for part := range strings.SplitSeq(inside, ",") {
		things = append(things, strings.TrimSpace(part))
	}
	return before, things, true
}

// numbered reads the position out of "Value #3 ..." (2.43 and later, where the request as a whole
// is refused and the index is -1).
func (f *conflict) numbered() (int, bool) {
	_, rest, ok := strings.Cut(f.Value, "Value #")
	if !ok {
		return 0, false
	}
	end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if end <= 0 {
		return 0, false
	}
	i, err := strconv.Atoi(rest[:end])
	return i, err == nil
}

// matching finds the values that hold what a conflict names, for servers that give no positions
// (2.38, early 2.39). Conflicts about the data set match none.
func (f *conflict) matching(set *DataValueSet) []int {
	if len(f.Objects) == 0 || f.Indexes != nil {
		return nil
	}
	var at []int
	for i := range set.Values {
		v := &set.Values[i]
		held := map[string]string{
			"dataElement": v.DataElement, "period": orElse(v.Period, set.Period),
			"organisationUnit":    orElse(v.OrgUnit, set.OrgUnit),
			"categoryOptionCombo": v.CategoryOptionCombo, "attributeOptionCombo": orElse(v.AttributeOptionCombo,
				set.AttributeOptionCombo),
		}
		fits, compared := true, false
		for name, thing := range f.Objects {
			if value, known := held[name]; known {
				compared = true
				fits = fits && value == thing
			}
		}
		if fits && compared {
			at = append(at, i)
		}
	}
	return at
}

func orElse(a, b string) string {
	if a == "" {
		return b
	}
	return a
}
