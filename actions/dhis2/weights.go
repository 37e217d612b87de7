package dhis2

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/culvert/culvert/actions/dhis2/client"
	"github.com/culvert/culvert/actions/dhis2/metadata"
	"github.com/culvert/culvert/rules"
	"github.com/culvert/culvert/rules/yamlnode"
)

// weighing finds people by several attributes that together say enough: first name and date of birth, where there is no number. It is the part `or` of match_by.
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
func (w *who) matchRules(c *compiler, n *yamlnode.Node, set []*valued) {
	for _, pair := range n.Pairs() {
		switch pair.Key.Value {
		case "any":
			w.anyOf(c, pair.Value, set)
		case "or":
			w.weights(c, pair.Value, set)
		default:
			c.errorAt(pair.Key.Place(), "unknown-key", "any: [National ID, Phone number] and or: {First name: 2, Date of birth: 3, at_least: 5} are understood", "match_by has no key %q", pair.Key.Value)
		}
	}
}

// anyOf reads attributes of which each alone tells who somebody is. They need not be unique in DHIS2: where several people have the value, the record fails.
func (w *who) anyOf(c *compiler, n *yamlnode.Node, set []*valued) {
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
}

// weights reads how much each attribute says.
func (w *who) weights(c *compiler, n *yamlnode.Node, set []*valued) {
	if n.Kind != yamlnode.Mapping {
		c.errorAt(n.Place(), "wrong-shape", "write or: {First name: 2, Date of birth: 3, at_least: 5}", "the weights of match_by are a mapping")
		return
	}
	out := &weighing{}
	total := 0.0
	for _, pair := range n.Pairs() {
		points, err := strconv.ParseFloat(pair.Value.Value, 64)
		if pair.Value.Kind != yamlnode.Scalar || err != nil || !(points > 0) || points > 1e6 {
			c.errorAt(pair.Value.Place(), "match-by-weights", "write a number above 0", "the weight of %q is not a number", pair.Key.Value)
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
		c.errorAt(n.Place(), "match-by-weights", "add at_least: 5, the points that make the same person", "nothing says how many points make the same person")
	case out.atLeast > total:
		c.errorAt(n.Key(atLeastKey).Place(), "match-by-weights", "write at most the sum of the weights", "all weights together are %v, so that nobody ever has %v", total, out.atLeast)
	default:
		w.weighing = out
		parts := make([]*valued, len(out.parts))
		for i, p := range out.parts {
			parts[i] = p.valued
		}
		w.mustBeSearched(c, parts, n)
		for _, p := range out.parts {
			if p.points >= out.atLeast && p.coarse > 0 {
				c.warnAt(n.Place(), "match-by-weights", "raise at_least, or name it under any", "%q alone makes the same person, and many people share a value of it", p.name)
			}
		}
	}
}

// valueOf finds an attribute and the value that the action sets it to; nil when there is none, which is then reported.
func (w *who) valueOf(c *compiler, name *yamlnode.Node, set []*valued) *valued {
	a := w.attributeOf(c, name)
	if a == nil {
		return nil
	}
	for _, v := range set {
		if v.uid == a.ID {
			return v
		}
	}
	c.errorAt(name.Place(), "match-by-without-value", "set it under attributes, or give its value here: any: {"+a.Name+": expression}", "match_by names %q, but nothing gives its value", a.Name)
	return nil
}

// attributeOf finds an attribute of the type or program, unique or not.
func (w *who) attributeOf(c *compiler, name *yamlnode.Node) *metadata.TrackedEntityAttribute {
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
func (w *who) coarseness(attribute string) int {
	switch a := w.w.x.AttributeByID(attribute); {
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

// searchable tells whether DHIS2 finds people by an attribute for whoever may search beyond the org units of their own: it is marked so where it is searched, or
// unique.
func (w *who) searchable(attribute string) bool {
	if a := w.w.x.AttributeByID(attribute); a == nil || a.Unique {
		return true
	}
	if w.scope(attribute) == "" {
		return slices.ContainsFunc(w.t.Attributes, func(a metadata.TypeAttribute) bool { return a.Attribute.ID == attribute && a.Searchable })
	}
	return slices.ContainsFunc(w.program.Attributes, func(a metadata.ProgramAttribute) bool { return a.Attribute.ID == attribute && a.Searchable })
}

// mustBeSearched warns of attributes by which DHIS2 refuses to look people up.
func (w *who) mustBeSearched(c *compiler, list []*valued, n *yamlnode.Node) {
	if len(list) == 0 || c.superuser() || slices.ContainsFunc(list, func(v *valued) bool { return w.searchable(v.uid) }) {
		return
	}
	c.warnAt(n.Place(), "match-by-not-searchable", "mark it as searchable in DHIS2 (in the program, or the tracked entity type) and sync", "people cannot be looked up by %q: it is not searchable in DHIS2", list[0].name)
}

// eval gives what is to be weighed on one record; nil when it has too little.
func (g *weighing) eval(s *rules.Scope, w *workshop) (*weighed, error) {
	if g == nil {
		return nil, nil
	}
	out := &weighed{atLeast: g.atLeast, program: g.program}
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
		out.parts = append(out.parts, weighedPart{match: match{attribute: part.uid, value: text, name: part.name, program: part.scope}, points: part.points, coarse: part.coarse})
	}
	if total < g.atLeast {
		return nil, nil
	}
	return out, nil
}

// weighed is what a record says of somebody.
type weighed struct {
	parts   []weighedPart
	atLeast float64
	program string
}

type weighedPart struct {
	match
	points float64
	coarse int
}

// asked are the attributes by which people are looked up: whoever has enough points has at least one of them. What many people share is asked last.
func (w *weighed) asked() []match {
	parts := slices.Clone(w.parts)
	slices.SortStableFunc(parts, func(a, b weighedPart) int {
		return cmp.Or(cmp.Compare(b.coarse, a.coarse), cmp.Compare(a.points, b.points))
	})
	left := 0.0
	for len(parts) > 1 && left+parts[0].points < w.atLeast {
		left += parts[0].points
		parts = parts[1:]
	}
	list := make([]match, len(parts))
	for i, p := range parts {
		list[i] = p.match
	}
	return list
}

// points is how much somebody has in common with what the record says.
func (w *weighed) points(held map[string]string) float64 {
	sum := 0.0
	for _, p := range w.parts {
		if alike(held[p.attribute], p.value) {
			sum += p.points
		}
	}
	return sum
}

// alike compares as people do: without regard to letters' case, accents and spaces; of times of day only the day counts.
func alike(a, b string) bool {
	return a != "" && plainText(a) == plainText(b)
}

func plainText(s string) string {
	if len(s) > 10 && s[4] == '-' && s[7] == '-' && s[10] == 'T' {
		s = s[:10]
	}
	kept := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFD.String(s))
	return strings.Join(strings.Fields(kept), " ")
}

// weigh looks people up who have no number that says who they are. Records whose people cannot be told are settled.
func (d *delivery) weigh(ctx context.Context, wanted map[*person]*job) {
	asked := map[*person]*job{}
	for p, j := range wanted {
		if p.weighed != nil && !j.settled() {
			asked[p] = j
		}
	}
	if len(asked) == 0 {
		return
	}
	hits, failures := d.ask(ctx, asked, true, func(p *person) []match { return p.weighed.asked() })
	if err := d.whose(ctx, hits); err != nil {
		for _, j := range asked {
			d.failAll([]*job{j}, retryLater("the journal could not be read", err))
		}
		return
	}
	candidates := map[*person][]client.Found{}
	for p, j := range asked {
		for _, m := range p.weighed.asked() {
			q := question{p.typ, m.program, m.attribute}
			if err := failureOf(failures[q], m.value); err != nil {
				d.failAll([]*job{j}, d.lookupFailed(m, err))
				break
			}
			for held, list := range hits[q] {
				if alike(held, m.value) {
					candidates[p] = append(candidates[p], list...)
				}
			}
		}
	}
	held, err := d.held(ctx, candidates)
	for _, p := range inOrder(d.jobs, asked) {
		j := asked[p]
		if err != nil && len(candidates[p]) > 0 {
			d.failAll([]*job{j}, wholeFailure(err))
		}
		if !j.settled() {
			d.chooseWeighed(p, j, candidates[p], held)
		}
	}
}

// chooseWeighed takes the one candidate who has enough points.
func (d *delivery) chooseWeighed(p *person, j *job, candidates []client.Found, held map[string]map[string]string) {
	fit := map[string]bool{}
	for _, f := range candidates {
		if p.weighed.points(held[f.TrackedEntity]) >= p.weighed.atLeast {
			fit[f.TrackedEntity] = true
			d.found[f.TrackedEntity] = f
		}
	}
	switch uids := slices.Sorted(maps.Keys(fit)); len(uids) {
	case 0:
		// Two records of one batch may be about one person whom DHIS2 does not know yet.
		for _, q := range d.unmatched {
			if p.weighed.points(q.values()) >= p.weighed.atLeast && q.key != p.key {
				d.take(p, j, d.personUID(q))
				return
			}
		}
		d.unmatched = append(d.unmatched, p)
	case 1:
		d.take(p, j, uids[0])
	default:
		d.failAll([]*job{j}, d.severalPeople(uids))
	}
}

// held gives the attributes of candidates. What a search does not show, those of the program, is read.
func (d *delivery) held(ctx context.Context, candidates map[*person][]client.Found) (map[string]map[string]string, error) {
	held := map[string]map[string]string{}
	lacking := map[string]map[string]bool{} // program -> people
	for p, list := range candidates {
		for _, f := range list {
			own := held[f.TrackedEntity]
			if own == nil {
				own = map[string]string{}
				held[f.TrackedEntity] = own
			}
			for _, v := range f.Attributes {
				own[v.Attribute] = v.Value
			}
			if p.weighed.program != "" && slices.ContainsFunc(p.weighed.parts, func(w weighedPart) bool { return own[w.attribute] == "" }) {
				if lacking[p.weighed.program] == nil {
					lacking[p.weighed.program] = map[string]bool{}
				}
				lacking[p.weighed.program][f.TrackedEntity] = true
			}
		}
	}
	for program, people := range lacking {
		entities, err := d.server.TrackedEntities(ctx, slices.Sorted(maps.Keys(people)), program)
		if _, some := errors.AsType[*client.UnreadError](err); err != nil && !some {
			return nil, err
		}
		for _, e := range entities {
			for _, v := range e.Attributes {
				held[e.TrackedEntity][v.Attribute] = v.Value
			}
		}
	}
	return held, nil
}

// values are what the record says of somebody.
func (p *person) values() map[string]string {
	out := map[string]string{}
	for _, part := range p.weighed.parts {
		out[part.attribute] = part.value
	}
	return out
}

// looksUp tells whether somebody is looked up before being created.
func (p *person) looksUp() bool { return len(p.match) > 0 || p.weighed != nil }
