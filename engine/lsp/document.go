package lsp

import (
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
	"unicode/utf16"

	"github.com/culvert/culvert/rules/diag"
)

// document is a file that an editor has open.
type document struct {
	uri     string
	version int
	text    string
	space   *workspace
	name    string // in the project, with slashes
	made    *outline
}

// outline gives the structure of the text, made once.
func (d *document) outline() *outline {
	if d.made == nil {
		d.made = newOutline(d.text)
	}
	return d.made
}

// lines converts places of one text between runes and UTF-16.
type lines [][]rune

// toPosition converts a place; one outside of the text to the nearest within.
func (l lines) toPosition(s spot) Position {
	if len(l) == 0 {
		return Position{}
	}
	if s.line >= len(l) {
		s = spot{len(l) - 1, len(l[len(l)-1])}
	}
	units := 0
	for _, r := range l[s.line][:min(max(s.col, 0), len(l[s.line]))] {
		units += max(utf16.RuneLen(r), 1)
	}
	return Position{s.line, units}
}

func (l lines) toRange(from, to spot) Range { return Range{l.toPosition(from), l.toPosition(to)} }

// toSpot converts a place of the protocol.
func (l lines) toSpot(p Position) spot {
	if p.Line < 0 || len(l) == 0 {
		return spot{}
	}
	if p.Line >= len(l) {
		return spot{len(l) - 1, len(l[len(l)-1])}
	}
	units := 0
	for i, r := range l[p.Line] {
		if units >= p.Character {
			return spot{p.Line, i}
		}
		units += max(utf16.RuneLen(r), 1)
	}
	return spot{p.Line, len(l[p.Line])}
}

// diagRange converts the range of a finding, which counts from 1; an empty one is a rune long, so that it can be seen.
func (l lines) diagRange(r diag.Range) Range {
	from, to := spotOf(r.Start), spotOf(r.End)
	if !from.before(to) {
		to = spot{from.line, from.col + 1}
	}
	return l.toRange(from, to)
}

// spotOf converts a position of a finding.
func spotOf(p diag.Position) spot { return spot{max(p.Line-1, 0), max(p.Column-1, 0)} }

// pathOf gives the file that a URI names; "" for one that is no file.
func pathOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "file" {
		return ""
	}
	path := u.Path
	if runtime.GOOS == "windows" {
		path = strings.TrimPrefix(path, "/")
	}
	return filepath.Clean(filepath.FromSlash(path))
}

// uriOf names a file as a URI.
func uriOf(path string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return (&url.URL{Scheme: "file", Path: path}).String()
}
