package compile

import (
	"slices"
	"strconv"
	"strings"

	"github.com/culvert/culvert/actions/dhis2/identity"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/yamlnode"
)

// weighing finds people by several attributes that together say enough: first name and date of
// birth, where there is no number. It is the part `or` of match_by.
type weighing struct {
	parts   []weight
	atLeast float64
	program string // whose attributes they are, where not all are the type's
}

type weight struct {
	*valued
	points float64
	scope  string // the program in which people are searched by it; empty: all of the type
	coarse int    // how many people share a value: few for dates, many for names
}

// atLeastKey says how many points make the same person.
const atLeastKey = "at_least"

// matchRules reads match_by as {any: [attributes], or: {attribute: weight, at_least: points}}.
func (w *personRef) matchRules(c *compiler, n *yamlnode.Node, set []*valued) {
	for _, pair := range n.Pairs() {
		switch pair.Key.Value {
		case "any":
			w.anyOf(c, pair.Value, set)
		case "or":
			w.weights(c, pair.Value, set)
		default:
			c.errorAt(pair.Key.Place(), "unknown-key",
				"any: [National ID, Phone number] and or: {First name: 2, Date of birth: 3, at_least: 5} are understood",
				"match_by has no key %q", pair.Key.Value)
		}
	}
}

// anyOf reads attributes of which each alone tells who somebody is. They need not be unique in
// DHIS2: where several people have the value, the record fails.
func (w *personRef) anyOf(c *compiler, n *yamlnode.Node, set []*valued) {
	names := n.Items()
	if n.Kind == yamlnode.Scalar {
		names = []*yamlnode.Node{n}
	}
	for _, name := range names {
		if v := w.valueOf(c, name, set); v != nil {
			w.match = append(w.match, v)
			w.mustBeSearched(c, []*valued{v}, name)
		}
	}
	for _, pair := range n.Pairs() {
		if a := w.attributeOf(c, pair.Key); a != nil {
			if v := c.valued(pair.Value, a.ID, pair.Key.Value, c.attributeKind(a, false)); v != nil {
				w.match = append(w.match, v)
			}
		}
	}
	w.shared = map[string]bool{}
	for _, v := range w.match {
		a := c.x.AttributeByID(v.uid)
		w.shared[v.uid] = a == nil || !a.Unique
	}
}

// weights reads how much each attribute says.
func (w *personRef) weights(c *compiler, n *yamlnode.Node, set []*valued) {
	if n.Kind != yamlnode.Mapping {
		c.errorAt(n.Place(), "wrong-shape", "write or: {First name: 2, Date of birth: 3, at_least: 5}",
			"the weights of match_by are a mapping")
		return
	}
	out := &weighing{}
	total := 0.0
	for _, pair := range n.Pairs() {
		points, err := strconv.ParseFloat(pair.Value.Value, 64)
		if pair.Value.Kind != yamlnode.Scalar || err != nil || !(points > 0) || points > 1e6 {
			c.errorAt(pair.Value.Place(), "match-by-weights", "write a number above 0", "the weight of %q is not a number",
				pair.Key.Value)
			continue
		}
		if pair.Key.Value == atLeastKey {
			out.atLeast = points
			continue
		}
		v := w.valueOf(c, pair.Key, set)
		if v == nil {
			continue
		}
		total += points
		part := weight{valued: v, points: points, scope: w.scope(v.uid), coarse: w.coarseness(v.uid)}
		if !w.searchable(v.uid) && !c.superuser() {
			part.coarse += notSearched
		}
		if part.scope != "" {
			out.program = part.scope
		}
		out.parts = append(out.parts, part)
	}
	switch {
	case c.failed:
	case out.atLeast == 0:
		c.errorAt(n.Place(), "match-by-weights", "add at_least: 5, the points that make the same person",
			"nothing says how many points make the same person")
	case out.atLeast > total:
		c.errorAt(n.Key(atLeastKey).Place(), "match-by-weights", "write at most the sum of the weights",
			"all weights together are %v, so that nobody ever has %v", total, out.atLeast)
	default:
		w.weighing = out
		parts := make([]*valued, len(out.parts))
		for i, p := range out.parts {
			parts[i] = p.valued
		}
		w.mustBeSearched(c, parts, n)
		for _, p := range out.parts {
			if p.points >= out.atLeast && p.coarse > 0 {
				c.warnAt(n.Place(), "match-by-weights", "raise at_least, or name it under any",
					"%q alone makes the same person, and many people share a value of it", p.name)
			}
		}
	}
}

// valueOf finds an attribute and the value that the action sets it to; nil when there is none, which is then reported.
func (w *personRef) valueOf(c *compiler, name *yamlnode.Node, set []*valued) *valued {
	a := w.attributeOf(c, name)
	if a == nil {
		return nil
	}
	for _, v := range set {
		if v.uid == a.ID {
			return v
		}
	}
	c.errorAt(name.Place(), "match-by-without-value",
		"set it under attributes, or give its value here: any: {"+a.Name+": expression}",
		"match_by names %q, but nothing gives its value", a.Name)
	return nil
}

// attributeOf finds an attribute of the type or program, unique or not.
func (w *personRef) attributeOf(c *compiler, name *yamlnode.Node) *metadata.TrackedEntityAttribute {
	var among []string
	for _, u := range c.usesOf(w.t, w.program) {
		among = append(among, u.attribute.ID)
	}
	a, ambiguous, suggestions := c.x.TrackedEntityAttribute(name.Value, among)
	if !c.found(name, a != nil, metadata.TrackedEntityAttributes, "attribute", ambiguous, suggestions) {
		return nil
	}
	c.use(a.ID, name.Place())
	return a
}

// coarseness orders attributes by how many people share a value.
func (w *personRef) coarseness(attribute string) int {
	switch a := w.env.x.AttributeByID(attribute); {
	case a == nil || a.Unique:
		return 0
	case a.ValueType == "PHONE_NUMBER" || a.ValueType == "EMAIL":
		return 1
	case a.OptionSet != nil || a.ValueType == "BOOLEAN" || a.ValueType == "TRUE_ONLY":
		return 4
	case strings.Contains(a.ValueType, "TEXT"):
		return 3
	}
	return 2
}

// notSearched is added to the coarseness of attributes that DHIS2 may refuse to search by.
const notSearched = 10

// searchable tells whether DHIS2 finds people by an attribute for whoever may search beyond the org
// units of their own: it is marked so where it is searched, or unique.
func (w *personRef) searchable(attribute string) bool {
	if a := w.env.x.AttributeByID(attribute); a == nil || a.Unique {
		return true
	}
	if w.scope(attribute) == "" {
		return slices.ContainsFunc(w.t.Attributes,
			func(a metadata.TypeAttribute) bool { return a.Attribute.ID == attribute && a.Searchable })
	}
	return slices.ContainsFunc(w.program.Attributes,
		func(a metadata.ProgramAttribute) bool { return a.Attribute.ID == attribute && a.Searchable })
}

// mustBeSearched warns of attributes by which DHIS2 refuses to look people up.
func (w *personRef) mustBeSearched(c *compiler, list []*valued, n *yamlnode.Node) {
	if len(list) == 0 || c.superuser() || slices.ContainsFunc(list, func(v *valued) bool { return w.searchable(v.uid) }) {
		return
	}
	c.warnAt(n.Place(), "match-by-not-searchable",
		"mark it as searchable in DHIS2 (in the program, or the tracked entity type) and sync",
		"people cannot be looked up by %q: it is not searchable in DHIS2", list[0].name)
}

// eval gives what is to be weighed on one record; nil when it has too little.
func (g *weighing) eval(s *rules.Scope, w *env) (*identity.Weighed, error) {
	if g == nil {
		return nil, nil
	}
	out := &identity.Weighed{AtLeast: g.atLeast, Program: g.program}
	total := 0.0
	for _, part := range g.parts {
		text, st, err := part.eval(s, w.context)
		if err != nil {
			return nil, err
		}
		if st != stateSet || !part.DeclaresMissing() && rules.IsPlaceholder(text) {
			continue
		}
		total += part.points
		m := identity.Match{Attribute: part.uid, Value: text, Name: part.name, Program: part.scope}
		out.Parts = append(out.Parts, identity.Weight{Match: m, Points: part.points, Coarse: part.coarse})
	}
	if total < g.atLeast {
		return nil, nil
	}
	return out, nil
}
