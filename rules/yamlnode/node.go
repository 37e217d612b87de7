// Package yamlnode reads YAML into nodes that know their file, line and column.
// It is the only package that knows gopkg.in/yaml.v3.
package yamlnode

import (
	"encoding/json"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/culvert/culvert/rules/diag"
)

// Kind is the shape of a node.
type Kind int

const (
	// Scalar is a single value: text, number, boolean or null.
	Scalar Kind = iota
	// Mapping is a set of keys and values.
	Mapping
	// Sequence is a list.
	Sequence
)

// Document is one parsed YAML file.
type Document struct {
	Path string // as findings print it
	Text []byte
	Root *Node // nil for an empty file

	lines [][2]int      // byte range of every line, without its break
	marks map[int][]int // of long lines, by their number: the byte offset of every markEvery-th rune
}

// Node is one value of a document with its place in the source.
type Node struct {
	Kind  Kind
	Value string // of a scalar, decoded
	Tag   string // !!str, !!int, !!bool, !!null, !!float, !!timestamp, !!map, !!seq

	doc   *Document
	yaml  *yaml.Node
	pairs []Pair
	index map[string]int // of many pairs, where each key stands
	items []*Node

	key     *Node       // of a value that is not written at all: where to point instead
	at      *diag.Place // of a scalar that was made of something else than YAML, where that stands
	refused bool        // it stood for something that is not taken, which was reported
}

// Pair is one key and its value in a mapping, in the order of the file.
type Pair struct{ Key, Value *Node }

// Pairs gives the entries of a mapping in the order of the file; nil for other kinds and for a nil node.
func (n *Node) Pairs() []Pair {
	if n == nil {
		return nil
	}
	return n.pairs
}

// Items gives the elements of a sequence; nil for other kinds and for a nil node.
func (n *Node) Items() []*Node {
	if n == nil {
		return nil
	}
	return n.items
}

// Get gives the value of a key in a mapping, or nil.
func (n *Node) Get(key string) *Node {
	if p := n.pair(key); p != nil {
		return p.Value
	}
	return nil
}

// Key gives the node of the key itself, for findings that are about the key, or nil.
func (n *Node) Key(key string) *Node {
	if p := n.pair(key); p != nil {
		return p.Key
	}
	return nil
}

// manyPairs is from how many pairs on a mapping keeps an index: looking through them for each of
// them would take too long.
const manyPairs = 32

// setPairs gives a mapping its entries.
func (n *Node) setPairs(pairs []Pair) {
	n.pairs, n.index = pairs, nil
	if len(pairs) < manyPairs {
		return
	}
	n.index = make(map[string]int, len(pairs))
	for i := len(pairs) - 1; i >= 0; i-- { // the first of several counts
		n.index[pairs[i].Key.Value] = i
	}
}

func (n *Node) pair(key string) *Pair {
	if n == nil {
		return nil
	}
	if n.index != nil {
		if i, ok := n.index[key]; ok {
			return &n.pairs[i]
		}
		return nil
	}
	for i := range n.pairs {
		if n.pairs[i].Key.Value == key {
			return &n.pairs[i]
		}
	}
	return nil
}

// Flow tells whether a mapping or list is written in braces or brackets.
func (n *Node) Flow() bool { return n != nil && n.yaml != nil && n.yaml.Style&yaml.FlowStyle != 0 }

// IsNull tells whether the value is absent or null.
func (n *Node) IsNull() bool { return n == nil || n.Kind == Scalar && n.Tag == "!!null" }

// Made makes a scalar of what stands somewhere else than in YAML, such as in a CSV file that a rule
// names: whatever is said of it points there.
func Made(value string, at diag.Place) *Node {
	return &Node{Kind: Scalar, Value: value, Tag: "!!str", at: &at, doc: &Document{Path: at.File}}
}

// Document gives the file that the node was read from.
func (n *Node) Document() *Document { return n.doc }

// Place is where the node stands: a scalar's text without its quotes, a mapping's or sequence's first token.
func (n *Node) Place() diag.Place {
	if n == nil {
		return diag.Place{}
	}
	if n.at != nil {
		return *n.at
	}
	if n.Kind == Scalar && n.Value != "" {
		return n.PlaceOf(0, utf8.RuneCountInString(n.Value))
	}
	if n.key != nil {
		return n.key.Place()
	}
	return n.token()
}

// Refused tells that the node stands for something that is not taken (an alias, too deep a nesting)
// and was reported when it was read.
func (n *Node) Refused() bool { return n != nil && n.refused }

// Plain gives the value as encoding/json would: maps, lists, strings, numbers (json.Number, as
// written), booleans and nil. Dates stay text.
func (n *Node) Plain() any {
	if n == nil {
		return nil
	}
	switch n.Kind {
	case Mapping:
		m := make(map[string]any, len(n.pairs))
		for _, p := range n.pairs {
			m[p.Key.Value] = p.Value.Plain()
		}
		return m
	case Sequence:
		l := make([]any, len(n.items))
		for i, item := range n.items {
			l[i] = item.Plain()
		}
		return l
	}
	return n.scalar()
}

func (n *Node) scalar() any {
	switch n.Tag {
	case "!!null":
		return nil
	case "!!bool":
		return n.Value == "true" || n.Value == "True" || n.Value == "TRUE"
	case "!!int", "!!float":
		// 010, 0x1F and .inf are numbers to YAML and not to JSON: they stay the text that was written.
		if json.Valid([]byte(n.Value)) {
			return json.Number(n.Value)
		}
	}
	return n.Value
}

// Merge lays a mapping over a base: keys of over win, mappings are merged key by key, and every
// node keeps the place where it really stands. Other kinds of over replace the base as a whole.
func Merge(base, over *Node) *Node {
	if base == nil || over == nil || base.Kind != Mapping || over.Kind != Mapping {
		if over == nil {
			return base
		}
		return over
	}
	merged := *over
	pairs := make([]Pair, 0, len(base.pairs)+len(over.pairs))
	for _, p := range base.pairs {
		if key := over.Key(p.Key.Value); key != nil {
			p = Pair{Key: key, Value: Merge(p.Value, over.Get(p.Key.Value))}
		}
		pairs = append(pairs, p)
	}
	for _, p := range over.pairs {
		if base.Key(p.Key.Value) == nil {
			pairs = append(pairs, p)
		}
	}
	merged.setPairs(pairs)
	return &merged
}

// Only gives a mapping with some of the keys left out; the other entries are the same nodes.
func (n *Node) Only(keep func(key string) bool) *Node {
	if n == nil || n.Kind != Mapping {
		return n
	}
	part := *n
	var pairs []Pair
	for _, p := range n.pairs {
		if keep(p.Key.Value) {
			pairs = append(pairs, p)
		}
	}
	part.setPairs(pairs)
	return &part
}

// With gives a mapping with another value behind one of its keys; the other entries are the same nodes.
func (n *Node) With(key string, value *Node) *Node {
	changed := *n
	pairs := make([]Pair, len(n.pairs))
	for i, p := range n.pairs {
		if pairs[i] = p; p.Key.Value == key {
			pairs[i].Value = value
		}
	}
	changed.setPairs(pairs)
	return &changed
}

// IsTrue tells whether the node is the boolean true; a nil node is not.
func (n *Node) IsTrue() bool { return n != nil && n.Kind == Scalar && n.Value == "true" }

// Same tells whether two nodes say the same, wherever they stand.
func (n *Node) Same(o *Node) bool {
	if n == nil || o == nil {
		return n == nil && o == nil
	}
	if n.Kind != o.Kind || n.Value != o.Value || len(n.Pairs()) != len(o.Pairs()) || len(n.Items()) != len(o.Items()) {
		return false
	}
	for _, p := range n.Pairs() {
		if !p.Value.Same(o.Get(p.Key.Value)) {
			return false
		}
	}
	for i, item := range n.Items() {
		if !item.Same(o.Items()[i]) {
			return false
		}
	}
	return true
}
