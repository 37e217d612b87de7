package yamlnode

import (
	"strings"

	"gopkg.in/yaml.v3"
)

// CutBy gives the comment behind a plain scalar that may have been meant as a part of it, such as
// #3 of "name: Ward #3": YAML takes " #" for the beginning of a comment, and people write a space
// after the sign of one. It is empty for any other node.
func (n *Node) CutBy() string {
	if n == nil || n.Kind != Scalar || n.yaml == nil || n.yaml.Style != 0 || n.yaml.Kind != yaml.ScalarNode ||
		n.Value == "" {
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
	if comment == rest || len(comment) < 2 || comment[0] != '#' || comment[1] == ' ' && balanced(n.Value) ||
		comment[1] == '#' || comment[1] == '!' {
		return ""
	}
	return comment
}

// balanced tells whether the quotes and brackets of a text have their partners. Inside of quotes
// the others are only letters.
func balanced(s string) bool {
	var open []rune
	closes := map[rune]rune{')': '(', ']': '['}
	quote := rune(0)
	for _, r := range s {
		switch {
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '"' || r == '\'':
			quote = r
		case r == '(' || r == '[':
			open = append(open, r)
		case closes[r] != 0:
			if len(open) == 0 || open[len(open)-1] != closes[r] {
				return false
			}
			open = open[:len(open)-1]
		}
	}
	return quote == 0 && len(open) == 0
}
