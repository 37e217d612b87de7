package yamlnode

import (
	"strings"

	"gopkg.in/yaml.v3"
)

const blockStyles = yaml.LiteralStyle | yaml.FoldedStyle

// asWritten writes a part of the scalar as its quotes, or its block, need it.
func (e *editor) asWritten(part string) (string, bool) {
	switch style := e.node.yaml.Style; {
	case style&yaml.SingleQuotedStyle != 0:
		return strings.ReplaceAll(part, "'", "''"), !strings.ContainsAny(part, "\n\r")
	case style&yaml.DoubleQuotedStyle != 0:
		return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`).Replace(part), true
	case style&yaml.LiteralStyle != 0:
		first := e.doc.offset(e.node.PlaceOf(0, 1).Range.Start)
		indent := first - 1 - strings.LastIndexByte(string(e.doc.Text[:first]), '\n')
		return strings.ReplaceAll(part, "\n", "\n"+strings.Repeat(" ", indent)), true
	}
	return part, !strings.ContainsAny(part, "\n\r")
}

// extent gives the bytes that a value is written in: quotes, braces and all lines of a block included.
func (d *Document) extent(n *Node) (from, to int) {
	if n.yaml == nil {
		return 0, 0
	}
	from = d.markAt(n.yaml.Line, n.yaml.Column).offset
	switch {
	case n.Flow():
		return from, d.flowEnd(from)
	case n.Kind == Scalar && n.yaml.Style&blockStyles != 0:
		return from, d.blockEnd(n.yaml.Line)
	case n.Kind == Scalar && n.yaml.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		return from, quoteEnd(d.Text, from)
	case n.Kind == Scalar && n.Value == "":
		return from, from
	case n.Kind == Scalar:
		return from, d.offset(n.PlaceOf(0, len([]rune(n.Value))).Range.End)
	}
	to = from
	for _, p := range n.pairs {
		_, key := d.extent(p.Key)
		to = max(to, key, d.valueEnd(p))
	}
	for _, item := range n.items {
		_, end := d.extent(item)
		to = max(to, end)
	}
	return from, to
}

// valueEnd gives the byte behind an entry: behind its colon when it has no value.
func (d *Document) valueEnd(p Pair) int {
	if p.Value.key != nil {
		_, end := d.extent(p.Key)
		if colon := strings.IndexByte(string(d.Text[end:]), ':'); colon >= 0 {
			return end + colon + 1
		}
		return end
	}
	_, end := d.extent(p.Value)
	return end
}

// quoteEnd gives the byte behind a quoted text that begins at a byte.
func quoteEnd(text []byte, from int) int {
	quote := text[from]
	for i := from + 1; i < len(text); i++ {
		switch {
		case text[i] == '\\' && quote == '"':
			i++
		case text[i] == quote && quote == '\'' && i+1 < len(text) && text[i+1] == quote:
			i++
		case text[i] == quote:
			return i + 1
		}
	}
	return len(text)
}

// flowEnd gives the byte behind the brace or bracket that closes the one at a byte.
func (d *Document) flowEnd(from int) int {
	depth := 0
	before := byte('{')
	for i := from; i < len(d.Text); i++ {
		c := d.Text[i]
		switch {
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				return i + 1
			}
		case (c == '"' || c == '\'') && strings.IndexByte(" \t\n{[,:", before) >= 0:
			i = quoteEnd(d.Text, i) - 1
		case c == '#' && strings.IndexByte(" \t\n", before) >= 0:
			for i+1 < len(d.Text) && d.Text[i+1] != '\n' {
				i++
			}
		}
		before = d.Text[i]
	}
	return len(d.Text)
}

// blockEnd gives the byte behind the last line of a text behind | or >, whose first line is that of the sign.
func (d *Document) blockEnd(line int) int {
	end := d.lines[line-1][1]
	deep := -1
	for i := line; i < len(d.lines); i++ {
		text := d.line(i + 1)
		indent := len(text) - len(strings.TrimLeft(text, " "))
		if strings.TrimSpace(text) == "" {
			continue
		}
		if deep < 0 {
			deep = indent
		}
		if indent < deep || deep == 0 {
			break
		}
		end = d.lines[i][1]
	}
	return end
}
