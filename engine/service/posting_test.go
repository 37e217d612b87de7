package service

import (
	"testing"

	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/sources"
)

// TestPostsOfAPull has the webhook take what is posted to a rule that also pulls, with the keys
// that stand there, and the pull keep its own.
func TestPostsOfAPull(t *testing.T) {
	env := rules.Environment{}
	for _, k := range project.SourceKinds() {
		env.TriggerKinds = append(env.TriggerKinds, sources.TriggerKind(k))
	}
	prog := &program.Program{Rules: map[string]*program.Flow{}}
	for name, trigger := range map[string]string{
		"both":  "kobo: {connection: k, asset: aQ2wE4rT6yU8iO0pA2sD4f, webhook: {path: /kobo}}",
		"pull":  "kobo: {connection: k, asset: aQ2wE4rT6yU8iO0pA2sD4f}",
		"posts": "webhook: {path: /forms}",
	} {
		r, findings := rules.Load("rules/"+name+".yaml",
			[]byte("trigger:\n  "+trigger+"\nid: trigger._id\nactions:\n  - dhis2.event: {program: X}\n"), env)
		if r == nil || findings.List.HasErrors() {
			t.Fatal(findings.List)
		}
		prog.Rules[name] = &program.Flow{Rule: r}
	}
	names := func(kind string) (out string) {
		for _, b := range bound(prog, project.SourceKinds(), kind) {
			out += b.Rule + " "
			if kind == "webhook" && b.Trigger.Config.Get("path") == nil {
				t.Errorf("%s has no path", b.Rule)
			}
		}
		return out
	}
	if got := names("webhook"); got != "both posts " {
		t.Errorf("the webhook serves %s", got)
	}
	if got := names("kobo"); got != "both pull " {
		t.Errorf("it is pulled for %s", got)
	}
}
