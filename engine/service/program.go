package service

import (
	"fmt"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/program"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/sources"
)

// Flows makes the runnable flows of a project's rules. A rule with errors is in it, marked invalid,
// so that its records are held.
func Flows(p *project.Project) map[string]*program.Flow {
	flows := map[string]*program.Flow{}
	for _, r := range p.Rules {
		f := &program.Flow{Rule: r.Rule, Actions: r.Actions, Server: r.Server, Notify: tells(p.Sources, &r.Trigger)}
		if d, bad := firstError(r.Findings); bad {
			f.Invalid = &journal.Problem{Problem: d.Problem}
			f.Invalid.Message = "the rule is invalid: " + d.Message
		}
		if _, taken := flows[r.Name]; taken {
			continue // two rules of one name: both have a finding, the first one stands for it
		}
		flows[r.Name] = f
	}
	findAttachments(p, flows)
	return flows
}

// tells tells whether the source of a rule's records is told how they were settled.
func tells(kinds []sources.Kind, t *rules.Trigger) bool {
	k, ok := sources.Named(kinds, t.Kind).(sources.Telling)
	return ok && k.Tells(t)
}

func firstError(l diag.List) (diag.Diagnostic, bool) {
	for _, d := range l {
		if d.Severity == diag.Error {
			return d, true
		}
	}
	return diag.Diagnostic{}, false
}

// Flow gives the runnable flow of one rule, by its name or its file. The error says what is wrong with it.
func Flow(p *project.Project, name string) (*program.Flow, *project.Rule, error) {
	for _, r := range p.Rules {
		if r.Name != name && r.Path != name {
			continue
		}
		if d, bad := firstError(r.Findings); bad {
			return nil, r, fmt.Errorf("rule %s has mistakes, the first: %s: run `culvert validate`", r.Name, d.String())
		}
		return Flows(p)[r.Name], r, nil
	}
	if rel, err := p.Relative(name); err == nil && rel != name {
		return Flow(p, rel)
	}
	return nil, nil, fmt.Errorf("there is no rule %q in this project%s", name, nearest(p, name))
}

func nearest(p *project.Project, name string) string {
	var names []string
	for _, r := range p.Rules {
		names = append(names, r.Name)
	}
	if near := diag.Nearest(name, names); len(near) > 0 {
		return fmt.Sprintf(": did you mean %q?", near[0])
	}
	return ""
}
