package rules

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/expression"
	"github.com/culvert/culvert/rules/yamlnode"
)

// candidates reads what an object must be like: fields beside in:, where:, or any_of:. Known is nil
// when it is not known what there is.
func (c *compiler) candidates(l *Lookup, direct, n *yamlnode.Node, known []string, what string,
	scope *expression.Scope) {
	var groups []*yamlnode.Node
	if len(direct.Pairs()) > 0 {
		groups = append(groups, direct)
	}
	for _, key := range []string{"where", "any_of"} {
		for _, g := range oneOrMany(n.Get(key)) {
			if g.Kind == yamlnode.Mapping {
				groups = append(groups, g)
			}
		}
	}
	if len(groups) == 0 {
		hint := "add where: with the columns to compare, such as where: {code: trigger.code}"
		if what == "fields" {
			hint = "add what identifies it, such as code: trigger.facility_code"
		}
		c.fault(l.Place, "lookup-where", fmt.Sprintf("the lookup %q does not say what to look for", l.Name), hint)
		return
	}
	for _, g := range groups {
		var cand candidate
		broken := false
		for _, p := range criteria(g, what) {
			if known != nil && !slices.Contains(known, p.Key.Value) {
				c.fault(p.Key.Place(), "unknown-lookup-"+strings.TrimSuffix(what, "s"),
					fmt.Sprintf("%s have no %s %q", l.subject(), strings.TrimSuffix(what, "s"), p.Key.Value),
					diag.Suggest(p.Key.Value, known, what))
				broken = true
			}
			e := c.expr(p.Value, scope, expression.Text)
			if e == nil || broken {
				broken = true
				continue
			}
			cand = append(cand, criterion{field: p.Key.Value, expr: e})
		}
		if !broken {
			l.candidates = append(l.candidates, cand)
			c.checkConstant(l, cand)
		}
	}
}

// criteria gives the fields of a group, those of its attribute: among them.
func criteria(g *yamlnode.Node, what string) []yamlnode.Pair {
	var pairs []yamlnode.Pair
	for _, p := range g.Pairs() {
		if p.Key.Value == "attribute" && what == "fields" && p.Value.Kind == yamlnode.Mapping {
			pairs = append(pairs, p.Value.Pairs()...)
		} else {
			pairs = append(pairs, p)
		}
	}
	return pairs
}

// subject names what is searched, in the plural.
func (l *Lookup) subject() string {
	if l.Collection == "" {
		return "the rows of the table"
	}
	return l.Collection
}

// checkConstant looks up now what is the same for every record.
func (c *compiler) checkConstant(l *Lookup, cand candidate) {
	if c.env.Directory == nil || l.Collection == "" || len(cand) != 1 || l.match != matchExact ||
		!slices.Contains(c.env.Directory.Collections(), l.Collection) {
		return
	}
	v, ok := cand[0].expr.Constant()
	if !ok {
		return
	}
	text := textOf(v)
	if c.env.Directory.Lacks(l.Collection) {
		return
	}
	hits := c.env.Directory.Find(l.Collection, cand[0].field, text)
	if l.among != nil {
		hits = slices.DeleteFunc(slices.Clone(hits), func(o *Object) bool { return !l.among(o) })
	}
	if len(hits) == 1 {
		l.use(hits[0].ID, cand[0].expr.Place)
	}
	switch {
	case len(hits) == 0:
		c.fault(cand[0].expr.Place, "unknown-object", fmt.Sprintf("no %s has the %s %q", l.Collection, cand[0].field, text),
			diag.Suggest(text, c.env.Directory.Names(l.Collection, cand[0].field), cand[0].field+"s"))
	case len(hits) > 1 && l.onMany == lookupFail && l.level == 0:
		c.fault(cand[0].expr.Place, "ambiguous-object",
			fmt.Sprintf("%d %s have the %s %q", len(hits), l.Collection, cand[0].field, text),
			l.narrowing("use its code or id")+nameSome(anyOf(hits)))
	}
}

func anyOf(objects []*Object) []any {
	list := make([]any, len(objects))
	for i, o := range objects {
		list[i] = o
	}
	return list
}

// names gives the values of a field that the lookup may find.
func (l *Lookup) names(field string) []string {
	names := l.directory.Names(l.Collection, field)
	if l.among == nil {
		return names
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return !slices.ContainsFunc(l.directory.Find(l.Collection, field, name), l.among)
	})
}

// prepare sets up the search that does not regard case.
func (l *Lookup) prepare() {
	if l.match == matchExact || l.directory == nil {
		return
	}
	l.folded = map[string]func() *foldedNames{}
	for _, cand := range l.candidates {
		for _, cr := range cand {
			// Made when the first record needs it: a country has tens of thousands of names.
			l.folded[cr.field] = sync.OnceValue(func() *foldedNames {
				names := &foldedNames{written: map[string][]string{}}
				for _, name := range l.names(cr.field) {
					key := foldKey(name)
					if len(names.written[key]) == 0 {
						names.keys = append(names.keys, key)
					}
					if !slices.Contains(names.written[key], name) {
						names.written[key] = append(names.written[key], name)
					}
				}
				return names
			})
		}
	}
}
