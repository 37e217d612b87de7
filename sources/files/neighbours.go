package files

import (
	"path"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
)

// CheckAll reports rules that watch the same files: a file is taken away by the rule that reads it.
func (Kind) CheckAll(all []*rules.Rule, report func(diag.Diagnostic)) {
	first := map[string]*rules.Rule{}
	for _, r := range all {
		folder, glob := r.Trigger.Config.Get("folder"), r.Trigger.Config.Get("glob")
		if folder == nil || folder.Kind != yamlnode.Scalar || folder.IsNull() {
			continue
		}
		key := path.Clean(folder.Value) + "\x00"
		if glob != nil && glob.Kind == yamlnode.Scalar {
			key += glob.Value
		}
		if o := first[key]; o != nil {
			report(diag.Diagnostic{
				Problem: diag.Problem{Code: "watched-twice",
					Message: "another rule watches the same files, and a file goes to one rule only",
					Place:   folder.Place(),
					Hint:    "give each rule a folder: or a glob: of its own"},
				Related: []diag.Related{{Place: o.Trigger.Config.Get("folder").Place(), Message: "the other rule"}},
			})
			continue
		}
		first[key] = r
	}
}
