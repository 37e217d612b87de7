package identity

import (
	"slices"
	"strings"

	"github.com/culvert/culvert/actions"
	"github.com/culvert/culvert/rules/diag"
)

// names are under which somebody is locked while being looked for: two records that could be about
// one person have one in common.
func (p *Person) names() []string { return append(p.ownNames(), p.othersNames()...) }

// ownNames are the names by which the record's own rule finds the person.
func (p *Person) ownNames() []string {
	list := make([]string, 0, len(p.Match)+1)
	for _, m := range p.Match {
		list = append(list, nameBy(p.Type, m))
	}
	if p.Weighed != nil {
		list = append(list, p.Weighed.names(p.Type, false)...)
	}
	return list
}

func nameBy(typ string, m Match) string {
	return "matched:" + typ + " " + m.Attribute + "=" + plainText(m.Value)
}

// maxWeighed is of how many weighed attributes all combinations are listed.
const maxWeighed = 8

// enough lists the smallest sets of values that have enough points: whoever is taken for the same
// person has all of one of them.
func (w *Weighed) enough() [][]string {
	parts := slices.Clone(w.Parts)
	if len(parts) > maxWeighed { // rarely: by what people are asked for, which is coarser
		list := make([][]string, 0, len(parts))
		for _, m := range w.asked() {
			list = append(list, []string{m.Attribute + "=" + plainText(m.Value)})
		}
		return list
	}
	slices.SortFunc(parts, func(a, b Weight) int { return strings.Compare(a.Attribute, b.Attribute) })
	var list [][]string
	for set := 1; set < 1<<len(parts); set++ {
		sum, least := 0.0, w.AtLeast
		var names []string
		for n, part := range parts {
			if set&(1<<n) != 0 {
				sum += part.Points
				least = min(least, part.Points)
				names = append(names, part.Attribute+"="+plainText(part.Value))
			}
		}
		if sum >= w.AtLeast && sum-least < w.AtLeast {
			list = append(list, names)
		}
	}
	return list
}

// alsoLookedFor is the outcome of a record about somebody who may be the one whom another record of
// its batch, of a rule that tells people by something else, looks for or creates.
func alsoLookedFor() actions.Outcome {
	return actions.Outcome{
		Status: actions.Retry, Class: actions.ClassTransient, Problem: diag.Problem{Code: actions.ObjectBusy,
			Message: "the same person is being looked for by another record",
			Hint:    "it is tried again by itself in a moment"}, RetryAfter: aMoment,
	}
}

// alsoCreated is the outcome of a record about somebody whom another record of its batch creates.
func alsoCreated(m Match) actions.Outcome {
	return actions.Outcome{
		Status: actions.Retry, Class: actions.ClassTransient, Problem: diag.Problem{Code: actions.ObjectBusy,
			Message: "another record that is sent now creates a person with the same " + m.Name,
			Hint:    "it is tried again by itself in a moment"}, RetryAfter: aMoment,
	}
}
