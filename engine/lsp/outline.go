package lsp

import (
	"strings"
	"unicode"
)

// spot is a place in a text: line and column count from 0, columns in runes.
type spot struct{ line, col int }

func (s spot) before(o spot) bool { return s.line < o.line || s.line == o.line && s.col < o.col }

// entry is one key with its value, or one item of a list, as far as a text that somebody is just
// typing lets it be told. YAML that is not finished has no nodes; an outline it always has.
type entry struct {
	parent   *entry
	children []*entry

	key            string // decoded; empty for an item and for what has no colon yet
	item           bool   // an item of a list
	bare           bool   // a text where a key is expected: a key without its colon yet
	keyFrom, keyTo spot   // as written, quotes included

	value    string // decoded text of a scalar
	quote    rune   // that the scalar is written in, or 0
	block    bool   // written behind | or >
	from, to spot   // of the value as written, quotes included; where one would be written when there is none
	open     rune   // { or [ when the value is written in braces or brackets, and from and to go round them
	flow     bool   // it stands in braces or brackets itself
	indent   int    // of the key or the dash, -1 for the root
	last     spot   // behind all that belongs to it
}

// child gives the entry of a key, or nil.
func (e *entry) child(key string) *entry {
	if e == nil {
		return nil
	}
	for _, c := range e.children {
		if !c.item && !c.bare && c.key == key {
			return c
		}
	}
	return nil
}

// text gives the scalar of a key, "" when there is none.
func (e *entry) text(key string) string {
	if c := e.child(key); c != nil {
		return c.value
	}
	return ""
}

// path gives the entries from the top to this one, without the root.
func (e *entry) path() []*entry {
	if e == nil || e.parent == nil {
		return nil
	}
	return append(e.parent.path(), e)
}

// all visits an entry and what lies in it.
func (e *entry) all(visit func(*entry)) {
	visit(e)
	for _, c := range e.children {
		c.all(visit)
	}
}

// outline is the structure of one text.
type outline struct {
	lines [][]rune
	root  *entry
}

// outliner reads the lines of a text.
type outliner struct {
	*outline
	stack []*entry
	line  int
}

// newOutline reads a text. It takes whatever it gets.
func newOutline(text string) *outline {
	o := &outline{root: &entry{indent: -1}}
	for line := range strings.Lines(text) {
		o.lines = append(o.lines, []rune(strings.TrimRight(line, "\r\n")))
	}
	if text == "" || strings.HasSuffix(text, "\n") {
		o.lines = append(o.lines, nil)
	}
	r := outliner{outline: o, stack: []*entry{o.root}}
	for r.line < len(o.lines) {
		r.read()
	}
	o.root.last = spot{len(o.lines), 0}
	return o
}

// blankOrComment tells whether a line says nothing from a column on.
func blankOrComment(line []rune, col int) bool {
	for ; col < len(line); col++ {
		if line[col] == '#' {
			return true
		}
		if !unicode.IsSpace(line[col]) {
			return false
		}
	}
	return true
}

func skipBlanks(line []rune, col int) int {
	for col < len(line) && (line[col] == ' ' || line[col] == '\t') {
		col++
	}
	return col
}

// read takes the line that is next, and those on which its value goes on.
func (r *outliner) read() {
	line, n := r.lines[r.line], r.line
	r.line++
	col := skipBlanks(line, 0)
	if blankOrComment(line, col) {
		return
	}
	var item *entry
	for col < len(line) && line[col] == '-' && (col+1 == len(line) || line[col+1] == ' ') {
		item = r.add(&entry{item: true, indent: col, keyFrom: spot{n, col}, keyTo: spot{n, col + 1}})
		col = skipBlanks(line, col+1)
		item.from, item.to = spot{n, col}, spot{n, col}
	}
	if blankOrComment(line, col) {
		return
	}
	end, colon := keyEnd(line, col, false)
	switch {
	case colon >= 0:
		e := r.add(&entry{indent: col, key: unquote(line[col:end]), keyFrom: spot{n, col}, keyTo: spot{n, end}})
		r.value(e, n, colon+1)
	case item != nil:
		r.value(item, n, col)
		if item.open == 0 && item.quote == 0 && !item.block { // perhaps the beginning of a key
			r.touch(item, item.to)
		}
	default:
		to := plainEnd(line, col)
		r.add(&entry{indent: col, bare: true, value: string(line[col:to]), keyFrom: spot{n, col}, keyTo: spot{n, to},
			from: spot{n, to}, to: spot{n, to}})
	}
}

// add puts a block entry where its indent belongs.
func (r *outliner) add(e *entry) *entry {
	top := r.stack[len(r.stack)-1]
	for top.indent > e.indent || top.indent == e.indent && (!e.item || top.item) {
		r.stack = r.stack[:len(r.stack)-1]
		top = r.stack[len(r.stack)-1]
	}
	e.parent = top
	top.children = append(top.children, e)
	r.stack = append(r.stack, e)
	r.touch(e, e.keyTo)
	return e
}

// touch notes that an entry and those around it reach as far as a place.
func (r *outliner) touch(e *entry, to spot) {
	for ; e != nil; e = e.parent {
		if e.last.before(to) {
			e.last = to
		}
	}
}

// value reads what stands behind a colon or a dash.
func (r *outliner) value(e *entry, n, col int) {
	line := r.lines[n]
	start := skipBlanks(line, col)
	if blankOrComment(line, start) {
		start = min(col+1, len(line))
		e.from, e.to = spot{n, start}, spot{n, start}
		return
	}
	e.from = spot{n, start}
	switch c := line[start]; c {
	case '|', '>':
		r.literal(e, n, start)
	case '{', '[':
		r.flow(e, n, start)
	case '"', '\'':
		end := quotedEnd(line, start)
		e.quote, e.value, e.to = c, unquote(line[start:end]), spot{n, end}
	default:
		end := plainEnd(line, start)
		e.value, e.to = string(line[start:end]), spot{n, end}
		r.folded(e)
	}
	r.touch(e, e.to)
}

// literal reads a text behind | or >: the lines that are indented more.
func (r *outliner) literal(e *entry, n, start int) {
	e.block = true
	e.to = spot{n, len(r.lines[n])}
	var text []string
	for r.line < len(r.lines) {
		line := r.lines[r.line]
		at := skipBlanks(line, 0)
		if at < len(line) && at <= e.indent {
			break
		}
		text = append(text, strings.TrimSpace(string(line)))
		if at < len(line) {
			e.to = spot{r.line, len(line)}
		}
		r.line++
	}
	e.value = strings.TrimSpace(strings.Join(text, "\n"))
	_ = start
}

// folded takes the lines on which a plain text goes on.
func (r *outliner) folded(e *entry) {
	for r.line < len(r.lines) {
		line := r.lines[r.line]
		at := skipBlanks(line, 0)
		if at >= len(line) || at <= e.indent || line[at] == '#' || line[at] == '-' &&
			(at+1 == len(line) || line[at+1] == ' ') {
			return
		}
		if _, colon := keyEnd(line, at, false); colon >= 0 {
			return
		}
		end := plainEnd(line, at)
		e.value += " " + string(line[at:end])
		e.to = spot{r.line, end}
		r.line++
	}
}

// keyEnd finds the end of a key that begins at a column, and its colon; -1 when there is none.
func keyEnd(line []rune, col int, flow bool) (end, colon int) {
	if col >= len(line) {
		return col, -1
	}
	if line[col] == '"' || line[col] == '\'' {
		end = quotedEnd(line, col)
		at := skipBlanks(line, end)
		if at < len(line) && line[at] == ':' {
			return end, at
		}
		return end, -1
	}
	if !flow && strings.ContainsRune("{[|>&*!%@`", line[col]) {
		return col, -1
	}
	for i := col; i < len(line); i++ {
		switch {
		case line[i] == ':' && (i+1 == len(line) || line[i+1] == ' ' || flow && strings.ContainsRune(",}]", line[i+1])):
			end = i
			for end > col && line[end-1] == ' ' {
				end--
			}
			return end, i
		case line[i] == '#' && i > col && line[i-1] == ' ', flow && strings.ContainsRune(",{}[]", line[i]):
			return i, -1
		}
	}
	return len(line), -1
}

// plainEnd is where a plain text of a block ends: at the line's end, or before a comment.
func plainEnd(line []rune, col int) int {
	end := len(line)
	for i := col; i < len(line); i++ {
		if line[i] == '#' && i > col && line[i-1] == ' ' {
			end = i
			break
		}
	}
	for end > col && (line[end-1] == ' ' || line[end-1] == '\t') {
		end--
	}
	return end
}

// quotedEnd is the column behind a quoted text, or the end of the line when it is not closed.
func quotedEnd(line []rune, col int) int {
	quote := line[col]
	for i := col + 1; i < len(line); i++ {
		switch {
		case line[i] == '\\' && quote == '"':
			i++
		case line[i] == quote && quote == '\'' && i+1 < len(line) && line[i+1] == quote:
			i++
		case line[i] == quote:
			return i + 1
		}
	}
	return len(line)
}

// unquote gives what a key or value as it is written stands for, as far as names need it.
func unquote(written []rune) string {
	if len(written) == 0 || written[0] != '"' && written[0] != '\'' {
		return string(written)
	}
	quote := written[0]
	inner := written[1:]
	if len(inner) > 0 && inner[len(inner)-1] == quote {
		inner = inner[:len(inner)-1]
	}
	if quote == '\'' {
		return strings.ReplaceAll(string(inner), "''", "'")
	}
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`, `\n`, "\n", `\t`, "\t").Replace(string(inner))
}
