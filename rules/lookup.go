package rules

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/expression"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/rules/yamlnode"
)

// Lookup finds one object in synced metadata or a reference table.
type Lookup struct {
	Name       string
	Collection string // organisationUnits, ... or empty for a table
	Place      diag.Place

	candidates []candidate
	within     *Expr
	kin        *Expr              // of parent_of and ancestor_of
	level      int                // 0: any; of ancestor_of, or what is searched
	among      func(*Object) bool // nil: all are searched
	used       []Used
	ancestor   bool // kin is of ancestor_of
	match      matchWay
	onMissing  lookupPolicy
	onMany     lookupPolicy
	directory  Directory
	server     string       // that the lookup names; empty: the rule's own
	suggested  atomic.Int32 // failures that name what was probably meant
	table      *lookupTable
	perItem    bool // it reads the item of a for_each
	depth      int  // how many lists of a for_each it needs
	folded     map[string]func() *foldedNames

	asked   Asked // nil: the snapshot or a table answers
	of      *Expr // whose objects are asked for
	sample  []any // what answers where nobody can be asked
	sampled bool
}

// Asked is what the lookup asks for while records are evaluated; nil where the snapshot or a table answers.
func (l *Lookup) Asked() Asked { return l.asked }

// Server is the server that the lookup names; empty: the rule's own.
func (l *Lookup) Server() string { return l.server }

// LookupServers lists the servers that lookups of the rule name, each once.
func (r *Rule) LookupServers() (names []string) {
	for _, l := range r.Lookups {
		if l.server != "" && !slices.Contains(names, l.server) {
			names = append(names, l.server)
		}
	}
	return names
}

// OrgUnitsOf gives the server whose org units an expression finds that is no more than the name of a
// lookup; ok is false for all others.
func (r *Rule) OrgUnitsOf(e *Expr) (server string, ok bool) {
	for _, l := range r.Lookups {
		if e != nil && l.Name == e.Text && l.Collection == orgUnits {
			if l.server == "" {
				return r.Server, true
			}
			return l.server, true
		}
	}
	return "", false
}

// candidate is what an object must be like, all of it.
type candidate []criterion

type criterion struct {
	field string
	expr  *Expr
}

type matchWay int

const (
	matchExact matchWay = iota
	matchFolded
	matchFuzzy
)

type lookupPolicy int

const (
	lookupFail lookupPolicy = iota
	lookupSkip
	lookupBlank
	lookupFirst
	lookupWait
)

var lookupPolicies = map[string]lookupPolicy{"fail": lookupFail, "skip": lookupSkip, "blank": lookupBlank,
	"first": lookupFirst, "wait": lookupWait}

// lookups compiles the lookups, each after those that it reads, and adds them to the scope.
func (c *compiler) lookups() {
	pairs := c.root.Get("lookups").Pairs()
	if len(pairs) > maxLookups {
		c.fault(pairs[maxLookups].Key.Place(), "too-complex",
			fmt.Sprintf("the rule has %d lookups; %d is the most", len(pairs), maxLookups), "split the rule")
		pairs = pairs[:maxLookups]
	}
	var ordered []yamlnode.Pair
	wanted := c.wantedLookups()
	for _, p := range pairs {
		if p.Key.Document() != c.doc && !wanted[p.Key.Value] {
			continue // another rule that shares the file reads it
		}
		if c.name(p.Key, "a lookup") {
			ordered = append(ordered, p)
		}
	}
	for _, p := range c.inOrder(ordered) {
		l := c.lookup(p.Key, p.Value)
		c.rule.Lookups = append(c.rule.Lookups, l)
		switch {
		case l.table != nil:
			row := map[string]any{}
			for _, column := range l.table.columns {
				row[column] = ""
			}
			c.scope.AddShape(l.Name, expression.ShapeOf(row))
		case l.asked != nil && l.asked.IsList():
			c.scope.AddShape(l.Name, expression.ListOf(l.asked.Shape()))
		case l.asked != nil:
			c.scope.AddShape(l.Name, l.asked.Shape())
		case l.Collection != "" && c.isAsked(p.Value):
			c.scope.AddShape(l.Name, expression.Dynamic())
		case l.Collection != "":
			c.scope.AddType(l.Name, (*Object)(nil))
		default:
			c.scope.AddShape(l.Name, expression.Dynamic())
		}
	}
}

func (c *compiler) lookup(key, n *yamlnode.Node) *Lookup {
	c.inLookup = []string{}
	l := c.readLookup(key, n)
	if v := n.Get("on_missing"); l != nil && l.asked == nil && isValue(v) && v.Value == "wait" {
		c.fault(v.Place(), "not-allowed", "only what is asked of the server can be waited for",
			"write fail, skip or blank; after a sync held records are tried again by themselves")
	}
	columns := c.inLookup
	if c.inLookup = nil; l != nil {
		c.noteColumn(l.Place, strings.Join(columns, ", "))
	}
	return l
}

func (c *compiler) readLookup(key, n *yamlnode.Node) *Lookup {
	l := &Lookup{Name: key.Value, Place: key.Place()}
	if n.Kind != yamlnode.Mapping {
		return l // the schema has said so
	}
	way := c.lookupWay(key, n)
	if way == "" {
		return l
	}
	home := c.env
	var ok bool
	if l.server, ok = c.lookupServer(n); !ok {
		for _, word := range c.lookupWords(n) {
			c.used[word] = true
		}
		return l
	}
	defer func() { c.env = home }()
	l.directory = c.env.Directory
	scope := c.itemScope()
	r := c.reader(key.Value, n, c.keysOfLookup(n))
	l.level = r.Whole("level")
	l.onMissing, l.onMany = lookupPolicies[r.Word("on_missing")], lookupPolicies[r.Word("on_many")]
	switch {
	case way == "in" && c.isAsked(n):
		c.askedLookup(l, r, scope)
	case way == "in":
		c.metadataLookup(l, key, r, scope)
	case way == "table":
		c.tableLookup(l, r, scope)
	default:
		c.kinLookup(l, r, way, scope)
	}
	if l.kin != nil && l.server == "" && len(l.kin.needs) > 0 {
		l.server = c.rule.Lookups[l.kin.needs[0]].server
	}
	if v := r.Node("within"); v != nil {
		l.within = c.expr(v, scope, expression.Anything)
	}
	l.depth = l.itemDepth()
	l.perItem = l.depth > 0
	return l
}

// lookupServer has what a lookup is compiled against be that of the server that it names: itself, or
// by the lookup of: that its objects belong to. The caller puts the rule's own back. ok is false when
// the name is wrong, which is then reported.
func (c *compiler) lookupServer(n *yamlnode.Node) (server string, ok bool) {
	at := n.Get("server")
	if isValue(at) {
		server = at.Value
	} else if of := n.Get("of"); isValue(of) {
		for _, l := range c.rule.Lookups {
			if l.Name == of.Value {
				server, at = l.server, of
			}
		}
	}
	if server == "" || c.env.Server == nil {
		return server, true
	}
	there, problem := c.env.Server(server)
	if problem != nil {
		c.fault(at.Place(), problem.Code, problem.Message, problem.Hint)
		return server, false
	}
	c.env.Directory, c.env.Asked = there.Directory, there.Asked
	return server, true
}

// lookupWay gives the key by which a lookup says where it looks; "" when it does not, which is then reported.
func (c *compiler) lookupWay(key, n *yamlnode.Node) string {
	ways := slices.DeleteFunc(slices.Clone(lookupWays), func(way string) bool { return n.Get(way) == nil })
	if len(ways) == 1 {
		return ways[0]
	}
	place, message := key.Place(), fmt.Sprintf("the lookup %q does not say where to look", key.Value)
	if len(ways) > 1 {
		place, message = n.Key(ways[1]).Place(), fmt.Sprintf("the lookup %q has both %s: and %s:", key.Value, ways[0],
			ways[1])
	}
	c.fault(place, "lookup-where", message,
		"give one of in: (metadata), table: (a CSV file), parent_of: and ancestor_of: (an org unit)")
	return ""
}

// orgUnits is the collection that has a hierarchy.
const orgUnits = "organisationUnits"

// kinLookup reads a lookup with parent_of: or ancestor_of:.
func (c *compiler) kinLookup(l *Lookup, r settings.Reader, way string, scope *expression.Scope) {
	l.Collection = orgUnits
	l.ancestor = way == "ancestor_of"
	l.kin = c.expr(r.Node(way), scope, expression.Anything)
	if l.ancestor && l.level == 0 {
		c.fault(r.Config.Key(way).Place(), "missing-key",
			fmt.Sprintf("the lookup %q does not say which ancestor", l.Name),
			"add level:, 1 being the top of the hierarchy")
	}
	c.onlyKeys(r.Config, way, settings.With(lookupKeys, way))
}

// itemScope is the scope of lookups: they may read the item of a for_each, of which nothing is known here.
func (c *compiler) itemScope() *expression.Scope {
	s := c.scope.Clone()
	for _, o := range outerNames {
		if _, taken := c.names[o.item]; !taken {
			s.AddShape(o.item, expression.Dynamic())
		}
		if _, taken := c.names[o.index]; !taken {
			s.AddType(o.index, 0)
		}
	}
	return s
}

// itemDepth is how many lists of a for_each a lookup needs, itself or through another lookup; 0
// where it is the same for every item.
func (l *Lookup) itemDepth() int {
	depth := 0
	for _, e := range l.expressions() {
		depth = max(depth, e.depth)
	}
	return depth
}

func (l *Lookup) expressions() []*Expr {
	var all []*Expr
	for _, cand := range l.candidates {
		for _, cr := range cand {
			all = append(all, cr.expr)
		}
	}
	for _, e := range []*Expr{l.within, l.kin, l.of} {
		if e != nil {
			all = append(all, e)
		}
	}
	return all
}

// matchWays gives what the words of match: mean.
var matchWays = map[string]matchWay{"exact": matchExact, "ignore_case": matchFolded, "fuzzy": matchFuzzy}

// metadataLookup reads a lookup with in:.
func (c *compiler) metadataLookup(l *Lookup, key *yamlnode.Node, r settings.Reader, scope *expression.Scope) {
	in := r.Node("in")
	if !isValue(in) {
		return // the schema has said so
	}
	l.Collection = in.Value
	var fields []string
	if d := c.env.Directory; d == nil {
		c.fault(c.rule.serverPlace, "no-snapshot", "there is no metadata to look things up in",
			"run `culvert sync` and commit the folder metadata/")
	} else if collections := d.Collections(); !slices.Contains(collections, in.Value) {
		c.fault(in.Place(), "unknown-collection", fmt.Sprintf("%q is not something that can be looked up", in.Value),
			diag.Suggest(in.Value, collections, "collections"))
	} else {
		fields = d.Fields(in.Value)
		c.readCollection(l, in, key)
		c.readAmong(l, r)
	}
	l.match = matchWays[r.Word("match")]
	if l.level > 0 && l.Collection != orgUnits {
		c.fault(r.Config.Key("level").Place(), "unknown-key", fmt.Sprintf("%s have no level", l.Collection),
			"level: is for organisationUnits")
	}
	if r.Has("within") && l.Collection != orgUnits {
		c.fault(r.Config.Key("within").Place(), "unknown-key",
			fmt.Sprintf("%s do not lie within an org unit", l.Collection), "within: is for organisationUnits")
	}
	direct := r.Config.Only(func(key string) bool { return key == "attribute" || settings.Find(lookupKeys, key) == nil })
	c.candidates(l, direct, r.Config, fields, "fields", scope)
	l.prepare()
}
