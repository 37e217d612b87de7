package yamlnode

import "github.com/culvert/culvert/rules/diag"

// PlaceOf gives the place in the source of the runes from (inclusive) to (exclusive) of a scalar's decoded value,
// exact for plain, quoted, folded and literal scalars.
func (n *Node) PlaceOf(from, to int) diag.Place {
	start := diag.Position{Line: n.yaml.Line, Column: n.yaml.Column + from}
	end := diag.Position{Line: n.yaml.Line, Column: n.yaml.Column + max(to, from+1)}
	return diag.Place{File: n.doc.Path, Range: diag.Range{Start: start, End: end}}
}
