package yamlnode

import (
	"strings"

	"gopkg.in/yaml.v3"
)

// CutBy gives the comment behind a plain scalar that may have been meant as a part of it, such as #3 of "name: Ward #3": YAML takes " #" for the
// beginning of a comment, and people write a space after the sign of one. It is empty for any other node.
func (n *Node) CutBy() string {
	if n == nil || n.Kind != Scalar || n.yaml == nil || n.yaml.Style != 0 || n.yaml.Kind != yaml.ScalarNode || n.Value == "" {
		return ""
	}
	line := []rune(n.doc.line(n.yaml.Line))
	if n.yaml.Column < 1 || n.yaml.Column > len(line) {
		return ""
	}
	rest, ok := strings.CutPrefix(string(line[n.yaml.Column-1:]), n.Value)
	if !ok {
		return ""
	}
	comment := strings.TrimLeft(rest, " \t")
	if comment == rest || len(comment) < 2 || comment[0] != '#' || comment[1] == ' ' && balanced(n.Value) || comment[1] == '#' || comment[1] == '!' {
		return ""
	}
	return comment
}

// balanced tells whether the quotes and brackets of a text have their partners.
func balanced(s string) bool {
	return strings.Count(s, `"`)%2 == 0 && strings.Count(s, "'")%2 == 0 &&
		strings.Count(s, "[") == strings.Count(s, "]") && strings.Count(s, "(") == strings.Count(s, ")")
}
