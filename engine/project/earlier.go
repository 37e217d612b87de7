package project

import (
	"fmt"

	"github.com/culvert/culvert/lookups/records"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
)

// checkEarlier reports lookups in earlier records that can find nothing: those of rules that do not
// exist, and those of rows of files, which the journal does not keep.
func checkEarlier(list []*rules.Rule) (found diag.List) {
	files := map[string]bool{} // by rule, whether its records are rows of files
	var names []string
	for _, r := range list {
		files[r.Name] = TakesFiles(r.Trigger.Kind)
		names = append(names, r.Name)
	}
	for _, r := range list {
		for _, l := range r.Lookups {
			a, ok := l.Asked().(*records.Asked)
			if !ok {
				continue
			}
			if len(a.Named()) == 0 && files[r.Name] {
				found.Add(ofFiles(r.Name, l.Place))
			}
			for _, n := range a.Named() {
				switch ofFile, known := files[n.Value]; {
				case !known:
					found.Add(diag.Diagnostic{Problem: diag.Problem{Code: "unknown-rule", Place: n.Place(),
						Message: fmt.Sprintf("there is no rule %q", n.Value), Hint: diag.Suggest(n.Value, names, "rules")}})
				case ofFile:
					found.Add(ofFiles(n.Value, n.Place()))
				}
			}
		}
	}
	return found
}

// TakesFiles tells whether the records of a kind of trigger are rows of files.
func TakesFiles(kind string) bool {
	k := sources.Named(SourceKinds(), kind)
	return k != nil && sources.TriggerKind(k).Tables
}

func ofFiles(rule string, at diag.Place) diag.Diagnostic {
	return diag.Diagnostic{Problem: diag.Problem{Code: "records-of-files", Place: at,
		Message: fmt.Sprintf("the records of rule %q are rows of files, which are not kept once they are delivered", rule),
		Hint:    "look up what they wrote in DHIS2: in: trackedEntities, in: events"}}
}
