package service

import (
	"bytes"
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

// TestTextOfARule has what a trigger was made of change with every file that its rule takes keys
// from, and stay a rule's own file where there is none: what was read by that text is not read again.
func TestTextOfARule(t *testing.T) {
	files := map[string]string{
		"shared/visits.yaml": "extends: shared/all.yaml\nlookups: {}\n",
		"shared/all.yaml":    "id: trigger.a\n",
	}
	env := rules.Environment{ReadFile: func(name string) ([]byte, error) { return []byte(files[name]), nil }}
	for _, k := range project.SourceKinds() {
		env.TriggerKinds = append(env.TriggerKinds, sources.TriggerKind(k))
	}
	text := func(extends string) []byte {
		r, _ := rules.Load(
			"rules/a.yaml",
			[]byte(extends+"trigger:\n  webhook: {path: /forms}\nactions:\n  - dhis2.event: {program: X}\n"),
			env,
		)
		list := bound(&program.Program{Rules: map[string]*program.Flow{"a": {Rule: r}}}, project.SourceKinds(), "webhook")
		if len(list) != 1 {
			t.Fatal(list)
		}
		return list[0].Text
	}
	if alone := text(""); !bytes.HasPrefix(alone, []byte("trigger:")) || bytes.Contains(alone, []byte{0}) {
		t.Errorf("a rule alone: %q", alone)
	}
	before := text("extends: shared/visits.yaml\n")
	for _, name := range []string{"shared/visits.yaml", "shared/all.yaml"} {
		was := files[name]
		files[name] += "missing: [none]\n"
		if bytes.Equal(before, text("extends: shared/visits.yaml\n")) {
			t.Errorf("%s changed, and the text did not", name)
		}
		files[name] = was
	}
	if !bytes.Equal(before, text("extends: shared/visits.yaml\n")) {
		t.Error("the text changed by itself")
	}
}
