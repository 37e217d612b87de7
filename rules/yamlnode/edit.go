package yamlnode

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/culvert/culvert/rules/diag"
)

// ErrUneditable says that an entry cannot be changed on its own: it is not there, the file has
// mistakes, or it is written in a way that a change of this one entry would change others.
var ErrUneditable = errors.New("this cannot be changed by itself: change it in the text of the file")

// At gives the value that a path leads to: keys of mappings, and numbers of items counted from 0;
// nil when there is none.
func (n *Node) At(path []string) *Node {
	for _, step := range path {
		switch {
		case n == nil:
			return nil
		case n.Kind == Sequence:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(n.items) {
				return nil
			}
			n = n.items[i]
		default:
			n = n.Get(step)
		}
	}
	return n
}

// editor changes one text. Nothing of it is written anew but the entry that changes, and what comes
// out is read again: everything else says what it said.
type editor struct {
	doc  *Document
	path []string
	node *Node
	mark []byte // of the byte order, before the text
}

// done gives the text as the file holds it.
func (e *editor) done(text []byte) []byte { return append(e.mark, text...) }

func newEditor(file string, text []byte, path []string) (*editor, error) {
	var list diag.List
	doc := Parse(file, text, &list)
	if doc == nil || list.HasErrors() {
		return nil, fmt.Errorf("%w: it has mistakes now", ErrUneditable)
	}
	return &editor{doc: doc, path: path, node: doc.Root.At(path),
		mark: slices.Clone(text[:len(text)-len(doc.Text)])}, nil
}

// SetText makes a scalar say another text. Where a part of it changes, that part alone is written,
// so that a text folded over several lines keeps its lines.
func SetText(file string, text []byte, path []string, value string) ([]byte, error) {
	e, err := newEditor(file, text, path)
	if err != nil {
		return nil, err
	}
	n := e.node
	if n == nil || n.Kind != Scalar || n.refused {
		return nil, ErrUneditable
	}
	if n.Value == value {
		return text, nil
	}
	if out, ok := e.middle(value); ok && e.says(out, value) {
		return e.done(out), nil
	}
	raw := Text(value)
	switch {
	case value == "":
		raw = ""
	case n.yaml != nil && e.within(path):
		raw = FlowText(value)
	}
	out, err := e.replace(raw)
	if err != nil || !e.says(out, value) {
		return nil, errors.Join(err, ErrUneditable)
	}
	return e.done(out), nil
}

// SetYAML writes YAML of one line in the place of a value, whatever that was.
func SetYAML(file string, text []byte, path []string, raw string) ([]byte, error) {
	e, err := newEditor(file, text, path)
	if err != nil {
		return nil, err
	}
	want, err := plainOf(raw)
	if err != nil || e.node == nil {
		return nil, errors.Join(err, ErrUneditable)
	}
	out, err := e.replace(raw)
	if err != nil || !e.says(out, want) {
		return nil, errors.Join(err, ErrUneditable)
	}
	return e.done(out), nil
}

// plainOf reads YAML of one line.
func plainOf(raw string) (any, error) {
	var list diag.List
	doc := Parse("", []byte("value: "+raw), &list)
	if strings.ContainsAny(raw, "\n\r") || doc == nil || list.HasErrors() || len(doc.Root.Pairs()) != 1 {
		return nil, fmt.Errorf("%q is not a value of YAML in one line", raw)
	}
	return doc.Root.Get("value").Plain(), nil
}

// within tells whether a value stands in braces or brackets.
func (e *editor) within(path []string) bool {
	for i := range path { // the last step is of the value itself
		if e.doc.Root.At(path[:i]).Flow() {
			return true
		}
	}
	return false
}

// says tells whether a text is the document with another value at the path, and nothing else changed.
func (e *editor) says(text []byte, value any) bool {
	var list diag.List
	doc := Parse(e.doc.Path, text, &list)
	if doc == nil || list.HasErrors() || doc.Root == nil {
		return false
	}
	n := doc.Root.At(e.path)
	if want, ok := value.(string); ok && (n == nil || n.Kind != Scalar || n.Value != want) {
		return false
	} else if !ok && !reflect.DeepEqual(n.Plain(), value) {
		return false
	}
	return reflect.DeepEqual(without(e.doc.Root.Plain(), e.path), without(doc.Root.Plain(), e.path))
}

// without gives a tree less what a path leads to; of a list, an item is made nothing.
func without(tree any, path []string) any {
	if len(path) == 0 {
		return nil
	}
	switch x := tree.(type) {
	case map[string]any:
		if len(path) == 1 {
			delete(x, path[0])
		} else {
			x[path[0]] = without(x[path[0]], path[1:])
		}
	case []any:
		if i, err := strconv.Atoi(path[0]); err == nil && i >= 0 && i < len(x) {
			x[i] = without(x[i], path[1:])
		}
	}
	return tree
}

// offset gives the byte that a position stands at.
func (d *Document) offset(p diag.Position) int { return d.markAt(p.Line, p.Column).offset }

// middle changes the part of a scalar between what stays at its beginning and at its end.
func (e *editor) middle(value string) ([]byte, bool) {
	old, fresh := []rune(e.node.Value), []rune(value)
	if len(old) == 0 || len(fresh) == 0 || e.node.yaml == nil || isBlank(old[0]) || isBlank(old[len(old)-1]) {
		return nil, false
	}
	from, behind := 0, 0
	for from < min(len(old), len(fresh)) && old[from] == fresh[from] {
		from++
	}
	for from > 0 && isBlank(old[from-1]) { // a place is exact beside ink
		from--
	}
	for behind < min(len(old), len(fresh))-from && old[len(old)-1-behind] == fresh[len(fresh)-1-behind] {
		behind++
	}
	for behind > 0 && isBlank(old[len(old)-behind]) {
		behind--
	}
	at := e.doc.offset(e.node.PlaceOf(0, 1).Range.Start)
	if from > 0 {
		at = e.doc.offset(e.node.PlaceOf(from-1, from).Range.End)
	}
	to := e.doc.offset(e.node.PlaceOf(len(old)-1, len(old)).Range.End)
	if behind > 0 {
		to = e.doc.offset(e.node.PlaceOf(len(old)-behind, len(old)-behind+1).Range.Start)
	}
	if to < at {
		return nil, false
	}
	written, ok := e.asWritten(string(fresh[from : len(fresh)-behind]))
	if !ok {
		return nil, false
	}
	return splice(e.doc.Text, at, to, written), true
}

func splice(text []byte, from, to int, with string) []byte {
	return slices.Concat(text[:from], []byte(with), text[to:])
}

// replace writes another text in the place of a value, or behind the colon where there is none.
func (e *editor) replace(raw string) ([]byte, error) {
	n := e.node
	if n.key != nil { // nothing is written
		_, end := e.doc.extent(n.key)
		colon := strings.IndexByte(string(e.doc.Text[end:]), ':')
		if colon < 0 {
			return nil, ErrUneditable
		}
		if raw != "" {
			raw = " " + raw
		}
		return splice(e.doc.Text, end+colon+1, end+colon+1, raw), nil
	}
	from, to := e.doc.extent(n)
	if raw == "" {
		for from > 0 && e.doc.Text[from-1] == ' ' {
			from--
		}
	}
	return splice(e.doc.Text, from, to, raw), nil
}
