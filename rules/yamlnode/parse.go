package yamlnode

import (
	"gopkg.in/yaml.v3"

	"github.com/culvert/culvert/rules/diag"
)

// Parse reads one YAML document. Findings (syntax, duplicate keys, anchors, size, depth) go to list;
// the document is nil when nothing could be read.
func Parse(path string, text []byte, list *diag.List) *Document {
	doc := &Document{Path: path, Text: text}
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		list.Add(diag.Diagnostic{Code: "yaml-syntax", Message: err.Error(), Place: diag.Place{File: path}})
		return nil
	}
	if len(root.Content) > 0 {
		doc.Root = wrap(doc, root.Content[0])
	}
	return doc
}

func wrap(doc *Document, y *yaml.Node) *Node {
	n := &Node{doc: doc, yaml: y, Value: y.Value, Tag: y.ShortTag()}
	switch y.Kind {
	case yaml.MappingNode:
		n.Kind = Mapping
		for i := 0; i+1 < len(y.Content); i += 2 {
			n.pairs = append(n.pairs, Pair{Key: wrap(doc, y.Content[i]), Value: wrap(doc, y.Content[i+1])})
		}
	case yaml.SequenceNode:
		n.Kind = Sequence
		for _, c := range y.Content {
			n.items = append(n.items, wrap(doc, c))
		}
	}
	return n
}
