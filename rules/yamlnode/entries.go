package yamlnode

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"

	"github.com/culvert/culvert/rules/diag"
)

// AddEntry adds a key at the end of a mapping, with a value that is YAML of one line. Mappings on the
// way that are not there are added. Where the key stands as a comment (# Key: …   # what it is), as
// `culvert new` leaves it, that line becomes the entry and keeps what is remarked behind it.
func AddEntry(file string, text []byte, path []string, key, raw string) ([]byte, error) {
	e, err := newEditor(file, text, append(path[:len(path):len(path)], key))
	if err != nil {
		return nil, err
	}
	want, err := plainOf(raw)
	if err != nil || e.node != nil || e.doc.Root == nil {
		return nil, ErrUneditable
	}
	parent, missing := path, []string{}
	for len(parent) > 0 && e.doc.Root.At(parent) == nil {
		missing = append([]string{parent[len(parent)-1]}, missing...)
		parent = parent[:len(parent)-1]
	}
	mapping := e.doc.Root.At(parent)
	if mapping.Kind == Mapping && len(mapping.pairs) > 0 || mapping.IsNull() && mapping.key != nil || mapping.Flow() {
		keys := append(missing, key)
		for _, out := range [][]byte{e.uncomment(mapping, keys, raw), e.insert(mapping, keys, raw)} {
			if out != nil && e.added(out, want) {
				return e.done(out), nil
			}
		}
	}
	return nil, ErrUneditable
}

// AddText is AddEntry with a text as the value, written as the place needs it.
func AddText(file string, text []byte, path []string, key, value string) ([]byte, error) {
	e, err := newEditor(file, text, path)
	if err != nil {
		return nil, err
	}
	raw := Text(value)
	if e.within(append(path[:len(path):len(path)], key)) {
		raw = FlowText(value)
	}
	return AddEntry(file, text, path, key, raw)
}

// added tells whether a text is the document with the entry, and nothing else changed.
func (e *editor) added(text []byte, want any) bool {
	var list diag.List
	doc := Parse(e.doc.Path, text, &list)
	if doc == nil || list.HasErrors() || !reflect.DeepEqual(doc.Root.At(e.path).Plain(), want) {
		return false
	}
	plain := doc.Root.Plain()
	for n := len(e.path); n > 0; n-- { // mappings that came for its sake go with it
		if n < len(e.path) && !e.doc.Root.At(e.path[:n]).IsNull() {
			break
		}
		plain = without(plain, e.path[:n])
		if n < len(e.path) && e.doc.Root.At(e.path[:n]) != nil {
			return reflect.DeepEqual(plain, without(e.doc.Root.Plain(), e.path[:n]))
		}
	}
	return reflect.DeepEqual(plain, e.doc.Root.Plain())
}

// lineBreak is how the document ends its lines.
func (d *Document) lineBreak() string {
	if bytes.Contains(d.Text, []byte("\r\n")) {
		return "\r\n"
	}
	return "\n"
}

// insert writes keys inside of each other, the last with the value, at the end of a mapping.
func (e *editor) insert(mapping *Node, keys []string, raw string) []byte {
	d := e.doc
	if mapping.Flow() {
		text := raw
		for i := len(keys) - 1; i >= 0; i-- {
			text = FlowText(keys[i]) + ": " + text
			if i > 0 {
				text = "{" + text + "}"
			}
		}
		from, end := d.extent(mapping)
		at := end - 1
		for at > from && (d.Text[at-1] == ' ' || d.Text[at-1] == '\n') {
			at--
		}
		switch {
		case len(mapping.pairs) == 0:
		case d.Text[at-1] == ',':
			text = " " + text
		default:
			text = ", " + text
		}
		return splice(d.Text, at, at, text)
	}
	indent, line := 0, 0
	if len(mapping.pairs) > 0 {
		indent = mapping.pairs[0].Key.yaml.Column - 1
		_, end := d.extent(mapping)
		line = d.lineOf(end)
	} else {
		indent, line = d.column(mapping.key)+2, d.lineOf(d.valueEnd(Pair{mapping.key, mapping}))
	}
	at, text := d.lines[line-1][1], ""
	for i, key := range keys {
		text += d.lineBreak() + strings.Repeat(" ", indent+2*i) + Text(key) + ":"
	}
	return splice(d.Text, at, at, text+" "+raw)
}

// column is how far a key is indented, a dash before it not counted.
func (d *Document) column(key *Node) int { return key.yaml.Column - 1 }

// lineOf gives the line, counted from 1, that a byte is in.
func (d *Document) lineOf(offset int) int {
	for i, l := range d.lines {
		if offset <= l[1] {
			return i + 1
		}
	}
	return len(d.lines)
}

// uncomment makes entries of comments: the key's own line and those of the mappings around it.
func (e *editor) uncomment(mapping *Node, keys []string, raw string) []byte {
	if mapping.Flow() {
		return nil
	}
	d := e.doc
	indent, from := 0, 0
	if len(mapping.pairs) > 0 {
		indent, from = mapping.pairs[0].Key.yaml.Column-1, mapping.pairs[0].Key.yaml.Line
		for from > 1 && strings.HasPrefix(strings.TrimSpace(d.line(from-1)), "#") { // comments before the first key
			from--
		}
	} else {
		indent, from = d.column(mapping.key)+2, mapping.key.yaml.Line+1
	}
	text := append([]byte(nil), d.Text...)
	shift := 0
	for i, key := range keys {
		value := ""
		if i == len(keys)-1 {
			value = " " + raw
		}
		line := d.commented(from, indent+2*i, key, indent)
		if line == 0 {
			return nil
		}
		l := d.lines[line-1]
		fresh := strings.Repeat(" ", indent+2*i) + Text(key) + ":" + value
		if _, remark, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(d.line(line)), "#"), " # "); ok {
			fresh += " # " + strings.TrimSpace(remark)
		}
		text = splice(text, l[0]+shift, l[1]+shift, fresh)
		shift += len(fresh) - (l[1] - l[0])
		from = line + 1
	}
	return text
}

// commented finds the line of a comment that is a key, from a line on, before the text is indented less.
func (d *Document) commented(from, indent int, key string, least int) int {
	for n := from; n <= len(d.lines); n++ {
		line := d.line(n)
		trimmed := strings.TrimLeft(line, " ")
		switch deep := len(line) - len(trimmed); {
		case strings.TrimSpace(trimmed) == "":
		case !strings.HasPrefix(trimmed, "#") && deep < least:
			return 0
		case !strings.HasPrefix(trimmed, "#") || deep != indent:
		default:
			rest := strings.TrimPrefix(trimmed[1:], " ")
			if strings.HasPrefix(rest, key+":") || strings.HasPrefix(rest, Text(key)+":") {
				return n
			}
		}
	}
	return 0
}

// RemoveEntry takes an entry of a mapping, or an item of a list, out: the lines that it alone stands on, or its part
// of the braces. A mapping that has no other entry goes with it.
func RemoveEntry(file string, text []byte, path []string) ([]byte, error) {
	e, err := newEditor(file, text, path)
	if err != nil {
		return nil, err
	}
	if len(path) == 0 || e.node == nil {
		return nil, ErrUneditable
	}
	for len(path) > 1 && e.lonely(path) {
		path = path[:len(path)-1]
	}
	e.path, e.node = path, e.doc.Root.At(path)
	out, err := e.cut(e.doc.Root.At(path[:len(path)-1]), path[len(path)-1])
	if err != nil {
		return nil, err
	}
	var list diag.List
	doc := Parse(file, out, &list)
	if doc == nil || list.HasErrors() || !reflect.DeepEqual(doc.Root.Plain(), removed(e.doc.Root.Plain(), path)) {
		return nil, ErrUneditable
	}
	return e.done(out), nil
}

// lonely tells whether a path leads to the only entry of a mapping or list.
func (e *editor) lonely(path []string) bool {
	around := e.doc.Root.At(path[:len(path)-1])
	return around != nil && len(around.pairs)+len(around.items) == 1 && len(path) > 1
}

// removed gives a tree less an entry or item.
func removed(tree any, path []string) any {
	switch x := tree.(type) {
	case map[string]any:
		if len(path) > 1 {
			x[path[0]] = removed(x[path[0]], path[1:])
			return x
		}
		delete(x, path[0])
		return x
	case []any:
		var kept []any
		for i, item := range x {
			switch {
			case fmt.Sprint(i) != path[0]:
				kept = append(kept, item)
			case len(path) > 1:
				kept = append(kept, removed(item, path[1:]))
			}
		}
		return kept
	}
	return tree
}

// part is what an entry or an item is written in, and where the next one begins.
type part struct{ from, to int }

// cut takes one entry out of the text.
func (e *editor) cut(around *Node, step string) ([]byte, error) {
	d := e.doc
	var parts []part
	at := -1
	for i, p := range around.pairs {
		from, _ := d.extent(p.Key)
		parts = append(parts, part{from, d.valueEnd(p)})
		if p.Key.Value == step {
			at = i
		}
	}
	for i, item := range around.items {
		from, to := d.extent(item)
		parts = append(parts, part{from, to})
		if fmt.Sprint(i) == step {
			at = i
		}
	}
	if at < 0 {
		return nil, ErrUneditable
	}
	p, last := parts[at], at == len(parts)-1
	switch {
	case around.Flow() && !last:
		return splice(d.Text, p.from, parts[at+1].from, ""), nil
	case around.Flow() && at > 0:
		return splice(d.Text, parts[at-1].to, p.to, ""), nil
	case around.Flow():
		return nil, ErrUneditable
	}
	first, end := d.lineOf(p.from), d.lineOf(p.to)
	before := string(d.Text[d.lines[first-1][0]:p.from])
	if around.Kind == Mapping && strings.TrimSpace(before) != "" { // the dash of an item stands before it
		if last {
			return nil, ErrUneditable
		}
		return splice(d.Text, p.from, parts[at+1].from, ""), nil
	}
	from, to := d.lines[first-1][0], len(d.Text)
	if end < len(d.lines) {
		to = d.lines[end][0]
	} else if from > 0 {
		from = d.lines[first-2][1]
	}
	return splice(d.Text, from, to, ""), nil
}
