package lsp

import "strings"

// flow reads a value in braces or brackets, over several lines if need be. What is not closed ends
// where the next line is indented no more than the key.
func (r *outliner) flow(e *entry, n, col int) {
	f := flowReader{outliner: r, at: spot{n, col}, indent: e.indent}
	f.collection(e)
	r.line = max(r.line, f.at.line+1)
	if f.at.line >= len(r.lines) {
		r.line = len(r.lines)
	}
}

type flowReader struct {
	*outliner
	at     spot
	indent int
	depth  int
}

// maxFlowDepth bounds how deep braces and brackets are followed.
const maxFlowDepth = 50

// peek gives the next rune that is no blank, line break or comment; 0 at the end.
func (f *flowReader) peek() rune {
	for f.at.line < len(f.lines) {
		line := f.lines[f.at.line]
		f.at.col = skipBlanks(line, f.at.col)
		if f.at.col < len(line) && (line[f.at.col] != '#' || f.at.col > 0 && line[f.at.col-1] != ' ') {
			return line[f.at.col]
		}
		next := f.at.line + 1
		if next >= len(f.lines) {
			return 0
		}
		at := skipBlanks(f.lines[next], 0)
		if at < len(f.lines[next]) && at <= f.indent && !strings.ContainsRune("}]", f.lines[next][at]) {
			return 0
		}
		f.at = spot{next, 0}
	}
	return 0
}

func (f *flowReader) collection(e *entry) {
	e.open, e.from = f.lines[f.at.line][f.at.col], f.at
	closing := '}'
	if e.open == '[' {
		closing = ']'
	}
	f.depth++
	defer func() { f.depth-- }()
	f.at.col++
	for {
		c := f.peek()
		switch {
		case c == 0 || f.depth > maxFlowDepth:
			f.end(e)
			return
		case c == closing:
			f.at.col++
			f.end(e)
			return
		case c == ',' || c == '}' || c == ']':
			f.at.col++
		case e.open == '[':
			f.element(f.child(e, &entry{item: true, keyFrom: f.at, keyTo: f.at}))
		default:
			f.pair(e)
		}
	}
}

func (f *flowReader) end(e *entry) {
	e.to = f.at
	f.touch(e, e.to)
}

func (f *flowReader) child(parent, e *entry) *entry {
	e.parent, e.flow, e.indent = parent, true, f.indent
	parent.children = append(parent.children, e)
	return e
}

// pair reads a key and its value.
func (f *flowReader) pair(parent *entry) {
	line, col := f.lines[f.at.line], f.at.col
	end, colon := keyEnd(line, col, true)
	if end == col && colon < 0 {
		f.at.col++ // a bracket where a key is expected
		return
	}
	e := f.child(parent, &entry{keyFrom: f.at, keyTo: spot{f.at.line, end}})
	if colon < 0 {
		e.bare, e.value = true, strings.TrimSpace(unquote(line[col:end]))
		e.from, e.to = e.keyTo, e.keyTo
		f.at.col = end
		return
	}
	e.key = unquote(line[col:end])
	f.at.col = colon + 1
	f.element(e)
}

// element reads the value of a key or an item.
func (f *flowReader) element(e *entry) {
	after := f.at
	c := f.peek()
	switch {
	case c == 0 || c == ',' || c == '}' || c == ']':
		after.col = min(after.col+1, max(f.at.col, after.col), len(f.lines[after.line]))
		e.from, e.to = after, after
	case c == '{' || c == '[':
		f.collection(e)
	case c == '"' || c == '\'':
		line := f.lines[f.at.line]
		end := quotedEnd(line, f.at.col)
		e.quote, e.value = c, unquote(line[f.at.col:end])
		e.from, e.to = f.at, spot{f.at.line, end}
		f.at.col = end
	default:
		f.plain(e)
	}
	f.touch(e, e.to)
}

// plain reads a text up to a comma or bracket; brackets within it, as expressions have, must be balanced.
func (f *flowReader) plain(e *entry) {
	line, start := f.lines[f.at.line], f.at.col
	depth, end := 0, start
scan:
	for ; end < len(line); end++ {
		switch c := line[end]; {
		case c == '(' || c == '[' || c == '{':
			depth++
		case depth > 0 && (c == ')' || c == ']' || c == '}'):
			depth--
		case depth == 0 && (c == ',' || c == ']' || c == '}'):
			break scan
		case c == '#' && end > start && line[end-1] == ' ':
			break scan
		}
	}
	f.at.col = end
	for end > start && line[end-1] == ' ' {
		end--
	}
	e.value = string(line[start:end])
	e.from, e.to = spot{f.at.line, start}, spot{f.at.line, end}
}
