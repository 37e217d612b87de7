package deliver

import (
	"fmt"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/metadata"
)

// ruleOf finds the program rule that an issue speaks of by its uid, nil when it speaks of none that the snapshot knows.
func ruleOf(x *metadata.Index, issue client.Issue) *metadata.ProgramRule {
	if x == nil || !strings.HasPrefix(issue.Code, "E13") {
		return nil
	}
	said := issue.Message + " " + strings.Join(issue.Args, " ")
	for i := range x.Snapshot.ProgramRules {
		if r := &x.Snapshot.ProgramRules[i]; r.ID != "" && strings.Contains(said, r.ID) {
			return r
		}
	}
	return nil
}

// ruleCause says which program rule refused an object, with the text that its author wrote for
// people: it stands in the metadata and holds nothing of the record, so that failures can be
// grouped by it. What the rule adds of the record's values stands in the detail alone.
func ruleCause(r *metadata.ProgramRule) string {
	var texts []string
	for _, a := range r.Actions {
		if a.Content != "" && (strings.Contains(a.Type, "ERROR") || strings.Contains(a.Type, "MANDATORY")) {
			texts = append(texts, strings.TrimSpace(a.Content))
		}
	}
	if len(texts) == 0 {
		return fmt.Sprintf("the program rule %q of DHIS2 refuses it", r.Name)
	}
	return fmt.Sprintf("the program rule %q of DHIS2 refuses it: %s", r.Name, strings.Join(texts, "; "))
}
