package lsp

import "strings"

// cursor is what stands at a place in a text.
type cursor struct {
	at     spot
	entry  *entry // whose value, or whose key, the place is in; nil where a new key would be written
	parent *entry // of the entry, or that a new key would be written in
	inKey  bool
}

// cursorAt finds what stands at a place.
func (o *outline) cursorAt(at spot) cursor {
	if at.line >= len(o.lines) {
		at = spot{len(o.lines) - 1, len(o.lines[len(o.lines)-1])}
	}
	if c, ok := o.within(o.root, at); ok {
		return c
	}
	return o.between(at)
}

// within looks for the entry whose key or value a place is in.
func (o *outline) within(e *entry, at spot) (cursor, bool) {
	for _, c := range e.children {
		switch {
		case !c.keyTo.before(at) && !at.before(c.keyFrom) && (!c.item || at == c.keyFrom && !c.flow):
			return cursor{at: at, entry: c, parent: e, inKey: true}, true
		case c.open != 0 && c.from.before(at) && (at.before(c.to) || !o.closed(c) && !c.to.before(at)):
			if found, ok := o.within(c, at); ok {
				return found, true
			}
			if c.open == '{' {
				return cursor{at: at, parent: c}, true
			}
			return cursor{at: at, entry: &entry{parent: c, item: true, flow: true, from: at, to: at}, parent: c}, true
		case c.open == 0 && len(c.children) == 0 && o.inValue(c, at):
			if c.item && !c.flow && c.quote == 0 && !c.block {
				return cursor{at: at, entry: c, parent: c, inKey: true}, true // it may become the key of a mapping
			}
			return cursor{at: at, entry: c, parent: e}, true
		}
		if found, ok := o.within(c, at); ok {
			return found, true
		}
	}
	return cursor{}, false
}

func (o *outline) closed(e *entry) bool {
	line := o.lines[min(e.to.line, len(o.lines)-1)]
	if e.to.col == 0 || e.to.col > len(line) {
		return false
	}
	c := line[e.to.col-1]
	return e.open == '{' && c == '}' || e.open == '[' && c == ']'
}

// inValue tells whether a place is in the text of a value, or behind the colon of a key that has none yet.
func (o *outline) inValue(c *entry, at spot) bool {
	if c.bare {
		return false
	}
	if !at.before(c.from) && !c.to.before(at) {
		return true
	}
	if c.value != "" && c.quote == 0 && at.line == c.to.line && c.to.before(at) &&
		strings.TrimSpace(string(o.lines[at.line][c.to.col:at.col])) == "" {
		return true // blanks behind what is being typed
	}
	return c.value == "" && at.line == c.keyTo.line && c.keyTo.before(at) && !c.flow &&
		blankOrComment(o.lines[at.line], c.keyTo.col+1)
}

// between finds which mapping or list a key at an empty place would belong to: the nearest one
// above that is indented less.
func (o *outline) between(at spot) cursor {
	last := o.root
	o.root.all(func(e *entry) {
		if !e.flow && e != o.root && e.keyFrom.before(at) {
			last = e
		}
	})
	for e := last; e.parent != nil; e = e.parent {
		if e.indent < at.col && !e.bare && e.value == "" && e.open == 0 {
			return cursor{at: at, parent: e}
		}
	}
	return cursor{at: at, parent: o.root}
}
