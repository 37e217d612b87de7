package rehearsal

import (
	"fmt"

	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/rules/diag"
)

// Broken gives the outcomes of the tests of a rule with mistakes: none of them can run, and each
// says why. A rule without tests has one outcome.
func Broken(r *project.Rule) []Outcome {
	problems := []string{"the rule has mistakes, so that no record can be evaluated:"}
	for _, d := range r.Findings {
		if d.Severity == diag.Error && len(problems) < 6 {
			problems = append(problems, d.String())
			if d.Hint != "" {
				problems = append(problems, "fix: "+d.Hint)
			}
		}
	}
	if len(r.Tests) == 0 {
		return []Outcome{{Rule: r.Name, Test: "(the rule itself)", Place: diag.Place{File: r.Path}, Problems: problems}}
	}
	var out []Outcome
	for i, t := range r.Tests {
		o := Outcome{Rule: r.Name, Test: t.Name, Place: t.Place, Problems: problems}
		if i > 0 {
			o.Problems = []string{fmt.Sprintf("the rule has mistakes, see test %q", r.Tests[0].Name)}
		}
		out = append(out, o)
	}
	return out
}
