package rules

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/rules/yamlnode"
)

// pairing is what makes a map between the metadata of two servers: each object of the one that has
// exactly one counterpart at the other.
type pairing struct {
	collection string
	from, to   mapSide
	by         string
	pairs      [][2]*Object
	alone      map[string]*loneObject // by what the map takes
}

// mapSide is one of the two servers.
type mapSide struct {
	server    string
	directory Directory
	among     func(*Object) bool // nil: all objects
}

// loneObject is an object that cannot be mapped, and why.
type loneObject struct {
	object *Object
	many   []*Object // of one of the servers, which have the same code or name; none: no counterpart
	at     string    // where many are
}

// optionsCollection is the collection whose objects stand in data by their codes, not by their uids.
const optionsCollection = "options"

// Paired lists the objects of a server by which the map was made. Its place is the map's.
func (m *ValueMap) Paired(server string) []Used {
	if m.between == nil {
		return nil
	}
	var out []Used
	for _, p := range m.between.pairs {
		if m.between.from.server == server {
			out = append(out, Used{p[0].ID, m.Place})
		}
		if m.between.to.server == server {
			out = append(out, Used{p[1].ID, m.Place})
		}
	}
	return out
}

// Between lists the maps of the rule that are made of the metadata of two servers.
func (r *Rule) Between() []*ValueMap { return r.between }

// Between lists the shared maps that are made of the metadata of two servers.
func (l *Library) Between() (list []*ValueMap) {
	for _, m := range l.Maps() {
		if m.between != nil {
			list = append(list, m)
		}
	}
	return list
}

// isBetween tells whether a map is written with in:, from: and to: instead of its values themselves.
func (c *compiler) isBetween(n *yamlnode.Node) bool {
	in := n.Get("in")
	if !isValue(in) || !isValue(n.Get("from")) || n.Get("file") != nil {
		return false
	}
	known := settings.With(mapKeys, "in")
	return c.env.Directory != nil && slices.Contains(c.env.Directory.Collections(), in.Value) ||
		!slices.ContainsFunc(n.Pairs(), func(p yamlnode.Pair) bool { return settings.Find(known, p.Key.Value) == nil })
}

// fromServers makes a map of the metadata of two servers. What stands under values: goes before it.
func (b *mapBuilder) fromServers(n *yamlnode.Node) {
	b.broken = true // findings of its own say why it has no entries
	p := &pairing{collection: n.Get("in").Value, by: "code", alone: map[string]*loneObject{}}
	if by := n.Get("by"); isValue(by) {
		p.by = by.Value
	}
	if b.env.Server == nil || !b.mapSides(p, n) || !b.mapCollection(p, n) || !b.mapAmong(p, n) {
		return
	}
	b.m.between = p
	b.pair(p)
	b.aboutAlone(p)
	b.rule.between = append(b.rule.between, b.m)
}

// mapSides finds the two servers.
func (b *mapBuilder) mapSides(p *pairing, n *yamlnode.Node) bool {
	ok := true
	for _, s := range []struct {
		key  string
		side *mapSide
	}{{"from", &p.from}, {"to", &p.to}} {
		name, place := b.rule.Server, b.m.Place
		at := n.Get(s.key)
		switch {
		case isValue(at):
			name, place = at.Value, at.Place()
		case b.doc == nil:
			b.fault(b.m.Place, "missing-key", "the value map does not say to which server it leads",
				"add to: with a server of culvert.yaml; it is left out only in rules, which have a server of their own")
			ok = false
			continue
		}
		there, problem := b.env.Server(name)
		if problem != nil {
			b.fault(place, problem.Code, problem.Message, problem.Hint)
			ok = false
			continue
		}
		s.side.server, s.side.directory = cmp.Or(there.Name, name), there.Directory
	}
	if ok && p.from.server == p.to.server {
		b.fault(n.Get("from").Place(), "not-allowed", fmt.Sprintf("the value map leads from %q to the same server",
			p.from.server), "name under from: the server whose uids come, and under to: the one that is written to")
		ok = false
	}
	return ok
}

// mapCollection checks what is mapped, and by what.
func (b *mapBuilder) mapCollection(p *pairing, n *yamlnode.Node) bool {
	in := n.Get("in")
	collections := slices.DeleteFunc(p.from.directory.Collections(), func(name string) bool {
		return !slices.Contains(p.from.directory.Fields(name), "code") // people, who are no metadata
	})
	if !slices.Contains(collections, p.collection) {
		b.fault(in.Place(), "unknown-collection", fmt.Sprintf("%q is not something that can be mapped", p.collection),
			diag.Suggest(p.collection, collections, "collections"))
		return false
	}
	for _, side := range []*mapSide{&p.from, &p.to} {
		if fields := side.directory.Fields(p.collection); !slices.Contains(fields, p.by) {
			b.fault(n.Get("by").Place(), "unknown-lookup-field", fmt.Sprintf("%s of the server %q have no field %q",
				p.collection, side.server, p.by), diag.Suggest(p.by, fields, "fields"))
			return false
		}
	}
	return true
}

// mapAmong narrows both sides to what belongs to among:, and the one that is read to what lies in within:.
func (b *mapBuilder) mapAmong(p *pairing, n *yamlnode.Node) bool {
	among := n.Get("among")
	if among == nil && p.collection == optionsCollection {
		b.fault(b.m.Place, "missing-key", "the value map does not say of which option set the options are",
			"add among: with the option set, for the codes of options are their own only within a set")
		return false
	}
	if isValue(among) {
		for _, side := range []*mapSide{&p.from, &p.to} {
			a, ok := b.amongOf(side.directory, p.collection, among, n.Key("among"), side.server)
			if !ok {
				return false
			}
			side.among = a.Holds
		}
	}
	within := n.Get("within")
	switch {
	case within == nil || !isValue(within):
		return true
	case p.collection != orgUnits:
		b.fault(n.Key("within").Place(), "unknown-key", fmt.Sprintf("%s do not lie within an org unit", p.collection),
			"within: is for organisationUnits")
		return false
	}
	return b.mapWithin(&p.from, within)
}

func (b *mapBuilder) mapWithin(side *mapSide, n *yamlnode.Node) bool {
	var hits []*Object
	for _, field := range []string{"id", "code", "name"} {
		if hits = side.directory.Find(orgUnits, field, n.Value); len(hits) > 0 {
			break
		}
	}
	if len(hits) != 1 {
		code, message := "unknown-object", fmt.Sprintf("the server %q has no org unit %q", side.server, n.Value)
		hint := diag.Suggest(n.Value, side.directory.Names(orgUnits, "name"), "names")
		if len(hits) > 1 {
			code, hint = "ambiguous-object", "use its code or UID"
			message = fmt.Sprintf("several org units of the server %q are called %q", side.server, n.Value)
		}
		b.fault(n.Place(), code, message, hint)
		return false
	}
	top, among := hits[0], side.among
	side.among = func(o *Object) bool {
		return (among == nil || among(o)) && (o == top || slices.Contains(o.Ancestors, top))
	}
	return true
}

// pair matches the objects of the two servers. Only what is one of its kind on both sides is a pair.
func (b *mapBuilder) pair(p *pairing) {
	read := p.from.objects(p.collection)
	mine := indexBy(read, p.by, b.m.folded)
	theirs := indexBy(p.to.objects(p.collection), p.by, b.m.folded)
	for _, o := range read {
		key := mapKeyOf(valueOf(o, p.by), b.m.folded)
		hits := theirs[key]
		switch {
		case key == "":
			b.alone(p, &loneObject{object: o})
		case len(mine[key]) > 1:
			b.alone(p, &loneObject{object: o, many: mine[key], at: p.from.server})
		case len(hits) > 1:
			b.alone(p, &loneObject{object: o, many: hits, at: p.to.server})
		case len(hits) == 0:
			b.alone(p, &loneObject{object: o})
		default:
			b.paired(p, o, hits[0])
		}
	}
}

// incoming gives what stands in data for an object: an option's code, the uid of all others.
func (p *pairing) incoming(o *Object) string {
	if p.collection == optionsCollection {
		return o.Code
	}
	return o.ID
}

func (b *mapBuilder) paired(p *pairing, from, to *Object) {
	in, out := p.incoming(from), p.incoming(to)
	if _, written := b.keys[b.fold(in)]; written || in == "" || out == "" {
		return
	}
	b.m.exact[b.fold(in)] = out
	p.pairs = append(p.pairs, [2]*Object{from, to})
	if p.collection == optionsCollection {
		b.m.outputs = append(b.m.outputs, MapOutput{In: in, Out: out, Place: b.m.Place})
	}
}

func (b *mapBuilder) alone(p *pairing, o *loneObject) {
	in := p.incoming(o.object)
	if _, written := b.keys[b.fold(in)]; !written {
		p.alone[b.fold(in)] = o
	}
}

func (b *mapBuilder) fold(key string) string {
	if b.m.folded {
		return foldKey(key)
	}
	return key
}

// aboutAlone warns of what the map does not hold.
func (b *mapBuilder) aboutAlone(p *pairing) {
	if len(p.pairs) == 0 {
		b.fault(b.m.Place, "no-counterpart", fmt.Sprintf("none of the %s of %q has a counterpart at %q by %s",
			p.collection, p.from.server, p.to.server, p.by),
			"give both the same code, map by: name, or write the pairs under values:; then run `culvert sync`")
		return
	}
	var none, many []string
	for _, o := range p.alone {
		if len(o.many) > 0 {
			many = append(many, o.object.label())
		} else {
			none = append(none, o.object.label())
		}
	}
	all := len(p.alone) + len(p.pairs)
	if len(none) > 0 && b.m.policy == policyFail { // otherwise the map itself says what becomes of them
		b.warn(b.m.Place, "no-counterpart", fmt.Sprintf("%d of %d %s of %q have no counterpart at %q by %s: %s",
			len(none), all, p.collection, p.from.server, p.to.server, p.by, firstOf(none)),
			"records with them fail: add them there, give both the same code, write them under values:, or say with other: "+
				"what becomes of them; then run `culvert sync`")
	}
	if len(many) > 0 {
		b.warn(b.m.Place, "several-counterparts",
			fmt.Sprintf("%d of %d %s of %q share their %s with others and are not mapped: %s",
				len(many), all, p.collection, p.from.server, p.by, firstOf(many)),
			"map by: code, narrow the map with among:, or write them under values:")
	}
}

// shownAlone bounds how many objects a finding names.
const shownAlone = 5

func firstOf(names []string) string {
	slices.Sort(names)
	n := min(len(names), shownAlone)
	text := strings.Join(names[:n], ", ")
	if more := len(names) - n; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// label names an object for a person.
func (o *Object) label() string {
	if o.Code == "" {
		return fmt.Sprintf("%q (%s)", o.Name, o.ID)
	}
	return fmt.Sprintf("%q (%s)", o.Name, o.Code)
}

// unpaired says why an incoming value is not in the map; nil for a map that is written out.
func (m *ValueMap) unpaired(in string) *Failure {
	p := m.between
	if p == nil {
		return nil
	}
	key := strings.TrimSpace(in)
	if m.folded {
		key = foldKey(in)
	}
	f := &Failure{Problem: diag.Problem{Code: "unmapped-value", Place: m.Place, Value: clip(in),
		Hint: "give both the same code, or write it under values: of the map; then run `culvert sync` and replay the record"}}
	o := p.alone[key]
	switch {
	case o == nil && p.collection == optionsCollection:
		f.Message = fmt.Sprintf("%s holds no option with this code of the server %q", m.label(), p.from.server)
		f.Hint = "if it is new there, run `culvert sync`; then replay the record"
	case o == nil:
		f.Message = fmt.Sprintf("%s holds no object of %s with this uid of the server %q", m.label(), p.collection,
			p.from.server)
		f.Hint = "the map takes uids; if it is new there, run `culvert sync`; then replay the record"
	case len(o.many) > 0:
		f.Message = fmt.Sprintf("%s cannot map %s: %d %s of the server %q have the same %s", m.label(), o.object.label(),
			len(o.many), p.collection, o.at, p.by)
	default:
		f.Message = fmt.Sprintf("%s cannot map %s: it has no counterpart at the server %q by %s", m.label(),
			o.object.label(), p.to.server, p.by)
	}
	return f
}

// objects lists the objects of a side that may be mapped.
func (s *mapSide) objects(collection string) (list []*Object) {
	for _, id := range s.directory.Names(collection, "id") {
		for _, o := range s.directory.Find(collection, "id", id) {
			if s.among == nil || s.among(o) {
				list = append(list, o)
			}
		}
	}
	return list
}

// indexBy lists objects by the field that they are matched by.
func indexBy(list []*Object, by string, folded bool) map[string][]*Object {
	out := map[string][]*Object{}
	for _, o := range list {
		if key := mapKeyOf(valueOf(o, by), folded); key != "" {
			out[key] = append(out[key], o)
		}
	}
	return out
}

// valueOf gives a field of an object.
func valueOf(o *Object, field string) string {
	switch field {
	case "id":
		return o.ID
	case "code":
		return o.Code
	case "name":
		return o.Name
	}
	return o.Attributes[field]
}

// mapKeyOf makes codes and names alike that differ in nothing that is seen.
func mapKeyOf(text string, folded bool) string {
	text = norm.NFC.String(strings.Join(strings.Fields(text), " "))
	if folded {
		return foldKey(text)
	}
	return text
}
