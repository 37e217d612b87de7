package identity

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Policies are the ways in which the rules of one server tell who somebody is. Two rules may tell it
// by different attributes: one by a number, the other by name and date of birth. A record is locked
// under all that any rule could find its person by, so that two that are about one person have a
// name in common. It is safe for concurrent use.
type Policies struct {
	mu sync.RWMutex
	of map[string][]*Weighed // by type; without values
}

// Add notes that a rule tells people of a type by attributes that have enough points together.
func (l *Policies) Add(typ string, atLeast float64, parts ...Weight) {
	if len(parts) == 0 {
		return
	}
	parts = slices.Clone(parts)
	slices.SortFunc(parts, func(a, b Weight) int { return strings.Compare(a.Attribute, b.Attribute) })
	policy := &Weighed{Parts: parts, AtLeast: atLeast}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.of == nil {
		l.of = map[string][]*Weighed{}
	}
	if !slices.ContainsFunc(l.of[typ], func(w *Weighed) bool { return w.signature() == policy.signature() }) {
		l.of[typ] = append(l.of[typ], policy)
	}
}

func (w *Weighed) signature() string {
	var b strings.Builder
	for _, p := range w.Parts {
		fmt.Fprintf(&b, "%s=%g ", p.Attribute, p.Points)
	}
	fmt.Fprintf(&b, ">%g", w.AtLeast)
	return b.String()
}

// list gives the policies for a type; nil where there is but one, which is the record's own.
func (l *Policies) list(typ string) []*Weighed {
	if l == nil {
		return nil
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if len(l.of[typ]) < 2 {
		return nil
	}
	return l.of[typ]
}

// othersNames are the names under which other rules could find the person, by what the record says
// and writes of it.
func (p *Person) othersNames() []string {
	policies := p.Policies.list(p.Type)
	if len(policies) == 0 {
		return nil
	}
	said := map[string]string{}
	for _, v := range p.Values {
		said[v.Attribute] = v.Value
	}
	if p.Weighed != nil {
		for _, m := range p.Weighed.Parts {
			said[m.Attribute] = m.Value
		}
	}
	for _, m := range p.Match {
		said[m.Attribute] = m.Value
	}
	own := p.ownNames()
	var list []string
	for _, policy := range policies {
		filled := &Weighed{AtLeast: policy.AtLeast}
		for _, part := range policy.Parts {
			if part.Value = said[part.Attribute]; plainText(part.Value) != "" {
				filled.Parts = append(filled.Parts, part)
			}
		}
		for _, name := range filled.names(p.Type, len(policy.Parts) == 1) {
			if !slices.Contains(own, name) && !slices.Contains(list, name) {
				list = append(list, name)
			}
		}
	}
	return list
}

// names are those of a policy whose values are known. single: it is of one attribute alone.
func (w *Weighed) names(typ string, single bool) []string {
	if single {
		list := make([]string, len(w.Parts))
		for n, part := range w.Parts {
			list[n] = nameBy(typ, part.Match)
		}
		return list
	}
	var list []string
	for _, parts := range w.enough() {
		list = append(list, "weighed:"+typ+" "+strings.Join(parts, " "))
	}
	return list
}
