package yamlnode

import (
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/culvert/culvert/rules/diag"
)

// PlaceOf gives the place in the source of the runes from (inclusive) to (exclusive) of a scalar's decoded value,
// exact for plain, quoted, folded and literal scalars.
//
// A YAML node knows only where it starts, and folding, indentation and escapes change white space
// only in ways that leave every other rune in its order: the k-th rune of the value that is not
// white space is the k-th one of the source.
func (n *Node) PlaceOf(from, to int) diag.Place {
	if n == nil {
		return diag.Place{}
	}
	if n.at != nil {
		return *n.at
	}
	if n.yaml == nil || n.yaml.Kind != yaml.ScalarNode || n.refused {
		return n.token()
	}
	value := []rune(n.Value)
	from = min(max(from, 0), len(value))
	to = min(max(to, from), len(value))
	first, inside := inkBefore(value, from), from < len(value) && !isBlank(value[from])
	last := inkBefore(value, to) - 1

	scan := newScan(n)
	start, afterPrevious := scan.at(first)
	if !inside {
		// White space of the value has no rune of its own in the source: point behind the rune before it.
		start = afterPrevious
	}
	end := diag.Position{Line: start.Line, Column: start.Column + 1}
	if last > first || (last == first && inside) {
		_, end = scan.at(last + 1)
	}
	return diag.Place{File: n.doc.Path, Range: diag.Range{Start: start, End: end}}
}

// token is the place of a node's first rune, for what has no text of its own.
func (n *Node) token() diag.Place {
	if n.yaml == nil {
		return diag.Place{File: n.doc.Path}
	}
	return n.doc.span(max(n.yaml.Line, 1), max(n.yaml.Column, 1), n.yaml.Column+1)
}

// inkBefore counts the runes before an offset that are not white space.
func inkBefore(value []rune, offset int) int {
	count := 0
	for _, r := range value[:offset] {
		if !isBlank(r) {
			count++
		}
	}
	return count
}

// isBlank tells what YAML may add, drop or change when it folds lines.
func isBlank(r rune) bool { return r == ' ' || r == '\t' || isBreak(r) }

// scan walks the source text of one scalar.
type scan struct {
	text []byte
	doc  *Document
	mark mark
	read func(*scan) (size int, ink bool)
}

// mark is a byte offset in the file with its line and column.
type mark struct {
	offset int
	diag.Position
}

func newScan(n *Node) *scan {
	s := &scan{text: n.doc.Text, doc: n.doc, read: (*scan).plain}
	s.mark = n.doc.markAt(n.yaml.Line, n.yaml.Column)
	switch {
	case n.yaml.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		// The header line may hold indicators and a comment.
		if next := s.mark.Line + 1; next <= len(n.doc.lines) {
			s.mark = mark{offset: n.doc.lines[next-1][0], Position: diag.Position{Line: next, Column: 1}}
		}
	case n.yaml.Style&yaml.SingleQuotedStyle != 0:
		s.advance(1)
		s.read = (*scan).single
	case n.yaml.Style&yaml.DoubleQuotedStyle != 0:
		s.advance(1)
		s.read = (*scan).double
	}
	return s
}

// at gives the start of the k-th (from 0) rune with ink, and the position behind the one before it.
func (s *scan) at(k int) (start, afterPrevious diag.Position) {
	from := *s
	afterPrevious = from.mark.Position
	for seen := 0; from.mark.offset < len(from.text); {
		size, ink := from.read(&from)
		if ink && seen == k {
			return from.mark.Position, afterPrevious
		}
		from.advance(size)
		if ink {
			seen++
			afterPrevious = from.mark.Position
		}
	}
	return from.mark.Position, afterPrevious
}

// advance moves the mark by a number of bytes.
func (s *scan) advance(size int) {
	for stop := min(s.mark.offset+size, len(s.text)); s.mark.offset < stop; {
		r, width := utf8.DecodeRune(s.text[s.mark.offset:])
		next := s.mark.offset + width
		switch {
		case r == '\r' && next < len(s.text) && s.text[next] == '\n':
		case isBreak(r):
			s.mark.Line, s.mark.Column = s.mark.Line+1, 1
		default:
			s.mark.Column++
		}
		s.mark.offset = next
	}
}

func (s *scan) plain() (size int, ink bool) {
	r, width := utf8.DecodeRune(s.text[s.mark.offset:])
	return width, !isBlank(r)
}

func (s *scan) single() (size int, ink bool) {
	if strings.HasPrefix(string(s.text[s.mark.offset:min(s.mark.offset+2, len(s.text))]), "''") {
		return 2, true
	}
	return s.plain()
}

// double reads one unit of a double-quoted scalar: a rune, or an escape. An escaped line break stands for nothing.
func (s *scan) double() (size int, ink bool) {
	rest := s.text[s.mark.offset:]
	if rest[0] != '\\' || len(rest) < 2 {
		return s.plain()
	}
	switch rest[1] {
	case 'x':
		return hexEscape(rest, 2)
	case 'u':
		return hexEscape(rest, 4)
	case 'U':
		return hexEscape(rest, 8)
	case 'n', 'r', 't', ' ', '\t', 'N', 'L', 'P':
		return 2, false
	}
	r, width := utf8.DecodeRune(rest[1:])
	return 1 + width, !isBreak(r)
}

func hexEscape(rest []byte, digits int) (size int, ink bool) {
	size = min(2+digits, len(rest))
	var r rune
	for _, c := range rest[2:size] {
		r = r<<4 | rune(strings.IndexByte("0123456789abcdef", c|0x20)&0xf)
	}
	return size, !isBlank(r)
}

// A line longer than longLine bytes has marks, so that a place in it is found without going through all before it.
const (
	longLine  = 1024
	markEvery = 256 // runes
)

// markLines makes the marks of long lines.
func (d *Document) markLines() {
	for i, l := range d.lines {
		if l[1]-l[0] <= longLine {
			continue
		}
		var marks []int
		for offset, n := l[0], 0; offset < l[1]; n++ {
			if n%markEvery == 0 {
				marks = append(marks, offset)
			}
			_, width := utf8.DecodeRune(d.Text[offset:])
			offset += width
		}
		if d.marks == nil {
			d.marks = map[int][]int{}
		}
		d.marks[i+1] = marks
	}
}

// markAt finds the byte offset of a line and column.
func (d *Document) markAt(line, column int) mark {
	line = min(max(line, 1), len(d.lines))
	m := mark{offset: d.lines[line-1][0], Position: diag.Position{Line: line, Column: 1}}
	if marks := d.marks[line]; len(marks) > 0 && column > 1 {
		i := min((column-1)/markEvery, len(marks)-1)
		m.offset, m.Column = marks[i], 1+i*markEvery
	}
	for m.Column < column && m.offset < d.lines[line-1][1] {
		_, width := utf8.DecodeRune(d.Text[m.offset:])
		m.offset += width
		m.Column++
	}
	return m
}
