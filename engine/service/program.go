package service

import (
	"fmt"
	"slices"

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
	lookedUp := p.LookedUp()
	for _, r := range p.Rules {
		parts := partsOf(r)
		f := parts[0]
		f.Notify, f.KeepRows = tells(p.Sources, &r.Trigger), lookedUp[r.Name]
		if d, bad := firstError(r.Findings); bad {
			f.Invalid = &journal.Problem{Problem: d.Problem}
			f.Invalid.Message = "the rule is invalid: " + d.Message
		}
		if _, taken := flows[r.Name]; taken {
			continue // two rules of one name: both have a finding, the first one stands for it
		}
		for _, part := range parts {
			part.Invalid = f.Invalid
			flows[part.Name()] = part
		}
	}
	findAttachments(p, flows)
	return flows
}

// partsOf makes the flows of a rule, one for each place that it writes to, the first one first.
func partsOf(r *project.Rule) []*program.Flow {
	if len(r.Parts) == 0 {
		return []*program.Flow{Whole(r)}
	}
	afters := r.Afters()
	flows := make([]*program.Flow, len(r.Parts))
	for n, part := range r.Parts {
		f := &program.Flow{Rule: r.Rule, Server: part.Place, Home: r.Server}
		if flows[n] = f; n > 0 {
			f.Part = part.Place
		}
		for _, i := range part.Actions {
			f.Actions, f.After = append(f.Actions, r.Actions[i]), append(f.After, afters[i])
		}
		switch {
		case n == 0:
		case part.Before < 0:
			flows[0].Beside = append(flows[0].Beside, f)
		default:
			flows[part.Before].Next = append(flows[part.Before].Next, f)
		}
	}
	return flows
}

// Whole is a rule with all that it does, wherever that goes: for trying it, not for delivery.
func Whole(r *project.Rule) *program.Flow {
	return &program.Flow{Rule: r.Rule, Actions: r.Actions, After: r.Afters(), Server: r.Server, Home: r.Server}
}

// AtServers is what a rule does at servers of DHIS2, which can be rehearsed there: without what waits
// for answers of other systems.
func AtServers(p *project.Project, r *project.Rule) *program.Flow {
	f := &program.Flow{Rule: r.Rule, Server: r.Server, Home: r.Server}
	known := make([]bool, len(r.Parts))
	var numbers []int
	for n, part := range r.Parts {
		known[n] = p.Config.ServerNamed(part.Place) != nil && (part.Before < 0 || known[part.Before])
		if known[n] {
			numbers = append(numbers, part.Actions...)
		}
	}
	slices.Sort(numbers)
	afters := r.Afters()
	for _, i := range numbers {
		f.Actions, f.After = append(f.Actions, r.Actions[i]), append(f.After, afters[i])
	}
	return f
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
		whole := map[string]*program.Flow{r.Name: Whole(r)}
		findAttachments(p, whole)
		return whole[r.Name], r, nil
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
