package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/culvert/culvert/rules/diag"
	"github.com/culvert/culvert/rules/yamlnode"
)

// includeKey is the key by which a mapping of fields takes over those of files that rules share.
const includeKey = "include"

// maxIncludes bounds how deep files include each other.
const maxIncludes = 10

// Limits of what one rule extends and includes, each file as often as it is named: files that name
// several others do so for a long time.
const (
	maxIncluded      = 500
	maxIncludedBytes = 16 << 20
)

// tooMany tells whether the rule extends and includes more than it may.
func (c *compiler) tooMany() bool {
	return c.includes > maxIncluded || c.includedBytes > maxIncludedBytes
}

// another counts a file that the rule extends or includes, and reports the first one that is too much.
func (c *compiler) another(named *yamlnode.Node, text []byte) bool {
	c.includes, c.includedBytes = c.includes+1, c.includedBytes+len(text)
	if !c.tooMany() {
		return true
	}
	c.fault(named.Place(), "too-complex", fmt.Sprintf("the rule extends and includes more than %d files, or more than %d "+
		"MiB: each counts as often as it is named", maxIncluded, maxIncludedBytes>>20), "name each file once where it is needed")
	return false
}

// included gives an action with the fields that its mappings include. Its own go before them, and a
// later file's before an earlier one's.
func (c *compiler) included(kind string, body *yamlnode.Node) *yamlnode.Node {
	known := c.kind(kind)
	if known == nil {
		return body
	}
	for _, p := range body.Pairs() {
		f := known.Field(p.Key.Value)
		if f == nil || !f.HoldsExpressions() || p.Value.Kind != yamlnode.Mapping || p.Value.Get(includeKey) == nil {
			continue
		}
		fields := c.include(p.Value, nil)
		body = body.With(p.Key.Value, fields)
	}
	return body
}

// include lays a mapping over the files that it includes.
func (c *compiler) include(n *yamlnode.Node, chain []string) *yamlnode.Node {
	own := n.Only(func(key string) bool { return key != includeKey })
	var base *yamlnode.Node
	for _, file := range oneOrMany(n.Get(includeKey)) {
		if !isValue(file) {
			continue
		}
		name, ok := c.path(file)
		if !ok {
			continue
		}
		if len(chain) == maxIncludes && !slices.Contains(chain, name) {
			c.fault(file.Place(), "too-complex", fmt.Sprintf("files include each other more than %d deep: %s", maxIncludes,
				strings.Join(append(slices.Clone(chain), name), " -> ")), "include the files one beside the other, as a list")
			continue
		}
		if slices.Contains(chain, name) {
			c.fault(file.Place(), "include-cycle", fmt.Sprintf("%s includes itself: %s", name,
				strings.Join(append(slices.Clone(chain), name), " -> ")), "remove one of the include:")
			continue
		}
		if c.tooMany() {
			break // which is said already
		}
		text, ok := c.read(file, name, "the file to include")
		if !ok {
			continue
		}
		if !c.another(file, text) {
			break
		}
		c.findings.includedAt(name, file.Place())
		var list diag.List
		d := yamlnode.Parse(name, text, &list)
		if d != nil {
			findSecrets(d, &list)
		}
		for _, f := range list {
			c.report(f)
		}
		switch {
		case d == nil:
		case d.Root == nil || d.Root.Kind != yamlnode.Mapping:
			c.fault(file.Place(), "wrong-shape", fmt.Sprintf("%s holds no fields to include", name),
				"write one field a line in it, such as First name: trigger.first_name")
		default:
			base = yamlnode.Merge(base, c.include(d.Root, append(slices.Clone(chain), name)))
			if !slices.Contains(c.rule.Bases, name) {
				c.rule.Bases, c.rule.bases = append(c.rule.Bases, name), append(c.rule.bases, d)
			}
		}
	}
	return yamlnode.Merge(base, own)
}
