package project

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
)

// TestTriggersThatGetInEachOthersWay loads rules that take the same requests or files, and looks at
// what their kinds say of them together.
func TestTriggersThatGetInEachOthersWay(t *testing.T) {
	const rest = "id: trigger.id\nactions:\n  - dhis2.event: {program: X}\n"
	var env rules.Environment
	for _, name := range []string{"webhook", "files"} {
		env.TriggerKinds = append(env.TriggerKinds, rules.TriggerKind{Name: name})
	}
	for name, c := range map[string]struct{ triggers, want []string }{
		"paths of their own": {[]string{"webhook: {path: /a}", "webhook: {path: /b}"}, nil},
		"one path": {[]string{"webhook: {path: /a}", "webhook: {path: a/}"},
			[]string{"rules/1.yaml warning webhook-path"}},
		"the first unchosen": {[]string{"webhook: {path: /a}", "webhook: {path: /a}\nwhen: trigger.id != ''"},
			[]string{"rules/0.yaml warning webhook-path"}},
		"both chosen": {[]string{"webhook: {path: /a}\nwhen: trigger.id == ''",
			"webhook: {path: /a}\nwhen: trigger.id != ''"}, nil},
		"two ways to log in": {[]string{"webhook: {path: /a, auth: {none: true}}", "webhook: {path: /a}"},
			[]string{"rules/1.yaml error webhook-path"}},
		"folders of their own": {[]string{"files: {folder: a}", "files: {folder: b}"}, nil},
		"globs of their own":   {[]string{"files: {folder: a, glob: x*}", "files: {folder: a, glob: y*}"}, nil},
		"one folder": {[]string{"files: {folder: a}", "files: {folder: a/}"},
			[]string{"rules/1.yaml error watched-twice"}},
	} {
		t.Run(name, func(t *testing.T) {
			var all []*rules.Rule
			for i, trigger := range c.triggers {
				first, more, _ := strings.Cut(trigger, "\n")
				r, findings := rules.Load(fmt.Sprintf("rules/%d.yaml", i), []byte("trigger:\n  "+first+"\n"+more+"\n"+rest), env)
				if r == nil || findings.List.HasErrors() {
					t.Fatal(findings.List)
				}
				all = append(all, r)
			}
			var got []string
			for _, d := range checkTogether(all, nil, SourceKinds()) {
				if d.Code == "webhook-path" || d.Code == "watched-twice" {
					got = append(got, fmt.Sprintf("%s %s %s", d.Place.File,
						map[bool]string{true: "warning", false: "error"}[d.Severity == diag.Warning], d.Code))
				}
				if len(d.Related) == 0 {
					t.Error(d)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
