package yamlnode

import (
	"unicode/utf8"

	"github.com/culvert/culvert/rules/diag"
)

// isBreak tells whether YAML ends a line with the rune.
func isBreak(r rune) bool {
	return r == '\n' || r == '\r' || r == 0x85 || r == 0x2028 || r == 0x2029
}

// splitLines gives the byte range of every line without its break, counting lines as YAML does.
func splitLines(text []byte) [][2]int {
	var lines [][2]int
	start := 0
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		next := i + size
		if isBreak(r) {
			if r == '\r' && next < len(text) && text[next] == '\n' {
				next++
			}
			lines = append(lines, [2]int{start, i})
			start = next
		}
		i = next
	}
	return append(lines, [2]int{start, len(text)})
}

// line gives the text of a line, counted from 1; "" outside the file.
func (d *Document) line(number int) string {
	if number < 1 || number > len(d.lines) {
		return ""
	}
	l := d.lines[number-1]
	return string(d.Text[l[0]:l[1]])
}

// span is a place within one line; columns count from 1 in runes, the second is the one after the last.
func (d *Document) span(line, from, to int) diag.Place {
	return diag.Place{File: d.Path, Range: diag.Range{
		Start: diag.Position{Line: line, Column: from},
		End:   diag.Position{Line: line, Column: max(to, from+1)},
	}}
}

// placeAt is the place of a single rune.
func (d *Document) placeAt(p diag.Position) diag.Place { return d.span(p.Line, p.Column, p.Column+1) }
