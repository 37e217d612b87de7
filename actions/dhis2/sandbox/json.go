package sandbox

import (
	"fmt"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Limits on what a request body may be: DHIS2's parser has the same kind of limits, and a rehearsal must not be able to exhaust the machine.
const (
	maxBody  = 256 << 20
	maxDepth = 200
)

type jsonKind uint8

const (
	jsonNull jsonKind = iota
	jsonBool
	jsonNumber
	jsonString
	jsonArray
	jsonObject
)

func (k jsonKind) String() string {
	return [...]string{"null", "Boolean value", "number", "String value", "Array value", "Object value"}[k]
}

// node is one JSON value. Field names are compared exactly, as DHIS2 does and encoding/json does not; that is why it is parsed here.
type node struct {
	kind   jsonKind
	bool   bool
	text   string // of a string, or the digits of a number as written
	items  []*node
	fields []field
}

type field struct {
	name  string
	value *node
}

// get gives the last field of that name; nil when there is none or it is null.
func (n *node) get(name string) *node {
	if n == nil {
		return nil
	}
	for i := len(n.fields) - 1; i >= 0; i-- {
		if n.fields[i].name == name {
			if n.fields[i].value.kind == jsonNull {
				return nil
			}
			return n.fields[i].value
		}
	}
	return nil
}

// has tells whether there is a field of that name, be it null.
func (n *node) has(name string) bool {
	return n != nil && slices.ContainsFunc(n.fields, func(f field) bool { return f.name == name })
}

// syntaxError says where a text stops being JSON.
type syntaxError struct {
	line, column int
	reason       string
}

func (e *syntaxError) Error() string {
	return fmt.Sprintf("%s at line: %d, column: %d", e.reason, e.line, e.column)
}

// parseJSON reads the first JSON value of a text. What follows it is ignored, as DHIS2's parser ignores it.
// A text without any value gives nil.
func parseJSON(data []byte) (*node, error) {
	p := jsonParser{data: data}
	p.space()
	if p.at == len(p.data) {
		return nil, nil
	}
	return p.value(0)
}

type jsonParser struct {
	data []byte
	at   int
}

func (p *jsonParser) fail(reason string) error {
	line, column := 1, 1
	for _, c := range p.data[:min(p.at, len(p.data))] {
		column++
		if c == '\n' {
			line, column = line+1, 1
		}
	}
	return &syntaxError{line: line, column: column, reason: reason}
}

func (p *jsonParser) space() {
	for p.at < len(p.data) {
		switch p.data[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

func (p *jsonParser) value(depth int) (*node, error) {
	if depth > maxDepth {
		return nil, p.fail(fmt.Sprintf("Document nesting depth exceeds the maximum allowed (%d)", maxDepth))
	}
	p.space()
	if p.at >= len(p.data) {
		return nil, p.fail("Unexpected end-of-input")
	}
	switch c := p.data[p.at]; {
	case c == '{':
		return p.object(depth)
	case c == '[':
		return p.array(depth)
	case c == '"':
		s, err := p.str()
		if err != nil {
			return nil, err
		}
		return &node{kind: jsonString, text: s}, nil
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	default:
		return p.word()
	}
}

func (p *jsonParser) word() (*node, error) {
	for _, w := range []struct {
		text string
		node node
	}{{"true", node{kind: jsonBool, bool: true}}, {"false", node{kind: jsonBool}}, {"null", node{}}} {
		end := p.at + len(w.text)
		if end <= len(p.data) && string(p.data[p.at:end]) == w.text && (end == len(p.data) || !isWord(p.data[end])) {
			p.at = end
			n := w.node
			return &n, nil
		}
	}
	return nil, p.fail(fmt.Sprintf("Unexpected character (%q)", p.data[p.at]))
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func (p *jsonParser) number() (*node, error) {
	start := p.at
	if p.data[p.at] == '-' {
		p.at++
	}
	digits := func() int {
		n := 0
		for p.at < len(p.data) && p.data[p.at] >= '0' && p.data[p.at] <= '9' {
			p.at++
			n++
		}
		return n
	}
	first := p.at
	n := digits()
	if n == 0 || n > 1 && p.data[first] == '0' {
		return nil, p.fail("Invalid numeric value")
	}
	if p.at < len(p.data) && p.data[p.at] == '.' {
		p.at++
		if digits() == 0 {
			return nil, p.fail("Decimal point not followed by a digit")
		}
	}
	if p.at < len(p.data) && (p.data[p.at] == 'e' || p.data[p.at] == 'E') {
		p.at++
		if p.at < len(p.data) && (p.data[p.at] == '+' || p.data[p.at] == '-') {
			p.at++
		}
		if digits() == 0 {
			return nil, p.fail("Exponent indicator not followed by a digit")
		}
	}
	if p.at < len(p.data) && isWord(p.data[p.at]) {
		return nil, p.fail("Unexpected character after a number")
	}
	return &node{kind: jsonNumber, text: string(p.data[start:p.at])}, nil
}

func (p *jsonParser) str() (string, error) {
	p.at++
	start := p.at
	for p.at < len(p.data) {
		switch c := p.data[p.at]; {
		case c == '"':
			s := string(p.data[start:p.at])
			p.at++
			return s, nil
		case c == '\\':
			return p.escaped(start)
		case c < 0x20:
			return "", p.fail("Illegal unquoted character in a string")
		}
		p.at++
	}
	return "", p.fail("Unexpected end-of-input in a string")
}

// escaped goes on with a string from its first backslash.
func (p *jsonParser) escaped(start int) (string, error) {
	out := append([]byte(nil), p.data[start:p.at]...)
	for p.at < len(p.data) {
		c := p.data[p.at]
		switch {
		case c == '"':
			p.at++
			return string(out), nil
		case c < 0x20:
			return "", p.fail("Illegal unquoted character in a string")
		case c != '\\':
			out = append(out, c)
			p.at++
			continue
		}
		p.at++
		if p.at >= len(p.data) {
			break
		}
		switch e := p.data[p.at]; e {
		case '"', '\\', '/':
			out = append(out, e)
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, err := p.unicode()
			if err != nil {
				return "", err
			}
			out = utf8.AppendRune(out, r)
			continue
		default:
			return "", p.fail("Unrecognized character escape")
		}
		p.at++
	}
	return "", p.fail("Unexpected end-of-input in a string")
}

// unicode reads uXXXX, and the second half of a surrogate pair if one follows.
func (p *jsonParser) unicode() (rune, error) {
	one := func() (rune, bool) {
		if p.at+5 > len(p.data) || p.data[p.at] != 'u' {
			return 0, false
		}
		v, err := strconv.ParseUint(string(p.data[p.at+1:p.at+5]), 16, 32)
		return rune(v), err == nil
	}
	r, ok := one()
	if !ok {
		return 0, p.fail("Unexpected character in an escape sequence")
	}
	p.at += 5
	if utf16.IsSurrogate(r) && p.at+1 < len(p.data) && p.data[p.at] == '\\' && p.data[p.at+1] == 'u' {
		p.at++
		if second, ok := one(); ok {
			if pair := utf16.DecodeRune(r, second); pair != utf8.RuneError {
				p.at += 5
				return pair, nil
			}
		}
		p.at--
	}
	if utf16.IsSurrogate(r) {
		return utf8.RuneError, nil
	}
	return r, nil
}

func (p *jsonParser) array(depth int) (*node, error) {
	n := &node{kind: jsonArray}
	p.at++
	p.space()
	if p.at < len(p.data) && p.data[p.at] == ']' {
		p.at++
		return n, nil
	}
	for {
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		n.items = append(n.items, v)
		p.space()
		if p.at >= len(p.data) {
			return nil, p.fail("Unexpected end-of-input: expected close marker for Array")
		}
		switch p.data[p.at] {
		case ',':
			p.at++
		case ']':
			p.at++
			return n, nil
		default:
			return nil, p.fail("Unexpected character: was expecting comma to separate Array entries")
		}
	}
}

func (p *jsonParser) object(depth int) (*node, error) {
	n := &node{kind: jsonObject}
	p.at++
	p.space()
	if p.at < len(p.data) && p.data[p.at] == '}' {
		p.at++
		return n, nil
	}
	for {
		p.space()
		if p.at >= len(p.data) || p.data[p.at] != '"' {
			return nil, p.fail("Unexpected character: was expecting double-quote to start field name")
		}
		name, err := p.str()
		if err != nil {
			return nil, err
		}
		p.space()
		if p.at >= len(p.data) || p.data[p.at] != ':' {
			return nil, p.fail("Unexpected character: was expecting a colon to separate field name and value")
		}
		p.at++
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		n.fields = append(n.fields, field{name, v})
		p.space()
		if p.at >= len(p.data) {
			return nil, p.fail("Unexpected end-of-input: expected close marker for Object")
		}
		switch p.data[p.at] {
		case ',':
			p.at++
		case '}':
			p.at++
			return n, nil
		default:
			return nil, p.fail("Unexpected character: was expecting comma to separate Object entries")
		}
	}
}
