package yamlnode

import (
	"bytes"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// refolded puts the lines of texts behind > back as their author broke them: the encoder joins them
// to one, and gets those wrong that are indented deeper. It gives fresh as it is where that would change
// what the file says.
func refolded(old, fresh []byte, before, after *yaml.Node) ([]byte, *yaml.Node) {
	oldLines, freshLines := strings.Split(string(old), "\n"), strings.Split(string(fresh), "\n")
	type change struct {
		first, last int // lines of fresh, from 0; last is behind the block
		lines       []string
	}
	var changes []change
	var walk func(a, b *yaml.Node)
	walk = func(a, b *yaml.Node) {
		if a.Kind == yaml.ScalarNode && a.Style&b.Style&yaml.FoldedStyle != 0 {
			written, _ := blockLines(oldLines, a.Line)
			joined, indent := blockLines(freshLines, b.Line)
			if len(written) > 0 && len(joined) > 0 {
				for i := range written {
					if written[i] != "" {
						written[i] = strings.Repeat(" ", indent) + written[i]
					}
				}
				changes = append(changes, change{b.Line, b.Line + len(joined), written})
			}
		}
		for i := range min(len(a.Content), len(b.Content)) {
			walk(a.Content[i], b.Content[i])
		}
	}
	walk(before, after)
	if len(changes) == 0 {
		return fresh, after
	}
	for _, c := range slices.Backward(changes) {
		freshLines = slices.Concat(freshLines[:c.first], c.lines, freshLines[c.last:])
	}
	out := []byte(strings.Join(freshLines, "\n"))
	var again yaml.Node
	if yaml.Unmarshal(out, &again) != nil || !same(before, &again) || bytes.Equal(out, fresh) {
		return fresh, after
	}
	return out, &again
}

// blockLines gives the lines of the text behind > in a line, counted from 1, without their indent
// and without the empty ones at its end, and that indent.
func blockLines(lines []string, line int) (text []string, indent int) {
	indent = -1
	for _, l := range lines[min(line, len(lines)):] {
		l = strings.TrimRight(l, " \r")
		deep := len(l) - len(strings.TrimLeft(l, " "))
		if indent < 0 && l != "" {
			indent = deep
		}
		if l != "" && (deep < indent || indent == 0) {
			break
		}
		text = append(text, l[min(len(l), max(indent, 0)):])
	}
	for len(text) > 0 && text[len(text)-1] == "" {
		text = text[:len(text)-1]
	}
	return text, indent
}
