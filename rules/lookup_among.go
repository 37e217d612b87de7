package rules

import (
	"fmt"
	"regexp"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/settings"
	"github.com/culvert/culvert/rules/yamlnode"
)

// Used is an object of the metadata that a lookup names plainly.
type Used struct {
	ID    string
	Place diag.Place
}

// Used lists the objects of the metadata that the lookup names plainly: what it searches among, and what it
// finds whatever the record says.
func (l *Lookup) Used() []Used { return l.used }

func (l *Lookup) use(id string, place diag.Place) { l.used = append(l.used, Used{id, place}) }

// readAmong reads what the objects that are searched belong to.
func (c *compiler) readAmong(l *Lookup, r settings.Reader) {
	n, d := r.Node("among"), c.env.Directory
	if n == nil || d == nil {
		return
	}
	if !isValue(n) {
		c.fault(n.Place(), "wrong-shape", "among: takes one name", "write the name, code or UID alone")
		return
	}
	if a, ok := c.amongOf(d, l.Collection, n, r.Config.Key("among"), ""); ok {
		l.among = a.Holds
		l.use(a.ID, n.Place())
	}
}

// amongOf finds what objects of a collection belong to; server names whose they are where that is not clear.
// ok is false where it is not there, which is then reported.
func (c *compiler) amongOf(d Directory, collection string, n, key *yamlnode.Node, server string) (a Among, ok bool) {
	a = d.Among(collection, n.Value)
	switch {
	case a.What == "":
		c.fault(key.Place(), "unknown-key", fmt.Sprintf("%s belong to nothing that could be named", collection),
			"among: is for options, programStages, categoryOptions, categoryOptionCombos and organisationUnits")
	case collection == orgUnits && d.Lacks(Members):
		c.notRead(n, "which org units are in the group")
	case len(a.Ambiguous) > 0:
		message := fmt.Sprintf("several are called %q: %s", n.Value, diag.Names(a.Ambiguous, "and"))
		if server != "" {
			message = fmt.Sprintf("several are called %q at the server %q: %s", n.Value, server,
				diag.Names(a.Ambiguous, "and"))
		}
		c.fault(n.Place(), "ambiguous-name", message, "use its code or UID")
	case a.ID == "":
		message := fmt.Sprintf("there is no %s %q", a.What, n.Value)
		if server != "" {
			message = fmt.Sprintf("the server %q has no %s %q", server, a.What, n.Value)
		}
		c.fault(n.Place(), "unknown-object", message, diag.Suggest(n.Value, d.AmongNames(collection), a.What+"s"))
	default:
		return a, true
	}
	return a, false
}

// readCollection tells of a collection that the sync did not read, or not all of it.
func (c *compiler) readCollection(l *Lookup, in, key *yamlnode.Node) {
	d := c.env.Directory
	if d.Lacks(l.Collection) {
		c.notRead(in, "the objects of "+l.Collection)
	}
	if l.Collection != orgUnits || !d.Lacks(Members) {
		return
	}
	groups := regexp.MustCompile(`\b` + regexp.QuoteMeta(key.Value) + `\b[^\n]*\.groups\b`)
	if at := c.findText(groups); at != nil {
		c.notRead(at, "which org units are in which groups")
	}
}

// findText gives a value of the rule that holds a text; nil when none does.
func (c *compiler) findText(pattern *regexp.Regexp) *yamlnode.Node {
	var find func(n *yamlnode.Node) *yamlnode.Node
	find = func(n *yamlnode.Node) *yamlnode.Node {
		for _, p := range n.Pairs() {
			if at := find(p.Value); at != nil {
				return at
			}
		}
		for _, item := range n.Items() {
			if at := find(item); at != nil {
				return at
			}
		}
		if isValue(n) && pattern.MatchString(n.Value) {
			return n
		}
		return nil
	}
	for _, key := range []string{"when", "id", "version", "key", "lookups", "actions"} {
		if n := c.root.Get(key); n != nil {
			if at := find(n); at != nil {
				return at
			}
		}
	}
	return nil
}

func (c *compiler) notRead(n *yamlnode.Node, what string) {
	c.fault(n.Place(), "not-synced", fmt.Sprintf("the snapshot does not tell %s", what),
		"run `culvert sync`: it reads that once a rule asks for it; if it did, see what it warned of")
}
