package project

import (
	"fmt"

	"github.com/culvert/culvert/lookups/records"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
)

// checkEarlier reports lookups in earlier records of rules that do not exist: they can find nothing.
func checkEarlier(list []*rules.Rule) (found diag.List) {
	known := map[string]bool{}
	var names []string
	for _, r := range list {
		known[r.Name] = true
		names = append(names, r.Name)
	}
	eachEarlier(list, func(_ *rules.Rule, a *records.Asked) {
		for _, n := range a.Named() {
			if !known[n.Value] {
				found.Add(diag.Diagnostic{Problem: diag.Problem{Code: "unknown-rule", Place: n.Place(),
					Message: fmt.Sprintf("there is no rule %q", n.Value), Hint: diag.Suggest(n.Value, names, "rules")}})
			}
		}
	})
	return found
}

// eachEarlier goes through the lookups in earlier records.
func eachEarlier(list []*rules.Rule, do func(r *rules.Rule, a *records.Asked)) {
	for _, r := range list {
		for _, l := range r.Lookups {
			if a, ok := l.Asked().(*records.Asked); ok {
				do(r, a)
			}
		}
	}
}

// LookedUp gives the rules whose earlier records some rule looks up: what went through of them must be kept, also
// where it was a row of a file.
func (p *Project) LookedUp() map[string]bool {
	plain := make([]*rules.Rule, 0, len(p.Rules))
	for _, r := range p.Rules {
		plain = append(plain, r.Rule)
	}
	out := map[string]bool{}
	eachEarlier(plain, func(r *rules.Rule, a *records.Asked) {
		if len(a.Rules) == 0 {
			out[r.Name] = true
		}
		for _, name := range a.Rules {
			out[name] = true
		}
	})
	return out
}

// TakesFiles tells whether the records of a kind of trigger are rows of files.
func TakesFiles(kind string) bool {
	k := sources.Named(SourceKinds(), kind)
	return k != nil && sources.TriggerKind(k).Tables
}
