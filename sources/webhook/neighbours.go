package webhook

import (
	"fmt"
	"maps"
	"slices"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
)

// CheckAll checks the rules of each path against each other: one request goes to all of them, each
// with a filter of its own. A rule without a filter among them is probably a mistake, and two ways
// to log in cannot both hold.
func (Kind) CheckAll(all []*rules.Rule, report func(diag.Diagnostic)) {
	byPath := map[string][]*rules.Rule{}
	for _, r := range all {
		if n := r.Trigger.Config.Get("path"); n != nil && n.Kind == yamlnode.Scalar && !n.IsNull() {
			key := cleanPath(n.Value)
			byPath[key] = append(byPath[key], r)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(byPath)) {
		list := byPath[key]
		for _, r := range list[1:] {
			checkPair(key, r, list[0], report)
		}
	}
}

func checkPair(path string, r, first *rules.Rule, report func(diag.Diagnostic)) {
	place, other := r.Trigger.Config.Get("path").Place(), first.Trigger.Config.Get("path").Place()
	d := diag.Diagnostic{Problem: diag.Problem{Code: "webhook-path", Place: place},
		Related: []diag.Related{{Place: other, Message: "the other rule"}}}
	switch {
	case !r.Trigger.Config.Get("auth").Same(first.Trigger.Config.Get("auth")):
		d.Message = fmt.Sprintf("two rules take requests at %s and ask for different log-ins", path)
		d.Hint = "give them the same auth:, or paths of their own"
	case (r.Trigger.Config.Get("table") == nil) != (first.Trigger.Config.Get("table") == nil):
		d.Message = fmt.Sprintf("two rules take requests at %s, and only one of them takes tables", path)
		d.Hint = "give both table:, or paths of their own"
	case r.When == nil, first.When == nil:
		if r.When != nil {
			d.Place, d.Related[0].Place = other, place
		}
		d.Severity = diag.Warning
		d.Message = fmt.Sprintf("another rule takes the same requests at %s, and this one has no when:", path)
		d.Hint = "add when: so that each record has one rule, or choose another path"
	default:
		return
	}
	report(d)
}
