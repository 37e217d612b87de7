package yamlnode

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/culvert/culvert/rules/diag"
)

// Limits of one file. A rule file of a few hundred lines is far below both.
const (
	// MaxSize is the largest file that is read, in bytes.
	MaxSize = 1 << 20
	// MaxDepth is how deep mappings and lists may nest.
	MaxDepth = 50
)

// Parse reads one YAML document. Findings (syntax, duplicate keys, anchors, size, depth) go to
// list; the document is nil when nothing could be read. Scalars keep the text as it is written:
// 010, yes and 2024-01-31 are not turned into numbers, booleans or dates.
func Parse(path string, text []byte, list *diag.List) *Document {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	doc := &Document{Path: path, Text: text, lines: splitLines(text)}
	doc.markLines()
	if !readable(doc, list) {
		return nil
	}
	roots, err := decode(text)
	if err != nil {
		list.Add(syntaxFinding(doc, err))
		return nil
	}
	if len(roots) > 1 {
		list.Add(diag.Diagnostic{Problem: diag.Problem{
			Code:    "yaml-documents",
			Message: "the file holds more than one YAML document",
			Hint:    "remove the line --- or move what follows it into a file of its own",
			Place:   doc.secondDocument(roots[1]),
		}})
	}
	if len(roots) > 0 && len(roots[0].Content) > 0 {
		w := wrapper{doc: doc, list: list}
		doc.Root = w.wrap(roots[0].Content[0], 0)
		if doc.Root != nil && doc.Root.Kind == Scalar && doc.Root.IsNull() {
			doc.Root = nil
		}
	}
	return doc
}

// readable refuses what would make a parser slow or its positions wrong.
func readable(doc *Document, list *diag.List) bool {
	refuse := func(code, message, hint string, at diag.Position) bool {
		list.Add(diag.Diagnostic{Problem: diag.Problem{Code: code, Message: message, Hint: hint,
			Place: doc.placeAt(at)}})
		return false
	}
	if len(doc.Text) > MaxSize {
		return refuse("yaml-size", fmt.Sprintf("the file has %d bytes; %d is the most that is read", len(doc.Text), MaxSize),
			"split the file, or move long value maps into CSV files", diag.Position{Line: 1, Column: 1})
	}
	pos := diag.Position{Line: 1, Column: 1}
	for i := 0; i < len(doc.Text); {
		r, size := utf8.DecodeRune(doc.Text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			return refuse("yaml-encoding", "the file is not UTF-8 text", "save it with the encoding UTF-8", pos)
		case r < ' ' && r != '\t' && r != '\n' && r != '\r', r == 0x7f, r >= 0x80 && r < 0xa0 && r != 0x85, r == 0xfeff:
			return refuse("yaml-character", fmt.Sprintf("the character U+%04X cannot stand in a YAML file", r),
				`remove it; inside double quotes it can be written as \u and four digits`, pos)
		}
		if isBreak(r) && !(r == '\r' && i+1 < len(doc.Text) && doc.Text[i+1] == '\n') {
			pos.Line, pos.Column = pos.Line+1, 1
		} else {
			pos.Column++
		}
		i += size
	}
	return true
}

// decode gives the first two documents of a text, as yaml nodes.
func decode(text []byte) (roots []*yaml.Node, err error) {
	defer func() {
		// The parser is known to panic on a few malformed inputs instead of answering an error.
		if p := recover(); p != nil {
			err = fmt.Errorf("yaml: the parser gave up: %v", p)
		}
	}()
	d := yaml.NewDecoder(bytes.NewReader(text))
	for len(roots) < 2 {
		var root yaml.Node
		if err := d.Decode(&root); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return roots, err
		}
		roots = append(roots, &root)
	}
	return roots, nil
}

// secondDocument is the place of the separator before a second document.
func (d *Document) secondDocument(root *yaml.Node) diag.Place {
	line := min(max(root.Line, 1), len(d.lines))
	for ; line > 1; line-- {
		if t := d.line(line); strings.HasPrefix(t, "---") || strings.HasPrefix(t, "...") {
			break
		}
	}
	return d.span(line, 1, 4)
}

// wrapper turns yaml nodes into ours and reports what we do not take.
type wrapper struct {
	doc  *Document
	list *diag.List
	deep bool // the depth was reported already
}

func (w *wrapper) wrap(y *yaml.Node, depth int) *Node {
	n := &Node{doc: w.doc, yaml: y, Value: y.Value, Tag: y.ShortTag()}
	if depth > MaxDepth {
		if !w.deep {
			w.deep = true
			w.report("yaml-depth", fmt.Sprintf("mappings and lists nest deeper than %d", MaxDepth), "flatten the file",
				n.token())
		}
		return null(n)
	}
	if y.Kind == yaml.AliasNode {
		w.report("yaml-alias", fmt.Sprintf("the alias *%s is not taken", y.Value),
			"write the value out, or share it with defaults: or extends:",
			w.doc.span(y.Line, y.Column, y.Column+1+utf8.RuneCountInString(y.Value)))
		return null(n)
	}
	if y.Anchor != "" {
		w.report("yaml-anchor", fmt.Sprintf("the anchor &%s is not taken", y.Anchor),
			"remove it; what several places share goes into defaults: or a file named in extends:", n.token())
	} else if y.Style&yaml.TaggedStyle != 0 {
		w.report("yaml-tag", fmt.Sprintf("the tag %s is not taken", y.Tag),
			"remove it; to keep a value as text, put it in quotes", n.token())
	}
	switch y.Kind {
	case yaml.MappingNode:
		n.Kind = Mapping
		if y.Style&yaml.FlowStyle != 0 && cutAtComma(y) && w.bareCall(n) {
			return null(n)
		}
		w.mapping(n, y, depth)
	case yaml.SequenceNode:
		n.Kind = Sequence
		for _, c := range y.Content {
			n.items = append(n.items, w.wrap(c, depth+1))
		}
	}
	return n
}

// bareCall reports a call without quotes in a mapping in braces; false where the line tells nothing of it.
func (w *wrapper) bareCall(n *Node) bool {
	text := w.doc.line(n.yaml.Line)
	brace := w.doc.offset(n.token().Range.Start) - w.doc.lines[n.yaml.Line-1][0]
	if brace < 0 || brace >= len(text) {
		return false
	}
	message, hint, from, to := inBraces(text, brace)
	if message == "" {
		return false
	}
	first := utf8.RuneCountInString(text[:from]) + 1
	w.report("yaml-syntax", message, hint,
		w.doc.span(n.yaml.Line, first, first+utf8.RuneCountInString(text[from:to])))
	return true
}

func (w *wrapper) mapping(n *Node, y *yaml.Node, depth int) {
	seen := make(map[string]*Node, len(y.Content)/2)
	var pairs []Pair
	defer func() { n.setPairs(pairs) }()
	for i := 0; i+1 < len(y.Content); i += 2 {
		key := &Node{doc: w.doc, yaml: y.Content[i], Value: y.Content[i].Value, Tag: y.Content[i].ShortTag()}
		switch {
		case key.yaml.Kind == yaml.MappingNode && key.yaml.Style&yaml.FlowStyle != 0 && n.yaml.Style&yaml.FlowStyle != 0:
			w.report("yaml-key", "{{ }} is not how expressions are written",
				"write the expression without braces, such as trigger.name", n.token())
			null(n)
			pairs = nil
			return
		case key.yaml.Kind == yaml.AliasNode || key.Tag == "!!merge":
			w.report("yaml-alias", "keys cannot be merged with << or aliases", "share them with defaults: or extends:",
				key.token())
			continue
		case key.yaml.Kind != yaml.ScalarNode:
			w.report("yaml-key", "a key must be text, not a list or a mapping", "put the key in quotes", key.token())
			continue
		case key.Tag == "!!null":
			w.report("yaml-key", "the key is empty", `write the key before the colon; "" and null are not taken`, key.token())
			continue
		}
		if key.yaml.Anchor != "" {
			w.report("yaml-anchor", fmt.Sprintf("the anchor &%s is not taken", key.yaml.Anchor), "remove it", key.token())
		}
		if first := seen[key.Value]; first != nil {
			w.list.Add(diag.Diagnostic{
				Problem: diag.Problem{Code: "duplicate-key",
					Message: fmt.Sprintf("the key %q stands here a second time", key.Value),
					Hint:    "remove one of the two, or rename it",
					Place:   key.Place()},
				Related: []diag.Related{{Place: first.Place(), Message: "first written here"}},
			})
			continue
		}
		seen[key.Value] = key
		value := w.wrap(y.Content[i+1], depth+1)
		if value.Kind == Scalar && value.Value == "" && value.yaml.Style == 0 {
			value.key = key
		}
		pairs = append(pairs, Pair{Key: key, Value: value})
	}
}

func (w *wrapper) report(code, message, hint string, place diag.Place) {
	w.list.Add(diag.Diagnostic{Problem: diag.Problem{Code: code, Message: message, Hint: hint, Place: place}})
}

// null makes a node of what is not taken, so that nothing after it has to know.
func null(n *Node) *Node {
	n.Kind, n.Value, n.Tag, n.pairs, n.refused = Scalar, "", "!!null", nil, true
	return n
}
