package service

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/culvert/culvert/engine/journal"
	"github.com/culvert/culvert/engine/project"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/diag"
)

// metaNamespaces is the journal's note of which namespaces the rules have sent under.
const metaNamespaces = "namespaces"

// namespaces is that note. It tells a rule that was renamed from a new one, and rules that have
// sent before there were namespaces from later ones.
type namespaces struct {
	// Legacy are the namespaces of records whose ids are the project's: those of rules that had sent
	// something before there were namespaces.
	Legacy []string `json:"legacy,omitempty"`
	// Rules are the rules that have run, by name.
	Rules map[string]ruleNamespace `json:"rules,omitempty"`
}

// ruleNamespace is what a rule ran under.
type ruleNamespace struct {
	Records string   `json:"records"`
	People  string   `json:"people"`
	Own     bool     `json:"own,omitempty"` // the rule did not say: its name was the namespace
	Objects []string `json:"objects,omitempty"`
	Used    bool     `json:"used,omitempty"` // it had records
}

// legacy tells whether the ids of a namespace of records are the project's.
func (n *namespaces) legacy(name string) bool { return slices.Contains(n.Legacy, name) }

// scope is what two names of one namespace of records have in common.
func (n *namespaces) scope(name string) string {
	if n.legacy(name) {
		return rules.ProjectNamespace
	}
	return name
}

func readNamespaces(ctx context.Context, j journal.Journal) (*namespaces, bool, error) {
	text, err := j.Meta(ctx, metaNamespaces)
	if err != nil {
		return nil, false, fmt.Errorf("read the namespaces of the rules: %w", err)
	}
	n := &namespaces{Rules: map[string]ruleNamespace{}}
	if text == "" {
		return n, false, nil
	}
	if err := json.Unmarshal([]byte(text), n); err != nil {
		return nil, false, fmt.Errorf("read the namespaces of the rules: %w", err)
	}
	if n.Rules == nil {
		n.Rules = map[string]ruleNamespace{}
	}
	return n, true, nil
}

func (n *namespaces) save(ctx context.Context, j journal.Journal) error {
	text, err := json.Marshal(n)
	if err == nil {
		err = j.SetMeta(ctx, metaNamespaces, string(text))
	}
	if err != nil {
		return fmt.Errorf("keep the namespaces of the rules: %w", err)
	}
	return nil
}

// senders gives the rules of which the journal has or had records.
func senders(ctx context.Context, j journal.Journal) (map[string]bool, error) {
	sum, err := j.Summary(ctx)
	if err != nil {
		return nil, err
	}
	used := map[string]bool{}
	for _, r := range sum.Rules {
		used[r.Rule] = true
	}
	files, err := j.Files(ctx, "")
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		used[f.Rule] = true
	}
	return used, nil
}

// beginNamespaces makes the note where there is none: empty in a new journal, and with the rules
// that have sent in one that is older than namespaces.
func beginNamespaces(ctx context.Context, j journal.Journal) error {
	n, there, err := readNamespaces(ctx, j)
	if err != nil || there {
		return err
	}
	used, err := senders(ctx, j)
	if err != nil {
		return fmt.Errorf("see which rules have sent records: %w", err)
	}
	n.Legacy = slices.Sorted(maps.Keys(used))
	return n.save(ctx, j)
}

// checkNamespaces holds the rules of a project whose ids would not be those of what they have sent:
// they get a finding, and do not run until it is settled. The answer says what the others run
// under, and is to be saved once they do.
func checkNamespaces(ctx context.Context, j journal.Journal, p *project.Project) (*namespaces, error) {
	n, _, err := readNamespaces(ctx, j)
	if err != nil {
		return nil, err
	}
	used, err := senders(ctx, j)
	if err != nil {
		return nil, fmt.Errorf("see which rules have sent records: %w", err)
	}
	for name, r := range n.Rules {
		if r.Used = r.Used || used[name]; r.Used {
			n.Rules[name] = r
		}
	}
	for _, r := range p.Rules {
		if _, bad := firstError(r.Findings); bad {
			continue
		}
		if d, wrong := n.check(p, r); wrong {
			r.Findings.Add(d)
			p.Findings.Add(d)
			continue
		}
		n.Rules[r.Name] = ruleNamespace{
			Records: r.Records(), People: r.People(), Own: !r.SaysRecords(), Objects: objectsOf(r),
			Used: n.Rules[r.Name].Used || used[r.Name],
		}
	}
	p.Former = n.former(p)
	return n, nil
}

// former gives the rules that go on with what another rule has sent, by that one's name.
func (n *namespaces) former(p *project.Project) map[string]string {
	list := map[string]string{}
	for name, old := range n.Rules {
		if !old.Own || p.RuleNamed(name) != nil {
			continue
		}
		for _, r := range p.Rules {
			if r.SaysRecords() && r.Records() == name {
				list[name] = r.Name
				break
			}
		}
	}
	return list
}

// takeNamespaces checks the namespaces of a project's rules, and has ids derived accordingly.
func (s *Service) takeNamespaces(ctx context.Context, p *project.Project) error {
	n, err := checkNamespaces(ctx, s.journal, p)
	if err != nil {
		return err
	}
	s.o.Loader.SetLegacy(n.Legacy)
	return n.save(ctx, s.journal)
}

// objectsOf lists what a rule makes by the ids of its records, on which server.
func objectsOf(r *project.Rule) []string {
	list := r.RecordObjects()
	slices.Sort(list)
	return slices.Compact(list)
}

// codeRenamed is the finding of a rule that looks as if it had another name before.
const codeRenamed = "renamed-rule"

// codeNamespace is the finding of a rule whose namespace is not the one under which it has sent records.
const codeNamespace = "namespace-changed"

// ofNamespace tells whether a finding needs the journal.
func ofNamespace(code string) bool { return code == codeRenamed || code == codeNamespace }

// check tells what keeps a rule from running under the namespace that it has now.
func (n *namespaces) check(p *project.Project, r *project.Rule) (diag.Diagnostic, bool) {
	was, known := n.Rules[r.Name]
	if known && was.Used {
		return n.changed(r, was)
	}
	if known || r.SaysRecords() || n.legacy(r.Name) {
		return diag.Diagnostic{}, false
	}
	objects := objectsOf(r)
	for _, name := range slices.Sorted(maps.Keys(n.Rules)) {
		old := n.Rules[name]
		if !old.Used || !old.Own || p.RuleNamed(name) != nil || taken(p, name) ||
			!slices.ContainsFunc(objects, func(o string) bool { return slices.Contains(old.Objects, o) }) {
			continue
		}
		return diag.Diagnostic{Problem: diag.Problem{
			Code: codeRenamed, Place: r.Place(),
			Message: fmt.Sprintf("the rule %q, which has sent records to the same place, is gone: if this is the same rule "+
				"under a new name, its records would become second objects", name),
			Hint: fmt.Sprintf("write namespace: {records: %s} if it is the same rule, or namespace: {records: %s} if it "+
				"is another", name, r.Name),
		}}, true
	}
	return diag.Diagnostic{}, false
}

// taken tells whether a rule has taken over the namespace of one that is gone.
func taken(p *project.Project, name string) bool {
	return slices.ContainsFunc(p.Rules, func(r *project.Rule) bool { return r.SaysRecords() && r.Records() == name })
}

func (n *namespaces) changed(r *project.Rule, was ruleNamespace) (diag.Diagnostic, bool) {
	d := diag.Diagnostic{Problem: diag.Problem{Code: codeNamespace, Place: r.NamespacePlace()}}
	switch {
	case n.scope(was.Records) != n.scope(r.Records()) && len(was.Objects) > 0:
		d.Message = fmt.Sprintf("the rule has sent records under the namespace %q and has %q now: every record would "+
			"become a second object", was.Records, r.Records())
		d.Hint = fmt.Sprintf("write namespace: {records: %s}", n.scope(was.Records))
	case was.People != r.People():
		d.Message = fmt.Sprintf("the rule has sent people under the namespace %q and has %q now: every person would be "+
			"made a second time", was.People, r.People())
		d.Hint = fmt.Sprintf("write namespace: {people: %s}", was.People)
	default:
		return d, false
	}
	return d, true
}
