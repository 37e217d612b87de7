// Package yamlnode reads YAML into nodes that know their file, line and column.
// It is the only package that knows gopkg.in/yaml.v3.
package yamlnode

import (
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
}

// Node is one value of a document with its place in the source.
type Node struct {
	Kind  Kind
	Value string // of a scalar, decoded
	Tag   string // !!str, !!int, !!bool, !!null, !!float, !!timestamp, !!map, !!seq

	doc   *Document
	yaml  *yaml.Node
	pairs []Pair
	items []*Node
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
	for _, p := range n.Pairs() {
		if p.Key.Value == key {
			return p.Value
		}
	}
	return nil
}

// Key gives the node of the key itself, for findings that are about the key, or nil.
func (n *Node) Key(key string) *Node {
	for _, p := range n.Pairs() {
		if p.Key.Value == key {
			return p.Key
		}
	}
	return nil
}

// IsNull tells whether the value is absent or null.
func (n *Node) IsNull() bool { return n == nil || n.Kind == Scalar && n.Tag == "!!null" }

// IsText tells whether the node is a scalar written as, or read as, text.
func (n *Node) IsText() bool { return n != nil && n.Kind == Scalar && n.Tag == "!!str" }

// Document gives the file that the node was read from.
func (n *Node) Document() *Document { return n.doc }

// Place is where the node stands: a scalar's text without its quotes, a mapping's or sequence's first token.
func (n *Node) Place() diag.Place {
	if n == nil {
		return diag.Place{}
	}
	if n.Kind == Scalar {
		return n.PlaceOf(0, utf8.RuneCountInString(n.Value))
	}
	start := diag.Position{Line: n.yaml.Line, Column: n.yaml.Column}
	return diag.Place{File: n.doc.Path, Range: diag.Range{Start: start, End: diag.Position{Line: start.Line, Column: start.Column + 1}}}
}
