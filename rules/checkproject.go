package rules

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/culvert/culvert/rules/diag"
)

// CheckProject checks rules against each other: names, ids, and fields that two rules write. What
// triggers share is for their kinds to check.
func CheckProject(all []*Rule) diag.List {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b *Rule) int { return cmp.Compare(a.Path, b.Path) })
	p := projectCheck{}
	p.names(all)
	p.writes(all)
	p.ids(all)
	p.findings.Sort()
	return p.findings
}

type projectCheck struct{ findings diag.List }

func (p *projectCheck) add(severity diag.Severity, code, message, hint string, place, other diag.Place,
	related string) {
	p.findings.Add(diag.Diagnostic{Severity: severity, Problem: diag.Problem{Code: code, Message: message, Hint: hint,
		Place: place},
		Related: []diag.Related{{Place: other, Message: related}}})
}

func (p *projectCheck) names(all []*Rule) {
	first := map[string]*Rule{}
	for _, r := range all {
		if o := first[r.Name]; o != nil {
			p.add(diag.Error, "duplicate-rule", fmt.Sprintf("two rules are named %q", r.Name),
				"give each rule: a name of its own; records and failures are kept under it", r.place, o.place, "the other rule")
			continue
		}
		first[r.Name] = r
	}
}

// writes warns where it depends on which record came last which rule's value stands in DHIS2: one
// warning for two rules and an object. Rules that write the very same fields are two ways for the
// same records, such as a webhook and a dropped export, and agree.
func (p *projectCheck) writes(all []*Rule) {
	type object struct{ server, name string }
	written := map[object][]*writer{}
	for _, r := range all {
		for _, w := range r.writes {
			key := object{w.server, w.object}
			list := written[key]
			if len(list) == 0 || list[len(list)-1].rule != r {
				list = append(list, &writer{rule: r, fields: map[string]diag.Place{}})
				written[key] = list
			}
			list[len(list)-1].fields[w.field] = w.place
		}
	}
	for key, writers := range written {
		p.shared(key.name, writers)
	}
}

// writer is a rule with the fields of one object that it writes.
type writer struct {
	rule   *Rule
	fields map[string]diag.Place
}

// shared warns of the fields of an object that two rules write. A country has many rules for the
// same program and most of them write the same fields, so that sets of fields are compared once and
// not for every two rules.
func (p *projectCheck) shared(object string, writers []*writer) {
	var order []string
	sets := map[string][]*writer{}
	for _, w := range writers {
		set := strings.Join(slices.Sorted(maps.Keys(w.fields)), "\x00")
		for _, other := range order {
			both := common(w, sets[other][0])
			if other == set || len(both) == 0 {
				continue
			}
			for _, o := range sets[other] {
				p.sharedBy(object, both, w, o)
			}
		}
		if sets[set] == nil {
			order = append(order, set)
		}
		sets[set] = append(sets[set], w)
	}
}

// common gives the fields that both write, sorted.
func common(a, b *writer) []string {
	var both []string
	for name := range a.fields {
		if _, ok := b.fields[name]; ok {
			both = append(both, name)
		}
	}
	slices.Sort(both)
	return both
}

func (p *projectCheck) sharedBy(object string, both []string, w, other *writer) {
	fields := diag.Names(both[:min(3, len(both))], "and")
	if n := len(both) - 3; n > 0 {
		fields += fmt.Sprintf(" and %d more", n)
	}
	p.add(
		diag.Warning,
		"written-twice",
		fmt.Sprintf("the rule %q writes %s of %s too, as this rule does", other.rule.Name, fields, object),
		"have one rule write each field, or be sure that the later record is to win",
		w.fields[both[0]],
		other.fields[both[0]],
		"written here",
	)
}
