package rules

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/culvert/culvert/rules/diag"
)

// ids names rules that share ids without having said so, or that look as if they should share them and do not.
func (p *projectCheck) ids(all []*Rule) {
	p.namespaces(all)
	for i, r := range all {
		for _, other := range all[:i] {
			p.pair(r, other)
		}
	}
	p.nobody(all)
}

// namespaces: a name that is another rule's own namespace is shared only when that one says so too.
func (p *projectCheck) namespaces(all []*Rule) {
	for _, r := range all {
		if !r.SaysRecords() || r.Records() == r.Name {
			continue
		}
		for _, other := range all {
			if other.Name == r.Records() && !other.SaysRecords() && len(other.RecordObjects()) > 0 {
				p.add(diag.Error, "namespace-of-a-rule",
					fmt.Sprintf("the namespace %q is the rule %q's own, which does not share it", r.Records(), other.Name),
					"write namespace: "+r.Records()+" in that rule too, or choose another name", r.NamespacePlace(), other.place,
					"the rule whose namespace it is")
			}
		}
	}
}

// pair compares what two rules of one server make. One finding is enough for two rules.
func (p *projectCheck) pair(r, other *Rule) {
	for _, a := range r.ids {
		for _, b := range other.ids {
			if a.action.Server == b.action.Server && a.Object == b.Object && a.Creates && b.Creates &&
				a.People == b.People && p.compareIDs(r, other, a, b) {
				return
			}
		}
	}
}

func (p *projectCheck) compareIDs(r, other *Rule, a, b *declaredIDs) bool {
	hint := "write namespace: in both rules: the same name if equal ids are one and the same, a name of its own in " +
		"each if not; namespace: project keeps ids that were sent before"
	if a.People {
		says := r.namespace.people != "" && other.namespace.people != ""
		if r.People() != other.People() || says || !countsUp(a.samples) || !countsUp(b.samples) {
			return false
		}
		p.add(diag.Error, "ids-shared",
			fmt.Sprintf("the rule %q makes %s too, and the external ids of both are small numbers: number 1 of one would be "+
				"number 1 of the other", other.Name, a.Label),
			hint, a.Place, b.Place, "the other rule's ids")
		return true
	}
	if r.Records() == other.Records() {
		if !countsUp(a.samples) || !countsUp(b.samples) || !r.Trigger.About.Tables || !other.Trigger.About.Tables {
			return false
		}
		p.add(diag.Warning, "ids-shared",
			fmt.Sprintf("the rule %q makes %s in the same namespace, and the ids of both are small numbers: number 1 of one "+
				"is number 1 of the other", other.Name, a.Label),
			"give each rule a namespace of its own unless both read the same numbers", a.Place, b.Place, "the other rule's ids")
		return true
	}
	if r.SaysRecords() || other.SaysRecords() || !common2(a.samples, b.samples) {
		return false
	}
	p.add(diag.Warning, "ids-apart",
		fmt.Sprintf("the rule %q makes %s with the same ids, and each rule makes its own: what comes through both is "+
			"there twice", other.Name, a.Label),
		hint, a.Place, b.Place, "the other rule's ids")
	return true
}

// nobody warns of rules that speak of what other rules make, in another namespace than all of those.
func (p *projectCheck) nobody(all []*Rule) {
	for _, r := range all {
		for _, d := range r.ids {
			if d.Creates || d.Found {
				continue
			}
			maker, same := p.makers(all, r, d)
			if maker == nil || same {
				continue
			}
			name := maker.Records()
			if d.People {
				name = maker.People()
			}
			p.add(diag.Warning, "ids-apart",
				fmt.Sprintf("the rule speaks of %s, and the rule %q that makes them has the namespace %q: it never finds one",
					d.Label, maker.Name, name),
				"write the same namespace: in both rules; namespace: project keeps ids that were sent before", d.Place,
				maker.NamespacePlace(), "the rule that makes them")
			break
		}
	}
}

// makers gives a rule that makes what another speaks of, and tells whether one does in the same namespace.
func (p *projectCheck) makers(all []*Rule, r *Rule, d *declaredIDs) (maker *Rule, same bool) {
	for _, other := range all {
		for _, o := range other.ids {
			if o.action.Server != d.action.Server || o.Object != d.Object || !o.Creates || o.People != d.People {
				continue
			}
			if d.People && other.People() == r.People() || !d.People && other.Records() == r.Records() {
				return other, true
			}
			maker = other
		}
	}
	return maker, false
}

var smallNumber = regexp.MustCompile(`^[0-9]{1,5}$`)

// countsUp tells whether ids are no more than small numbers, as rows and registers have them: every
// file begins at 1 again.
func countsUp(ids []string) bool {
	return len(ids) > 0 && !slices.ContainsFunc(ids, func(id string) bool { return !smallNumber.MatchString(id) })
}

// common2 tells whether two samples have an id in common that is more than a small number, or ids
// of the form that machines make.
func common2(a, b []string) bool {
	return slices.ContainsFunc(a, func(id string) bool { return !smallNumber.MatchString(id) && slices.Contains(b, id) })
}
